"""Tables of videos: the column that names them, and from when until when a row speaks of one."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from halfsmile.data.file_kind import has_video_suffix
from halfsmile.data.manifest import Fault
from halfsmile.data.readers.folder import walk
from halfsmile.data.tables.names import NAMES
from halfsmile.data.tables.rows import Table, names_picture
from halfsmile.data.tables.values import cell_text

INTERVAL = "#t="
"""Stands between the name of a video and its part."""
_START = re.compile(r"(start|begin|onset|from)\b", re.IGNORECASE)
_END = re.compile(r"(end|stop|offset|to|until)\b", re.IGNORECASE)
_MILLISECONDS = re.compile(r"(^|[\s_(-])(ms|msec|milliseconds?)\)?$", re.IGNORECASE)
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:[.,]\d+)?)")


def video_column(path: Path, table: Table, rows: Sequence[Mapping[str, Any]]) -> str | None:
    """The column that names videos; None where there is none, or one names pictures or numbers of frames.

    Names without a suffix are those of videos where the column is called so and such files lie beside.

    Args:
        path: Of the table.
        table: Its columns.
        rows: All of them, or some.
    """
    cells = {name: [text for row in rows if (text := cell_text(row.get(name)))] for name in table.names}
    by_name = {name.casefold() for name in table.names}
    if by_name & set(map(str, NAMES["frame"])) or any(_most(said, names_picture) for said in cells.values()):
        return None
    found = [name for name, said in cells.items() if _most(said, names_video)]
    usual = [name for name in (found or table.names) if name.casefold() in NAMES["video"]]
    if found:
        return (usual or found)[0]
    if not usual or not path.parent.is_dir():
        return None
    stems = {PurePosixPath(name).stem for name in walk(path.parent)[0] if has_video_suffix(name)}
    is_there = _most(cells[usual[0]], lambda text: PurePosixPath(text.replace("\\", "/")).name in stems)
    return usual[0] if is_there else None


def with_intervals(path: Path, table: Table) -> Table:
    """The same table, whose names of videos say from when until when a row speaks: ``a.mp4#t=1.5,4``.

    Times stand in columns whose names begin with start, begin, onset or from, and with end, stop, offset, to
    or until: seconds, milliseconds where the name ends so, or ``hh:mm:ss``. The form is that of the W3C's
    Media Fragments. Tables without such columns, or without videos, stay as they are.

    Args:
        path: Of the table.
        table: As it was read.

    Returns:
        The table, without rows whose times can't be understood, of which a note tells.
    """
    starts = [name for name in table.names if _START.match(name.replace("_", " ").strip())]
    ends = [name for name in table.names if _END.match(name.replace("_", " ").strip())]
    if not starts or not ends:
        return table
    rows = list(table.rows)
    table = replace(table, rows=rows)
    column = video_column(path, table, rows)
    if column is None:
        return table
    kept: list[dict[str, Any]] = []
    bad: list[str] = []
    for number, row in enumerate(rows, start=1):
        try:
            start, end = _time(starts, row), _time(ends, row)
            if start is not None and end is not None and end <= start:
                raise ValueError(f"it ends at {end:g} s and begins at {start:g} s")
        except ValueError as error:
            bad.append(f"data row {number} ({error})")
            continue
        name = cell_text(row.get(column))
        if name is not None and (start is not None or end is not None):
            until = "" if end is None else f",{end:g}"
            kept.append({**row, column: f"{name}{INTERVAL}{start or 0:g}{until}"})
        else:
            kept.append(dict(row))
    notes = [f"{path.name}: a row speaks of the faces from {starts[0]} until {ends[0]}."]
    if bad:
        notes.append(
            Fault(f"{len(bad):,} rows of {path.name} have times that were not understood, first {bad[0]}.")
        )
    names = [name for name in table.names if name not in (*starts, *ends)]
    return replace(table, names=names, rows=kept, notes=[*table.notes, *notes])


def split_interval(locator: str) -> tuple[str, float, float | None]:
    """The file of a video, and from when until when it is meant, in seconds; None for its end.

    Example:
        >>> split_interval("s1/a.mp4#t=1.5,4"), split_interval("a.mp4")
        (('s1/a.mp4', 1.5, 4.0), ('a.mp4', 0.0, None))
    """
    name, mark, span = locator.rpartition(INTERVAL)
    if not mark:
        return locator, 0.0, None
    start, _, end = span.partition(",")
    return name, float(start), float(end) if end else None


def names_video(locator: str) -> bool:
    """Whether a locator is that of a video, or of a part of one."""
    return has_video_suffix(locator.rpartition(INTERVAL)[0] or locator)


def _most(said: Sequence[str], test: Callable[[str], bool]) -> bool:
    return bool(said) and sum(map(test, said)) > len(said) / 2


def _time(columns: Sequence[str], row: Mapping[str, Any]) -> float | None:
    """Seconds in the first of some columns that has a time.

    Raises:
        ValueError: If it is no time.
    """
    for name in columns:
        text = cell_text(row.get(name))
        if text is None:
            continue
        if clock := _CLOCK.fullmatch(text):
            hours, minutes, seconds = clock.groups()
            return 3600 * int(hours or 0) + 60 * int(minutes) + float(seconds.replace(",", "."))
        try:
            time = float(text.replace(",", "."))
        except ValueError:
            time = math.nan
        if not 0 <= time < math.inf:
            raise ValueError(f"{name} is {text!r}, and a time is seconds or hh:mm:ss")
        return time / 1000 if _MILLISECONDS.search(name) else time
    return None
