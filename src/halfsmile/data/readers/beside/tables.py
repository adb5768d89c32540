"""Which tables beside pictures or videos, or in an archive with pictures, list them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from halfsmile.data.manifest import SPLITS
from halfsmile.data.readers.beside.class_names import is_list_of_classes
from halfsmile.data.readers.folder import walk
from halfsmile.data.readers.table import are_one_a_folder, classes_of_tables, split_of_table
from halfsmile.data.tables.columns import looks_like
from halfsmile.data.tables.rows import TABLE_SUFFIXES

MAX_LOOKED_INTO = 12
_MANY = 200
ON_TOP = (".csv", ".tsv", ".parquet", ".jsonl", ".ndjson")
"""Tables that are read without labels, too, where they stand alone on top."""


@dataclass(frozen=True)
class TablesOfFaces:
    """What was found.

    Args:
        holds: ``pixels`` of pictures, ``labels`` of them, what ``maybe`` is one, or only their ``names``.
        tables: One, or all that are one data set.
    """

    holds: Literal["pixels", "labels", "maybe", "names"]
    tables: tuple[Path, ...]


def tables_of_faces(
    root: Path, names: Sequence[str], images: Sequence[str], mark: str, *, of_videos: bool = False
) -> TablesOfFaces | None:
    """The tables of faces among some files; None where there is none.

    Those that tell labels go before those that may, and these before those that don't.

    Args:
        root: Folder or archive.
        names: Files in it.
        images: Pictures in it, or videos.
        mark: What stands between the root and a name in a path: ``/``, or ``!`` in an archive.
        of_videos: Whether the tables are of videos.
    """
    named = sorted(_may_be_tables(root, names, images), key=lambda name: (name.count("/"), name))
    tables = [Path(f"{root}{mark}{name}") for name in named]
    holds = {table: looks_like(table, of_videos=of_videos) for table in tables[:MAX_LOOKED_INTO]}
    if found := [table for table, what in holds.items() if what == "pixels"]:
        return TablesOfFaces("pixels", tuple(found))
    told: Literal["labels", "maybe"] = "labels" if "labels" in holds.values() else "maybe"
    labeled = [table for table, what in holds.items() if what == told]
    of_splits = [table for table, what in holds.items() if what and split_of_table(table) is not None]
    if labeled and len(of_splits) > 1 and set(of_splits) & set(labeled):
        labeled = [table for split in SPLITS for table in of_splits if split_of_table(table) == split]
    if are_one_a_folder(labeled):
        labeled = _all_alike(root, tables, labeled)
    without = [table for table, what in holds.items() if what == "pictures"]
    if not labeled and classes_of_tables(without):
        told, labeled = "labels", [table for table in tables if table in without or table not in holds]
    if labeled:
        return TablesOfFaces(told, tuple(labeled))
    on_top = [table for table, name in zip(tables, named, strict=True) if "/" not in name]
    if of_videos:
        on_top = [table for table in on_top if holds.get(table)]
    alone = [table for table in on_top if table.name.lower().endswith(ON_TOP)]
    alone = alone or [table for table in on_top if table.suffix.lower() == ".json" and holds.get(table)]
    return TablesOfFaces("names", tuple(alone)) if len(alone) == 1 and mark == "/" else None


def _may_be_tables(root: Path, names: Sequence[str], images: Sequence[str]) -> list[str]:
    """Without JSON files that are called as pictures are, and files that only say what numbers mean."""
    stems = {PurePosixPath(image).stem for image in images}
    found = [
        name
        for name in names
        if PurePosixPath(name).suffix.lower() in TABLE_SUFFIXES
        and not (name.lower().endswith(".json") and PurePosixPath(name).stem in stems)
    ]
    if len(found) > _MANY:
        return found
    return [name for name in found if not is_list_of_classes(root, name, stems)]


def _all_alike(root: Path, tables: Sequence[Path], labeled: Sequence[Path]) -> list[Path]:
    """All tables of one a folder, of which only the first were looked into."""
    names = {table.name.casefold() for table in labeled}
    if root.is_dir():
        tables = [root / name for name in walk(root)[0] if name.lower().endswith(TABLE_SUFFIXES)]
    return [
        table
        for table in tables
        if table in labeled
        or (table.name.casefold() in names if len(names) == 1 else are_one_a_folder((labeled[0], table)))
    ]
