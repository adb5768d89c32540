"""The moving average of :mod:`halfsmile.sequences.smoothing`, frame by frame with a bounded delay."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt

from halfsmile.metrics.scores import SUM_TOLERANCE
from halfsmile.sequences.segments import TIME_TOLERANCE

Row = npt.NDArray[np.float64]
Smoothed = tuple[float, Row | None]
"""Time of a frame, and its averaged probabilities (C,); None where no face is near enough."""


class StreamingAverage:
    """Average over a window that moves with the frames as they come.

    The result for a frame at time t is the mean of the rows in [t − (width − delay), t + delay], inside the
    frame's segment, short gaps filled. With a delay of half the width it is exactly
    ``Smoothing("average", width, max_gap)``; with a delay of 0 it is causal. Every frame that is pushed comes
    out once, in order, at the latest with the first frame ``delay + max_gap`` after it, and without waiting
    for gaps with the first frame ``delay`` after it. Memory holds the frames of one window and one gap.

    Args:
        width: Seconds.
        delay: Seconds of look-ahead, at most ``width``. Larger values follow onsets more truly, later.
        max_gap: Longest time between two faces that is bridged.

    Raises:
        ValueError: If a number is out of its range.

    Example:
        >>> average = StreamingAverage(width=0.2)
        >>> average.push(0.0, [1.0, 0.0])
        [(0.0, array([1., 0.]))]
        >>> average.push(0.1, [0.0, 1.0])
        [(0.1, array([0.5, 0.5]))]
    """

    def __init__(self, width: float, *, delay: float = 0.0, max_gap: float = 1.0) -> None:
        if not (0 <= delay <= width < math.inf and 0 <= max_gap < math.inf):
            raise ValueError(
                "Expected 0 <= delay <= width and max_gap >= 0, all finite seconds; found "
                f"width {width}, delay {delay}, max_gap {max_gap}."
            )
        self.width = width
        self.delay = delay
        self.max_gap = max_gap
        self._now = -math.inf
        self._face: tuple[float, Row, int] | None = None
        self._waiting: list[float] = []
        self._segment: deque[tuple[float, Row]] = deque()
        self._next = 0

    def push(self, time: float, probabilities: npt.ArrayLike | None, *, track: int = 0) -> list[Smoothed]:
        """Take a frame; give those frames that are now decided, in order.

        Args:
            time: Seconds, later than the last one.
            probabilities: (C,) sum 1; None or NaN where there is no face.
            track: A change between two faces is a cut; that of a frame without a face does not matter.

        Raises:
            ValueError: If time does not advance or the row is neither a distribution nor NaN throughout.
        """
        if not (math.isfinite(time) and time > self._now):
            raise ValueError(f"Frames must come in order of time; found {time} s after {self._now} s.")
        row = _checked(probabilities)
        self._now = time
        done: list[Smoothed] = []
        if self._face is not None and (
            time - self._face[0] > self.max_gap + TIME_TOLERANCE
            or (row is not None and track != self._face[2])
        ):
            done += self.flush()
        if row is None:
            if self._face is None:
                done.append((time, None))
            else:
                self._waiting.append(time)
            return done
        if self._face is not None:
            before, last, _ = self._face
            for gap in self._waiting:
                share = (gap - before) / (time - before)
                self._segment.append((gap, (1 - share) * last + share * row))
            self._waiting.clear()
        self._segment.append((time, row))
        self._face = (time, row, track)
        return done + self._decided(time)

    def flush(self) -> list[Smoothed]:
        """Give all frames that are still held back; what comes next begins a new segment."""
        done = self._decided(math.inf) + [(time, None) for time in self._waiting]
        self._segment.clear()
        self._waiting.clear()
        self._next = 0
        self._face = None
        return done

    def _decided(self, now: float) -> list[Smoothed]:
        done: list[Smoothed] = []
        while self._next < len(self._segment):
            time = self._segment[self._next][0]
            if now < time + self.delay - TIME_TOLERANCE:
                break
            while self._segment[0][0] < time - (self.width - self.delay) - TIME_TOLERANCE:
                self._segment.popleft()
                self._next -= 1
            window = [row for t, row in self._segment if t <= time + self.delay + TIME_TOLERANCE]
            done.append((time, np.mean(window, axis=0)))
            self._next += 1
        return done


def _checked(probabilities: Any) -> Row | None:
    if probabilities is None:
        return None
    row = np.array(probabilities, np.float64)
    if row.ndim == 1 and len(row) and np.isnan(row).all():
        return None
    if row.ndim != 1 or len(row) < 2 or not (row >= 0).all() or not abs(row.sum() - 1) <= SUM_TOLERANCE:
        raise ValueError(f"Expected class probabilities that sum to 1, or NaN throughout, found {row}.")
    return row
