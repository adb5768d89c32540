"""Parts of videos: from when until when a row of a table speaks, and how a part is named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from halfsmile.data.file_kind import VIDEO_SUFFIXES, has_video_suffix
from halfsmile.data.manifest import Fault
from halfsmile.data.tables.table import Table
from halfsmile.data.tables.times import Times, time_columns, time_in, unit_name
from halfsmile.data.tables.values import cell_text, names_picture

INTERVAL = "#t="
"""Stands between the name of a video and its part."""
_PART = re.compile(rf"(?P<name>.+){INTERVAL}(?P<start>\d+(?:\.\d+)?)(?:,(?P<end>\d+(?:\.\d+)?))?", re.DOTALL)
_IS_VIDEO = rf"(?i)\.({'|'.join(suffix[1:] for suffix in sorted(VIDEO_SUFFIXES))})({INTERVAL}[\d.,]+)?$"


def with_intervals(path: Path, table: Table, column: str, given: Mapping[str, str] | None = None) -> Table:
    """The same table, whose names of videos say from when until when a row speaks: ``a.mp4#t=1.5,4``.

    Times stand in columns that are called after a start, begin or onset, and after an end, stop, offset or a
    duration (or begin with from, to, until), and hold times: ``hh:mm:ss``, or numbers in the unit that ends
    the column's name or stands behind them, else seconds. Where one side is missing, or NA or -1, a part
    goes from the video's beginning or until its end. The form is that of the W3C's Media Fragments. Tables
    without such columns stay as they are, and so do rows that name pictures.

    Args:
        path: Of the table.
        table: As it was read.
        column: That names videos.
        given: Column of ``start``, ``end`` and ``duration``, where somebody names them.

    Returns:
        The table, without rows whose times can't be understood, of which a note tells.

    Raises:
        ValueError: If numbers of frames stand where times are wanted, or times in another form.
    """
    times = time_columns(path, table, given)
    if not times.tell_parts:
        return table
    kept: list[dict[str, Any]] = []
    bad: list[str] = []
    for number, row in enumerate(table.rows, start=1):
        name = cell_text(row.get(column))
        if name is None or names_picture(name):
            kept.append(dict(row))
            continue
        try:
            kept.append({**row, column: name + _part(times, row)})
        except ValueError as error:
            bad.append(f"data row {number} ({error})")
    units = {unit_name(name) for name in times.names}
    begin, end = (
        f"{word} {names[0]}" if names else ""
        for word, names in (("from", times.starts), ("until", times.ends))
    )
    if times.lengths and not times.ends:
        end = f"for {times.lengths[0]}"
    notes = [
        f"{path.name}: a row speaks of the faces {' '.join(filter(None, (begin, end)))}, in "
        f"{' and '.join(sorted(units))}."
    ]
    if bad:
        notes.append(
            Fault(f"{len(bad):,} rows of {path.name} have times that were not understood, first {bad[0]}.")
        )
    names = [name for name in table.names if name not in times.names]
    return replace(table, names=names, rows=kept, notes=[*table.notes, *notes])


def split_interval(locator: str) -> tuple[str, float, float | None]:
    """The file of a video, and from when until when it is meant, in seconds; None for its end.

    Example:
        >>> split_interval("s1/a.mp4#t=1.5,4"), split_interval("a.mp4")
        (('s1/a.mp4', 1.5, 4.0), ('a.mp4', 0.0, None))
    """
    part = _PART.fullmatch(locator)
    if part is None:
        return locator, 0.0, None
    return part["name"], float(part["start"]), None if part["end"] is None else float(part["end"])


def names_video(locator: str) -> bool:
    """Whether a locator is that of a video, or of a part of one."""
    return has_video_suffix(split_interval(locator)[0])


def any_video(locators: pa.ChunkedArray) -> bool:
    """Whether some of very many locators are those of videos."""
    return bool(pc.any(pc.match_substring_regex(locators, _IS_VIDEO)).as_py())


def _part(times: Times, row: Mapping[str, Any]) -> str:
    """What stands behind the name of a video for the part that a row speaks of.

    Raises:
        ValueError: If its times can't be understood.
    """
    start, end = time_in(times.starts, row), time_in(times.ends, row, none=("-1",))
    length = time_in(times.lengths, row)
    if end is None and length is not None and times.starts:
        end = (start or 0.0) + length
    if start is None and end is None:
        return ""
    if end is not None and float(_number(end)) <= float(_number(start or 0.0)):
        raise ValueError(f"it ends at {_number(end)} s and begins at {_number(start or 0.0)} s")
    return f"{INTERVAL}{_number(start or 0.0)}" + ("" if end is None else f",{_number(end)}")


def _number(seconds: float) -> str:
    """Seconds to a thousandth."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")
