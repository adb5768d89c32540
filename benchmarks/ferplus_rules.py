"""One run's predictions on FERPlus, scored under several label rules: published numbers use several.

    python -m benchmarks.ferplus_rules runs/a runs/b --official FERPLUS [--store STORE]

Nothing is predicted again: a test face that the run's own rule has no label for is in no row, so a rule that
keeps more faces is scored on those that there are; how many is told. Test labels select nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow.parquet as pq
import tyro

from halfsmile.data.readers import ferplus
from halfsmile.metrics.scores import evaluate_predictions
from halfsmile.runs.predictions import Predictions, read_predictions
from halfsmile.utils.console import make_console
from halfsmile.utils.markdown import markdown_table
from halfsmile.utils.percent import percent_number

TEST_SETS: dict[str, tuple[str, ...]] = {
    "PublicTest + PrivateTest": ("valid", "test"),
    "PrivateTest": ("test",),
}
MEANINGS = {
    "argmax": "most votes of all ten columns",
    "argmax8": "most votes among the eight expressions",
    "majority": "more than half of the votes",
    "probability": "top votes up to 75 %",
    "multi_target": "all with at least 30 %, the first of them",
}


@dataclass(frozen=True)
class Truth:
    """The test labels of the official data by rule.

    Args:
        labels: By rule, the label of each face that it keeps, by the last part of its locator.
        sizes: By rule and split, how many faces it keeps.
    """

    labels: dict[str, dict[str, str]]
    sizes: dict[str, dict[str, int]]


def read_truth(official: Path) -> Truth:
    """Labels of FERPlus's test faces under every rule.

    Args:
        official: FERPlus in one of its official layouts.
    """
    labels: dict[str, dict[str, str]] = {}
    sizes: dict[str, dict[str, int]] = {}
    for rule in ferplus.RULES:
        rows = ferplus.read(official, rule=rule).split("valid", "test")
        names, splits = rows.column("label"), rows.column("split")
        labels[rule] = dict(zip(map(_last, rows.column("image")), names, strict=True))
        sizes[rule] = {split: splits.count(split) for split in ("valid", "test")}
    return Truth(labels, sizes)


def sources(predictions: Predictions, store: Path | None) -> list[str]:
    """The last part of the locator that each predicted face has in the official data.

    Args:
        predictions: Of a run on the official data, or on a store of them.
        store: The store.

    Raises:
        ValueError: If the faces are those of a store, and it is not given or another one.
    """
    if store is None:
        return [_last(image) for image in predictions.images]
    table = pq.read_table(store / "index.parquet", columns=["shard", "offset", "length", "source"])
    known = {
        f"faces-{row['shard']:05d}.tar#{row['offset']}+{row['length']}": _last(row["source"])
        for row in table.to_pylist()
    }
    missing = [image for image in predictions.images if image not in known]
    if missing:
        raise ValueError(f"{len(missing):,} predicted faces are not in {store}, as {missing[0]}.")
    return [known[image] for image in predictions.images]


def rule_rows(predictions: Predictions, truth: Truth, names: Sequence[str]) -> list[tuple[str, ...]]:
    """Rule, test set, faces scored of those that the rule keeps, accuracy, balanced accuracy and macro F1.

    Args:
        predictions: N faces.
        truth: Of the official data.
        names: The last part of the locator of each, N.

    Raises:
        ValueError: If none of the faces is known.
    """
    if not set(names) & set(truth.labels["argmax8"]):
        raise ValueError(
            f"None of the predicted faces ({names[0]}, …) is in the official data "
            f"({next(iter(truth.labels['argmax8']))}, …). Of a run on a store, give it with --store."
        )
    lines = []
    for rule, labels in truth.labels.items():
        for title, splits in TEST_SETS.items():
            rows = [
                i
                for i, (name, split) in enumerate(zip(names, predictions.splits, strict=True))
                if split in splits and name in labels
            ]
            targets = np.array([predictions.taxonomy.index(labels[names[i]]) for i in rows], dtype=np.int64)
            found = evaluate_predictions(predictions.probabilities[rows], targets, predictions.taxonomy)
            kept = sum(truth.sizes[rule][split] for split in splits)
            lines.append(
                (
                    f"`{rule}`: {MEANINGS[rule]}",
                    title,
                    f"{len(rows):,} of {kept:,}",
                    *(
                        percent_number(v, 2)
                        for v in (found.accuracy, found.balanced_accuracy, found.macro_f1)
                    ),
                )
            )
    return lines


def rule_table(run: Path, truth: Truth, store: Path | None) -> str:
    """The rows of a run as Markdown."""
    predictions = read_predictions(run / "predictions.parquet")
    header = ("label rule", "test set", "faces", "accuracy %", "balanced %", "macro F1 %")
    return markdown_table(header, rule_rows(predictions, truth, sources(predictions, store)))


def store_of(run: Path) -> Path | None:
    """The store that a run was trained on; None where it was the official data."""
    path = Path(json.loads((run / "data.json").read_text(encoding="utf-8"))["path"])
    return path if (path / "index.parquet").is_file() else None


def _last(locator: str) -> str:
    return locator.replace("\\", "/").rpartition("/")[2]


def main(
    runs: Annotated[tuple[Path, ...], tyro.conf.Positional], official: Path, store: Path | None = None
) -> None:
    """Score the predictions of runs under every label rule.

    Args:
        runs: Run folders.
        official: FERPlus in one of its official layouts.
        store: Store that the runs were trained on, where it is no longer where it was.
    """
    truth, console = read_truth(official), make_console()
    for run in runs:
        console.print(f"## {run}\n\n{rule_table(run, truth, store or store_of(run))}\n", soft_wrap=True)


if __name__ == "__main__":
    tyro.cli(main)
