"""Parts of videos: from when until when a row of a table speaks, and how a part is named."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from halfsmile.data.file_kind import VIDEO_SUFFIXES, has_video_suffix
from halfsmile.data.manifest import Fault
from halfsmile.data.tables.table import Table
from halfsmile.data.tables.values import cell_text

INTERVAL = "#t="
"""Stands between the name of a video and its part."""
_PART = re.compile(rf"(?P<name>.+){INTERVAL}(?P<start>\d+(?:\.\d+)?)(?:,(?P<end>\d+(?:\.\d+)?))?", re.DOTALL)
_IS_VIDEO = rf"(?i)\.({'|'.join(suffix[1:] for suffix in sorted(VIDEO_SUFFIXES))})({INTERVAL}[\d.,]+)?$"
_START = re.compile(r"(start|begin|onset|from)\b", re.IGNORECASE)
_END = re.compile(r"(end|stop|offset|to|until)\b", re.IGNORECASE)
_MILLISECONDS = re.compile(r"(^|[\s(-])(ms|msec|milliseconds?)\)?$", re.IGNORECASE)
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:[.,]\d+)?)")


def time_columns(table: Table) -> tuple[list[str], list[str]]:
    """Columns that may say when a part begins, and when it ends."""
    told = {name: _words(name) for name in table.names}
    return (
        [name for name, words in told.items() if _START.match(words)],
        [name for name, words in told.items() if _END.match(words)],
    )


def with_intervals(path: Path, table: Table, column: str) -> Table:
    """The same table, whose names of videos say from when until when a row speaks: ``a.mp4#t=1.5,4``.

    Times stand in columns whose names begin with start, begin, onset or from, and with end, stop, offset, to
    or until: seconds, milliseconds where the name ends so, or ``hh:mm:ss``. The form is that of the W3C's
    Media Fragments. Tables without such columns stay as they are.

    Args:
        path: Of the table.
        table: As it was read.
        column: That names videos.

    Returns:
        The table, without rows whose times can't be understood, of which a note tells.

    Raises:
        ValueError: If numbers of frames stand where times are wanted.
    """
    starts, ends = time_columns(table)
    if not starts or not ends:
        return table
    if frames := [name for name in (*starts, *ends) if "frame" in name.casefold()]:
        raise ValueError(
            f"{path} says by numbers of frames ({', '.join(frames)}) which part of a video a row speaks of. "
            "Write times in their place, the numbers divided by the frames a second of the video, in columns "
            "called start and end."
        )
    kept: list[dict[str, Any]] = []
    bad: list[str] = []
    for number, row in enumerate(table.rows, start=1):
        try:
            start, end = _time(starts, row), _time(ends, row)
            if start is not None and end is not None and end <= start:
                raise ValueError(f"it ends at {_number(end)} s and begins at {_number(start)} s")
        except ValueError as error:
            bad.append(f"data row {number} ({error})")
            continue
        name = cell_text(row.get(column))
        if name is not None and (start is not None or end is not None):
            until = "" if end is None else f",{_number(end)}"
            kept.append({**row, column: f"{name}{INTERVAL}{_number(start or 0.0)}{until}"})
        else:
            kept.append(dict(row))
    unit = "milliseconds" if _MILLISECONDS.search(_words(starts[0])) else "seconds or hh:mm:ss"
    notes = [f"{path.name}: a row speaks of the faces from {starts[0]} until {ends[0]}, in {unit}."]
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


def _words(name: str) -> str:
    """The name of a column with blanks between its words, as ``start Time`` of ``startTime``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").strip()


def _number(seconds: float) -> str:
    """Seconds to a thousandth."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")


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
        return time / 1000 if _MILLISECONDS.search(_words(name)) else time
    return None
