"""Which reader fits a path, and why: for people who have a data set and no wish to name its layout.

Recognizing reads names and headers only, at most :data:`MAX_ENTRIES` of a folder and
:data:`MAX_INNER` of those below it, and opens no picture.
Layouts with files of their own are certain; folders of pictures are guessed from the folders' names.
"""

from __future__ import annotations

import importlib
import itertools
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from halfsmile.data.containers.archive import ARCHIVE_SUFFIXES, open_archive
from halfsmile.data.containers.parquet import image_column
from halfsmile.data.manifest import Manifest
from halfsmile.data.readers import affectnet, ferplus, lfw, rafdb
from halfsmile.data.readers.class_folders import SPLIT_FOLDERS
from halfsmile.data.readers.folder import IMAGE_SUFFIXES, is_image
from halfsmile.data.readers.table_rows import TABLE_SUFFIXES
from halfsmile.taxonomy import TAXONOMIES

MAX_ENTRIES = 2_000
MAX_INNER = 200
MAX_WRAPPED = 3
MAX_CLASSES = 64
LAYOUTS = {
    "manifest": "a manifest that halfsmile wrote (.parquet)",
    "store": "a face store (index.parquet and tar shards)",
    "recordio": "InsightFace RecordIO (.rec and .idx)",
    "parquet_images": "Parquet files with the pictures in their cells",
    "ferplus": "FERPlus (fer2013.csv and fer2013new.csv, or FER2013Train …)",
    "rafdb": f"RAF-DB ({rafdb.LIST})",
    "affectnet": "AffectNet (training.csv, or train_set/annotations)",
    "affwild2": "Aff-Wild2 (EXPR_…_Challenge/Train_Set)",
    "sequences": "sequences of frames (frames.csv)",
    "lfw": "Labeled Faces in the Wild (<person>/<person>_0001.jpg)",
    "table": f"a table of faces ({', '.join(TABLE_SUFFIXES)})",
    "class_folders": "folders named after labels, in a folder or an archive",
    "folder": "pictures without labels, in a folder or an archive",
}
"""Layouts by name; each but the first two is a module of :mod:`halfsmile.data.readers`."""

_WORDS = {label for taxonomy in TAXONOMIES.values() for label in taxonomy.labels} | {
    "angry", "afraid", "calm", "disgusted", "fearful", "happy", "natural", "sad", "smile", "smiling",
    "surprised",
}  # fmt: skip

_TABLES = (".csv", ".tsv", ".parquet", ".jsonl", ".ndjson")
_AFFECTNET = re.compile(rb"(\xef\xbb\xbf)?\"?(subDirectory_filePath|\d+/[0-9a-f]{16,}\.)")


@dataclass(frozen=True)
class Layout:
    """What a path holds.

    Args:
        name: One of :data:`LAYOUTS`.
        root: What to give to the reader: the path, or a folder below that the path only wraps.
        reason: Why this layout, for people.
        is_certain: Whether files of its own tell the layout; False for a guess by folder names.
    """

    name: str
    root: Path
    reason: str
    is_certain: bool = True


def recognize(path: Path) -> Layout:
    """Find the reader for a path.

    Args:
        path: A folder, a table, an archive, a ``.rec`` or a ``.parquet`` file. A folder that holds nothing
            but one other folder stands for that one, up to three levels deep.

    Raises:
        ValueError: If there is no such path or no reader fits; the message lists what was found.
    """
    path = Path(path)
    if path.is_file():
        return _of_file(path)
    if not path.is_dir():
        raise ValueError(f"{path} does not exist; expected a folder, a table or an archive of faces.")
    folder = path
    for level in itertools.count():
        if layout := _by_sign(folder):
            return layout
        inner = [entry for entry in _entries(folder, MAX_ENTRIES) if not entry[0].startswith(".")]
        if len(inner) != 1 or not inner[0][1] or inner[0][0] in SPLIT_FOLDERS or level == MAX_WRAPPED:
            break
        folder = folder / inner[0][0]
    if layout := _by_contents(folder, _tree(folder)):
        return layout
    layouts = "\n".join(f"  {name}: {what}" for name, what in LAYOUTS.items())
    names = [name for name, _ in inner]
    found = f"{names[:12]}{' …' if len(names) > 12 else ''}" if names else "nothing"
    raise ValueError(f"{folder} fits no reader; it holds {found}. Known layouts:\n{layouts}")


def read_any(path: Path, layout: str | None = None, **options: Any) -> Manifest:
    """Read a data set in any known layout.

    Args:
        path: See :func:`recognize`.
        layout: One of :data:`LAYOUTS`; recognized if None.
        options: For the reader, such as ``rule`` for FERPlus or ``columns`` for a table.

    Raises:
        ValueError: If no reader fits, the layout is unknown or gives no manifest of pictures, or the data
            are not as the reader expects.
    """
    path = Path(path)
    if layout is not None and layout not in LAYOUTS:
        raise ValueError(f"Layout {layout!r} is unknown; known are {', '.join(LAYOUTS)}.")
    found = recognize(path) if layout is None else Layout(layout, path, "as asked")
    if found.name == "manifest":
        return Manifest.load(found.root)
    home = "halfsmile.data.store.read" if found.name == "store" else f"halfsmile.data.readers.{found.name}"
    read: Callable[..., Any] = importlib.import_module(home).read
    result = read(found.root, **options)
    manifest = result if isinstance(result, Manifest) else getattr(result, "manifest", None)
    if not isinstance(manifest, Manifest):
        raise ValueError(f"{path} holds {LAYOUTS[found.name]}; read it with its own reader.")
    return manifest


def _tree(folder: Path) -> dict[str, bool]:
    """Some paths of up to three levels below a folder, sorted by level, and whether each is a folder."""
    tree: dict[str, bool] = {}
    level = [""]
    for limit in (MAX_ENTRIES, MAX_INNER, MAX_INNER):
        inside: dict[str, bool] = {}
        for prefix in level[:MAX_INNER]:
            inside |= {prefix + name: is_folder for name, is_folder in _entries(folder / prefix, limit)}
        tree |= inside
        level = [f"{name}/" for name, is_folder in inside.items() if is_folder]
    return tree


def _entries(folder: Path, limit: int) -> list[tuple[str, bool]]:
    """Names in a folder, sorted, and which are folders: all but pictures, and of those some.

    None where it can't be read. The order of a folder's entries is anybody's: a table may come last.
    """
    found: list[tuple[str, bool]] = []
    pictures = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                is_picture = os.path.splitext(entry.name)[1].lower() in IMAGE_SUFFIXES
                pictures += is_picture
                if not is_picture or pictures <= limit:
                    found.append((entry.name, _is_folder(entry)))
    except OSError:
        return []
    return sorted(found)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _of_file(path: Path) -> Layout:
    suffix = path.suffix.lower()
    if suffix == ".rec":
        return Layout("recordio", path, "a .rec file")
    if suffix == ".parquet":
        schema = _schema(path)
        if schema is None:
            raise ValueError(f"{path} is not a readable Parquet file.")
        if b"halfsmile.root" in (schema.metadata or {}):
            return Layout("manifest", path, "Parquet with the metadata of a manifest")
        if column := image_column(schema):
            return Layout("parquet_images", path, f"Parquet with image files in the column {column}")
        return Layout("table", path, "Parquet without image files")
    if suffix in TABLE_SUFFIXES:
        return Layout("table", path, f"a {suffix} file")
    if path.name.lower().endswith(ARCHIVE_SUFFIXES):
        names = [name for name in open_archive(path).names if is_image(PurePosixPath(name))]
        step = max(1, len(names) // MAX_ENTRIES)
        if pictures := _of_pictures(path, names[::step]):
            return pictures
        raise ValueError(f"{path} is an archive without pictures.")
    raise ValueError(f"{path} is no table, archive, .rec or .parquet file.")


_SIGNS: dict[str, tuple[str, ...]] = {
    "ferplus": ("fer2013.csv", *(f"{name}/label.csv" for name in ferplus.FOLDERS.values())),
    "rafdb": (rafdb.LIST, f"basic/{rafdb.LIST}"),
    "affectnet": tuple(f"{name}/annotations" for name in affectnet.SETS),
    "sequences": ("frames.csv",),
    "store": ("index.parquet",),
}


def _by_sign(folder: Path) -> Layout | None:
    """The layout of a folder by a file that only one layout has."""
    for name, signs in _SIGNS.items():
        for sign in signs:
            if (folder / sign).exists():
                return Layout(name, folder, f"it has {sign}")
    return None


def _by_contents(folder: Path, tree: dict[str, bool]) -> Layout | None:
    """The layout of a folder, judged by its tables first and by its pictures last."""
    for entry, is_folder in tree.items():
        if is_folder and PurePosixPath(entry).match("EXPR_*_Challenge"):
            return Layout("affwild2", folder, f"it has {entry}")
        if PurePosixPath(entry).name in (*affectnet.MANUAL, *affectnet.AUTOMATIC) and _is_affectnet(
            folder / entry
        ):
            return Layout("affectnet", folder, f"{entry} has the columns of AffectNet")
        if not is_folder and entry.lower().endswith(".rec") and "/" not in entry:
            return Layout("recordio", folder, f"it has {entry}")
    files = [name for name, is_folder in tree.items() if not is_folder]
    for name in [name for name in files if name.lower().endswith(".parquet")][:3]:
        if (schema := _schema(folder / name)) and image_column(schema):
            return Layout("parquet_images", folder, f"{name} holds image files")
    pictures = _of_pictures(folder, [name for name in files if is_image(PurePosixPath(name))])
    tables = [name for name in files if "/" not in name and PurePosixPath(name).suffix.lower() in _TABLES]
    if len(tables) == 1 and (pictures is None or pictures.name == "folder"):
        return Layout("table", folder / tables[0], f"it has one table, {tables[0]}", is_certain=False)
    if pictures is None and len(tree) == 1 and files and files[0].lower().endswith(ARCHIVE_SUFFIXES):
        return _of_file(folder / files[0])
    return pictures


def _schema(path: Path) -> pa.Schema | None:
    """The schema of a Parquet file; None where it is damaged."""
    try:
        return pq.read_schema(path)
    except (OSError, pa.ArrowException):
        return None


def _is_affectnet(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _AFFECTNET.match(file.read(200)) is not None
    except OSError:
        return False


def _of_pictures(root: Path, names: list[str]) -> Layout | None:
    """LFW, folders by class, or plain pictures, by the names of some of them."""
    if not names:
        return None
    paths = [PurePosixPath(name) for name in names]
    parts = [path.parts[:-1] for path in paths]
    while root.is_file() and all(len(p) > 1 and p[0] == parts[0][0] not in SPLIT_FOLDERS for p in parts):
        parts = [p[1:] for p in parts]
    named = {path.parent.name for path in paths}
    has_labels = 2 * sum(name.casefold() in _WORDS for name in named) > len(named)
    people = [lfw.PICTURE.fullmatch(path.stem) for path in paths]
    if not (has_labels or any(p and p[0] in SPLIT_FOLDERS for p in parts)) and all(
        match and path.parent.name == match["person"] for match, path in zip(people, paths, strict=True)
    ):
        return Layout("lfw", root, f"pictures are named after their folder, as {names[0]}")
    depth = 1 if all(p and p[0] in SPLIT_FOLDERS for p in parts) else 0
    labels = sorted({p[depth] for p in parts if len(p) > depth})
    inside = sum(len(p) > depth for p in parts)
    known = [label for label in labels if label.casefold() in _WORDS]
    if len(labels) > 1 and 2 * len(known) > len(labels):
        return Layout("class_folders", root, f"its folders are named after expressions: {', '.join(labels)}")
    if depth and 1 < len(labels) <= MAX_CLASSES:
        reason = f"its splits have the folders {', '.join(labels)}"
        return Layout("class_folders", root, reason, is_certain=False)
    found = f"{len(labels)} folders with other names" if inside else "no folders"
    return Layout("folder", root, f"pictures in {found}, so nothing is labeled", is_certain=False)
