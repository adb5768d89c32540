"""The layout of a folder: by a file that only one layout has, or by its tables, archives and pictures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from halfsmile.data.containers.archive import inner_path, split_locator
from halfsmile.data.containers.parquet import image_column
from halfsmile.data.readers import affectnet, ferplus, rafdb
from halfsmile.data.readers.annotations.files import Files
from halfsmile.data.readers.beside.class_names import is_list_of_classes
from halfsmile.data.readers.beside.tables import tables_of_faces
from halfsmile.data.readers.folder import is_image, with_members
from halfsmile.data.readers.recognition.file import is_archive, of_file, schema_of
from halfsmile.data.readers.recognition.glance import MAX_ENTRIES, tree_of
from halfsmile.data.readers.recognition.label_files import of_annotations, of_tables, of_videos
from halfsmile.data.readers.recognition.layout import Layout
from halfsmile.data.readers.recognition.pictures import of_pictures
from halfsmile.data.readers.words import split_in

_AFFECTNET = re.compile(rb"(\xef\xbb\xbf)?\"?(subDirectory_filePath|\d+/[0-9a-f]{16,}\.)")
LABELED = ("answers.jsonl", "labels.parquet")
"""What a folder of ``halfsmile label`` has: the journal, and the list of faces with labels."""
_SIGNS: dict[str, tuple[str, ...]] = {
    "ferplus": ("fer2013new.csv", *(f"{name}/label.csv" for name in ferplus.FOLDERS.values())),
    "fer2013": ("fer2013.csv", "icml_face_data.csv"),
    "rafdb": (rafdb.LIST, f"basic/{rafdb.LIST}"),
    "affectnet": tuple(f"{name}/annotations" for name in affectnet.SETS),
    "sequences": ("frames.csv",),
    "store": ("index.parquet",),
}


def by_sign(folder: Path) -> Layout | None:
    """The layout of a folder by a file that only one layout has."""
    if (folder / LABELED[0]).is_file() and (folder / LABELED[1]).is_file():
        return Layout("manifest", folder / LABELED[1], f"it has {LABELED[0]}, the answers of halfsmile label")
    for name, signs in _SIGNS.items():
        for sign in signs:
            if (folder / sign).exists():
                return Layout(name, folder, f"it has {sign}")
    return None


def by_contents(folder: Path, tree: dict[str, bool]) -> Layout | None:
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
        if (schema := schema_of(folder / name)) and image_column(schema):
            return Layout("parquet_images", folder, f"{name} holds image files")
    for name, signs in _SIGNS.items():
        for sign in signs:
            if inner := next((entry for entry in tree if "/" in sign and entry.endswith(f"/{sign}")), None):
                return Layout(name, folder / inner.removesuffix(sign), f"it has {inner}")
    images = [name for name in files if is_image(PurePosixPath(name))]
    pictures = of_pictures(folder, images)
    if (pictures is None or not pictures.is_certain) and (layout := of_annotations(Files(folder, files))):
        return layout
    near = _near(files)
    if pictures is None and (layout := of_videos(folder, files, near)):
        return layout
    packed = _of_archives(folder, files) if pictures is None else None
    if packed is not None and packed.is_certain and packed.name != "table":
        beside = tables_of_faces(folder, near, images, "/")
        if beside is None or beside.holds == "names":
            return packed
    if layout := of_tables(folder, near, images, pictures, "/"):
        return layout
    archives = [name for name in files if is_archive(name)]
    if pictures is None and packed is None and len(archives) == 1:
        return of_file(folder / archives[0])  # which says what is wrong with it
    return pictures or packed


def videos_asked_for(folder: Path) -> Layout | None:
    """The videos of a folder, whatever lies beside; None where there are none, and no label of them."""
    files = [name for name, is_folder in tree_of(folder).items() if not is_folder]
    return of_videos(folder, files, _near(files), is_asked=True)


def _near(files: Sequence[str]) -> list[str]:
    """Files that are not too deep for a table."""
    return [name for name in files if name.count("/") <= 2]


def _of_archives(folder: Path, files: Sequence[str]) -> Layout | None:
    """A data set in several archives, each of which stands for a folder of its name.

    One archive is read as itself, but where its folders are classes and files beside tell more of them.
    """
    archives = [name for name in files if is_archive(name)]
    if len(archives) == 1:
        try:
            alone = of_file(folder / archives[0])
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
    pictures = of_pictures(folder, [inner_path(name) for name in images[::step]])
    if (pictures is None or not pictures.is_certain) and (layout := of_annotations(Files(folder, names))):
        return layout
    return pictures


def _is_affectnet(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _AFFECTNET.match(file.read(200)) is not None
    except OSError:
        return False
