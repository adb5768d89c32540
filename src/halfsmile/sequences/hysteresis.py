"""Labels that resist flicker: two thresholds, and a minimum duration."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from halfsmile.sequences.segments import TIME_TOLERANCE

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]


def two_thresholds(probabilities: FloatArray, segments: IntArray, *, enter: float, leave: float) -> IntArray:
    """Keep a label until it becomes improbable or another becomes probable enough (a Schmitt trigger).

    A segment begins with its most probable class. After that the most probable class replaces the label when
    its probability is at least ``enter``, or when the label's own probability is below ``leave``.

    Args:
        probabilities: (T, C); NaN rows have no label.
        segments: (T,) anything that is equal within a segment and changes between segments.
        enter: In [0, 1]; 0 always takes the most probable class.
        leave: In [0, enter]; 0 never gives a label up by itself.

    Returns:
        (T,) class indices, −1 for rows of NaN.
    """
    result = np.full(len(probabilities), -1, np.int64)
    rows = np.flatnonzero(~np.isnan(probabilities).any(axis=1))
    best = probabilities[rows].argmax(axis=1)
    begins = np.concatenate([[True], np.diff(segments[rows]) != 0])[: len(rows)]
    takes_over = begins | (probabilities[rows, best] >= enter)
    label = -1
    for row, candidate, takes in zip(rows, best, takes_over, strict=True):
        if takes or probabilities[row, label] < leave:
            label = candidate
        result[row] = label
    return result


def minimum_duration(
    labels: IntArray, times: npt.NDArray[np.float64], segments: IntArray, *, seconds: float
) -> IntArray:
    """Replace runs of a label that are too short by the label before them.

    A row lasts from midway to the row before it to midway to the row after it. Short runs at the beginning
    of a segment take the first label that lasts; where none does, the whole segment takes the label that it
    shows longest (the first class of equal ones).

    Args:
        labels: (T,) class indices; −1 is no label and stays.
        times: (T,) seconds, strictly increasing.
        segments: (T,) anything that is equal within a segment and changes between segments.
        seconds: Runs shorter than this are replaced; 0 changes nothing.

    Returns:
        (T,) class indices.
    """
    result = labels.copy()
    if seconds <= 0 or len(labels) < 2:
        return result
    cut = np.concatenate([[True], segments[1:] != segments[:-1], [True]])
    bounds = np.flatnonzero(cut)
    for begin, end in pairwise(bounds):
        if end - begin > 1 and labels[begin] >= 0:
            result[begin:end] = _of_segment(labels[begin:end], times[begin:end], seconds)
    return result


def _of_segment(labels: IntArray, times: npt.NDArray[np.float64], seconds: float) -> IntArray:
    steps = np.diff(times)
    middles = times[:-1] + steps / 2
    edges = np.concatenate([[times[0] - steps[0] / 2], middles, [times[-1] + steps[-1] / 2]])
    first = np.flatnonzero(np.concatenate([[True], labels[1:] != labels[:-1]]))
    after = np.append(first[1:], len(labels))
    duration = edges[after] - edges[first]
    lasts = duration >= seconds - TIME_TOLERANCE
    runs = labels[first]
    if not lasts.any():
        total = np.bincount(runs, weights=duration)
        return np.full_like(labels, np.flatnonzero(total > total.max() - TIME_TOLERANCE)[0])
    source = np.maximum.accumulate(np.where(lasts, np.arange(len(runs)), -1))
    source[source < 0] = np.argmax(lasts)
    return np.repeat(runs[source], after - first)
