"""A table with a row for each person of a video, each video and each picture, made of the rows of faces.

``kind`` (person, video or picture), ``source``, ``track``, ``faces``, ``frames`` in which there are any,
``first`` and ``last`` time, ``seconds`` in view, ``expression`` (shown most often), mean ``confidence``,
``uncertain`` (share of the faces), ``reason`` where there is none, and for each label ``share_`` of the
faces, mean ``p_``, ``onsets_`` (how often it begins) and ``first_`` (when it begins for the first time). Rows
of frames are taken as they come, so that memory grows with the people, not with the video.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from halfsmile.predict.face import NO_FACE
from halfsmile.predict.tables.columns import Row
from halfsmile.predict.tables.row_formats import csv_line, json_line
from halfsmile.utils.files import atomic_write

GAP = 0.5
"""Seconds, or one and a half times from frame to frame, out of view after which an expression begins anew."""

SUFFIXES = (".csv", ".jsonl", ".ndjson", ".parquet")
_BEGINNING = (
    "kind", "source", "track", "faces", "frames", "first", "last", "seconds", "expression", "confidence",
    "uncertain", "reason",
)  # fmt: skip
_TEXTS = ("kind", "source", "expression", "reason")
_COUNTS = ("track", "faces", "frames")


@dataclass(eq=False)
class _Clock:
    """The usual time from a frame of a video to the next, of frames that have faces."""

    last: float | None = None
    step: float = 0.0  # the shortest so far

    def see(self, time: float) -> None:
        if self.last is not None and time > self.last:
            step = time - self.last
            self.step = min(self.step, step) if self.step else step
        self.last = time

    @property
    def gap(self) -> float:
        return max(GAP, 1.5 * self.step)


@dataclass(eq=False)
class _Entry:
    """What is counted of a person, a video or a picture."""

    kind: str
    source: str
    track: int | None
    counts: npt.NDArray[np.int64]
    onsets: npt.NDArray[np.int64]
    sums: npt.NDArray[np.float64]
    begun: dict[int, float] = field(default_factory=dict)  # first time by label
    frames: int = 0
    confidence: float = 0.0
    uncertain: int = 0
    unknown: int = 0
    first: float | None = None
    last: float | None = None
    seen: float = 0.0  # seconds, without the last frame of each stretch
    stretches: int = 0
    showing: int | None = None
    reason: str | None = None  # why there is no face

    def add(self, row: Row, label: int, probabilities: Sequence[float], clock: _Clock) -> None:
        time = row.get("time")
        self.counts[label] += 1
        self.sums += probabilities
        self.confidence += row["confidence"]
        self.uncertain += row.get("uncertain") is True
        self.unknown += row.get("uncertain") is None
        if time is None:
            self.frames = 1
            return
        if self.last != time:
            self.frames += 1
            if self.last is not None and time - self.last <= clock.gap:
                self.seen += time - self.last
            else:
                self.stretches += 1
                self.showing = None
        self.first = time if self.first is None else self.first
        self.last = time
        if self.track is None or label == self.showing:
            return
        self.showing = label
        self.onsets[label] += 1
        self.begun.setdefault(label, time)

    def row(self, labels: Sequence[str], step: float) -> Row:
        faces = int(self.counts.sum())
        row: Row = {"kind": self.kind, "source": self.source, "track": self.track, "faces": faces}
        row |= {"frames": self.frames, "first": self.first, "last": self.last}
        row["seconds"] = None if self.first is None else self.seen + self.stretches * step
        if not faces:
            return row | {"reason": self.reason}
        row |= {"expression": labels[int(self.counts.argmax())], "confidence": self.confidence / faces}
        row["uncertain"] = None if self.unknown else self.uncertain / faces
        for i, label in enumerate(labels):
            row |= {f"share_{label}": self.counts[i] / faces, f"p_{label}": self.sums[i] / faces}
            if self.kind != "picture":
                row |= {f"onsets_{label}": int(self.onsets[i]), f"first_{label}": self.begun.get(i)}
        return row


class PeopleTable:
    """Collects the rows of faces.

    Args:
        labels: Of the model.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = tuple(labels)
        self._entries: dict[str, dict[int | None, _Entry]] = {}  # by source and track
        self._clocks: dict[str, _Clock] = {}

    def add(self, row: Row) -> None:
        """Take a row of a face, or of why there is none, with the columns of the table of faces."""
        source = str(row["source"])
        entries = self._entries.setdefault(source, {})
        is_film = row.get("time") is not None or row.get("frame") is not None
        kind = "video" if is_film else "picture"
        entries.setdefault(None, self._entry(kind, source, None)).kind = kind
        if reason := row.get("reason"):
            entries[None].reason = str(reason)
            if str(reason).startswith(f"{NO_FACE} in ") and str(reason).endswith("frames"):
                entries[None].kind = "video"
        label = row.get("expression")
        if not label:
            return
        index = self.labels.index(label)
        probabilities = [float(row.get(f"p_{name}") or 0.0) for name in self.labels]
        clock = self._clocks.setdefault(source, _Clock())
        if is_film:
            clock.see(float(row.get("time") or 0.0))
        track = row.get("track")
        if track is not None:
            if track not in entries:
                entries[track] = self._entry("person", source, track)
            entries[track].add(row, index, probabilities, clock)
        entries[None].add(row, index, probabilities, clock)

    def rows(self) -> list[Row]:
        """Each source in the order of coming: the picture, or the video after its people."""
        rows = []
        for source, entries in self._entries.items():
            step = self._clocks[source].step if source in self._clocks else 0.0
            people = [entries[track] for track in sorted(track for track in entries if track is not None)]
            whole = entries[None]
            for person in people:
                whole.onsets += person.onsets
                for label, time in person.begun.items():
                    whole.begun[label] = min(time, whole.begun.get(label, time))
            rows += [entry.row(self.labels, step) for entry in (*people, whole)]
        return rows

    @property
    def names(self) -> list[str]:
        """All columns, in order."""
        return [*_BEGINNING, *(f"{kind}_{label}" for kind in _KINDS for label in self.labels)]

    def write(self, path: Path) -> None:
        """Write the table, as its suffix says.

        Raises:
            OSError: If it can't be written.
        """
        write_rows(path, self.names, self.rows())

    def _entry(self, kind: str, source: str, track: int | None) -> _Entry:
        count = len(self.labels)
        zeros = np.zeros(count, np.int64)
        return _Entry(kind, source, track, zeros, zeros.copy(), np.zeros(count))


_KINDS = ("share", "p", "onsets", "first")


def write_rows(path: Path, names: Sequence[str], rows: Iterable[Row]) -> None:
    """Write rows as CSV, JSON Lines or Parquet, as the suffix says; the file appears when it is whole."""
    rounded = [
        {name: round(value, 6) if isinstance(value, float) else value for name, value in row.items()}
        for row in rows
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        if path.suffix.lower() == ".parquet":
            import pyarrow as pa
            import pyarrow.parquet as pq

            schema = pa.schema([(name, _type(name)) for name in names])
            pq.write_table(pa.Table.from_pylist(rounded, schema), temporary, compression="zstd")
            return
        with temporary.open("wb") as file:
            if path.suffix.lower() == ".csv":
                file.write(csv_line(names))
                file.writelines(csv_line([row.get(name) for name in names]) for row in rounded)
            else:
                file.writelines(json_line({name: row.get(name) for name in names}) for row in rounded)


def require_people_table(path: str | Path) -> Path:
    """Refuse a path that no such table can be written to.

    Raises:
        ValueError: If it is a folder, or its suffix is unknown.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"--summary {path}: a table is a file named {', '.join(SUFFIXES)}.")
    if path.is_dir():
        raise ValueError(f"--summary {path} is a folder; expected a file name for the table.")
    return path


def _type(name: str) -> Any:
    import pyarrow as pa

    if name in _TEXTS:
        return pa.string()
    return pa.int64() if name in _COUNTS or name.startswith("onsets_") else pa.float64()
