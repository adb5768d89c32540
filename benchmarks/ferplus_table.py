"""What few labels reach on FERPlus, and what each stage adds, by one command that goes on after a stop.

    python benchmarks/ferplus_table.py --data FERPLUS --unlabeled LFW.zip UTK.zip --labels 5% 10% 25% \
        --out runs/ferplus

Rows of one label budget share the seeds, the budget and the test set. Where several seeds are asked for, the
first one is trained for all rows before the others. ``table.md`` is written anew after each run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import tyro

from halfsmile.data.protocols import PROTOCOLS, published
from halfsmile.evaluation.compare import compare
from halfsmile.evaluation.evaluate_run import evaluate_run
from halfsmile.metrics.bootstrap import PairedDifference
from halfsmile.recipes import ssfer, supervised
from halfsmile.recipes.config import Recipe
from halfsmile.recipes.face import with_face_network
from halfsmile.report.report import write_report
from halfsmile.runs.folder import RunFolder
from halfsmile.training.distributed import processes
from halfsmile.training.run import train_run
from halfsmile.utils.console import make_console
from halfsmile.utils.files import atomic_write
from halfsmile.utils.markdown import markdown_table
from halfsmile.utils.percent import percent_number

Row = Literal["scratch", "plain", "facemix", "ssfer", "face", "face-ssfer"]
Preset = Literal["tiny", "cpu", "gpu"]

TITLES: dict[Row, str] = {
    "scratch": "labels alone, from scratch",
    "plain": "Stage I, labels without mixing",
    "facemix": "Stage I, FaceMix",
    "ssfer": "all stages, no outside network",
    "face": "labels alone, from the face network",
    "face-ssfer": "all stages from the face network",
}


@dataclass(frozen=True)
class Arguments:
    """What the program takes.

    Args:
        data: FERPlus in an official layout, or a store that was prepared from it.
        out: Folder of all runs and of ``table.md``.
        unlabeled: Folders or archives of unlabeled faces for Stage I.
        labels: Label budgets, a table for each.
        seeds: Seeds.
        rows: What is trained. ``plain`` and ``facemix`` take Stage I of the row ``ssfer`` of the first seed.
        preset: Size.
    """

    data: Path
    out: Path
    unlabeled: tuple[Path, ...] = ()
    labels: tuple[str, ...] = ("10%",)
    seeds: tuple[int, ...] = (0,)
    rows: tuple[Row, ...] = ("scratch", "face", "ssfer", "face-ssfer")
    preset: Preset = "cpu"

    def folder(self, row: Row, labels: str, seed: int) -> Path:
        """Where a run is."""
        return self.out / f"{row}-{labels.rstrip('%')}-{seed}"


def recipe_of(row: Row, labels: str, seed: int, arguments: Arguments) -> Recipe:
    """The recipe of a row."""
    full, alone = ssfer(arguments.preset), supervised(arguments.preset)
    if row in ("plain", "facemix"):
        shared = arguments.folder("ssfer", labels, arguments.seeds[0])
        recipe = replace(full, init=str(shared), pretrain=None, semi=None)
        if row == "plain":
            recipe = replace(recipe, finetune=replace(recipe.finetune, mixing="none"))
    elif row.startswith("face"):
        recipe = with_face_network(alone if row == "face" else full, data_set="ferplus")
    else:
        recipe = alone if row == "scratch" else full
    return replace(recipe, labels=labels, seed=seed)


def runs(arguments: Arguments) -> Iterator[tuple[Row, str, int]]:
    """All runs, those of the first seed first, and of each budget in the order of the rows."""
    for seed in arguments.seeds:
        for labels in arguments.labels:
            for row in arguments.rows:
                yield row, labels, seed


def table(labels: str, done: Sequence[tuple[Row, Path]]) -> str:
    """The scores of the finished runs of a budget as Markdown, one row for all seeds of a row."""
    rows = list(dict.fromkeys(row for row, _ in done))
    ordered = [path for row in rows for other, path in done if other == row]
    groups = compare(ordered).groups
    lines = []
    for row, group in zip(rows, groups, strict=True):
        folders = [RunFolder(path) for other, path in done if other == row]
        gain = group.against_first
        lines.append(
            (
                TITLES[row],
                str(len(group.seeds)),
                *(
                    _spread(group.scores[score])
                    for score in ("accuracy", "balanced_accuracy", "macro_f1", "ece")
                ),
                " ".join(f"{100 * recall:.0f}" for recall in _recalls(folders)),
                f"{np.mean([_minutes(folder) for folder in folders]):.0f}",
                "" if gain is None else _interval(gain),
            )
        )
    classes = " ".join(name[:3] for name in RunFolder(ordered[0]).taxonomy().labels)
    header = (
        "row",
        "seeds",
        "accuracy %",
        "balanced %",
        "macro F1 %",
        "ECE %",
        f"recalls % ({classes})",
        "minutes",
        "gain in accuracy, 95 %",
    )
    others = "; ".join(f"{p.method} {p.value} ({p.source})" for p in published(PROTOCOLS["ferplus"], labels))
    told = f"\n\nPublished for this protocol and budget: {others}." if others else ""
    return f"## {labels} of the labels\n\n{markdown_table(header, lines)}{told}\n"


def _spread(values: Sequence[float]) -> str:
    mean = percent_number(float(np.mean(values)), 2)
    return mean if len(values) == 1 else f"{mean} ± {percent_number(float(np.std(values, ddof=1)), 2)}"


def _interval(gain: PairedDifference) -> str:
    low, high = (percent_number(value, sign=True) for value in (gain.low, gain.high))
    return f"{percent_number(gain.difference, sign=True)} ({low} to {high})"


def _recalls(folders: Sequence[RunFolder]) -> npt.NDArray[np.float64]:
    found = []
    for folder in folders:
        final = json.loads((folder.path / "metrics.json").read_text())["final"]
        found.append([scores["recall"] for scores in final["per_class"].values()])
    return np.asarray(np.mean(found, axis=0), np.float64)


def _minutes(folder: RunFolder) -> float:
    results = folder.path.glob("*/result.json")
    return float(sum(json.loads(path.read_text())["seconds"] for path in results)) / 60


def main() -> None:
    arguments = tyro.cli(Arguments, description=__doc__)
    console = make_console()
    done: dict[str, list[tuple[Row, Path]]] = {labels: [] for labels in arguments.labels}
    with processes() as where:
        for row, labels, seed in runs(arguments):
            console.rule(f"{TITLES[row]}, {labels}, seed {seed}")
            recipe = recipe_of(row, labels, seed, arguments)
            folder = train_run(
                replace(recipe, protocol=PROTOCOLS["ferplus"]),
                data=arguments.data,
                unlabeled=arguments.unlabeled if recipe.pretrain else (),
                out=arguments.folder(row, labels, seed),
                where=where,
            )
            for stage, metrics in evaluate_run(folder, device=where.device).items():
                console.print(f"{stage}: accuracy {percent_number(metrics.accuracy, 2)} %")
            write_report(folder.path)
            done[labels].append((row, folder.path))
            if where.is_main:
                text = "\n".join(table(labels, found) for labels, found in done.items() if found)
                with atomic_write(arguments.out / "table.md") as temporary:
                    temporary.write_text(text, encoding="utf-8")
    console.print((arguments.out / "table.md").read_text(encoding="utf-8"), soft_wrap=True)


if __name__ == "__main__":
    main()
