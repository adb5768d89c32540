"""How many labels does a rule save? An annotator that is a program clicks through ``halfsmile label``.

    halfsmile data prepare FERPLUS --crops --size 99 --lossless --out store
    python benchmarks/label_curve.py --data store --out curves --seeds 0 1 --plot docs/images/label_curve.svg

The pool is the training split without its labels; the annotator answers with them. After each training the
newest head is measured on the other splits, which nothing else sees. Labels are counted as a person would:
all answers, those kept apart to measure included. ``--recipe-at 600`` trains Stage II after so many answers,
as the button of the page does, and the rule picks by its network from there on. ``--direct`` lets the
rules pick without server and session, all answers teach, and the head's penalty is fixed: a tenth of the
time, to compare many rules.
Each rule and seed is written when it is finished, and passed over by the next call; features of the pool are
computed once.
"""

from __future__ import annotations

import shutil
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tyro

from halfsmile.data.images import load_faces
from halfsmile.data.manifest import Manifest
from halfsmile.data.readers.registry import read_any
from halfsmile.label.learn.acquisition import RULES, Situation
from halfsmile.label.learn.extractors import choose_extractor
from halfsmile.label.learn.head import fit_head, refit_head
from halfsmile.label.learn.learning import CANDIDATES, CROSSED_AGAIN
from halfsmile.label.learn.reduction import Reduction
from halfsmile.label.session import Labeling
from halfsmile.taxonomy import FERPLUS
from halfsmile.utils.console import make_console
from halfsmile.utils.files import atomic_write, read_json, write_json
from halfsmile.utils.markdown import markdown_table

Halves = npt.NDArray[np.float16]
COLORS = {"diverse": "#b3371f", "random": "#333333"}
TARGETS = (0.6, 0.65, 0.68, 0.7, 0.72, 0.75)


@dataclass(frozen=True, eq=False)
class Test:
    """What heads are measured on.

    Args:
        features: (T, D).
        labels: (T,) names.
    """

    features: Halves
    labels: npt.NDArray[np.str_]

    def scores(self, head: Any) -> tuple[float, float]:
        """Accuracy of a head, and the mean of the recalls of the classes."""
        right = np.array(head.classes)[head.logits(self.features).argmax(axis=1)] == self.labels
        recalls = [right[self.labels == name].mean() for name in np.unique(self.labels)]
        return float(right.mean()), float(np.mean(recalls))


def read_test(manifest: Manifest, cache: Path) -> Test:
    """The labeled faces of the other splits, with features from a file where an earlier call left them."""
    kept = [row for row, label in enumerate(manifest.column("label")) if label is not None]
    manifest = manifest.take(kept)
    labels = np.array(manifest.column("label"), str)
    if cache.is_file():
        return Test(np.load(cache), labels)
    extractor = choose_extractor()
    size, channels = extractor.shape
    images = load_faces(manifest, size=size, channels=channels).images
    parts = [extractor(images[start : start + 64]) for start in range(0, len(images), 64)]
    features = np.concatenate(parts).astype(np.float16)
    with atomic_write(cache) as path:
        np.save(path, features)
    return Test(features, labels)


def click(
    pool: Path,
    truth: list[str | None],
    folder: Path,
    rule: str,
    seed: int,
    most: int,
    test: Test,
    recipe_at: Sequence[int] = (),
) -> Any:
    """One session from nothing to ``most`` labels: answers, accuracy on the test faces, that on the page.

    The accuracy ends with the first recipe, whose network has no features of the test faces.
    """
    from fastapi.testclient import TestClient

    from halfsmile.label.http.app import create_app

    points = []
    begin = time.monotonic()
    labeling = Labeling.open(pool, out=folder, rule=rule, seed=seed, aligned=True)
    with TestClient(create_app(labeling), base_url="http://127.0.0.1") as client:
        while client.get("/v1/project").json()["features"] is not None:
            time.sleep(1)
        number = answered = 0
        while answered < most:
            face = client.get("/v1/next").json()["faces"][0]
            answer = {"face": face["id"], "kind": "label", "labels": [truth[int(face["id"])]]}
            if truth[int(face["id"])] is None:
                answer = {"face": face["id"], "kind": "cant_tell"}
            said = client.post("/v1/answers", json={"answers": [answer]})
            answered = said.raise_for_status().json()["answered"]
            labeling.learning.wait(600)
            if answered in recipe_at:
                train_recipe(client)
            learned = labeling.learning.learned
            is_first = not recipe_at or answered < min(recipe_at)
            if learned is not None and learned.number > number and is_first:
                number = learned.number
                found = test.scores(learned.head)
                own = client.get("/v1/project").json()["model"]
                points.append(
                    {
                        "answers": answered,
                        "accuracy": found[0],
                        "balanced": found[1],
                        "on_page": own["accuracy"],
                        "interval": own["interval"],
                        "tested": own["tested"],
                    }
                )
        stops = client.get("/v1/curve").json()["stop"]
        counts = client.get("/v1/project").json()["per_class"]
    minutes = (time.monotonic() - begin) / 60
    return {
        "rule": rule,
        "seed": seed,
        "points": points,
        "per_class": counts,
        "stop": stops,
        "minutes": minutes,
    }


def train_recipe(client: Any) -> None:
    """Train Stage II beside the session, and wait until its network has looked at all faces."""
    client.post("/v1/train", json={"what": "finetune"}).raise_for_status()
    while client.get("/v1/training").json()["recipe"] is not None:
        time.sleep(1)
    if error := client.get("/v1/training").json()["recipe_last"]["error"]:
        raise SystemExit(error)


def pick(pool: Halves, truth: npt.NDArray[np.int64], rule: str, seed: int, most: int, test: Test) -> Any:
    """The rule alone: 50 faces by chance, then 25 a training up to 200 labels, and 50 beyond.

    Args:
        pool: (N, R) reduced features of the faces that have a label.
        truth: (N,) class indices.
        rule: What picks.
        seed: Of the first faces and of the rule.
        most: Labels at the end.
        test: With reduced features.
    """
    rng = np.random.default_rng([seed, 2])
    labeled = np.random.default_rng([seed, 1]).permutation(len(pool))[:50]
    classes, points, fit, crossed_at = FERPLUS.labels, [], None, 0
    begin = time.monotonic()
    while True:
        x, y = pool[labeled].astype(np.float32), np.eye(len(classes))[truth[labeled]]
        if fit is None or len(labeled) >= CROSSED_AGAIN * crossed_at:
            fit, crossed_at = fit_head(x, y, classes, penalties=(0.3,)), len(labeled)
        else:
            fit = refit_head(x, y, classes, fit)
        found = test.scores(fit.head)
        points.append({"answers": len(labeled), "accuracy": found[0], "balanced": found[1]})
        if len(labeled) >= most:
            break
        mask = np.ones(len(pool), np.bool_)
        mask[labeled] = False
        rows = np.flatnonzero(mask)
        rows = np.sort(rng.choice(rows, min(len(rows), CANDIDATES), replace=False))
        counts = np.bincount(truth[labeled], minlength=len(classes)).astype(float)
        situation = Situation(fit.head(pool[rows]), pool[rows].astype(np.float32), x, counts)
        count = min(most - len(labeled), 25 if len(labeled) < 200 else 50)
        labeled = np.concatenate([labeled, rows[RULES[rule](situation, count, rng)]])
    counts = np.bincount(truth[labeled], minlength=len(classes)).tolist()
    return {
        "rule": rule,
        "seed": seed,
        "points": points,
        "per_class": dict(zip(classes, counts, strict=True)),
        "minutes": (time.monotonic() - begin) / 60,
    }


def at(curve: Any, answers: float, score: str = "accuracy") -> float:
    """A score at a number of answers, between two points a straight line over the logarithm."""
    x = np.log([point["answers"] for point in curve["points"]])
    return float(np.interp(np.log(answers), x, [point[score] for point in curve["points"]]))


def needed(curve: Any, accuracy: float) -> float:
    """Answers at which the curve, made to rise, reaches an accuracy; infinity if it does not."""
    grid = np.geomspace(curve["points"][0]["answers"], curve["points"][-1]["answers"], 2000)
    values = np.array([at(curve, answers) for answers in grid])
    smooth = np.array([values[max(0, i - 60) : i + 61].mean() for i in range(len(values))])
    reached = np.flatnonzero(smooth >= accuracy)
    return float(grid[reached[0]]) if len(reached) else float("inf")


def tell(curves: list[Any]) -> str:
    """Tables of accuracy and mean recall by number of labels, and of labels by accuracy."""
    by_rule = defaultdict(list)
    for curve in curves:
        by_rule[curve["rule"]].append(curve)
    most = min(curve["points"][-1]["answers"] for curve in curves)
    steps = [n for n in (100, 200, 400, 700, 1000, 1400, 2000, 2800) if n <= most]
    scores, counts = [], []
    for rule, found in by_rule.items():
        cells = [
            " / ".join(
                f"{100 * np.mean([at(curve, n, score) for curve in found]):.1f}"
                for score in ("accuracy", "balanced")
            )
            for n in steps
        ]
        scores.append([f"`{rule}`", *cells])
        cells = []
        for target in TARGETS:
            reached = [needed(curve, target) for curve in found]
            cells.append("not reached" if np.isinf(reached).any() else f"{np.mean(reached):,.0f}")
        counts.append([f"`{rule}`", *cells])
    first = markdown_table(["rule", *(f"{n:,}" for n in steps)], scores)
    return f"{first}\n\n{markdown_table(['rule', *(f'{target:.0%}' for target in TARGETS)], counts)}"


def draw(curves: list[Any], path: Path) -> None:
    """The curves of all rules, mean and range over the seeds."""
    by_rule = defaultdict(list)
    for curve in curves:
        by_rule[curve["rule"]].append(curve)
    axes = label_axes("test accuracy in %")
    for rule, found in by_rule.items():
        low = max(curve["points"][0]["answers"] for curve in found)
        high = min(curve["points"][-1]["answers"] for curve in found)
        grid = np.geomspace(max(low, 50), high, 200)
        values = np.array([[100 * at(curve, n) for n in grid] for curve in found])
        values = np.array([[row[max(0, i - 5) : i + 6].mean() for i in range(len(row))] for row in values])
        (line,) = axes.plot(
            grid,
            values.mean(axis=0),
            label=rule,
            color=COLORS.get(rule),
            linewidth=2.2 if rule in COLORS else 1.2,
            linestyle="--" if rule == "random" else "-",
        )
        if rule in COLORS:
            axes.fill_between(
                grid, values.min(axis=0), values.max(axis=0), color=line.get_color(), alpha=0.15, linewidth=0
            )
    axes.set_xlim(90, None)
    save(axes, path, (100, 200, 400, 700, 1000, 1400, 2000, 2800))


def label_axes(height: str) -> Any:
    """Axes of matplotlib over the number of labels; ``height`` says what the other one is."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "halfsmile"
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(figsize=(7, 4.2))
    axes.set_xscale("log")
    axes.set_xlabel("labels given")
    axes.set_ylabel(height)
    axes.grid(alpha=0.3)
    return axes


def save(axes: Any, path: Path, ticks: Sequence[int]) -> None:
    """Write what is drawn as an SVG file, with some numbers of labels below."""
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    axes.legend(frameon=False, loc="lower right")
    axes.figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    axes.figure.savefig(path, metadata={"Date": None})


def main(
    data: Path,
    out: Path,
    rules: tuple[str, ...] = tuple(RULES),
    seeds: tuple[int, ...] = (0, 1),
    most: int = 2800,
    plot: Path | None = None,
    direct: bool = False,
    recipe_at: tuple[int, ...] = (),
    keep: bool = False,
) -> None:
    """Measure rules on a labeled data set with a training split.

    Args:
        data: The data set, faces that are cut out already.
        out: Folder of features and curves.
        rules: Rules to measure.
        seeds: Of everything that is left to chance.
        most: Labels of a session.
        plot: Where to draw the curves, an SVG file.
        direct: The rules alone; features must be there from a session.
        recipe_at: Numbers of answers at which Stage II is trained; such rules are called ``RULE+recipe``.
        keep: Leave the folders of the answers, ``labels-RULE-SEED``, for ``halfsmile train --data``.
    """
    console = make_console()
    manifest = read_any(data)
    pool = manifest.split("train")
    truth = pool.column("label")
    out.mkdir(parents=True, exist_ok=True)
    pool.without_labels().save(out / "pool.parquet")
    test = read_test(manifest.split("valid", "test"), out / "test.npy")
    if direct:
        with np.load(out / "features" / "reduced.npz") as saved:
            reduced, reduction = saved["reduced"], Reduction(saved["mean"], saved["matrix"])
        test = Test(reduction(test.features).astype(np.float16), test.labels)
        classes = pool.class_indices()
        kept = np.flatnonzero((classes >= 0) & reduced.any(axis=1))
    curves = []
    for seed in seeds:
        for rule in rules:
            name = f"{'direct-' if direct else ''}{rule}{'+recipe' if recipe_at else ''}"
            path = out / f"{name}-{seed}.json"
            if not path.is_file() and direct:
                write_json(path, pick(reduced[kept], classes[kept], rule, seed, most, test))
            elif not path.is_file():
                folder = out / f"labels-{name}-{seed}"
                shutil.rmtree(folder, ignore_errors=True)
                if (out / "features").is_dir():
                    shutil.copytree(out / "features", folder / "features")
                found = click(out / "pool.parquet", truth, folder, rule, seed, most, test, recipe_at)
                write_json(path, {**found, "rule": name})
                if not (out / "features").is_dir():
                    shutil.copytree(folder / "features", out / "features")
                if not keep:
                    shutil.rmtree(folder)
            curves.append(read_json(path))
            last = curves[-1]["points"][-1]
            told = f"{name}, seed {seed}: {100 * last['accuracy']:.1f} % after {last['answers']:,} labels"
            if not direct:
                told += f", on the page {100 * last['on_page']:.1f} of {last['tested']}"
            console.print(f"{told}, {curves[-1]['minutes']:.1f} minutes", soft_wrap=True)
    console.print(tell(curves), soft_wrap=True)
    if plot is not None:
        draw(curves, plot)


if __name__ == "__main__":
    tyro.cli(main)
