"""How many labels does a rule save, once the network itself learns from them?

    python benchmarks/label_curve.py --data store --out curves --rules random diverse --most 1900 --keep
    python -m benchmarks.label_recipe --data store --curves curves --out recipes --rules random diverse \
        --plot docs/images/label_recipe.svg

Stage II of ``halfsmile train ssfer --init face`` learns from the first 1,200, 1,500 and 1,900 answers of each
session, those that are kept apart to measure left out, and is tested on the other splits of the data set,
which choose nothing. The labels that a rule needs for an accuracy are those at which a straight line over
the logarithm of their number, through the points of all seeds, has it. A run that was stopped goes on, one
that is finished is passed over, and what earlier calls measured (``--at``) is shown along.
"""

from __future__ import annotations

import itertools
import shutil
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import tyro
from benchmarks.label_curve import COLORS, label_axes, save

from halfsmile.api import train
from halfsmile.data.manifest import SCHEMA, Manifest
from halfsmile.data.readers.registry import read_any
from halfsmile.label.journal import JOURNAL_NAME, read_events
from halfsmile.label.output import LIST_NAME, with_taught_classes
from halfsmile.utils.console import make_console
from halfsmile.utils.files import read_json, write_json
from halfsmile.utils.markdown import markdown_table

TARGET = 0.75
Point = dict[str, Any]
"""``rule``, ``seed``, ``answers``, ``taught``, ``accuracy``, ``recall``, ``nll``, ``counts`` of one run."""


def first_answers(session: Path, answers: int) -> Manifest:
    """What the first answers of a session teach: the faces that they gave a label, none that is kept apart.

    Raises:
        ValueError: If the session has fewer answers.
    """
    asked: set[str] = set()
    for event in read_events(session / JOURNAL_NAME):
        if event["event"] == "answer" and len(asked) < answers:
            asked.add(event["image"])
    if len(asked) < answers:
        raise ValueError(f"{session} has {len(asked):,} answers, and {answers:,} are wanted.")
    labeled = Manifest.load(session / LIST_NAME)
    pairs = zip(labeled.column("image"), labeled.column("split"), strict=True)
    rows = [row for row, (image, split) in enumerate(pairs) if split == "train" and image in asked]
    return labeled.take(rows)


def with_test(taught: Manifest, test: Manifest) -> Manifest:
    """One list: the faces that teach, and those of the data set to test on, by their labels alone.

    Faces of a class that nothing teaches are left out; :func:`learn` counts them as wrong.
    """
    table = test.table
    for name, values in (("split", ["test"] * len(test)), ("votes", [None] * len(test))):
        field = SCHEMA.field(name)
        table = table.set_column(SCHEMA.get_field_index(name), field, pa.array(values, field.type))
    together = pa.concat_tables([taught.table, table])
    return with_taught_classes(Manifest(together, taught.root, taught.taxonomy))


def learn(session: Path, answers: int, test: Manifest, out: Path, *, seed: int, threads: int) -> Point:
    """Train Stage II on the first answers and test it."""
    begin = time.process_time()
    taught = first_answers(session, answers)
    manifest = with_test(taught, test)
    manifest.save(out / "labels.parquet")
    run = train(
        "ssfer",
        data=out / "labels.parquet",
        out=out / "run",
        init="face",
        labels="all",
        seed=seed,
        last_stage="finetune",
        threads=threads,
    )
    scores = run.evaluate()
    point = {
        "answers": answers,
        "taught": len(taught),
        "accuracy": scores.accuracy * scores.count / len(test),
        "recall": scores.balanced_accuracy * len(manifest.taxonomy or ()) / len(test.taxonomy or ()),
        "nll": scores.nll,
        "counts": taught.counts(),
        "seconds": time.process_time() - begin,
    }
    for part in ("cache", "finetune/checkpoint"):
        shutil.rmtree(out / "run" / part, ignore_errors=True)
    return point


def line(points: Sequence[Point], score: str = "accuracy") -> tuple[float, float]:
    """Slope and height of the least-squares line of a score over the logarithm of the answers."""
    slope, height = np.polyfit(
        np.log([point["answers"] for point in points]), [point[score] for point in points], 1
    )
    return float(slope), float(height)


def needed(points: Sequence[Point], accuracy: float = TARGET) -> float:
    """Answers at which the line through the points has an accuracy; infinity where it does not rise.

    NaN where there are not two numbers of answers to draw a line through.
    """
    if len({point["answers"] for point in points}) < 2:
        return float("nan")
    slope, height = line(points)
    return float(np.exp((accuracy - height) / slope)) if slope > 0 else float("inf")


def finished(out: Path, rules: Sequence[str], seeds: Sequence[int]) -> list[Point]:
    """The points of this and earlier calls, by rule, in the order of the rules."""
    points = [read_json(path) for path in out.glob("*/point.json")]
    kept = [point for point in points if point["rule"] in rules and point["seed"] in seeds]
    return sorted(kept, key=lambda point: (rules.index(point["rule"]), point["seed"], point["answers"]))


def tell(points: Sequence[Point]) -> str:
    """Two tables: accuracy and mean recall by number of answers, and the answers that 75 % needs."""
    by_rule: dict[str, list[Point]] = defaultdict(list)
    for point in points:
        by_rule[point["rule"]].append(point)
    steps = sorted({point["answers"] for point in points})
    seeds = sorted({point["seed"] for point in points})
    rows = []
    for rule, found in by_rule.items():
        for seed in seeds:
            at = {point["answers"]: point for point in found if point["seed"] == seed}
            cells = [
                f"{100 * at[n]['accuracy']:.1f} / {100 * at[n]['recall']:.1f}" if n in at else ""
                for n in steps
            ]
            rows.append([f"`{rule}`, seed {seed}", *cells])
    parts = [markdown_table(["accuracy / mean recall", *(f"{n:,}" for n in steps)], rows)]
    rows = []
    for rule, found in by_rule.items():
        own = [[point for point in found if point["seed"] == seed] for seed in seeds]
        rows.append([f"`{rule}`", *(f"{needed(part):,.0f}" for part in (found, *own))])
    parts.append(markdown_table([f"{TARGET:.0%} needs", "all", *(f"seed {seed}" for seed in seeds)], rows))
    return "\n\n".join(parts)


def draw(points: Sequence[Point], path: Path) -> None:
    """Each run a dot, each rule a line."""
    by_rule: dict[str, list[Point]] = defaultdict(list)
    for point in points:
        by_rule[point["rule"]].append(point)
    axes = label_axes("test accuracy in %, Stage II")
    for rule, found in by_rule.items():
        counts = {point["answers"] for point in found}
        ends = np.array([min(counts), max(counts)], float)
        slope, height = line(found) if len(counts) > 1 else (0.0, float("nan"))
        (drawn,) = axes.plot(
            ends,
            100 * (height + slope * np.log(ends)),
            label=rule,
            color=COLORS.get(rule),
            linestyle="--" if rule == "random" else "-",
            linewidth=2.2 if rule in COLORS else 1.2,
        )
        axes.scatter(
            [point["answers"] for point in found],
            [100 * point["accuracy"] for point in found],
            color=drawn.get_color(),
            s=14,
        )
    axes.axhline(100 * TARGET, color="#999999", linewidth=0.8)
    save(axes, path, sorted({point["answers"] for point in points}))


def main(
    data: Path,
    curves: Path,
    out: Path,
    rules: tuple[str, ...] = ("random", "diverse"),
    seeds: tuple[int, ...] = (0, 1),
    at: tuple[int, ...] = (1200, 1500, 1900),
    threads: int = 1,
    plot: Path | None = None,
) -> None:
    """Train on what sessions asked, and say how many labels 75 % needs.

    Args:
        data: The data set of the sessions.
        curves: Folder with ``labels-RULE-SEED`` of ``label_curve.py --keep``.
        out: Folder of the runs and of ``recipes.md``.
        rules: Rules to measure.
        seeds: Of the sessions and the trainings.
        at: Numbers of answers.
        threads: Of the processor.
        plot: Where to draw all that, an SVG file.
    """
    console = make_console()
    manifest = read_any(data).split("valid", "test")
    test = manifest.take([row for row, label in enumerate(manifest.column("label")) if label is not None])
    for answers, seed, rule in itertools.product(at, seeds, rules):
        folder = out / f"{rule}-{seed}-{answers}"
        path = folder / "point.json"
        if not path.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            session = curves / f"labels-{rule}-{seed}"
            found = learn(session, answers, test, folder, seed=seed, threads=threads)
            write_json(path, {"rule": rule, "seed": seed, **found})
        console.print(f"{folder.name}: {100 * read_json(path)['accuracy']:.2f} %")
    points = finished(out, rules, seeds)
    table = tell(points)
    (out / "recipes.md").write_text(table + "\n", encoding="utf-8")
    console.print(table, soft_wrap=True)
    if plot is not None:
        draw(points, plot)


if __name__ == "__main__":
    tyro.cli(main)
