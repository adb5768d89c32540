"""FER2013 with its own seven labels: 35,887 web faces of 48 × 48 (Goodfellow et al. 2013, arXiv:1307.0414).

The pixels stand in a table with the columns ``emotion``, ``pixels`` and perhaps ``Usage``: ``fer2013.csv`` or
``icml_face_data.csv``, or ``train.csv`` and ``test.csv`` of the challenge (the latter has no labels). Labels:
0 anger, 1 disgust, 2 fear, 3 happiness, 4 sadness, 5 surprise, 6 neutral. PublicTest is the validation split
and PrivateTest the test split; training images that are exact copies of images of either are dropped, and the
notes count them. With the votes of ``fer2013new.csv`` beside it, the faces are FERPlus's, see
:mod:`halfsmile.data.readers.ferplus`. Other tables of the same form are read, too, if the numbers have names.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from halfsmile.data.copies import copies_to_drop
from halfsmile.data.images import hash_images
from halfsmile.data.manifest import SPLITS, Fault, LeftOut, Manifest, UnreadLabelsError
from halfsmile.data.readers.words import NUMBERINGS, how_to_name, split_in, split_of
from halfsmile.taxonomy import FER2013, from_names

_MAX_CELL = 1 << 24


@dataclass(frozen=True)
class _Table:
    """A table of pixels: row number, label and split of its rows, all as text."""

    path: Path
    columns: dict[str, int]

    @property
    def has_usage(self) -> bool:
        return "usage" in self.columns

    @property
    def has_labels(self) -> bool:
        return "emotion" in self.columns


def read(root: Path, *, labels: Mapping[str, str | None] | None = None) -> Manifest:
    """Read the table, or of a folder with several the one that has all splits, or else one for each split.

    Args:
        root: The table, or the folder that it lies in.
        labels: Class by number, where they are not FER2013's; None drops the rows.

    Returns:
        Rows in the order of the table, with label and split where they are known.

    Raises:
        UnreadLabelsError: If there are other numbers than FER2013's and they have no name.
        ValueError: If there is no such table, or a row is not of that form.
    """
    root = Path(root)
    folder = root if root.is_dir() else root.parent
    tables, notes = _choose(root)
    rows = []
    for table in tables:
        split = None if len(tables) == 1 else split_in(table.path.stem)
        rows += _rows(table, split, notes)
    if not rows:
        raise ValueError(f"{root} has no row with pixels. {' '.join(notes)}")
    found = {row["label"] for row in rows if row["label"] is not None}
    names: dict[str, str | None] = {**(NUMBERINGS[FER2013.name] if not labels else {}), **(labels or {})}
    if unknown := sorted(
        (number for number in found if number not in names), key=lambda text: (len(text), text)
    ):
        raise UnreadLabelsError(
            f"{root}: the emotions {', '.join(unknown)} are not among those that have names.",
            how_to_name(found),
            Manifest.from_rows(({**row, "label": None} for row in rows), folder, None, notes),
        )
    for row, digest in zip(rows, hash_images(folder, [str(row["image"]) for row in rows]), strict=True):
        row["sha256"] = digest
    copies = copies_to_drop([row["sha256"] for row in rows], [row["split"] for row in rows])
    if copies.any():
        rows = [row for row, is_copy in zip(rows, copies, strict=True) if not is_copy]
        notes.append(
            LeftOut(
                f"{int(copies.sum()):,} training images were dropped because they are exact copies of "
                "validation or test images."
            )
        )
    kept = [row for row in rows if row["label"] is None or names[row["label"]] is not None]
    if len(kept) < len(rows):
        notes.append(
            LeftOut(f"{len(rows) - len(kept):,} rows were dropped because of their label, as asked.")
        )
    taxonomy = None
    if found:
        taxonomy = (
            FER2013 if not labels else from_names(dict.fromkeys(n for n in names.values() if n is not None))
        )
        if not labels:
            notes.append(
                "The labels are FER2013's own; FERPlus's votes are in fer2013new.csv, which is not here."
            )
    lookup = {label.casefold(): label for label in taxonomy.labels} if taxonomy else {}
    for row in kept:
        row["label"] = None if row["label"] is None else lookup[str(names[row["label"]]).casefold()]
    if bare := sum(row["label"] is None for row in kept):
        notes.append(f"{bare:,} rows have no label.")
    return Manifest.from_rows(kept, folder, taxonomy, notes)


def _choose(root: Path) -> tuple[list[_Table], list[str]]:
    """The tables to read, and notes on the others."""
    paths = [root] if root.is_file() else sorted(p for p in root.iterdir() if p.suffix.lower() == ".csv")
    tables = [table for path in paths if (table := _open(path)) is not None]
    if not tables:
        raise ValueError(f"{root} holds no FER2013: expected a table with the columns emotion and pixels.")
    whole = [table for table in tables if table.has_usage and table.has_labels]
    by_split = {split_in(t.path.stem): t for t in reversed(tables)}
    chosen = whole[:1] or [by_split[split] for split in (*SPLITS, None) if split in by_split]
    others = [table.path.name for table in tables if table not in chosen]
    notes: list[str] = (
        [LeftOut(f"{', '.join(others)} lie beside {chosen[0].path.name} and were not read.")]
        if others
        else []
    )
    return chosen, notes


def _open(path: Path) -> _Table | None:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline(1 << 16)
    except (OSError, UnicodeDecodeError):
        return None
    names = [name.strip().strip('"').casefold() for name in header.split(",")]
    return _Table(path, {name: names.index(name) for name in names}) if "pixels" in names else None


def _rows(table: _Table, split: str | None, notes: list[str]) -> list[dict[str, str | None]]:
    rows: list[dict[str, str | None]] = []
    bad: list[int] = []
    unknown: set[str] = set()
    before = csv.field_size_limit(_MAX_CELL)
    try:
        with table.path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            next(reader)
            for number, fields in enumerate(reader):
                if not any(map(str.strip, fields)):
                    continue
                if len(fields) < len(table.columns):
                    bad.append(number)
                    continue
                label = fields[table.columns["emotion"]].strip() if table.has_labels else ""
                usage = fields[table.columns["usage"]].strip() if table.has_usage else ""
                if usage and split_of(usage) is None:
                    unknown.add(usage)
                rows.append(
                    {
                        "image": f"{table.path.name}#{number}",
                        "label": label or None,
                        "split": split_of(usage) if usage else split,
                    }
                )
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{table.path} is not a CSV file in UTF-8: {error}.") from error
    finally:
        csv.field_size_limit(before)
    if bad:
        notes.append(
            Fault(
                f"{len(bad):,} rows of {table.path.name} lack columns and were left out, first {bad[0] + 1}."
            )
        )
    if unknown:
        notes.append(
            Fault(f"{table.path.name}: Usage has the unknown values {', '.join(sorted(unknown)[:5])}.")
        )
    return rows
