"""Which reader fits a path, and why: for people who have a data set and no wish to name its layout.

Recognizing reads names and headers only, at most :data:`MAX_ENTRIES` of a folder and
:data:`MAX_INNER` of those below it, and opens no picture.
Layouts with files of their own are certain; folders of pictures are guessed from the folders' names.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq

from halfsmile.data.containers.archive import ARCHIVE_SUFFIXES, inner_path, open_archive, split_locator
from halfsmile.data.containers.parquet import image_column
from halfsmile.data.readers import affectnet, ferplus, lfw, rafdb
from halfsmile.data.readers.annotations import coco, sidecars, voc, yolo
from halfsmile.data.readers.annotations.files import Files
from halfsmile.data.readers.beside.class_names import is_list_of_classes
from halfsmile.data.readers.beside.tables import MAX_LOOKED_INTO, ON_TOP, tables_of_faces
from halfsmile.data.readers.folder import has_image_suffix, is_image, with_members
from halfsmile.data.readers.folders.meaning import understand
from halfsmile.data.readers.unread.conversions import how_to_convert, how_to_unpack
from halfsmile.data.readers.words import expression_of, split_in, split_of, split_of_picture
from halfsmile.data.tables.columns import looks_like
from halfsmile.data.tables.rows import TABLE_SUFFIXES, read_rows

MAX_ENTRIES = 2_000
MAX_INNER = 200
MAX_WRAPPED = 3
LAYOUTS = {
    "manifest": "a manifest that halfsmile wrote (.parquet)",
    "store": "a face store (index.parquet and tar shards)",
    "recordio": "InsightFace RecordIO (.rec and .idx)",
    "parquet_images": "Parquet files with the pictures in their cells",
    "ferplus": "FERPlus (fer2013.csv and fer2013new.csv, or FER2013Train …)",
    "fer2013": "FER2013 (a table with the columns emotion and pixels)",
    "rafdb": f"RAF-DB ({rafdb.LIST})",
    "affectnet": "AffectNet (training.csv, or train_set/annotations)",
    "affwild2": "Aff-Wild2 (EXPR_…_Challenge/Train_Set)",
    "sequences": "sequences of frames (frames.csv)",
    "lfw": "Labeled Faces in the Wild (<person>/<person>_0001.jpg)",
    "coco": "annotations in COCO's JSON",
    "yolo": "YOLO's text files with boxes, one a picture",
    "voc": "Pascal VOC's XML files, one a picture",
    "sidecars": "a file with the label for each picture",
    "table": f"a table of faces ({', '.join(TABLE_SUFFIXES)})",
    "class_folders": "folders named after labels, in a folder or an archive",
    "folder": "pictures without labels, in a folder or an archive",
}
"""Layouts by name; each but the first two is a module of :mod:`halfsmile.data.readers` or ``annotations``."""

VIDEOS_WITH_LABELS = (
    "Labels of videos are not read from their folders: `ffmpeg -i CLIP.mp4 -r 3 LABEL/CLIP_%04d.png` writes "
    "the pictures of each into a folder of that name, which is read as classes, with --from-names "
    "'{video}_{frame}' for the clips."
)
VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm")
_SHOWN = 12
_AFFECTNET = re.compile(rb"(\xef\xbb\xbf)?\"?(subDirectory_filePath|\d+/[0-9a-f]{16,}\.)")

LABELED = ("answers.jsonl", "labels.parquet")
"""What a folder of ``halfsmile label`` has: the journal, and the list of faces with labels."""


@dataclass(frozen=True)
class Layout:
    """What a path holds.

    Args:
        name: One of :data:`LAYOUTS`.
        root: What to give to the reader: the path, or a folder below that the path only wraps.
        reason: Why this layout, for people.
        is_certain: Whether files of its own tell the layout; False for a guess by folder names.
        tables: Of the layout ``table``, those in or below a folder or archive.
        has_rafdb_names: Whether the pictures that were looked at are named as RAF-DB's are.
    """

    name: str
    root: Path
    reason: str
    is_certain: bool = True
    tables: tuple[Path, ...] = ()
    has_rafdb_names: bool = False


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
        is_wrapper = len(inner) == 1 and inner[0][1]
        if not is_wrapper or split_of(inner[0][0]) or expression_of(inner[0][0]) or level == MAX_WRAPPED:
            break
        folder = folder / inner[0][0]
    if layout := _by_contents(folder, _tree(folder)):
        return layout
    layouts = "\n".join(f"  {name}: {what}" for name, what in LAYOUTS.items())
    names = [name for name, _ in inner]
    found = f"{names[:12]}{' …' if len(names) > 12 else ''}" if names else "nothing"
    raise ValueError(
        f"{folder} fits no reader; it holds {found}.{_way_out(folder)} Known layouts:\n{layouts}"
    )


def labels_of_videos(folder: Path) -> bool:
    """Whether videos lie in folders that are named after expressions."""
    if not folder.is_dir():
        return False
    videos = [PurePosixPath(name) for name in _tree(folder) if name.lower().endswith(VIDEO_SUFFIXES)]
    return any(expression_of(path.parent.name) for path in videos)


def _way_out(folder: Path) -> str:
    """What to type for the first files below a folder that are known and not read."""
    files = [folder / name for name, is_folder in _tree(folder).items() if not is_folder]
    archives = [path for path in files if path.name.lower().endswith(ARCHIVE_SUFFIXES)]
    if archives:
        return (
            f" Give one of its archives, as {archives[0]}, or unpack each into a folder of its name (folders "
            f"called train, valid and test are splits): {how_to_unpack(archives[0])} …"
        )
    if labels_of_videos(folder):
        return f" {VIDEOS_WITH_LABELS}"
    last = (".json", ".xml")  # of which many data sets have some beside what they are made of
    files.sort(key=lambda path: path.suffix.lower() in last)
    return next((f" {text}" for path in files if (text := how_to_convert(path))), "")


def _tree(folder: Path) -> dict[str, bool]:
    """Some paths of up to five levels below a folder, sorted by level, and whether each is a folder."""
    tree: dict[str, bool] = {}
    level = [""]
    for limit in (MAX_ENTRIES, *(MAX_INNER,) * 4):
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
                is_picture = has_image_suffix(entry.name)
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
        if looks_like(path) == "pixels":
            return Layout("fer2013", path, "a table with the pixels of pictures")
        return Layout("table", path, "Parquet without image files")
    if suffix == ".json" and coco.is_coco(Files(path.parent, [path.name]).read(path.name, 1 << 20)):
        return Layout("coco", path, "it has images, annotations and categories")
    if suffix in TABLE_SUFFIXES:
        if looks_like(path) == "pixels":
            return Layout("fer2013", path, "a table with the pixels of pictures")
        if suffix == ".json":
            _require_rows(path)
        return Layout("table", path, f"a {suffix} file")
    if path.name.lower().endswith(ARCHIVE_SUFFIXES):
        return _of_archive(path)
    raise ValueError(f"{path} is no table, archive, .rec or .parquet file. {how_to_convert(path)}".rstrip())


def _require_rows(path: Path) -> None:
    """Refuse JSON without rows of a table, with what to type."""
    try:
        read_rows(path)
    except ValueError as error:
        raise ValueError(f"{error} {how_to_convert(path)}") from error


def _of_archive(path: Path) -> Layout:
    names = open_archive(path).names
    for name in names:
        if name == rafdb.LIST or name.endswith(f"/{rafdb.LIST}"):
            return Layout("rafdb", path, f"it has {name}")
    images = [name for name in names if is_image(PurePosixPath(name))]
    if not images:
        known = (*ARCHIVE_SUFFIXES, *ON_TOP)
        packed = [n for n in names if n.lower().endswith(known) and "__MACOSX" not in n]
        raise ValueError(
            f"{path} is an archive without pictures."
            + (
                f" It holds {', '.join(packed[:_SHOWN])}: unpack it, and give what was in it. "
                f"{how_to_unpack(path)}"
                if packed
                else ""
            )
        )
    pictures = _of_pictures(path, images[:: max(1, len(images) // MAX_ENTRIES)])
    if (not pictures or not pictures.is_certain) and (layout := _annotated(Files(path, names))):
        return layout
    others = [name for name in names if name.count("/") <= MAX_WRAPPED and not is_image(PurePosixPath(name))]
    return (
        _with_tables(path, others, images, pictures, "!")
        or pictures
        or Layout("folder", path, "pictures", is_certain=False)
    )


_SIGNS: dict[str, tuple[str, ...]] = {
    "ferplus": ("fer2013new.csv", *(f"{name}/label.csv" for name in ferplus.FOLDERS.values())),
    "fer2013": ("fer2013.csv", "icml_face_data.csv"),
    "rafdb": (rafdb.LIST, f"basic/{rafdb.LIST}"),
    "affectnet": tuple(f"{name}/annotations" for name in affectnet.SETS),
    "sequences": ("frames.csv",),
    "store": ("index.parquet",),
}


def _by_sign(folder: Path) -> Layout | None:
    """The layout of a folder by a file that only one layout has."""
    if (folder / LABELED[0]).is_file() and (folder / LABELED[1]).is_file():
        return Layout("manifest", folder / LABELED[1], f"it has {LABELED[0]}, the answers of halfsmile label")
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
    for name, signs in _SIGNS.items():
        for sign in signs:
            if inner := next((entry for entry in tree if "/" in sign and entry.endswith(f"/{sign}")), None):
                return Layout(name, folder / inner.removesuffix(sign), f"it has {inner}")
    images = [name for name in files if is_image(PurePosixPath(name))]
    pictures = _of_pictures(folder, images)
    if (pictures is None or not pictures.is_certain) and (layout := _annotated(Files(folder, files))):
        return layout
    near = [name for name in files if name.count("/") <= 2]
    packed = _of_archives(folder, files) if pictures is None else None
    if packed is not None and packed.is_certain and packed.name != "table":
        beside = tables_of_faces(folder, near, images, "/")
        if beside is None or beside.holds == "names":
            return packed
    if layout := _with_tables(folder, near, images, pictures, "/"):
        return layout
    archives = [name for name in files if _is_archive(name)]
    if pictures is None and packed is None and len(archives) == 1:
        return _of_file(folder / archives[0])  # which says what is wrong with it
    return pictures or packed


def _of_archives(folder: Path, files: Sequence[str]) -> Layout | None:
    """A data set in several archives, each of which stands for a folder of its name.

    One archive is read as itself, but where its folders are classes and files beside tell more of them.
    """
    archives = [name for name in files if _is_archive(name)]
    if len(archives) == 1:
        try:
            alone = _of_file(folder / archives[0])
        except ValueError:  # an archive without pictures, or a damaged one
            return None
        is_told_beside = any(
            is_list_of_classes(folder, n, ()) or split_in(PurePosixPath(n).stem) for n in files
        )
        if not (is_told_beside and alone.name in ("class_folders", "folder")):
            return alone
    names = [name for name in with_members(folder, files)[0] if split_locator(name)]
    images = [name for name in names if is_image(PurePosixPath(name))]
    if not images:
        return None
    step = max(1, len(images) // MAX_ENTRIES)
    pictures = _of_pictures(folder, [inner_path(name) for name in images[::step]])
    if (pictures is None or not pictures.is_certain) and (layout := _annotated(Files(folder, names))):
        return layout
    return pictures


def _is_archive(name: str) -> bool:
    return name.lower().endswith(ARCHIVE_SUFFIXES) and not PurePosixPath(name).name.startswith(".")


def _annotated(files: Files) -> Layout | None:
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


def _with_tables(
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
    meaning = understand(path.parts[:-1] for path in paths)
    people = [lfw.PICTURE.fullmatch(path.stem) for path in paths]
    if not (meaning.kind == "words" or meaning.has_splits) and all(
        match and path.parent.name == match["person"] for match, path in zip(people, paths, strict=True)
    ):
        return Layout("lfw", root, f"pictures are named after their folder, as {names[0]}")
    said = ", ".join(meaning.names[:_SHOWN]) + (" …" if len(meaning.names) > _SHOWN else "")
    of_rafdb = all(split_of_picture(name) for name in names)
    if meaning.kind == "words":
        reason = f"its folders are named after expressions: {said}"
        return Layout("class_folders", root, reason, has_rafdb_names=of_rafdb)
    if meaning.kind == "numbers":
        reason = f"its folders are numbered: {said}"
        return Layout("class_folders", root, reason, is_certain=False, has_rafdb_names=of_rafdb)
    if meaning.kind == "names":
        return Layout("class_folders", root, f"its splits have the folders {said}", is_certain=False)
    folders = {path.parts[0] for path in paths if len(path.parts) > 1}
    found = f"{len(folders)} folders with other names" if folders else "no folders"
    reason = f"pictures in {found}, so nothing is labeled"
    return Layout("folder", root, reason, is_certain=False, has_rafdb_names=of_rafdb)
