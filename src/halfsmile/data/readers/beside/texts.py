"""Small text files beside pictures, in a folder or an archive."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath

from halfsmile.data.containers.archive import open_archive

_DEEPEST = 2
_MANY = 100
_INNERMOST = ("Main", "lists", "splits")
"""Folders two levels down that are looked into: Pascal VOC has ``ImageSets/Main``."""
_LISTS = frozenset(("annotations", "labels", "lists", "meta", "splits"))
"""Folders of lists, which belong to the folder that they are in."""
_LARGEST = 1 << 26


def names_beside(root: Path, suffixes: tuple[str, ...]) -> list[str]:
    """Files with one of the suffixes in a folder or archive and in the folders of it, sorted by level.

    Where a folder has many of them, they belong to pictures and are passed over.
    """
    root = Path(root)
    if root.is_dir():
        inner = [f"{entry.name}/" for entry in _entries(root) if entry.is_dir()]
        inner += [
            f"{folder}{name}/" for folder in inner for name in _INNERMOST if (root / folder / name).is_dir()
        ]
        names = [
            f"{folder}{entry.name}"
            for folder in ("", *inner)
            for entry in _entries(root / folder)
            if entry.name.lower().endswith(suffixes) and entry.is_file()
        ]
    else:
        names = [name for name in open_archive(root).names if name.count("/") <= _DEEPEST]
    found = [name for name in names if name.lower().endswith(suffixes) and not _is_hidden(name)]
    in_folder = Counter(name.rpartition("/")[0] for name in found)
    few = [name for name in found if in_folder[name.rpartition("/")[0]] <= _MANY]
    return sorted(few, key=lambda name: (name.count("/"), name))


def folders_of(paths: Iterable[str]) -> set[str]:
    """The folders that some paths are in, and all around these."""
    found: set[str] = set()
    for folder in {path.rpartition("/")[0] for path in paths}:
        parts = folder.split("/")
        found |= {"/".join(parts[:level]) for level in range(1, len(parts) + 1)}
    return found


def is_near(name: str, own: Collection[str]) -> bool:
    """Whether a file lies on top, in one of some folders, or in a folder of lists in any of these."""
    folder = name.rpartition("/")[0]
    if folder.rpartition("/")[2].casefold() in _LISTS:
        folder = folder.rpartition("/")[0]
    return not folder or folder in own


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder, but for what is hidden; nothing where it can't be read."""
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except OSError:
        return []


def text_beside(root: Path, name: str) -> str | None:
    """The text of a file; None where it is too large or no text."""
    root = Path(root)
    try:
        if root.is_file():
            data = open_archive(root).read(name)
        elif (root / name).stat().st_size <= _LARGEST:
            data = (root / name).read_bytes()
        else:
            return None
        return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except (OSError, ValueError):
        return None


def _is_hidden(name: str) -> bool:
    return any(part.startswith((".", "__")) for part in PurePosixPath(name).parts)
