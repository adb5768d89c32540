"""Unlabeled faces: a folder tree, or a zip or tar archive, of image files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from halfsmile.data.containers.archive import ARCHIVE_SUFFIXES, members_below, open_archive

if TYPE_CHECKING:
    from halfsmile.data.manifest import Manifest

IMAGE_SUFFIXES = frozenset(
    (
        ".bmp",
        ".gif",
        ".jfif",
        ".jp2",
        ".jpe",
        ".jpeg",
        ".jpg",
        ".pbm",
        ".pgm",
        ".pjp",
        ".pjpeg",
        ".png",
        ".ppm",
        ".tif",
        ".tiff",
        ".webp",
    )
)
"""What pictures that can be read are named."""
HEIF_SUFFIXES = frozenset((".avif", ".heic", ".heif", ".hif"))
"""Pictures as phones make them: without the extra ``heif`` they are rows that can't be read, so that they are
counted and listed."""
_SHOWN = 4


def read(root: Path) -> Manifest:
    """One row per image file, in the order of their names; nothing but ``image`` is filled in.

    Args:
        root: A folder, searched with all its sub-folders, or an archive, see data/containers/archive.py.

    Raises:
        ValueError: If there is no such folder or archive, or no image in it.
    """
    from halfsmile.data.manifest import Manifest

    locators, notes = list_images(root)
    return Manifest.from_rows(({"image": locator} for locator in locators), root, None, notes)


def list_images(root: Path) -> tuple[list[str], list[str]]:
    """Locators of all image files below a folder or in an archive, sorted, and notes on what was ignored.

    A file is an image by its suffix. HEIC and AVIF files are images, though they can't be read everywhere: so
    whoever reads them counts and lists them. Ignored, and counted in a note, are other files and what is
    hidden: names that start with a dot, and macOS's ``__MACOSX``. Counted too are folders that may not be
    read, names that are not UTF-8, and what an archive was refused.

    Raises:
        ValueError: If there is no such folder or archive, or no image in it.
    """
    root = Path(root)
    if root.is_dir():
        names, notes = walk(root)
        names, more = with_members(root, names)
        notes += more
    elif root.is_file():
        archive = open_archive(root)
        names, notes = list(archive.names), list(archive.notes)
    else:
        raise ValueError(f"{root} does not exist; expected a folder or an archive of images.")
    images = [name for name in names if is_image(PurePosixPath(name))]
    if not images:
        found = f"{len(names)} other files, first {names[0]!r}" if names else "no file at all"
        raise ValueError(
            f"{root} has no image, but {found}. Images are files named {', '.join(sorted(IMAGE_SUFFIXES))}."
            + "".join(f" {note}" for note in notes)
        )
    ignored = sorted(set(names) - set(images))
    if hidden := [name for name in ignored if _is_hidden_picture(name)]:
        from halfsmile.data.manifest import LeftOut

        ignored = [name for name in ignored if name not in set(hidden)]
        notes.append(
            LeftOut(
                f"{len(hidden)} pictures of {root.name} are hidden by a dot in front of their name or folder "
                f"and were ignored, first {hidden[0]}."
            )
        )
    if ignored:
        notes.append(
            f"{len(ignored)} files of {root.name} are hidden or no images and were ignored "
            f"({_kinds(ignored)}), first {ignored[0]}."
        )
    return images, notes


def with_members(root: Path, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The files of a folder, and those in its archives where no picture lies beside; and notes on these."""
    archives = [name for name in names if name.lower().endswith(ARCHIVE_SUFFIXES) and not is_hidden(name)]
    if not archives or any(is_image(PurePosixPath(name)) for name in names):
        return list(names), []
    from halfsmile.data.manifest import Fault

    members, wrong = members_below(root, archives)
    said = f"The pictures are those in {len(archives):,} archives: {', '.join(archives[:_SHOWN])}"
    said += f"{' …' if len(archives) > _SHOWN else ''}."
    others = [name for name in names if name not in archives]
    return [*others, *members], [*([said] if members else []), *map(Fault, wrong)]


def is_hidden(name: str) -> bool:
    """Whether a dot stands in front of a file's name or of a folder above it, or macOS keeps it beside."""
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)


def _is_hidden_picture(name: str) -> bool:
    """Whether a picture is ignored for the dots in its path; what macOS keeps beside files is no picture."""
    path = PurePosixPath(name)
    return has_image_suffix(name) and "__MACOSX" not in path.parts and not path.name.startswith("._")


def _kinds(names: Sequence[str]) -> str:
    """Suffixes of files, the most frequent first, with their numbers."""
    kinds = Counter(PurePosixPath(name).suffix.lower() or "no suffix" for name in names).most_common()
    shown = [f"{count:,} {suffix}" for suffix, count in kinds[:_SHOWN]]
    return ", ".join(shown) + (" …" if len(kinds) > _SHOWN else "")


def walk(root: Path) -> tuple[list[str], list[str]]:
    """Paths of all files below ``root``, sorted, and notes; linked folders are followed, never in circles."""
    seen = set()
    names: list[str] = []
    unreadable: list[OSError] = []
    unnamed: list[str] = []
    for folder, subfolders, files in os.walk(root, followlinks=True, onerror=unreadable.append):
        try:
            status = os.stat(folder)
        except OSError as error:
            unreadable.append(error)
            subfolders.clear()
            continue
        if (status.st_dev, status.st_ino) in seen:
            subfolders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        below = Path(folder).relative_to(root).as_posix()
        for file in files:
            name = file if below == "." else f"{below}/{file}"
            (names if is_utf8(name) else unnamed).append(name)
    notes: list[str] = []
    if unreadable or unnamed:
        from halfsmile.data.manifest import Fault
    if unreadable:
        first = unreadable[0]
        notes.append(
            Fault(
                f"{len(unreadable)} folders of {root.name} can't be read and were left out, "
                f"first {first.filename} ({first.strerror})."
            )
        )
    if unnamed:
        shown = unnamed[0].encode("utf-8", "surrogateescape")
        notes.append(
            Fault(
                f"{len(unnamed)} files of {root.name} were left out because their names are not UTF-8, first "
                f"{shown!r}; rename them."
            )
        )
    return sorted(names), notes


def is_utf8(name: str) -> bool:
    """False where the file system's bytes could not be decoded."""
    return name.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in name)


def is_image(path: PurePosixPath) -> bool:
    """Whether a relative path names an image, be it one that can't be read, and is not hidden."""
    return not is_hidden(str(path)) and has_image_suffix(path.name)


def has_image_suffix(name: str) -> bool:
    """Whether a file is named as an image, be it one that can't be read."""
    suffix = os.path.splitext(name)[1].lower()
    return suffix in IMAGE_SUFFIXES or suffix in HEIF_SUFFIXES
