"""Which face another program means: by its name, below another folder, or with what uploading did to it.

The picture of another folder that has the same name is another picture.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from math import inf
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from halfsmile.data.exchange.formats import image_rows
from halfsmile.data.manifest import Manifest
from halfsmile.data.readers.words import split_of
from halfsmile.data.store.read import is_store, sources_of, sources_without_face
from halfsmile.data.tables.values import without_query

_UPLOADED = re.compile(r"[0-9a-f]{8}-(.+)", re.DOTALL)
_NUMBERED = re.compile(r"\d{7}")
_OF_SEVERAL = re.compile(r"(.+) \(\d+\)", re.DOTALL)
"""A store's source that is a further row of the same picture."""
_NONE, _SEVERAL = -1, -2


@dataclass(frozen=True)
class Found:
    """What names mean; those in none of the parts mean no face.

    Args:
        rows: Row by name.
        crowded: Names of pictures that gave a store several faces, so which of them is not said.
        rivals: Names that mean no face because another one means the same, with that other name.
    """

    rows: dict[str, int]
    crowded: set[str]
    rivals: dict[str, str]


class _Match(NamedTuple):
    """The row that a name means by itself.

    Args:
        row: Its number, or ``_NONE`` or ``_SEVERAL``.
        agreeing: Parts of the path that agree; infinite where it is the very path of the picture.
        above: Folders above the manifest's root among them; infinite where the name is right as it stands.
        goes_on: Whether the name has more folders than these.
    """

    row: int
    agreeing: float = inf
    above: float = inf
    goes_on: bool = False


class _Path(NamedTuple):
    """Parts of a face's name from its end, the folders above them as far as they are known, and its row.

    Pictures that a store's faces were cut out of are sources.
    """

    parts: list[str]
    above: list[str]
    row: int
    is_source: bool


class Rows:
    """Rows of a manifest by what a file calls them.

    Args:
        manifest: The faces; those of a store are also known by the picture that they were cut out of, below
            the folder that holds all of these.
        folder: Of the file: names may be relative to it.

    Raises:
        ValueError: If two rows have one locator.
    """

    def __init__(self, manifest: Manifest, folder: Path) -> None:
        root = Path(manifest.root)
        self._root, self._folder, self._count = root, folder, len(manifest)
        self._locators = dict(image_rows(manifest))
        self._sources: dict[str, int] = {}
        if is_store(root):
            self._sources = _rows_of_sources(self._locators, sources_of(root), sources_without_face(root))
        self._exact = self._sources | self._locators
        self._places: dict[str, int] | None = None
        self._ends: defaultdict[str, list[_Path]] = defaultdict(list)
        self._has_numbers = False
        above = _parts(os.path.abspath(root))
        levels = zip(*(_parts(name)[:0:-1] for name in self._sources), strict=False)
        shared = sum(1 for _ in takewhile(lambda level: len(set(level)) == 1, levels))
        for name, row in self._exact.items():
            parts, folders = _parts(name), above
            if name not in self._locators:
                below = len(parts) - shared
                parts, folders = parts[:below], parts[below:]
            self._ends[parts[0]].append(_Path(parts, folders, row, name not in self._locators))
            self._has_numbers |= bool(_NUMBERED.fullmatch(parts[0].partition(".")[0]))

    @property
    def example(self) -> str:
        """A name that means a face."""
        return next((name for name, row in self._exact.items() if row >= 0), "nothing")

    def find(self, names: Iterable[str]) -> Found:
        """What all the names in a file mean: also which of them can't both be right.

        Where two different names end as one picture does, that which agrees with more of its folders means
        it; neither does where they agree with as many. Names with folders that are not those above the
        manifest's root mean its pictures, moved, only if no two of them mean one picture and no name agrees
        with more of these folders.
        """
        matches = {name: match for name in dict.fromkeys(names) if (match := self._match(name))}
        crowded = {name for name, match in matches.items() if match.row == _SEVERAL}
        by_row: defaultdict[int, list[str]] = defaultdict(list)
        for name, match in matches.items():
            if match.row >= 0:
                by_row[match.row].append(name)
        rows: dict[str, int] = {}
        rivals: dict[str, str] = {}
        above = max((match.above for match in matches.values()), default=0)
        for row, contenders in by_row.items():
            best = _best(contenders, matches)
            rows |= dict.fromkeys(best, row)
            for name in contenders:
                if name not in best:
                    rivals[name] = next(other for other in [*best, *contenders] if other != name)
            if not best and any(matches[name].goes_on for name in contenders):
                above = max(above, max(matches[name].above for name in contenders) + 1)
        rows = {
            name: row
            for name, row in rows.items()
            if not matches[name].goes_on or matches[name].above >= above
        }
        return Found(rows, crowded, rivals)

    def _match(self, name: str) -> _Match | None:
        path = _path_of(name)
        plain = os.path.normpath(name.strip().replace("\\", "/"))
        for row in (self._exact.get(name), self._by_place(name), self._exact.get(plain)):
            if row is not None:
                return _Match(row)
        if path in self._exact:
            return _Match(self._exact[path], len(_parts(path)))
        if found := self._by_end(path):
            return found
        last = PurePosixPath(path)
        if uploaded := _UPLOADED.fullmatch(last.name):
            return self._by_end(uploaded[1])
        is_ours = _NUMBERED.fullmatch(last.stem) and last.parent.name == "images"
        if is_ours and not self._has_numbers and int(last.stem) < self._count:
            return _Match(int(last.stem), 2, 0)  # as halfsmile's own exports name the pictures
        return None

    def _by_place(self, name: str) -> int | None:
        """A name relative to the file that it stands in."""
        if self._places is None:
            prefix = f"{self._root}!" if self._root.is_file() else f"{self._root}/"
            self._places = {os.path.abspath(source): row for source, row in self._sources.items()}
            self._places |= {os.path.abspath(prefix + name): row for name, row in self._locators.items()}
        return self._places.get(os.path.abspath(self._folder / name)) if "\0" not in name else None

    def _by_end(self, path: str) -> _Match | None:
        """The one picture whose path and this one end alike, to the end of the shorter of them.

        Folders before that may be others, but not those of another split.
        """
        wanted = _parts(path)
        ends = [
            (count, known)
            for known in self._ends.get(wanted[0], ())
            if (count := _agreeing(wanted, known.parts)) == min(len(wanted), len(known.parts))
        ]
        longest = max((count for count, _ in ends), default=0)
        best = [known for count, known in ends if count == longest]
        if len(best) != 1:
            return None
        folders, above = wanted[longest:], best[0].above
        count = _agreeing(folders, above)
        if count < min(len(folders), len(above)) and _are_splits(folders[count], above[count]):
            return None
        if above and not count and folders and best[0].is_source:
            return None  # a store may have a part of the pictures, and these are of another folder
        return _Match(best[0].row, longest + count, count, goes_on=count < len(folders))


def _rows_of_sources(rows: dict[str, int], sources: dict[str, str], without: Sequence[str]) -> dict[str, int]:
    """Row by the picture that a store's face was cut out of.

    Pictures that have no row are there, too, so that their names mean no other picture.
    """
    known = {*sources.values(), *without}
    found: dict[str, int] = dict.fromkeys(without, _NONE)
    seen: set[str] = set()
    for locator, source in sources.items():
        found[source] = _SEVERAL if source in seen else rows.get(locator, _NONE)
        seen.add(source)
    for source in known:
        if (further := _OF_SEVERAL.fullmatch(source)) and further[1] in known:
            found[further[1]] = _SEVERAL
    return {source: row for source, row in found.items() if source not in rows}


def _best(names: Sequence[str], matches: dict[str, _Match]) -> list[str]:
    """Those of the names of one face that mean it: forms of its path, or else the one that fits best."""
    most = max(matches[name].agreeing for name in names)
    best = [name for name in names if matches[name].agreeing == most]
    forms = {tuple(_folders(without_query(name.strip().replace("\\", "/")))) for name in best}
    return best if most == inf or len(forms) == 1 else []


def _are_splits(one: str, other: str) -> bool:
    """Whether two folders or archives are those of two splits."""
    splits = {split_of(PurePosixPath(name).stem) for name in (one, other)}
    return None not in splits and len(splits) == 2


def is_address(text: str) -> bool:
    """Whether a text is the name or the address of a picture: a number or a time is none."""
    suffix = PurePosixPath(_path_of(text)).suffix
    return suffix[1:2].isalpha() and not text.lstrip().startswith(("{", "["))


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


def _folders(path: str) -> list[str]:
    """The parts of a path from its end, without those that only lead from one folder to another."""
    return [part for part in reversed(re.split("[/!]", path)) if part not in (".", "..")] or [path]


def _parts(path: str) -> list[str]:
    """The parts of a path as uploading leaves them: ``_`` for all but letters and points."""
    return [re.sub(r"[^\w.]+", "_", part).casefold() for part in _folders(path)]


def _agreeing(one: Sequence[str], other: Sequence[str]) -> int:
    """How many parts of two paths agree, before the first that does not."""
    pairs = zip(one, other, strict=False)
    return next((count for count, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
