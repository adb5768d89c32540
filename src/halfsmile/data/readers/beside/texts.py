"""Small text files beside pictures, in a folder or an archive."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from halfsmile.data.containers.archive import open_archive

_DEEPEST = 2
_LARGEST = 1 << 26


def names_beside(root: Path, suffixes: tuple[str, ...]) -> list[str]:
    """Files with one of the suffixes in a folder or archive and in the folders of it, sorted by level."""
    root = Path(root)
    if root.is_dir():
        inner = [entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
        files = [path for folder in (root, *inner) for path in folder.iterdir() if path.is_file()]
        names = [path.relative_to(root).as_posix() for path in files]
    else:
        names = [name for name in open_archive(root).names if name.count("/") <= _DEEPEST]
    found = [name for name in names if name.lower().endswith(suffixes) and not _is_hidden(name)]
    return sorted(found, key=lambda name: (name.count("/"), name))


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
