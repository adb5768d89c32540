r"""Tables of semi-supervised methods on FERPlus: one command, one short schedule, resumable row by row.

``elsewhere``: 5 % labels, the unlabeled faces are those given with --unlabeled (other cameras, another mix of
classes): what sampling, debiasing and feedback do. ``family``: the rest of the training split is unlabeled;
every method once. Stage I comes from --init, Stage II is trained once a seed and shared, so that rows differ
in Stage III alone.

    python benchmarks/semi_table.py --table elsewhere --data FERPLUS --unlabeled LFW.zip UTK.zip \
        --init runs/ferplus/ssfer-0 --out runs/semi
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
import tyro

from halfsmile.data.images import load_faces
from halfsmile.data.sets import read_data
from halfsmile.data.split import LabelBudget
from halfsmile.evaluation.compare import compare
from halfsmile.evaluation.evaluate_run import evaluate_run
from halfsmile.evaluation.inference import predict_probabilities
from halfsmile.methods.family import FAMILY
from halfsmile.models.classifier import Classifier
from halfsmile.models.encoder import build_encoder
from halfsmile.models.weights import load_weights
from halfsmile.recipes import override, semi, with_semi
from halfsmile.recipes.config import Recipe
from halfsmile.recipes.serialize import read_recipe
from halfsmile.report.report import write_report
from halfsmile.runs.folder import RunFolder
from halfsmile.runs.stages import STAGES
from halfsmile.training.distributed import processes
from halfsmile.training.run import open_run, train_run
from halfsmile.utils.console import make_console
from halfsmile.utils.files import atomic_write, read_json, write_json
from halfsmile.utils.markdown import markdown_table

LOOKED_AT = 4000
SURE = 0.7
AS_MEASURED = (
    "encoder.image_size=48",
    "finetune.epochs=32",
    "finetune.mixing=mixup",
    "finetune.sampling=natural",
    "tune=none",
)
"""Settings of the rows, so that the tables of the lab book can be made again: Stage III alone differs."""

Row = dict[str, Any]
"""What is kept of a run: ``seconds`` of training after Stage I, test ``scores``, and shares ``named``."""


@dataclass(frozen=True)
class Arguments:
    """What the program takes.

    Args:
        data: FERPlus in an official layout.
        init: Run folder whose Stage I is shared.
        out: Folder of ``<table>.md`` and of the runs, which are in ``<table>/``.
        table: Which table.
        unlabeled: Unlabeled faces from other sources; the table ``elsewhere`` needs them.
        labels: Label budget.
        seeds: Seeds.
        epochs: Passes of Stage III over the unlabeled faces.
    """

    data: Path
    init: Path
    out: Path
    table: Literal["elsewhere", "family"] = "elsewhere"
    unlabeled: tuple[Path, ...] = ()
    labels: str = "5%"
    seeds: tuple[int, ...] = (0, 1)
    epochs: float = 2


def rows(arguments: Arguments) -> Iterator[tuple[str, Recipe]]:
    """Name and recipe of each row of one seed; the first has no Stage III."""
    base = replace(semi("fixmatch", sampling="natural"), init=str(arguments.init), pretrain=None)
    base = override(base, f"labels={arguments.labels}", *AS_MEASURED)
    if base.semi is None:
        raise AssertionError("this recipe has a Stage III")
    base = replace(
        base,
        semi=replace(base.semi, epochs=arguments.epochs),
    )
    yield "supervised", replace(base, semi=None)
    if arguments.table == "family":
        for name in FAMILY:
            yield name, with_semi(base, method=name, sampling="natural", unlabeled="own")
        return
    yield "fixmatch", with_semi(base, method="fixmatch", unlabeled="extra")
    yield "fixmatch-balanced", with_semi(base, method="fixmatch", sampling="balanced", unlabeled="extra")
    yield "debias-balanced", with_semi(base, method="debias", sampling="balanced", unlabeled="extra")
    yield "feedback", with_semi(base, method="feedback", unlabeled="extra")
    yield "feedback-balanced", with_semi(base, method="feedback", sampling="balanced", unlabeled="extra")


def borrow_finetuning(first: Path, out: Path, recipe: Recipe) -> None:
    """Give a new run the finished Stage II and the budget of the first row."""
    folder = open_run(out, recipe)
    if not folder.finished("finetune"):
        shutil.rmtree(folder.stage("finetune"), ignore_errors=True)
        shutil.copytree(first / "finetune", folder.stage("finetune"))
        shutil.copy2(RunFolder.existing(first).budget_path, folder.budget_path)


def main() -> None:
    arguments = tyro.cli(Arguments, description=__doc__)
    console = make_console()
    unlabeled = arguments.unlabeled if arguments.table == "elsewhere" else ()
    done: list[Path] = []
    rows_by_name: dict[str, list[Row]] = {}
    with processes() as where:
        for seed in arguments.seeds:
            images = None
            first = arguments.out / arguments.table / f"supervised-{seed}"
            for name, recipe in rows(arguments):
                out = arguments.out / arguments.table / f"{name}-{seed}"
                console.rule(out.name)
                recipe = replace(recipe, name=name, seed=seed)
                open_run(out, recipe)
                if out != first:
                    borrow_finetuning(first, out, recipe)
                row_path = out / "row.json"
                if not row_path.exists():
                    folder = train_run(recipe, data=arguments.data, unlabeled=unlabeled, out=out, where=where)
                    evaluate_run(folder, device=where.device)
                    write_report(folder.path)
                    if images is None:
                        images = unlabeled_sample(recipe, arguments.data, unlabeled, first)
                    finished = [stage.name for stage in STAGES if folder.finished(stage.name)]
                    row = {
                        "seconds": sum(folder.result(stage)["seconds"] for stage in finished),
                        "scores": read_json(folder.path / "metrics.json")["final"],
                        "named": named_shares(folder, images, device=where.device),
                    }
                    write_json(row_path, row)
                row = read_json(row_path)
                rows_by_name.setdefault(name, []).append(row)
                scores = row["scores"]
                console.print(
                    f"{out.name}: accuracy {100 * scores['accuracy']:.2f}, balanced "
                    f"{100 * scores['balanced_accuracy']:.2f}, macro F1 {100 * scores['macro_f1']:.2f}, "
                    f"trained for {row['seconds']:.0f} s",
                    soft_wrap=True,
                )
                done.append(out)
                if where.is_main and len(done) > 1:
                    write_tables(arguments, done, rows_by_name)
    compare(done).render(console)


def unlabeled_sample(
    recipe: Recipe, data: Path, unlabeled: tuple[Path, ...], first: Path
) -> npt.NDArray[np.uint8]:
    """At most ``LOOKED_AT`` of the faces that Stage III learns from without labels, evenly spread."""
    sets = read_data(recipe.resolved_protocol, data, unlabeled)
    budget = LabelBudget.load(RunFolder.existing(first).budget_path)
    manifests = list(sets.extra.values()) or [budget.rows(sets.train, "unlabeled")]
    share = LOOKED_AT // len(manifests)
    chosen = [m.take(np.linspace(0, len(m) - 1, min(len(m), share)).astype(int)) for m in manifests]
    encoder = recipe.encoder
    parts = [
        load_faces(m, size=encoder.image_size, channels=encoder.channels, progress=False) for m in chosen
    ]
    return np.concatenate([faces.images for faces in parts])


def write_tables(
    arguments: Arguments,
    done: list[Path],
    rows_by_name: Mapping[str, Sequence[Row]],
) -> None:
    """``<table>.md`` with scores, recalls and named classes, and ``<table>.png``, of the rows so far."""
    labels = list(next(iter(rows_by_name.values()))[0]["scores"]["per_class"])
    budget = RunFolder.existing(done[0]).data()["labeled"]
    total = sum(budget.values())
    prior = {label: budget[label] / total for label in labels}
    recalls = {
        name: [{k: v["recall"] for k, v in row["scores"]["per_class"].items()} for row in seeds]
        for name, seeds in rows_by_name.items()
    }
    shares = {name: [row["named"] for row in seeds] for name, seeds in rows_by_name.items()}
    parts = [
        compare(done).to_markdown(),
        "Recall of each class in %:\n",
        class_table("Recall", recalls, labels),
        f"Share of each class in % among the unlabeled faces that are named with at least {SURE:.0%} "
        "confidence by the last network, and among the labeled faces:\n",
        class_table("Named as", {"labeled faces": [prior], **shares}, labels),
    ]
    with atomic_write(arguments.out / f"{arguments.table}.md") as temporary:
        temporary.write_text("\n".join(parts), encoding="utf-8")
    plot(arguments.out / f"{arguments.table}.png", rows_by_name)


def named_shares(
    folder: RunFolder, images: npt.NDArray[np.uint8], *, device: torch.device
) -> dict[str, float]:
    """Share of each class among the unlabeled faces that a run's last classifier names with confidence.

    Args:
        folder: A finished run.
        images: (N, S, S, C) uint8.
        device: Where to compute.

    Returns:
        Shares that sum to 1, by class; empty where no confidence reaches ``SURE``.
    """
    recipe, taxonomy = read_recipe(folder.recipe_path), folder.taxonomy()
    model = Classifier(build_encoder(recipe.encoder), taxonomy=taxonomy, standardize=recipe.standardize)
    load_weights(folder.trained_weights(folder.last_stage()), model)
    probabilities = predict_probabilities(model.to(device), images, device=device, flip=False)
    named = probabilities.argmax(axis=1)[probabilities.max(axis=1) >= SURE]
    counts = np.bincount(named, minlength=len(taxonomy))
    return dict(zip(taxonomy.labels, (counts / counts.sum()).tolist(), strict=True)) if len(named) else {}


def class_table(title: str, rows: Mapping[str, Sequence[Mapping[str, float]]], labels: Sequence[str]) -> str:
    """Markdown: one row per name, one column per class, each the mean over seeds in percent.

    Args:
        title: Head of the first column.
        rows: By name, one mapping per seed; a class that is missing counts as 0.
        labels: Classes in order.
    """
    cells = [
        [name, *(f"{100 * np.mean([seed.get(label, 0.0) for seed in seeds]):.1f}" for label in labels)]
        for name, seeds in rows.items()
    ]
    return markdown_table([title, *labels], cells) + "\n"


def plot(path: Path, rows_by_name: Mapping[str, Sequence[Row]]) -> None:
    """Picture of accuracy and macro F1 against training time, one point a method.

    Args:
        path: PNG to write.
        rows_by_name: By method, the rows of its seeds.
    """
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    scores = {"Accuracy (%)": "accuracy", "Macro F1 (%)": "macro_f1"}
    for axis, (title, score) in zip(axes, scores.items(), strict=True):
        for name, seeds in rows_by_name.items():
            minutes = [row["seconds"] / 60 for row in seeds]
            values = [100 * row["scores"][score] for row in seeds]
            (line,) = axis.plot(minutes, values, "o-", linewidth=0.8, markersize=5)
            axis.annotate(
                name,
                max(zip(minutes, values, strict=True)),
                xytext=(0, 7),
                textcoords="offset points",
                fontsize=8,
                ha="center",
                color=line.get_color(),
            )
        axis.set(xlabel="Minutes of training after Stage I", title=title)
        axis.margins(x=0.25, y=0.15)
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.2)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png", dpi=130)
    pyplot.close(figure)


if __name__ == "__main__":
    main()
