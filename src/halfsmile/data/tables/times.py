"""Columns that say when something begins, when it ends and how long it is, and the times in their cells."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from halfsmile.data.tables.labels import MISSING
from halfsmile.data.tables.table import Table
from halfsmile.data.tables.values import cell_text, holds

_STARTS, _ENDS, _LENGTHS = (
    frozenset(words.split())
    for words in (
        "start starts begin begins beginning onset from beginn anfang début debut inicio início inizio "
        "początek",
        "end ends stop offset ende fin fim koniec to until till",
        "duration dur length dauer länge durée duree duración durata duração",
    )
)
"""English, German, French, Spanish, Italian, Portuguese and Polish."""
_ALONE = _STARTS | _ENDS - {"from", "offset", "to", "until", "till", "fin", "fim"}
"""Words that mean a time without the other side, too."""
_Meaning = Literal["start", "end", "length"]
PARTS = ("start", "end", "duration")
"""What columns of times can be named for."""
_UNITS = {
    unit: seconds
    for seconds, units in (
        (1e-6, "us usec µs microsecond microseconds"),
        (1e-3, "ms msec msecs millis millisec millisecond milliseconds"),
        (1.0, "s sec secs second seconds ss hh"),
        (60.0, "min mins minute minutes"),
        (3600.0, "h hr hrs hour hours"),
    )
    for unit in units.split()
}
"""Seconds by unit; ``hh:mm:ss`` and ``ss.msec``, as ELAN says of its columns, are seconds, too."""
_COUNTED = frozenset(["frame", "frames", "sample", "samples", "tick", "ticks"])
_FILLING = frozenset(["mm", "t", "of", "in", "the", "at", "expression", "emotion"])
_LONGEST = 1e8
"""Seconds: more is a date."""
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:[.,]\d+)?)")
_NUMBER = re.compile(r"(-?\d+(?:[.,]\d+)?(?:e[+-]?\d+)?)\s*([a-zµ]*)", re.IGNORECASE)
_ALMOST = re.compile(r"\d[\d:;.,\shms]*[:;hms][\d:;.,\shms]*", re.IGNORECASE)
"""What looks like a time that is not understood: 00:00:01:12, 1m30s."""


@dataclass(frozen=True)
class Times:
    """Columns that say when a part begins, when it ends, and how long it is."""

    starts: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    lengths: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.starts, *self.ends, *self.lengths)

    @property
    def tell_parts(self) -> bool:
        """Whether they say of parts: the length of a whole video alone does not."""
        return bool(self.starts or self.ends)


def may_have_times(table: Table) -> bool:
    """Whether names of columns speak of beginnings or ends, so that its rows may be parts of videos."""
    return any(_meaning(name) in ("start", "end") for name in table.names)


def time_columns(path: Path, table: Table, given: Mapping[str, str] | None = None) -> Times:
    """The columns that hold times.

    Args:
        path: Of the table.
        table: Its columns and rows.
        given: Column of ``start``, ``end`` and ``duration``, where somebody names them.

    Raises:
        ValueError: If there are numbers of frames alone, or times in a form that is not known.
    """
    if given:
        return Times(*((given[part],) if part in given else () for part in PARTS))
    rows = list(table.rows)
    groups: dict[tuple[str, ...], _Group] = {(): _Group()}
    almost: list[str] = []
    for name in table.names:
        meaning, rest = _meaning(name), _rest(name)
        if meaning is None:
            continue
        group = groups.setdefault(rest, _Group())
        if _COUNTED & {*_words(name)}:
            group.counted[meaning].append(name)
        elif holds(rows, name, _is_time) or not holds(rows, name, bool, share=0):
            group.found[meaning].append(name)
        elif not rest and holds(rows, name, _ALMOST.fullmatch):
            almost.append(name)
    for group in groups.values():
        if group.has_both_sides:
            return group.times()
    if almost:
        cell = next(text for row in rows if (text := cell_text(row.get(almost[0]))) and not _is_time(text))
        raise ValueError(
            f"{path} has {cell!r} in the column {almost[0]}, which is called as one of times, and a time is "
            "seconds, as 1.5, or hh:mm:ss. Write it so, or call the column otherwise."
        )
    if groups[()].tells_one_side(rows):
        return groups[()].times()
    for group in groups.values():
        if counted := group.counted_sides():
            raise ValueError(
                f"{path} says by numbers of frames ({', '.join(counted)}) which part of a video a row speaks "
                "of. Write times in their place, the numbers divided by the frames a second of the video, in "
                "columns called start and end."
            )
    return Times()


def _lists() -> dict[_Meaning, list[str]]:
    return {"start": [], "end": [], "length": []}


@dataclass
class _Group:
    """Columns whose names differ in what they say of times alone, as start_clip and end_clip."""

    found: dict[_Meaning, list[str]] = field(default_factory=_lists)
    counted: dict[_Meaning, list[str]] = field(default_factory=_lists)

    @property
    def has_both_sides(self) -> bool:
        """Whether they say where parts begin and end, without numbers of frames."""
        has = {part for part, names in self.found.items() if names}
        lacks_end = "end" not in has and self.counted["end"]
        lacks_start = "start" not in has and self.counted["start"]
        return "start" in has and bool(has & {"end", "length"}) and not (lacks_end or lacks_start)

    def times(self) -> Times:
        """Those that hold times."""
        return Times(*(tuple(self.found[part]) for part in ("start", "end", "length")))

    def tells_one_side(self, rows: Sequence[Mapping[str, Any]]) -> bool:
        """Whether there is one side alone, by a word that means nothing else, and no time of day."""
        if self.counted["start"] or self.counted["end"]:
            return False
        names = self.found["start"] + self.found["end"]
        return any(_ALONE & {*_words(name)} and not holds(rows, name, _CLOCK.fullmatch) for name in names)

    def counted_sides(self) -> list[str]:
        """Columns of numbers of frames, where both sides are there and one has nothing else."""
        sides: tuple[_Meaning, ...] = ("start", "end")
        if not all(self.found[side] or self.counted[side] for side in sides):
            return []
        return [name for side in sides if not self.found[side] for name in self.counted[side]]


def time_in(columns: Sequence[str], row: Mapping[str, Any], none: Sequence[str] = ()) -> float | None:
    """Seconds in the first of some columns that has a time; None where none does, or says one of ``none``.

    Raises:
        ValueError: If it is no time.
    """
    for name in columns:
        text = cell_text(row.get(name))
        if text is not None and text.casefold() not in MISSING and text not in none:
            return _seconds(name, text)
    return None


def unit_name(name: str) -> str:
    """The unit of the times in a column, for people."""
    known = {1e-6: "microseconds", 1e-3: "milliseconds", 60.0: "minutes", 3600.0: "hours"}
    return known.get(_unit(name), "seconds or hh:mm:ss")


def _words(name: str) -> list[str]:
    """The words in the name of a column, but none for time itself: ``startTime_ms`` has start and ms."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).casefold()
    return re.findall(r"[^\W\d_]+", re.sub(r"time(stamp)?s?", " ", apart))


def _meaning(name: str) -> _Meaning | None:
    """What the name of a column says of times."""
    for word in _words(name):
        if word in _STARTS:
            return "start"
        if word in _ENDS:
            return "end"
        if word in _LENGTHS:
            return "length"
    return None


def _rest(name: str) -> tuple[str, ...]:
    """The words in the name of a column that say nothing of times."""
    said = _STARTS | _ENDS | _LENGTHS | _UNITS.keys() | _COUNTED | _FILLING
    return tuple(word for word in _words(name) if word not in said)


def _unit(name: str) -> float:
    """Seconds in the unit that the name of a column ends with."""
    words = _words(name)
    return 1.0 if {"ss", "hh"} & {*words} else _UNITS.get(words[-1], 1.0) if words else 1.0


def _seconds(name: str, text: str) -> float:
    """The time in a cell of a column.

    Raises:
        ValueError: If it is no time.
    """
    if clock := _CLOCK.fullmatch(text):
        hours, minutes, seconds = clock.groups()
        return 3600 * int(hours or 0) + 60 * int(minutes) + float(seconds.replace(",", "."))
    number = _NUMBER.fullmatch(text)
    unit = number and (_UNITS.get(number[2].casefold()) if number[2] else _unit(name))
    time = math.nan if number is None or unit is None else float(number[1].replace(",", ".")) * unit
    if not 0 <= time <= _LONGEST:
        raise ValueError(f"{name} is {text!r}, and a time is seconds or hh:mm:ss")
    return time


def _is_time(text: str) -> bool:
    try:
        _seconds("", text)
    except ValueError:
        return text == "-1" or text.casefold() in MISSING
    return True
