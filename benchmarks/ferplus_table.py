"""What few labels reach on FERPlus, and what each lever adds, by one command that goes on after a stop.

    python -m benchmarks.ferplus_table --data FERPLUS --unlabeled LFW.zip UTK.zip --labels 10% --seeds 0 1 2 \
        --official FERPLUS --out runs/ferplus
    python -m benchmarks.ferplus_table … --labels 5% 25% --seeds 0
    python -m benchmarks.ferplus_table … --rows face-ssfer natural no-tune no-names regmixup soft prior blank
    python -m benchmarks.ferplus_table … --rows face-ssfer hot --levers "hot: semi.optim.learning_rate=0.002"

``--data`` may be a store that was prepared from FERPlus. Rows of one label budget share the seeds, the budget
and the test set. Where several seeds are asked for, the first one is trained for all rows before the others.
``table.md`` is written anew after each run; with ``--finished`` nothing is trained, and the table is of the
runs that are there (folders ROW-LABELS-SEED below ``--out``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import tyro
from benchmarks.ferplus_rows import Row, all_rows, shares_stages
from benchmarks.ferplus_rows import recipe_of as recipe_of_row
from benchmarks.ferplus_rules import Truth, read_truth, rule_table, store_of

from halfsmile.data.protocols.protocol import PROTOCOLS
from halfsmile.data.protocols.published import published
from halfsmile.evaluation.evaluate_run import evaluate_run
from halfsmile.metrics.bootstrap import PairedDifference, paired_bootstrap
from halfsmile.recipes.config import Recipe
from halfsmile.report.report import write_report
from halfsmile.runs.folder import RunFolder
from halfsmile.runs.predictions import Predictions, read_predictions
from halfsmile.training.distributed import Processes, processes
from halfsmile.training.run import train_run
from halfsmile.utils.console import make_console
from halfsmile.utils.files import atomic_write
from halfsmile.utils.markdown import markdown_table
from halfsmile.utils.percent import percent_number

Preset = Literal["tiny", "cpu", "gpu"]
SCORES = ("accuracy", "balanced_accuracy", "macro_f1", "ece")


@dataclass(frozen=True)
class Arguments:
    """What the program takes.

    Args:
        data: FERPlus in an official layout, or a store that was prepared from it.
        out: Folder of all runs and of ``table.md``.
        unlabeled: Folders, archives or stores of unlabeled faces, for Stage I and for the small student.
        labels: Label budgets, a table for each.
        seeds: Seeds.
        rows: What is trained: names of ``benchmarks/ferplus_rows.py`` and of ``--levers``. ``plain``,
            ``mixup`` and ``facemix`` take Stage I of the row ``ssfer`` of the first seed; ``student`` is
            taught by ``face-ssfer`` of its seed.
        levers: Rows of one's own on top of ``--base``, as "name: semi.epochs=20 tune=yes".
        base: Row that levers are pulled on.
        preset: Size.
        official: FERPlus in an official layout: the last row of each budget is scored under every label rule,
            too.
        threads: Of torch on the processor; measured by default.
        finished: Train nothing.
    """

    data: Path
    out: Path
    unlabeled: tuple[Path, ...] = ()
    labels: tuple[str, ...] = ("10%",)
    seeds: tuple[int, ...] = (0,)
    rows: tuple[str, ...] = ("scratch", "face", "ssfer", "face-ssfer", "student")
    levers: tuple[str, ...] = ()
    base: str = "face-ssfer"
    preset: Preset = "cpu"
    official: Path | None = None
    threads: int | None = None
    finished: bool = False

    def __post_init__(self) -> None:
        known = self.known
        unknown = [row for row in self.rows if row not in known]
        if unknown:
            raise ValueError(f"There is no row {unknown[0]!r}; there are {', '.join(known)}.")

    @property
    def known(self) -> dict[str, Row]:
        """All rows by name."""
        return all_rows(self.levers, base=self.base)

    def folder(self, row: str, labels: str, seed: int) -> Path:
        """Where a run is."""
        return self.out / f"{row}-{labels.rstrip('%')}-{seed}"


def recipe_of(row: str, labels: str, seed: int, arguments: Arguments) -> Recipe:
    """The recipe of a row."""
    known = arguments.known
    first = {name: arguments.folder(name, labels, arguments.seeds[0]) for name in known}
    same = {name: arguments.folder(name, labels, seed) for name in known}
    places = first if known[row].stage_one_of is not None else same
    recipe = recipe_of_row(row, known, preset=arguments.preset, runs=places)
    return replace(recipe, labels=labels, seed=seed)


def runs(arguments: Arguments) -> Iterator[tuple[str, str, int]]:
    """All runs, those of the first seed first, and of each budget in the order of the rows."""
    for seed in arguments.seeds:
        for labels in arguments.labels:
            for row in arguments.rows:
                yield row, labels, seed


def table(labels: str, done: Mapping[str, Mapping[int, Path]], known: Mapping[str, Row]) -> str:
    """The scores of the finished runs of a budget as Markdown.

    Args:
        labels: The budget.
        done: Run folders of each row by seed.
        known: All rows.

    Raises:
        ValueError: If runs were tested on other faces.
    """
    said = {
        row: {seed: read_predictions(path / "predictions.parquet") for seed, path in paths.items()}
        for row, paths in done.items()
    }
    first = next(iter(done))
    lines = []
    for row, predictions in said.items():
        folders = [RunFolder(path) for path in done[row].values()]
        scores = [found.metrics().to_dict() for found in predictions.values()]
        base = known[row].base
        lines.append(
            (
                known[row].title,
                str(len(folders)),
                *(_spread([score[name] for score in scores]) for name in SCORES),
                " ".join(f"{100 * recall:.0f}" for recall in _recalls(folders)),
                f"{np.mean([_minutes(folder) for folder in folders]):.0f}",
                "" if row == first else _gain(predictions, said[first]),
                "" if base not in said or base is None else _gain(predictions, said[base]),
            )
        )
    classes = " ".join(name[:3] for name in next(iter(said[first].values())).taxonomy.labels)
    header = (
        "row",
        "seeds",
        "accuracy %",
        "balanced %",
        "macro F1 %",
        "ECE %",
        f"recalls % ({classes})",
        "minutes",
        "gain over the first row, 95 %",
        "over the row it is on, 95 %",
    )
    others = "; ".join(f"{p.method} {p.value} ({p.source})" for p in published(PROTOCOLS["ferplus"], labels))
    told = f"\n\nPublished for this protocol and budget: {others}." if others else ""
    return f"## {labels} of the labels\n\n{markdown_table(header, lines)}{told}\n"


def _spread(values: Sequence[float]) -> str:
    mean = percent_number(float(np.mean(values)), 2)
    return mean if len(values) == 1 else f"{mean} ± {percent_number(float(np.std(values, ddof=1)), 2)}"


def _gain(ours: Mapping[int, Predictions], theirs: Mapping[int, Predictions]) -> str:
    """Gain in accuracy over the seeds that both rows have; a paired bootstrap over the test faces."""
    seeds = [seed for seed in ours if seed in theirs]
    if not seeds:
        return ""
    pairs = [found[seed] for found in (ours, theirs) for seed in seeds]
    if any(found.images != pairs[0].images for found in pairs):
        raise ValueError("The runs were tested on other faces. Give rows of one --data.")
    gain: PairedDifference = paired_bootstrap(
        np.stack([ours[seed].predicted for seed in seeds]),
        np.stack([theirs[seed].predicted for seed in seeds]),
        pairs[0].targets,
        num_classes=len(pairs[0].taxonomy),
        seed=0,
        resamples=2000,
    )
    low, high = (percent_number(value, sign=True) for value in (gain.low, gain.high))
    return f"{percent_number(gain.difference, sign=True)} ({low} to {high})"


def _recalls(folders: Sequence[RunFolder]) -> npt.NDArray[np.float64]:
    found = []
    for folder in folders:
        final = json.loads((folder.path / "metrics.json").read_text())["final"]
        found.append([scores["recall"] for scores in final["per_class"].values()])
    return np.asarray(np.mean(found, axis=0), np.float64)


def _minutes(folder: RunFolder) -> float:
    """Of all stages, those that were taken over among them."""
    results = folder.path.glob("*/result.json")
    return float(sum(json.loads(path.read_text())["seconds"] for path in results)) / 60


def _is_reported(folder: RunFolder) -> bool:
    """Whether it was evaluated and its report drawn after its last stage."""
    report = folder.path / "report.html"
    results = [path.stat().st_mtime_ns for path in folder.path.glob("*/result.json")]
    return report.is_file() and bool(results) and report.stat().st_mtime_ns > max(results)


def train_row(row: str, labels: str, seed: int, arguments: Arguments, where: Processes) -> None:
    """Train, evaluate and report one run."""
    recipe, spec = recipe_of(row, labels, seed, arguments), arguments.known[row]
    base = None if spec.base is None else arguments.folder(spec.base, labels, seed)
    shared = base is not None and shares_stages(spec) and (base / "recipe.json").is_file()
    takes_more = recipe.pretrain is not None or (recipe.semi is not None and recipe.semi.unlabeled != "own")
    folder = train_run(
        replace(recipe, protocol=PROTOCOLS["ferplus"]),
        data=arguments.data,
        unlabeled=arguments.unlabeled if takes_more else (),
        out=arguments.folder(row, labels, seed),
        where=where,
        threads=arguments.threads,
        reuse=base if shared else None,
    )
    if _is_reported(folder):
        return
    for stage, metrics in evaluate_run(folder, device=where.device).items():
        make_console().print(f"{stage}: accuracy {percent_number(metrics.accuracy, 2)} %")
    write_report(folder.path)


def write_tables(arguments: Arguments, truth: Truth | None) -> str:
    """``table.md`` of the runs that are finished; also returned."""
    parts = []
    for labels in arguments.labels:
        found = {
            row: {
                seed: path
                for seed, path in ((seed, arguments.folder(row, labels, seed)) for seed in arguments.seeds)
                if (path / "metrics.json").is_file() and (path / "predictions.parquet").is_file()
            }
            for row in arguments.rows
        }
        done = {row: paths for row, paths in found.items() if paths}
        if not done:
            continue
        parts.append(table(labels, done, arguments.known))
        if truth is not None:
            row, paths = list(done.items())[-1]
            path = next(iter(paths.values()))
            parts.append(
                f"The same predictions of *{arguments.known[row].title}* ({path.name}) under other label "
                f"rules:\n\n{rule_table(path, truth, store_of(path))}\n"
            )
    text = "\n".join(parts)
    with atomic_write(arguments.out / "table.md") as temporary:
        temporary.write_text(text, encoding="utf-8")
    return text


def main() -> None:
    arguments = tyro.cli(Arguments, description=__doc__)
    console = make_console()
    truth = None if arguments.official is None else read_truth(arguments.official)
    arguments.out.mkdir(parents=True, exist_ok=True)
    if not arguments.finished:
        with processes() as where:
            for row, labels, seed in runs(arguments):
                console.rule(f"{arguments.known[row].title}, {labels}, seed {seed}")
                train_row(row, labels, seed, arguments, where)
                if where.is_main:
                    write_tables(arguments, truth)
    console.print(write_tables(arguments, truth), soft_wrap=True)


if __name__ == "__main__":
    main()
