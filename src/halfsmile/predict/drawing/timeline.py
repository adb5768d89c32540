"""A timeline for each person of a video, as one SVG picture: how probable each expression was, and when.

Memory does not grow with the video: times are collected in at most :data:`BINS` equal bins, and when a video
outgrows them, neighbors are joined.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import numpy.typing as npt

from halfsmile.predict.face import Face
from halfsmile.predict.person_slots import PersonSlots
from halfsmile.utils.colors import color
from halfsmile.utils.files import atomic_write

Values = npt.NDArray[np.float64]

BINS = 1024
PEOPLE = 30  # that get a row: those who are seen longest
SLOTS = 300  # people that are followed at a time
BRIDGED = 0.5  # seconds out of sight that are drawn over
_LEFT, _RIGHT, _WIDTH, _BAND, _STRIP, _GAP, _HEAD = 92, 16, 1000, 76, 7, 26, 58
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400)


class Timeline:
    """Collects the faces of one video.

    Args:
        labels: Of the model.
        title: Shown above.
        seconds: Length of a bin at first.
    """

    def __init__(self, labels: Sequence[str], title: str, *, seconds: float = 0.04) -> None:
        self.labels = tuple(labels)
        self.title = title
        self.seconds = seconds
        self.end = 0.0
        # of each (BINS, classes + 2): probabilities, certain, faces
        self.people: PersonSlots[Values] = PersonSlots(SLOTS)
        self._first: float | None = None
        self._frames = 0

    def add(self, faces: Iterable[Face], time: float) -> None:
        """Take the faces of a frame.

        Args:
            faces: With their tracks.
            time: Seconds, rising.
        """
        while time / self.seconds + 1e-6 >= BINS:
            self._join()
        self.end = max(self.end, time)
        self._first = time if self._first is None else self._first
        self._frames += 1
        place = int(time / self.seconds + 1e-6)  # times are multiples of a bin that were rounded
        seen = {face.track or 0: face for face in faces}
        for track, face in seen.items():
            sums = self.people.see(track, seen, self._empty)
            if sums is not None:
                sums[place] += [*face.probabilities.values(), float(not face.uncertain), 1.0]

    def means(self, track: int) -> tuple[Values, Values, Values]:
        """Of one person, bin by bin: mean probabilities, share of certain faces, both NaN where unseen.

        Returns:
            Start of each bin in seconds (B,); probabilities (B, classes); shares (B,).
        """
        count = int(self.end / self.seconds + 1e-6) + 1
        sums = self.people.kept[track][:count]
        faces = np.where(sums[:, -1] > 0, sums[:, -1], np.nan)[:, None]
        means = sums[:, :-1] / faces
        return np.arange(count, dtype=np.float64) * self.seconds, means[:, :-1], means[:, -1]

    def write(self, path: Path) -> None:
        """Write the picture; it appears whole."""
        with atomic_write(path) as temporary:
            temporary.write_text(self.svg(), encoding="utf-8")

    def svg(self) -> str:
        """The picture: stacked probabilities for each person, and below them a strip of what is certain."""
        people = self.people.longest(PEOPLE)
        height = _HEAD + len(people) * (_BAND + _STRIP + _GAP) + 30
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
            f'height="{height}" font-family="system-ui, sans-serif" font-size="13" fill="#1c1f24">',
            f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
            f'<text x="{_LEFT}" y="20" font-size="15" font-weight="600">{escape(self.title)}</text>',
            *self._legend(),
        ]
        top = _HEAD
        for track in people:
            parts += self._row(track, top)
            top += _BAND + _STRIP + _GAP
        parts += self._axis(top - _GAP + 6)
        hidden = self.people.num_seen - len(people)
        if hidden:
            parts.append(
                f'<text x="{_LEFT}" y="{height - 4}" fill="#5d636d">{hidden} people who are seen less are '
                "not shown.</text>"
            )
        return "\n".join([*parts, "</svg>\n"])

    def _row(self, track: int, top: float) -> list[str]:
        times, probabilities, certain = self.means(track)
        seen = _runs(~np.isnan(certain), longest_gap=max(1, round(self._bridged() / self.seconds)))
        parts = [
            f'<text x="{_LEFT - 10}" y="{top + _BAND / 2 + 4}" text-anchor="end">person {track}</text>',
            f'<rect x="{_LEFT}" y="{top}" width="{_WIDTH - _LEFT - _RIGHT}" height="{_BAND}" '
            'fill="#f0f1f3"/>',
        ]
        for first, last in seen:
            rows = [i for i in range(first, last) if not np.isnan(certain[i])]
            x = [self._x(times[i] + self.seconds / 2) for i in rows]
            x[0], x[-1] = self._x(times[first]), self._x(min(times[last - 1] + self.seconds, self.end))
            edges = np.cumsum(probabilities[rows], axis=1) / probabilities[rows].sum(1, keepdims=True)
            if len(rows) == 1:
                x, edges = [self._x(times[first]), x[0]], edges.repeat(2, axis=0)
            below = np.zeros(len(x))
            for index, label in enumerate(self.labels):
                above = edges[:, index]
                outline = [*zip(x, below, strict=True), *reversed([*zip(x, above, strict=True)])]
                points = " ".join(f"{a:.1f},{top + _BAND * (1 - b):.1f}" for a, b in outline)
                parts.append(f'<polygon points="{points}" fill="{color(label, self.labels)}"/>')
                below = above
            starts = [*(self._x(times[i]) for i in rows), x[-1]]
            for i, (begin, end) in zip(rows, pairwise(starts), strict=True):
                best = self.labels[int(probabilities[i].argmax())]
                parts.append(
                    f'<rect x="{begin:.1f}" y="{top + _BAND + 1}" width="{max(0.5, end - begin):.1f}" '
                    f'height="{_STRIP}" fill="{color(best, self.labels)}" opacity="{certain[i]:.2f}"/>'
                )
        return parts

    def _legend(self) -> list[str]:
        parts, x = [], float(_LEFT)
        for label in self.labels:
            parts.append(
                f'<rect x="{x:.0f}" y="32" width="11" height="11" fill="{color(label, self.labels)}"/>'
            )
            parts.append(f'<text x="{x + 16:.0f}" y="42">{escape(label)}</text>')
            x += 16 + 7.5 * len(label) + 18
        parts.append(f'<text x="{x + 6:.0f}" y="42" fill="#5d636d">strip below: where it is certain</text>')
        return parts

    def _axis(self, y: float) -> list[str]:
        step = next((step for step in _STEPS if self.end / step <= 10), _STEPS[-1])
        parts = []
        for number in range(int(self.end / step) + 1):
            time = number * step
            x = self._x(time)
            parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y}" y2="{y + 5}" stroke="#8a8f98"/>')
            parts.append(f'<text x="{x:.1f}" y="{y + 18}" text-anchor="middle">{_clock(time)}</text>')
        return parts

    def _x(self, time: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * time / max(self.end, 1e-9)

    def _empty(self) -> Values:
        return np.zeros((BINS, len(self.labels) + 2))

    def _bridged(self) -> float:
        """Seconds that are drawn over: :data:`BRIDGED`, or more where frames lie further apart."""
        between = (self.end - (self._first or 0.0)) / max(1, self._frames - 1)
        return max(BRIDGED, 1.5 * between)

    def _join(self) -> None:
        self.seconds *= 2
        for sums in self.people.kept.values():
            sums[: BINS // 2] = sums[0::2] + sums[1::2]
            sums[BINS // 2 :] = 0


def _runs(seen: npt.NDArray[np.bool_], longest_gap: int) -> list[tuple[int, int]]:
    """First and one past the last bin of each stretch; gaps that are no longer than this are bridged."""
    places = np.flatnonzero(seen)
    if not len(places):
        return []
    breaks = np.flatnonzero(np.diff(places) > longest_gap + 1)
    firsts = [places[0], *places[breaks + 1]]
    lasts = [*places[breaks], places[-1]]
    return [(int(first), int(last) + 1) for first, last in zip(firsts, lasts, strict=True)]


def _clock(seconds: float) -> str:
    """As 0.5 s, 12 s, 1:30 or 1:02:05.

    Example:
        >>> [_clock(time) for time in (0.5, 12, 90, 3725)]
        ['0.5 s', '12 s', '1:30', '1:02:05']
    """
    if seconds < 60:
        return f"{seconds:g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
