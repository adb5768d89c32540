"""Which face another program means: by its name, below another folder, or with what uploading did to it.

The picture of another folder that has the same name is another picture.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

from halfsmile.data.exchange.formats import image_rows
from halfsmile.data.manifest import Manifest
from halfsmile.data.store.read import is_store, sources_of, sources_without_face

_UPLOADED = re.compile(r"[0-9a-f]{8}-(.+)", re.DOTALL)
_NUMBERED = re.compile(r"\d{7}")
_NONE, _SEVERAL = -1, -2


class SeveralFacesError(ValueError):
    """A name means a picture of several faces, so which of them is not said."""


class Rows:
    """Rows of a manifest by what a file calls them.

    Args:
        manifest: The faces; those of a store are also known by the picture that they were cut out of.
        folder: Of the file: names may be relative to it.

    Raises:
        ValueError: If two rows have one locator.
    """

    def __init__(self, manifest: Manifest, folder: Path) -> None:
        self._exact = dict(image_rows(manifest))
        if is_store(manifest.root):
            self._add_sources(sources_of(manifest.root), sources_without_face(manifest.root))
        self._folder = folder
        self._root = Path(manifest.root)
        self._count = len(manifest)
        self._places: dict[str, int] | None = None
        self._ends: defaultdict[str, list[tuple[list[str], int]]] = defaultdict(list)
        for name, row in self._exact.items():
            parts = _parts(name)
            self._ends[parts[0]].append((parts, row))

    def _add_sources(self, sources: Mapping[str, str], without: Sequence[str]) -> None:
        """Names of pictures, also of those that have no row, so that these mean no other picture."""
        counts = Counter(sources.values())
        rows = {sources[name]: row for name, row in self._exact.items() if name in sources}
        for source, count in counts.items():
            self._exact.setdefault(source, rows.get(source, _NONE) if count == 1 else _SEVERAL)
        for source in without:
            self._exact.setdefault(source, _NONE)

    def find(self, name: str) -> int | None:
        """The row that a name means; None where there is none or two are as likely.

        Raises:
            SeveralFacesError: If it means a picture that several faces of a store were cut out of.
        """
        row = self._find(name)
        if row == _SEVERAL:
            raise SeveralFacesError(name)
        return None if row == _NONE else row

    def _find(self, name: str) -> int | None:
        if name in self._exact:
            return self._exact[name]
        path = _path_of(name)
        for found in (self._by_place(name), self._exact.get(path), self._by_end(path)):
            if found is not None:
                return found
        last = PurePosixPath(path)
        if uploaded := _UPLOADED.fullmatch(last.name):
            return self._by_end(uploaded[1])
        if _NUMBERED.fullmatch(last.stem) and last.parent.name == "images" and int(last.stem) < self._count:
            return int(last.stem)  # as halfsmile's own exports name the pictures
        return None

    def _by_place(self, name: str) -> int | None:
        """A name relative to the file that it stands in."""
        if self._places is None:
            prefix = f"{self._root}!" if self._root.is_file() else f"{self._root}/"
            self._places = {os.path.abspath(prefix + locator): row for locator, row in self._exact.items()}
        return self._places.get(os.path.abspath(self._folder / name)) if "\0" not in name else None

    def _by_end(self, path: str) -> int | None:
        """The one picture whose path and this one end alike, to the end of the shorter of them."""
        wanted = _parts(path)
        scored = [
            (agreeing, row)
            for parts, row in self._ends.get(wanted[0], ())
            if (agreeing := _agreeing(wanted, parts)) == min(len(wanted), len(parts))
        ]
        best = [row for score, row in scored if score == max(scored)[0]]
        return best[0] if len(best) == 1 else None


def is_address(text: str) -> bool:
    """Whether a text is the name or the address of a picture."""
    return PurePosixPath(_path_of(text)).suffix != "" and not text.lstrip().startswith(("{", "["))


def _path_of(name: str) -> str:
    """The path in an address: of ``/data/local-files/?d=images/a.jpg`` it is ``images/a.jpg``."""
    text = name.strip().replace("\\", "/")
    try:
        address = urlsplit(text)
    except ValueError:
        return text
    if inner := parse_qs(address.query).get("d"):
        return inner[0].lstrip("/")
    if address.scheme in ("http", "https", "s3", "gs", "azure-blob") or address.path.startswith("/data/"):
        return unquote(address.path).lstrip("/")
    return text


def _parts(path: str) -> list[str]:
    """The parts of a path from its end, as uploading leaves them: ``_`` for all but letters and points."""
    return [re.sub(r"[^\w.]+", "_", part).casefold() for part in reversed(re.split("[/!]", path))]


def _agreeing(one: list[str], other: list[str]) -> int:
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count
