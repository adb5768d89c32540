"""Where a sequence of faces breaks: too long without a face, or another track."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

TIME_TOLERANCE = 1e-6
"""Seconds by which two times may differ and still count as equal: multiples of 1/30 s are not exact."""


def require_times(times: npt.NDArray[np.floating[Any]], count: int) -> npt.NDArray[np.float64]:
    """The times as doubles.

    Raises:
        ValueError: If there are not ``count`` of them, or they are not finite and strictly increasing.
    """
    result = np.asarray(times, np.float64)
    if result.shape != (count,):
        raise ValueError(f"Expected {count} times, one per row, found shape {result.shape}.")
    if not np.isfinite(result).all():
        raise ValueError(f"{int((~np.isfinite(result)).sum())} of {count} times are not finite.")
    late = np.flatnonzero(np.diff(result) <= 0)
    if len(late):
        raise ValueError(
            f"Times must increase from row to row; {len(late)} do not, first row {late[0] + 1}: "
            f"{result[late[0] + 1]:g} s after {result[late[0]]:g} s. Sort the frames, and pass each person's "
            "frames by themselves."
        )
    return result


def find_segments(
    faces: npt.NDArray[np.bool_],
    times: npt.NDArray[np.float64],
    max_gap: float,
    tracks: npt.NDArray[np.integer[Any]] | None = None,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Segments: maximal runs of faces of one track, none further than ``max_gap`` from the next.

    Args:
        faces: (T,) whether the row has a face.
        times: (T,) seconds, strictly increasing.
        max_gap: Seconds.
        tracks: (T,) integers; those of rows without a face do not matter. None: one track.

    Returns:
        For each row the first row of its segment and the row after its last one, (T,) each. Rows without a
        face inside a segment belong to it; those outside have −1 and −1.

    Raises:
        ValueError: If there is not one track per row.
    """
    starts = np.full(len(faces), -1, np.int64)
    stops = starts.copy()
    if tracks is not None and np.shape(tracks) != faces.shape:
        raise ValueError(f"Expected {len(faces)} tracks, one per row, found shape {np.shape(tracks)}.")
    rows = np.flatnonzero(faces)
    if not len(rows):
        return starts, stops
    cut = np.diff(times[rows]) > max_gap + TIME_TOLERANCE
    if tracks is not None:
        cut |= np.diff(np.asarray(tracks)[rows]) != 0
    first = rows[np.concatenate([[True], cut])]
    after = rows[np.concatenate([cut, [True]])] + 1
    lengths = after - first
    index = np.repeat(first - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
    index += np.arange(lengths.sum())
    starts[index], stops[index] = np.repeat(first, lengths), np.repeat(after, lengths)
    return starts, stops
