"""What a store has from before, against what is given now: faces are added to it, and never changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from halfsmile.data.store.parts import durable
from halfsmile.data.tables.intervals import names_video, split_interval
from halfsmile.faces.prepare.moved import FacesOf, find_moved
from halfsmile.faces.prepare.sources import FaceSource, FaceSources
from halfsmile.utils.progress import Progress

_COMPARED = ("label", "votes", "split", "person")
_BLOCK = 4096


def require_same_sources(
    store: Path,
    sources: FaceSources | Sequence[FaceSource],
    faces_of: FacesOf,
    *,
    shown: Callable[..., Progress] = Progress,
) -> list[str]:
    """Refuse to go on with a store whose sources are not what they were.

    These are sources of which something else is said now, pictures that lie elsewhere now, and parts of a
    video that others overlap now: the faces of both would be stored twice. Other sources may be added, and
    earlier ones may be missing.

    Args:
        store: Finished or not.
        sources: All that are given now.
        faces_of: Prepares one picture, to know it again.
        shown: What shows progress.

    Returns:
        A note on earlier sources with faces that are not given now.

    Raises:
        ValueError: With one of them.
    """
    listed, rows = durable(store, ["source", *_COMPARED])
    gone = {name for name, (faces, _) in listed.items() if faces}
    said: dict[str, tuple[Any, ...]] = {}
    same: dict[tuple[Any, ...], tuple[Any, ...]] = {}  # there are few
    changed: list[tuple[str, tuple[Any, ...]]] = []
    parts: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    with shown("reading the store", total=len(rows) + len(sources)) as progress:
        for batch in rows.to_batches(max_chunksize=_BLOCK):
            for row in batch.to_pylist():
                values = _values(row)
                said.setdefault(row["source"], same.setdefault(values, values))
            progress.advance(len(batch))
        for number, source in enumerate(sources, 1):
            gone.discard(source.name)
            if source.is_video:
                video, start, end = split_interval(source.name)
                parts[video].append((start, inf if end is None else end))
            if said.get(source.name, values := _values(source.said)) != values:
                changed.append((source.name, values))
            if number % _BLOCK == 0:
                progress.advance(_BLOCK)
    others = [name for name in gone if names_video(name) and _overlaps(name, parts)]
    differ: list[str] = []
    if changed:
        name, values = changed[0]
        told = _difference(said[name], values)
        differ.append(f"something else is said now of {len(changed):,} of its sources, first {name} ({told})")
    if others:
        differ.append(
            f"of the same videos it holds {len(others):,} parts that are not given now and overlap those "
            f"that are, first {min(others)}"
        )
    if differ:
        raise ValueError(
            f"The store {store} was begun with other data: {'; '.join(differ)}. What is stored is not "
            "changed: prepare into a new folder (--out), or remove the store first."
        )
    if not gone:
        return []
    new = (source for source in sources if not source.is_video and source.name not in listed)
    moved = find_moved(store, gone, new, faces_of, changed=lambda old, now: said[old] != _values(now.said))
    if moved is not None:
        old, source = moved
        told = _difference(said[old], _values(source.said))
        raise ValueError(
            f"The store {store} has pictures that lie elsewhere now, first {old}, now {source.name}"
            f"{f' ({told})' if told else ''}; their faces would be stored twice. What is stored is not "
            "changed: give the pictures by the paths that they had, or prepare into a new folder (--out)."
        )
    return [f"{len(gone):,} sources of {store} are not given now, first {min(gone)}; their faces stay in it."]


def _overlaps(name: str, parts: Mapping[str, Sequence[tuple[float, float]]]) -> bool:
    """Whether a part of a video shares time with others of it."""
    video, start, end = split_interval(name)
    return any(
        start < until and begin < (inf if end is None else end) for begin, until in parts.get(video, ())
    )


def _values(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """What is said of a face, as a store has it: with votes of 32 bits."""
    values = (row.get(name) for name in _COMPARED)
    return tuple(
        value if value is None or isinstance(value, str) else tuple(np.asarray(value, np.float32).tolist())
        for value in values
    )


def _difference(before: Sequence[Any], now: Sequence[Any]) -> str:
    """Which of the compared columns differ, and how."""
    return ", ".join(
        f"{name} {_shown(old)} / {_shown(new)}"
        for name, old, new in zip(_COMPARED, before, now, strict=True)
        if old != new
    )


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(f"{number:g}" for number in value)
    return "none" if value is None else str(value)
