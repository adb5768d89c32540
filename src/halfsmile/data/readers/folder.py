"""Unlabeled faces: a folder tree, or a zip archive, of image files."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from halfsmile.data.manifest import Manifest

IMAGE_SUFFIXES = frozenset(
    (
        ".bmp",
        ".gif",
        ".jp2",
        ".jpe",
        ".jpeg",
        ".jpg",
        ".pbm",
        ".pgm",
        ".png",
        ".ppm",
        ".tif",
        ".tiff",
        ".webp",
    )
)


def read(root: Path) -> Manifest:
    """One row per image file, in the order of their names; nothing but ``image`` is filled in.

    Args:
        root: A folder, searched with all its sub-folders, or a zip archive.

    Raises:
        ValueError: If there is no such folder or archive, or no image in it.
    """
    locators, notes = list_images(root)
    return Manifest.from_rows(({"image": locator} for locator in locators), root, None, notes)


def list_images(root: Path) -> tuple[list[str], list[str]]:
    """Locators of all image files below a folder or in a zip archive, sorted, and notes on what was ignored.

    A file is an image by its suffix. Ignored, and counted in a note, are other files and everything hidden:
    names that start with a dot, and macOS's ``__MACOSX``.

    Raises:
        ValueError: If there is no such folder or archive, or no image in it.
    """
    root = Path(root)
    if root.is_dir():
        names = sorted(_walk(root))
    elif root.is_file():
        try:
            with zipfile.ZipFile(root) as archive:
                names = sorted({member.filename for member in archive.infolist() if not member.is_dir()})
        except zipfile.BadZipFile as error:
            raise ValueError(f"{root} is a file but not a zip archive ({error}).") from error
    else:
        raise ValueError(f"{root} does not exist; expected a folder or a zip archive of images.")
    images = [name for name in names if _is_image(PurePosixPath(name))]
    if not images:
        found = f"{len(names)} other files, first {names[0]!r}" if names else "no file at all"
        raise ValueError(
            f"{root} has no image, but {found}. Images are files named {', '.join(sorted(IMAGE_SUFFIXES))}."
        )
    ignored = sorted(set(names) - set(images))
    if not ignored:
        return images, []
    return images, [
        f"{len(ignored)} files of {root.name} are hidden or no images and were ignored, first {ignored[0]}."
    ]


def _walk(root: Path) -> Iterator[str]:
    """Paths of all files below ``root``, relative to it; links to folders are followed, never in circles."""
    seen = set()
    for folder, subfolders, files in os.walk(root, followlinks=True):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            subfolders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        for file in files:
            yield Path(folder, file).relative_to(root).as_posix()


def _is_image(path: PurePosixPath) -> bool:
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
    return not hidden and path.suffix.lower() in IMAGE_SUFFIXES
