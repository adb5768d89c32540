"""Pictures of a store that are given under another path now: their faces would be stored twice."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc

from halfsmile.data.store.parts import durable
from halfsmile.data.store.write import StoredFace
from halfsmile.data.tables.intervals import names_video
from halfsmile.faces.prepare.sources import FaceSource

FacesOf = Callable[[FaceSource], Iterable[StoredFace]]

_TRIED = 16
_NAMESAKES = 4


def find_moved(
    store: Path,
    gone: Collection[str],
    sources: Iterable[FaceSource],
    faces_of: FacesOf,
    *,
    changed: Callable[[str, FaceSource], bool],
) -> tuple[str, FaceSource] | None:
    """A picture that the store has under a path where it lies no longer, and that is given now.

    It has the same file name, and gives the same face: a few such pairs are looked at, first those of which
    something else is said now. A copy, whose first picture is still where it was, is no such picture.

    Args:
        store: Finished or not.
        gone: Sources of it with faces that are not given now.
        sources: Pictures that are given now and not in the store.
        faces_of: Prepares one of them.
        changed: Whether something else is said of a picture now.

    Returns:
        Its source in the store, and now.
    """
    pairs = list(_pairs(gone, sources, changed))
    pairs.sort(key=lambda pair: not changed(*pair))  # a stable order
    del pairs[_TRIED:]
    if not pairs:
        return None
    rows = durable(store, ["source", "sha256"])[1]
    rows = rows.filter(pc.is_in(rows["source"], pa.array([old for old, _ in pairs])))
    stored: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows.to_pylist():
        stored[row["source"]].add(row["sha256"])
    for old, new in pairs:
        if any(hashlib.sha256(face.data).hexdigest() in stored[old] for face in faces_of(new)):
            return old, new
    return None


def _pairs(
    gone: Collection[str], sources: Iterable[FaceSource], changed: Callable[[str, FaceSource], bool]
) -> Iterator[tuple[str, FaceSource]]:
    """Pictures of the same file name of which the earlier one is not where it was; of each kind a few."""
    named: defaultdict[str, list[str]] = defaultdict(list)
    for old in gone:
        if not names_video(old) and len(alike := named[_file_name(old)]) < _NAMESAKES:
            alike.append(old)
    left = {True: _TRIED, False: _TRIED}
    for new in sources:
        for old in named.get(_file_name(new.name), ()):
            kind = changed(old, new)
            if left[kind] and _is_gone(old, new):
                left[kind] -= 1
                yield old, new
        if not any(left.values()):
            return


def _file_name(source: str) -> str:
    return PurePosixPath(source.rpartition("!")[2]).name


def _is_gone(old: str, new: FaceSource) -> bool:
    """Whether the file of an earlier source is not there, or is that of the new one by another path."""
    before = Path(old)
    if not before.exists():
        before = Path(old.partition("!")[0])  # of a picture in an archive, which may be there
    now = new.root if new.root.is_file() else new.root / new.locator
    try:
        return not before.exists() or before.samefile(now)
    except OSError:
        return True
