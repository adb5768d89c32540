"""The table of pseudo-labels: which faces are accepted, and the rows as CSV, JSON Lines or Parquet.

One row a face, in the order of the store:

``image``       locator in the store, as its manifest has it: ``faces-00012.tar#offset+length``
``label``       the expression where it is accepted, else empty: what training and ``data import`` take
``expression``  the most probable class; empty where the face can't be read
``confidence``  its calibrated probability
``accepted``    whether it is a pseudo-label
``p_<label>``   probability of each class
``sha256``, ``source``, ``video``, ``frame``, ``time``, ``track``   as in the store's index
``reason``      why the face can't be read
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from halfsmile.utils.files import atomic_write

_ROW_GROUP = 2**17
_SHOWN = 5


@dataclass(frozen=True)
class Selection:
    """Which answers become pseudo-labels.

    Args:
        threshold: Least confidence; higher values accept fewer but purer ones, 1 accepts none.
        per_class: Of each class at most so many, the surest, and of equally sure ones the first; None for
            all. A smaller number makes the classes more even.

    Raises:
        ValueError: If a value is out of range.
    """

    threshold: float
    per_class: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"The threshold must lie between 0 and 1, found {self.threshold}.")
        if self.per_class is not None and self.per_class < 1:
            raise ValueError(f"The number of faces per class must be at least 1, found {self.per_class}.")

    def takes(self, confidence: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
        """Which answers of these confidences may become pseudo-labels."""
        return (confidence >= self.threshold) & (self.threshold < 1)


@dataclass
class Counts:
    """How many faces there are of each class.

    Args:
        classes: Faces by their most probable class.
        accepted: Those that became pseudo-labels.
        bad: Faces that can't be read.
        first_bad: Image and reason of the first of them.
    """

    classes: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    bad: int = 0
    first_bad: list[tuple[str, str]] = field(default_factory=list)


class RowParts(Protocol):
    """Rows with ``image``, ``p_<label>``, ``reason`` and more, part by part, as often as asked for."""

    def tables(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """All rows, all columns or some."""
        ...


def write_table(path: Path, parts: RowParts, labels: Sequence[str], selection: Selection) -> Counts:
    """Write the table, which appears whole.

    Args:
        path: ``.csv``, ``.jsonl``, ``.ndjson`` or ``.parquet``.
        parts: What the model says of all faces.
        labels: Classes, in the model's order.
        selection: Which are accepted.

    Raises:
        OSError: If it can't be written.
    """
    counts = Counts()
    chosen = None if selection.per_class is None else _surest(parts, labels, selection)
    with atomic_write(path) as temporary, _writer(temporary) as write:
        first_row = 0
        for table in parts.tables():
            write(_with_labels(table, first_row, labels, selection, chosen, counts))
            first_row += len(table)
    return counts


def _with_labels(
    table: pa.Table,
    first_row: int,
    labels: Sequence[str],
    selection: Selection,
    chosen: npt.NDArray[np.int64] | None,
    counts: Counts,
) -> pa.Table:
    """Rows of the table from rows of a part."""
    best, confidence, is_good = _answers(table, labels)
    accepted = is_good & selection.takes(confidence)
    if chosen is not None:
        accepted &= np.isin(np.arange(first_row, first_row + len(table)), chosen)
    names = pa.array(list(labels)).take(pa.array(best))
    for count, rows in ((counts.classes, is_good), (counts.accepted, accepted)):
        found = np.bincount(best[rows], minlength=len(labels)).tolist()
        count.update(dict(zip(labels, found, strict=True)))
    bad = table.filter(pa.array(~is_good)).select(["image", "reason"])
    counts.bad += len(bad)
    for row in bad.slice(0, _SHOWN - len(counts.first_bad)).to_pylist():
        counts.first_bad.append((row["image"], row["reason"]))
    nothing = pa.scalar(None, pa.string())
    good = pa.array(is_good)
    columns = {
        "image": table["image"],
        "label": pc.if_else(pa.array(accepted), names, nothing),
        "expression": pc.if_else(good, names, nothing),
        "confidence": pc.if_else(good, pa.array(confidence), pa.scalar(None, pa.float32())),
        "accepted": pa.array(accepted),
    }
    for name in table.column_names[1:]:
        column = table[name]
        if name.startswith("p_"):
            column = pc.if_else(good, column, pa.scalar(None, pa.float32()))
        columns[name] = column
    return pa.table(columns)


def _answers(
    table: pa.Table, labels: Sequence[str]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Most probable class, its probability, and whether the face could be read; (rows,) each."""
    probabilities = np.stack([table[f"p_{label}"].to_numpy() for label in labels], axis=1)
    best = probabilities.argmax(axis=1)
    is_good = table["reason"].is_null().to_numpy()
    return best, probabilities[np.arange(len(best)), best], is_good


def _surest(parts: RowParts, labels: Sequence[str], selection: Selection) -> npt.NDArray[np.int64]:
    """Rows of the surest answers of each class, sorted; needs 12 bytes for each of them."""
    kept = {number: (np.zeros(0, np.float32), np.zeros(0, np.int64)) for number in range(len(labels))}
    first_row = 0
    for table in parts.tables([*(f"p_{label}" for label in labels), "reason"]):
        best, confidence, is_good = _answers(table, labels)
        rows = np.arange(first_row, first_row + len(table))
        first_row += len(table)
        for number, (before, before_rows) in kept.items():
            new = is_good & (best == number) & selection.takes(confidence)
            both, both_rows = np.append(before, confidence[new]), np.append(before_rows, rows[new])
            surest = np.lexsort((both_rows, -both))[: selection.per_class]
            kept[number] = both[surest], both_rows[surest]
    return np.sort(np.concatenate([rows for _, rows in kept.values()]))


@contextmanager
def _writer(path: Path) -> Iterator[Any]:
    """A function that appends rows to a new file, of the kind that its suffix names."""
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        waiting: list[pa.Table] = []
        writer: pq.ParquetWriter | None = None

        def flush() -> None:
            nonlocal writer
            table = pa.concat_tables(waiting).combine_chunks()
            writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table, row_group_size=_ROW_GROUP)
            waiting.clear()

        def write_parquet(table: pa.Table) -> None:
            waiting.append(table)
            if sum(map(len, waiting)) >= _ROW_GROUP:
                flush()

        yield write_parquet
        if waiting:
            flush()
        if writer is not None:
            writer.close()
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        to_csv = csv.writer(file, lineterminator="\n")
        is_first = True

        def write_text(table: pa.Table) -> None:
            nonlocal is_first
            rows: Iterable[dict[str, Any]] = map(_rounded, table.to_pylist())
            if suffix != ".csv":
                file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
                return
            if is_first:
                to_csv.writerow(table.column_names)
                is_first = False
            to_csv.writerows(
                [str(v).lower() if isinstance(v, bool) else v for v in row.values()] for row in rows
            )

        yield write_text


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {name: round(v, 6) if isinstance(v, float) else v for name, v in row.items()}
