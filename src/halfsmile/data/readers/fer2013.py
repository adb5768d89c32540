"""FER2013 with its own seven labels: 35,887 web faces of 48 × 48 (Goodfellow et al. 2013, arXiv:1307.0414).

The pixels stand in a table with the columns ``emotion``, ``pixels`` and perhaps ``Usage`` (in any case; other
usual names for labels and splits do, too): ``fer2013.csv`` or ``icml_face_data.csv``, or ``train.csv`` and
``test.csv`` of the challenge (the latter has no labels). Labels: 0 anger, 1 disgust, 2 fear, 3 happiness, 4
sadness, 5 surprise, 6 neutral. PublicTest is the validation split and PrivateTest the test split; training
images that are exact copies of images of either are dropped, and the notes count them. With the votes of
``fer2013new.csv`` beside it, the faces are FERPlus's, see :mod:`halfsmile.data.readers.ferplus`. Other tables
of the same form are read, too, if the numbers have names or the labels are words.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from halfsmile.data.copies import copies_to_drop
from halfsmile.data.decode import pixel_columns
from halfsmile.data.images import hash_images
from halfsmile.data.manifest import SPLITS, Fault, LeftOut, Manifest, UnreadLabelsError
from halfsmile.data.readers.words import NUMBERINGS, how_to_name, split_in, split_of
from halfsmile.data.tables.labels import whole
from halfsmile.data.tables.names import NAMES
from halfsmile.data.tables.values import is_number
from halfsmile.taxonomy import FER2013, from_names

_MAX_CELL = 1 << 24
_SUFFIXES = (".csv", ".tsv", ".txt")
_OF_PARQUET = (
    "To write one: `python -c \"import pandas; pandas.read_parquet('{path}').to_csv('fer2013.csv', "
    'index=False)"`'
)


_LEAVES = f" and leaves FER2013's 0 to {len(FER2013) - 1} what they are"
_CONTEMPT = ", and 7=contempt adds them, as CK+'s ckextended.csv and FER2013's order with contempt have it"


@dataclass(frozen=True)
class _Table:
    """A table of pixels: row number, label and split of its rows, all as text."""

    path: Path
    columns: dict[str, int]
    mark: str

    @property
    def usage(self) -> int | None:
        return self._place("split")

    @property
    def label(self) -> int | None:
        return self._place("label")

    def _place(self, part: str) -> int | None:
        return next((self.columns[str(name)] for name in NAMES[part] if name in self.columns), None)


def read(
    root: Path,
    *,
    labels: Mapping[str, str | None] | None = None,
    splits: Mapping[str, str | None] | None = None,
) -> Manifest:
    """Read the table, or of a folder with several the one that has all splits, or else one for each split.

    Args:
        root: The table, or the folder that it lies in.
        labels: Class by number or word, where they are not FER2013's; None drops the rows. FER2013's numbers
            keep their meaning where none of them is named.
        splits: Split by what the column of splits says, where that is no usual name; None for none.

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
        rows += _rows(table, split, splits or {}, notes)
    if not rows:
        raise ValueError(f"{root} has no row with pixels. {' '.join(notes)}")
    found = {row["label"] for row in rows if row["label"] is not None}
    renames = {whole(label): name for label, name in (labels or {}).items()}
    numbering = NUMBERINGS[FER2013.name]
    own = numbering if found & numbering.keys() and not renames.keys() & numbering.keys() else {}
    words: dict[str, str | None] = {label: label for label in sorted(found) if not is_number(label)}
    names = {**own, **words, **renames}
    if unknown := sorted((number for number in found if number not in names), key=float):
        raise UnreadLabelsError(
            f"{root}: the emotions {', '.join(unknown)} are not among those that have names.",
            f"--label-names {unknown[0]}=none drops those of one"
            + (_LEAVES if own else "")
            + (_CONTEMPT if own and unknown == ["7"] else "")
            + f". {how_to_name(found)}",
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
        said = {name.casefold(): name for name in names.values() if name is not None}
        taxonomy = FER2013 if own and len(said) == len(FER2013) else from_names(said.values())
        if own:
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
    files = [root] if root.is_file() else sorted(path for path in root.iterdir() if path.is_file())
    tables = [table for path in files if (table := _open(path)) is not None]
    if not tables:
        parquet = next((path for path in files if path.suffix.lower() == ".parquet"), None)
        raise ValueError(
            f"{root} holds no FER2013: expected a table with the columns emotion and pixels, as CSV."
            + (f" {_OF_PARQUET.format(path=parquet)}" if parquet else "")
        )
    whole = [table for table in tables if table.usage is not None and table.label is not None]
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
    if path.suffix.lower() not in _SUFFIXES:
        return None
    try:
        with path.open("rb") as file:
            names, mark = pixel_columns(file.readline(1 << 16))
    except OSError:
        return None
    columns = {name: names.index(name) for name in names}
    return _Table(path, columns, mark.decode()) if "pixels" in names else None


def _rows(
    table: _Table, split: str | None, splits: Mapping[str, str | None], notes: list[str]
) -> list[dict[str, str | None]]:
    rows: list[dict[str, str | None]] = []
    bad: list[int] = []
    unknown: set[str] = set()
    before = csv.field_size_limit(_MAX_CELL)
    try:
        with table.path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=table.mark)
            next(reader)
            for number, fields in enumerate(reader):
                if reader.line_num != number + 2:
                    raise ValueError(
                        f"{table.path}, line {number + 2}: a cell goes on in the next line, and rows of "
                        "pixels stand in a line each. Write the pixels of each picture into one line."
                    )
                if not any(map(str.strip, fields)):
                    continue
                if len(fields) < len(table.columns):
                    bad.append(number)
                    continue
                label = fields[table.label].strip() if table.label is not None else ""
                usage = fields[table.usage].strip() if table.usage is not None else ""
                is_known = not usage or usage in splits or split_of(usage) is not None
                if not is_known:
                    unknown.add(usage)
                said = splits[usage] if usage in splits else split_of(usage)
                rows.append(
                    {
                        "image": f"{table.path.name}#{number}",
                        "label": whole(label) or None,
                        "split": said if usage else split,
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
            Fault(
                f"{table.path.name}: Usage has the unknown values {', '.join(sorted(unknown)[:5])}. Say what "
                f"they are: --splits {min(unknown)}=train"
            )
        )
    return rows
