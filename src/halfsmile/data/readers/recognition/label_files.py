"""Files beside pictures or videos that tell the layout: annotations with boxes, and tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from halfsmile.data.file_kind import has_video_suffix
from halfsmile.data.readers.annotations import coco, sidecars, voc, yolo
from halfsmile.data.readers.annotations.files import Files
from halfsmile.data.readers.beside.tables import MAX_LOOKED_INTO, tables_of_faces
from halfsmile.data.readers.folder import is_hidden
from halfsmile.data.readers.folders.meaning import understand
from halfsmile.data.readers.recognition.layout import Layout
from halfsmile.data.readers.recognition.pictures import SHOWN
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


def of_videos(
    folder: Path, files: Sequence[str], near: Sequence[str], *, is_asked: bool = False
) -> Layout | None:
    """Videos in tables, or in folders that are named after their labels; None where there are none.

    A table that tells labels goes before the folders, one that does not behind them.

    Args:
        folder: That they lie in.
        files: In it.
        near: Those of them that may be tables.
        is_asked: Whether folders are labels whatever they are called.
    """
    videos = [name for name in files if has_video_suffix(name) and not is_hidden(name)]
    if not videos:
        return None
    found = tables_of_faces(folder, near, videos, "/", of_videos=True)
    if found is None or found.holds != "labels":
        meaning = understand(PurePosixPath(name).parts[:-1] for name in videos)
        if meaning.kind == "words":
            said = ", ".join(meaning.names[:SHOWN])
            return Layout("videos", folder, f"the folders of its videos are named after expressions: {said}")
        if is_asked and any("/" in name for name in videos):
            return Layout("videos", folder, "as asked")
    if found is None or found.holds == "pixels":
        return None
    tables = found.tables
    name = "name" if len(tables) > 1 else "names"
    return Layout("videos", folder, f"{_listed(tables)} {name} its videos", tables=tables)


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
    return Layout(
        "table",
        root,
        f"it has {'a table' if len(tables) == 1 else 'tables'} with labels, {_listed(tables)}",
        is_certain=False,
        tables=tables,
        has_rafdb_names=pictures is not None and pictures.has_rafdb_names,
    )


def _listed(tables: Sequence[Path]) -> str:
    """The names of some tables, each once."""
    return ", ".join(dict.fromkeys(table.name for table in tables[:MAX_LOOKED_INTO]))
