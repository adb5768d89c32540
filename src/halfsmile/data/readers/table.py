"""Faces listed in a table: CSV, Parquet, JSON or JSON Lines, one row a face.

The columns are given by name, or recognized by the usual names (:data:`~halfsmile.data.tables.names.NAMES`)
or by what they hold. CSV may be separated by commas, semicolons, tabs or bars, lists such as ``a.jpg 3`` by
blanks, encoded as UTF-8 (with or without a mark), UTF-16 or Windows-1252; see
:mod:`halfsmile.data.tables.rows`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from halfsmile.data.containers.archive import split_locator
from halfsmile.data.manifest import Fault, LeftOut, Manifest, UnreadLabelsError
from halfsmile.data.readers.words import expression_of, lists_expressions, split_in, split_of, word_in
from halfsmile.data.tables.boxes import other_format, require_corners, require_pixels
from halfsmile.data.tables.columns import Chosen, Columns, choose
from halfsmile.data.tables.labels import Classes, settle
from halfsmile.data.tables.maybe_labels import how_to_take, is_measured, labels_of_captions
from halfsmile.data.tables.pictures import left_beside, locate
from halfsmile.data.tables.raters import with_raters
from halfsmile.data.tables.repeats import without_repeats
from halfsmile.data.tables.rows import read_rows
from halfsmile.data.tables.times import PARTS
from halfsmile.data.tables.values import BoxFormat, EmptyBoxError, are_marks, parse_row
from halfsmile.data.tables.videos import with_frames, with_parts
from halfsmile.taxonomy import Taxonomy

_FEW = 4


@dataclass
class _Part:
    """One table of a data set."""

    path: Path
    rows: list[dict[str, Any]]
    chosen: Chosen
    notes: list[str] = field(default_factory=list)
    folders: tuple[str, ...] = ()


def read(
    root: Path,
    *,
    tables: Sequence[Path] | None = None,
    columns: Columns | None = None,
    images: Path | None = None,
    taxonomy: Taxonomy | None = None,
    labels: Mapping[str, str | None] | None = None,
    box: BoxFormat | None = None,
    splits: Mapping[str, str | None] | None = None,
    are_videos: bool = False,
) -> Manifest:
    """Read a table of faces, or several that are the splits of a data set.

    Args:
        root: The table: ``.csv``, ``.tsv``, ``.txt``, ``.parquet``, ``.json``, ``.jsonl`` or ``.ndjson``.
        tables: Tables in or below the folder or archive ``root`` instead; where there are several, the names
            of their files tell the splits of rows that have none.
        columns: Column of each part of the manifest, such as ``{"image": "Datei", "label": "Ausdruck"}``.
            ``box``, ``landmarks`` and ``votes`` take one column with a list of numbers, or 4, 10 and as many
            columns as there are classes; several columns for ``label`` are what several people say of a face,
            and read as votes; ``start``, ``end`` and ``duration`` are those of a row's part of a video. What
            is not named is recognized; an empty name leaves a part out.
        images: Folder or archive that the image column is relative to; by default the table's folder, or the
            only archive in it if the first picture is not a file there.
        taxonomy: Classes; by default a known taxonomy with the labels' names (or with the names of the vote
            columns), else the sorted labels.
        labels: Class name by the table's own label, as ``{"0": "neutral"}``; None drops the row. Needed
            where labels are numbers, unless the pictures' names tell the data set.
        box: ``xyxy``: x0, y0, x1, y1. ``xywh``: x, y, width, height. ``cxcywh``: the center instead of the
            corner. By default what the columns' names say.
        splits: Split by what the column of splits says, as ``{"0": "train", "1": "test"}``; None for none.
        are_videos: Whether rows are videos, which are looked for among videos, also where no suffix says so.

    Returns:
        Rows in the order of the table. Rows without an image, or with a value that can't be understood, are
        left out and counted; unused columns are listed in the notes.

    Raises:
        UnreadLabelsError: If labels are numbers without names, or no column is known for the labels though
            some could hold them.
        ValueError: If the table can't be read, a named column is missing, labels or splits are unknown, the
            order of votes is not said, or the format of boxes is not known.
    """
    root = Path(root)
    paths = [root] if tables is None else list(tables)
    parts = [_read(path, columns or {}, box, splits or {}, labels or {}) for path in paths]
    if len(parts) > 1:
        by_class = classes_of_tables([part.path for part in parts if not _tells_labels(part)])
        told = {tuple(sorted(part.chosen.parts.items())) for part in parts}
        are_alike = are_one_a_folder(paths) and len(told) == 1
        if not are_alike and len(by_class) < len(parts):
            _require_splits(root, paths)
        for part in parts:
            split, label = split_of_table(part.path), by_class.get(part.path)
            for row in part.rows:
                row["split"] = row.get("split") or split
                if label:
                    row["label"] = label
            if not are_alike:
                line = ", ".join(text for text in (f"{len(part.rows):,} rows", label, split) if text)
                part.notes.append(f"{part.path.name}: {line}.")
        if are_alike:
            parts = [_joined(parts, root)]
    rows = [row for part in parts for row in part.rows]
    notes = [note for part in parts for note in part.notes]
    first = parts[0].path
    if "label" in (columns or {}):
        notes += labels_of_captions(rows, first.name, labels or {})
    if not rows:
        raise ValueError(f"{first} has no usable row. {' '.join(notes)}")
    base = images or _base(root, first, tables)
    if images is None:
        folders = [
            folder for part in parts for folder in part.folders or [_below(base, part.path)] * len(part.rows)
        ]
        videos = [row.get("video") if row["image"].rpartition("/")[2].isdecimal() else None for row in rows]
        names = [row["image"] for row in rows]
        base, locators, said = locate(base, names, first.name, folders, videos, are_videos=are_videos)
        for row, locator in zip(rows, locators, strict=True):
            row["image"] = locator
        notes += [*said, *_splits_of_folders(rows)]
        if tables is not None:
            notes += left_beside(base, [row["image"] for row in rows], first.name)
    votes = {column: label for part in parts for column, label in part.chosen.votes.items()}
    for part in parts:  # each has its own order, and perhaps not all classes
        own = list(part.chosen.votes)
        for row in part.rows if own and own != list(votes) else ():
            if row.get("votes") is not None:
                told_of = dict(zip(own, row["votes"], strict=True))
                row["votes"] = [told_of.get(column, 0.0) for column in votes]
    has_labels = any("label" in part.chosen.parts for part in parts) or any(row.get("label") for row in rows)
    classes = Classes(votes, taxonomy, labels or {}, has_labels)
    rows, taxonomy = settle(first, base, rows, classes, notes)
    if not rows:
        raise ValueError(f"{first} has no usable row. {' '.join(notes)}")
    rows = without_repeats(rows, first.name, notes)
    notes += [*_several_answers(rows), *_several_expressions(rows)]
    measured = sorted({name for part in parts for name in part.chosen.unused if is_measured(name)})
    if measured and taxonomy is None:
        named = ", ".join(measured[:_FEW]) + (" …" if len(measured) > _FEW else "")
        notes.append(LeftOut(f"{first.name} has {named} and no classes: only classes are learned."))
    manifest = Manifest.from_rows(rows, base, taxonomy, notes)
    maybe = parts[0].chosen.maybe_labels
    if maybe and taxonomy is None and all(not row.get("label") for row in rows):
        raise UnreadLabelsError(
            f"{first} has no column that is known to hold labels, but the columns {'; '.join(maybe)}.",
            how_to_take(maybe),
            manifest,
        )
    return manifest


def _several_answers(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A fault where rows give one picture several labels and nothing says which of its faces is meant."""
    answers: defaultdict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row.get("label") and not row.get("box") and not row.get("landmarks"):
            answers[row["image"]].append(row["label"])
    torn = {image: labels for image, labels in answers.items() if len(set(labels)) > 1}
    if not torn:
        return []
    image, labels = next(iter(torn.items()))
    return [
        Fault(
            f"{sum(map(len, torn.values())):,} rows give {len(torn):,} pictures different labels, and no box "
            f"says which face is meant, first {image}: {', '.join(labels[:_FEW])}. Name the columns of the "
            "box (--columns box=x,y,w,h), or, if several people judged one face, make votes of it: "
            "halfsmile data import PICTURES TABLE --layout folder --out list.parquet"
        )
    ]


def _several_expressions(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A fault where a label is a list of several expressions, which would be a class of its own."""
    lists = Counter(row["label"] for row in rows if row.get("label") and lists_expressions(row["label"]))
    if not lists:
        return []
    return [
        Fault(
            f"{lists.total():,} rows have several expressions in one cell, first {next(iter(lists))!r}, and "
            f"each such list is read as a class of its own, {len(lists):,} in all. Keep one expression, or "
            "write a column of numbers for each: they are read as votes."
        )
    ]


def _require_splits(root: Path, paths: Sequence[Path]) -> None:
    """Refuse several tables that are not the splits of one data set.

    Raises:
        ValueError: If the names of two of them tell the same split, or one tells none.
    """
    splits = [split_of_table(path) for path in paths]
    if None in splits or len(set(splits)) < len(splits):
        listed = ", ".join(_below(root, path) + path.name for path in paths)
        raise ValueError(
            f"{root} holds several tables of faces: {listed}. Give one of them, or name them or their "
            "folders after their splits, as train.csv and test.csv."
        )


def _tells_labels(part: _Part) -> bool:
    return bool(part.chosen.parts.keys() & {"label", "votes"})


def classes_of_tables(paths: Sequence[Path]) -> dict[Path, str]:
    """Class by table, where each is called after one expression and there are two at least."""
    found = {path: expression_of(path.stem) or word_in(path.stem) for path in paths}
    told = {path: label for path, label in found.items() if label}
    return told if len(told) == len(paths) and len(set(told.values())) > 1 else {}


def are_one_a_folder(paths: Sequence[Path]) -> bool:
    """Whether tables lie in folders of their own, under one name or under that of the folder.

    So they do where each subject or session has one, as ``S01/labels.csv`` or ``S01/S01.csv``. Those of
    splits are none of these.
    """
    splits = [split_of_table(path) for path in paths]
    if None not in splits and len(set(splits)) == len(splits):
        return False
    folders = {path.parent for path in paths}
    names = {path.name.casefold() for path in paths}
    named = all(path.parent.name.rpartition("!")[2].casefold() in path.stem.casefold() for path in paths)
    are_apart = len(folders) == len(paths) > 1 and len({len(path.parts) for path in paths}) == 1
    return are_apart and (len(names) == 1 or named)


def _joined(parts: Sequence[_Part], root: Path) -> _Part:
    """The rows of tables that lie one in a folder, as one part."""
    first = parts[0]
    folders = [_below(root, part.path).rstrip("/") for part in parts]
    notes = list(dict.fromkeys(note for part in parts for note in part.notes))
    notes.insert(
        0,
        f"{len(parts):,} tables, one in each of the folders {', '.join(folders[:_FEW])}"
        f"{' …' if len(folders) > _FEW else ''}, were read together. If the folders are people: --from-names "
        "'{person}/*'.",
    )
    places = [f"{folder}/" for folder, part in zip(folders, parts, strict=True) for _ in part.rows]
    rows = [row for part in parts for row in part.rows]
    return _Part(first.path, rows, first.chosen, notes, tuple(places))


def split_of_table(path: Path) -> str | None:
    """The split that the name of a table tells, or that of its folder."""
    return split_in(path.stem) or split_of(path.parent.name.rpartition("!")[2])


def _below(base: Path, path: Path) -> str:
    """The folder of a table below the root, with ``/`` behind it; nothing for the root itself."""
    folder = str(path.parent).removeprefix(str(base)).lstrip("!/")
    return f"{folder}/" if folder else ""


def _splits_of_folders(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Fill in the splits that the pictures' folders tell, where rows have none and all tell one."""
    if any(row.get("split") for row in rows):
        return []
    told = [next(filter(None, map(split_of, row["image"].split("/")[:-1])), None) for row in rows]
    if None in told or len(set(told)) < 2:
        return []
    for row, split in zip(rows, told, strict=True):
        row["split"] = split
    return ["Splits are those that the pictures' folders are named after."]


def _base(root: Path, path: Path, tables: Sequence[Path] | None) -> Path:
    """What the pictures of a table are looked for in."""
    if tables is not None:
        return root
    member = None if path.is_file() else split_locator(str(path))
    return path.parent if member is None else Path(member[0])


def _read(
    path: Path,
    columns: Columns,
    box: BoxFormat | None,
    splits: Mapping[str, str | None],
    labels: Mapping[str, str | None],
) -> _Part:
    """The rows of one table; labels and votes stay as it has them."""
    said = {part: name for part, name in columns.items() if isinstance(name, str)}
    times = {part: said[part] for part in PARTS if said.get(part)}
    columns = {part: names for part, names in columns.items() if part not in PARTS}
    named = ((names,) if isinstance(names, str) else names for names in columns.values())
    taken = {name for names in named for name in names}
    table = with_parts(path, with_frames(read_rows(path)), said.get("image"), times, taken)
    table, columns = with_raters(path, table, columns, labels)
    records = list(table.rows)
    chosen = choose(path, table, records, columns, splits)
    notes = [*table.notes, *chosen.notes]
    if chosen.unused:
        notes.append(f"Columns of {path.name} that were not used: {', '.join(chosen.unused)}.")
    wanted = box or chosen.box or "xyxy"
    if box is not None and "box" not in chosen.parts:
        raise ValueError(
            f"{path} has no column for a box; leave --box away, or name it: --columns box=COLUMN."
        )
    rows: list[dict[str, Any]] = []
    bad: list[str] = []
    empty = 0
    has_marks = are_marks(records, chosen.parts.get("votes", ()))
    for number, record in enumerate(records, start=1):
        try:
            rows.append(
                parse_row(
                    record,
                    chosen.parts,
                    wanted,
                    splits,
                    is_comma_decimal=table.is_comma_decimal,
                    has_marks=has_marks,
                )
            )
        except ValueError as error:
            empty += isinstance(error, EmptyBoxError)
            bad.append(f"data row {number} ({error})")
    require_pixels(path, chosen.parts.get("box", ()), rows)
    if box is None and chosen.box is not None:
        notes += other_format(path, chosen.parts["box"], rows, wanted)
    if box is None and chosen.box is None and "box" in chosen.parts:
        require_corners(path, chosen.parts["box"], rows, empty)
        if any(row["box"] for row in rows):
            notes.append(
                f"The numbers of {', '.join(chosen.parts['box'])} are taken for x0, y0, x1, y1; if they are "
                "x, y, width, height: --box xywh."
            )
    if bad:
        notes.append(
            Fault(f"{len(bad):,} rows of {path.name} can't be understood and were left out, first {bad[0]}.")
        )
    return _Part(path, rows, chosen, notes)
