"""Post-processing of per-frame probabilities: fill short gaps, then average over neighboring frames.

A sequence is one person's predictions: a row of class probabilities per frame, NaN where no face was found,
and the time of each frame in seconds. Times may be irregular; widths and gaps are seconds, never
frames. Three steps, in this order:

1. **Segments.** The sequence is cut where two faces that follow each other are further apart than ``max_gap``
   or belong to different tracks. Nothing crosses a cut.
2. **Gaps.** Rows without a face inside a segment are interpolated linearly in time.
3. **Filter.** Each row becomes a weighted mean, or the median, of the rows of its segment near it; at the
   ends of a segment the window is what is there.

Rows without a face outside all segments stay NaN. Labels that resist flicker are in
:mod:`halfsmile.sequences.hysteresis`, the same average frame by frame in
:mod:`halfsmile.sequences.smoothing_stream`, the choice of a width in
:mod:`halfsmile.sequences.smoothing_choice`. The moving average over a video is the usual post-processing of
the ABAW challenge (for example HSEmotion, arXiv 2403.11590).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from halfsmile.metrics.scores import SUM_TOLERANCE
from halfsmile.sequences.hysteresis import minimum_duration, two_thresholds
from halfsmile.sequences.segments import TIME_TOLERANCE, find_segments, require_times

Kind = Literal["none", "average", "gaussian", "median"]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_GAUSSIAN_REACH = 4.0
_MEDIAN_ROWS = 4096


@dataclass(frozen=True, eq=False)
class FrameProbabilities:
    """Predictions for one person in T frames.

    Args:
        probabilities: (T, C), rows sum to 1; a row of NaN where there is no face.
        times: (T,) seconds, strictly increasing.
        tracks: (T,) integers; a change between two faces is a cut. None: one track.
    """

    probabilities: npt.NDArray[np.floating[Any]]
    times: npt.NDArray[np.floating[Any]]
    tracks: npt.NDArray[np.integer[Any]] | None = None


@dataclass(frozen=True)
class Smoothing:
    """How probabilities are smoothed and labels are made of them; all lengths in seconds.

    Args:
        kind: ``average`` (all rows within half a width count alike), ``gaussian`` (with the standard
            deviation width / √12, which is that of the average's window, cut at 4 of them), ``median`` (of
            each class in the average's window, scaled back to sum 1), or ``none`` (gaps are filled only).
        width: Full width of the window. Larger values flicker less and blur onsets.
        max_gap: Longest time between two faces that is bridged. Faces further apart than that share
            nothing, so it must exceed the time between two frames.
        enter: Probability from which another class becomes the label, see
            :func:`~halfsmile.sequences.hysteresis.two_thresholds`; 0 takes the most probable class.
        leave: Probability below which the label is given up; at most ``enter``.
        min_duration: Labels that last less give way to their neighbors, see
            :func:`~halfsmile.sequences.hysteresis.minimum_duration`.

    Raises:
        ValueError: If the kind is unknown or a number is out of its range.
    """

    kind: Kind = "average"
    width: float = 1.0
    max_gap: float = 1.0
    enter: float = 0.0
    leave: float = 0.0
    min_duration: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"Smoothing {self.kind!r} is unknown; choose from {', '.join(get_args(Kind))}.")
        for name in ("width", "max_gap", "min_duration"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} is a finite number of seconds of at least 0, found {value}.")
        if not 0 <= self.leave <= self.enter <= 1:
            raise ValueError(
                f"Thresholds must satisfy 0 <= leave <= enter <= 1, found leave {self.leave} and "
                f"enter {self.enter}."
            )

    def apply(
        self,
        probabilities: npt.NDArray[np.floating[Any]],
        times: npt.NDArray[np.floating[Any]],
        tracks: npt.NDArray[np.integer[Any]] | None = None,
    ) -> FloatArray:
        """Smooth the probabilities of one sequence.

        Args:
            probabilities: (T, C), rows sum to 1; NaN rows have no face.
            times: (T,) seconds, strictly increasing.
            tracks: (T,) track of each row; None for one track.

        Returns:
            (T, C); rows are distributions, or NaN where no face is near enough.

        Raises:
            ValueError: If shapes do not fit, a row is neither a distribution nor all NaN, or times do not
                increase.
        """
        values = _checked(probabilities)
        faces = ~np.isnan(values[:, 0])
        times = require_times(times, len(values))
        starts, stops = find_segments(faces, times, self.max_gap, tracks)
        inside = stops > starts
        if not inside.any():
            return values
        missing = inside & ~faces
        for column in values.T:
            column[missing] = np.interp(times[missing], times[faces], column[faces])
        if self.kind == "none" or self.width == 0:
            return values
        values = np.where(inside[:, None], values, 0.0)
        if self.kind == "gaussian":
            deviation = self.width / math.sqrt(12)
            result = _gaussian(values, times, starts, _GAUSSIAN_REACH * deviation, deviation)
            result[~inside] = np.nan
            return result
        reach = self.width / 2
        first = np.maximum(starts, np.searchsorted(times, times - reach - TIME_TOLERANCE, "left"))
        last = np.minimum(stops, np.searchsorted(times, times + reach + TIME_TOLERANCE, "right"))
        result = np.full_like(values, np.nan)
        filtered = _average if self.kind == "average" else _median
        result[inside] = filtered(values, first[inside], last[inside])
        return result

    def labels(
        self,
        probabilities: npt.NDArray[np.floating[Any]],
        times: npt.NDArray[np.floating[Any]],
        tracks: npt.NDArray[np.integer[Any]] | None = None,
    ) -> IntArray:
        """Class index of each row after smoothing and hysteresis; arguments as in :meth:`apply`.

        Returns:
            (T,) class indices, −1 where :meth:`apply` has no result.
        """
        smoothed = self.apply(probabilities, times, tracks)
        faces = ~np.isnan(np.asarray(probabilities)[:, 0])
        times = require_times(times, len(smoothed))
        starts, _ = find_segments(faces, times, self.max_gap, tracks)
        found = two_thresholds(smoothed, starts, enter=self.enter, leave=self.leave)
        return minimum_duration(found, times, starts, seconds=self.min_duration)


def _checked(probabilities: npt.NDArray[np.floating[Any]]) -> FloatArray:
    """A copy in double precision."""
    values = np.array(probabilities, np.float64)
    if values.ndim != 2 or values.shape[1] < 2:
        raise ValueError(f"Expected probabilities (T, C) of at least two classes, found {values.shape}.")
    missing = np.isnan(values)
    faces = ~missing.all(axis=1)
    rows = np.where(np.isfinite(values[faces]), values[faces], -1)
    bad = (rows < 0).any(axis=1) | (abs(rows.sum(axis=1) - 1) > SUM_TOLERANCE)
    if bad.any():
        row = np.flatnonzero(faces)[bad][0]
        raise ValueError(
            f"{int(bad.sum())} rows are neither a distribution (at least 0, sum 1) nor NaN throughout (no "
            f"face); first row {row}: {values[row]}. Apply softmax first."
        )
    return values


def _average(values: FloatArray, first: IntArray, last: IntArray) -> FloatArray:
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    return np.asarray(np.maximum(sums[last] - sums[first], 0) / (last - first)[:, None])


def _gaussian(
    values: FloatArray, times: FloatArray, starts: IntArray, reach: float, deviation: float
) -> FloatArray:
    """Weighted mean over rows of the same segment, one distance in rows after the other, all rows at once."""
    total, weights = values.copy(), np.ones((len(values), 1))
    for offset in range(1, len(values)):
        step = times[offset:] - times[:-offset]
        near = step <= reach + TIME_TOLERANCE
        if not near.any():
            break
        near &= (starts[offset:] == starts[:-offset]) & (starts[offset:] >= 0)
        weight = (near * np.exp(-0.5 * (step / deviation) ** 2))[:, None]
        total[:-offset] += weight * values[offset:]
        total[offset:] += weight * values[:-offset]
        weights[:-offset] += weight
        weights[offset:] += weight
    return np.asarray(total / weights)


def _median(values: FloatArray, first: IntArray, last: IntArray) -> FloatArray:
    """Median per class, scaled to sum 1; the average where the medians of all classes are zero."""
    result = np.empty((len(first), values.shape[1]))
    for begin in range(0, len(first), _MEDIAN_ROWS):
        low, high = first[begin : begin + _MEDIAN_ROWS], last[begin : begin + _MEDIAN_ROWS]
        index = low[:, None] + np.arange((high - low).max())
        beyond = index >= high[:, None]
        window = np.where(beyond[..., None], np.inf, values[np.minimum(index, len(values) - 1)])
        window.sort(axis=1)
        row, count = np.arange(len(low)), high - low
        middle = (window[row, (count - 1) // 2] + window[row, count // 2]) / 2
        sums = middle.sum(axis=1, keepdims=True)
        average = _average(values, low, high)
        result[begin : begin + _MEDIAN_ROWS] = np.where(
            sums > 0, middle / np.where(sums > 0, sums, 1), average
        )
    return result
