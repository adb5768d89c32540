"""A look at what lies in a folder and below: names only, and not all of them.

At most :data:`MAX_ENTRIES` of a folder and :data:`MAX_INNER` of those below it are looked at.
"""

from __future__ import annotations

import os
from pathlib import Path

from halfsmile.data.readers.folder import has_image_suffix

MAX_ENTRIES = 2_000
MAX_INNER = 200


def tree_of(folder: Path) -> dict[str, bool]:
    """Some paths of up to five levels below a folder, sorted by level, and whether each is a folder."""
    tree: dict[str, bool] = {}
    level = [""]
    for limit in (MAX_ENTRIES, *(MAX_INNER,) * 4):
        inside: dict[str, bool] = {}
        for prefix in level[:MAX_INNER]:
            inside |= {prefix + name: is_folder for name, is_folder in entries_of(folder / prefix, limit)}
        tree |= inside
        level = [f"{name}/" for name, is_folder in inside.items() if is_folder]
    return tree


def entries_of(folder: Path, limit: int) -> list[tuple[str, bool]]:
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
