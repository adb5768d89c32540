"""Files beside pictures that tell the layout: annotations with boxes, and tables of faces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from halfsmile.data.readers.annotations import coco, sidecars, voc, yolo
from halfsmile.data.readers.annotations.files import Files
from halfsmile.data.readers.beside.tables import MAX_LOOKED_INTO, tables_of_faces
from halfsmile.data.readers.recognition.layout import Layout
from halfsmile.data.tables.columns import looks_like


def of_annotations(files: Files) -> Layout | None:
    """A data set of boxes in annotation files."""
    documents = [name for name in files.names if name.lower().endswith(".json") and name.count("/") <= 3]
    for name in documents[:MAX_LOOKED_INTO]:
        if coco.is_coco(files.read(name, 1 << 20)):
            return Layout("coco", files.root, f"{name} has images, annotations and categories")
    if yolo.is_yolo(files):
        return Layout("yolo", files.root, "pictures have text files with YOLO's lines")
    if voc.is_voc(files):
        return Layout("voc", files.root, "pictures have XML files with Pascal VOC's objects")
    if sidecars.is_sidecars(files):
        return Layout("sidecars", files.root, "pictures have files of the same name with a label each")
    return None


def of_videos(root: Path, table: Path, column: str) -> Layout:
    """Videos with a row for each."""
    tables = () if table == root else (table,)
    return Layout("videos", root, f"{table.name} names videos in its column {column}", tables=tables)


def of_tables(
    root: Path, names: Sequence[str], images: Sequence[str], pictures: Layout | None, mark: str
) -> Layout | None:
    """A data set of tables of faces, unless its folders tell the labels; None where there is none.

    Where a table tells no labels, it is read if it is the only one and stands on top.
    """
    if pictures is not None and pictures.is_certain:
        return None
    if (found := tables_of_faces(root, names, images, mark)) is None:
        return None
    first, tables = found.tables[0], found.tables
    if found.holds == "pixels":
        if mark == "!":
            raise ValueError(f"{root} holds {first.name}, whose pixels are read from a file only: unpack it.")
        return Layout("fer2013", first.parent, f"{first.name} holds the pixels of pictures")
    if found.holds == "names":
        if pictures is not None and (pictures.name != "folder" or not looks_like(first)):
            return None
        return Layout("table", root, f"it has one table, {first.name}", is_certain=False, tables=tables)
    said = ", ".join(dict.fromkeys(table.name for table in tables[:MAX_LOOKED_INTO]))
    return Layout(
        "table",
        root,
        f"it has {'a table' if len(tables) == 1 else 'tables'} with labels, {said}",
        is_certain=False,
        tables=tables,
        has_rafdb_names=pictures is not None and pictures.has_rafdb_names,
    )
