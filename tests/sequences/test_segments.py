"""Where sequences break."""

from __future__ import annotations

import numpy as np
import pytest

from halfsmile.sequences.segments import find_segments, require_times


def segments(faces: str, times: list[float], max_gap: float, tracks: str | None = None) -> list[list[int]]:
    mask = np.array([letter != "-" for letter in faces])
    names = None if tracks is None else np.array([ord(letter) for letter in tracks])
    starts, stops = find_segments(mask, np.array(times), max_gap, names)
    return [starts.tolist(), stops.tolist()]


def test_a_segment_ends_at_its_last_face() -> None:
    assert segments("-xx-x--", [0, 1, 2, 3, 4, 5, 6], 2) == [
        [-1, 1, 1, 1, 1, -1, -1],
        [-1, 5, 5, 5, 5, -1, -1],
    ]


def test_gaps_longer_than_allowed_cut_with_or_without_rows_in_them() -> None:
    assert segments("x-xx", [0, 1, 2, 9], 1.5)[0] == [0, -1, 2, 3]
    assert segments("x-xx", [0, 1, 2, 9], 2)[0] == [0, 0, 0, 3]


def test_a_gap_of_exactly_the_allowed_length_is_bridged_despite_rounding() -> None:
    times = [k / 30 for k in range(200)]
    assert segments("x" * 200, times, 1 / 30)[0] == [0] * 200


def test_tracks_of_rows_without_a_face_do_not_matter() -> None:
    assert segments("x-xx", [0, 1, 2, 3], 5, "a?ab")[0] == [0, 0, 0, 3]
    assert segments("xxx", [0, 1, 2], 5, "aba")[0] == [0, 1, 2]


def test_nothing_and_no_face() -> None:
    assert segments("", [], 1) == [[], []]
    assert segments("--", [0, 1], 1) == [[-1, -1], [-1, -1]]


def test_times_must_be_one_per_row_finite_and_increasing() -> None:
    assert require_times(np.array([1, 2]), 2).dtype == np.float64
    for times, message in (([1.0], "Expected 2"), ([1, np.inf], "not finite"), ([2, 2], "Sort the frames")):
        with pytest.raises(ValueError, match=message):
            require_times(np.array(times), 2)
