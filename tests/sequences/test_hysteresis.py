"""Labels that resist flicker."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfsmile.sequences.hysteresis import IntArray, minimum_duration, two_thresholds

ONE = np.zeros(20, np.int64)


def smile(*probabilities: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.array([[1 - p, p] for p in probabilities])


def test_between_the_thresholds_the_label_stays() -> None:
    values = smile(0.1, 0.6, 0.8, 0.55, 0.45, 0.35, 0.25, 0.45, 0.6)
    found = two_thresholds(values, ONE[:9], enter=0.8, leave=0.3)
    # 0.25 is under `leave`, and then neutral has 0.75; 0.6 and 0.45 decide nothing.
    assert found.tolist() == [0, 0, 1, 1, 1, 1, 0, 0, 0]


def test_the_thresholds_themselves_enter_and_do_not_leave() -> None:
    values = smile(0.0, 0.75, 0.25, 0.0)
    assert two_thresholds(values, ONE[:4], enter=0.75, leave=0.25).tolist() == [0, 1, 0, 0]
    assert two_thresholds(values, ONE[:4], enter=0.8, leave=0.25).tolist() == [0, 0, 0, 0]
    assert two_thresholds(values, ONE[:4], enter=0.8, leave=0.26).tolist() == [0, 1, 0, 0]


def test_of_three_classes_an_improbable_label_yields_to_the_best() -> None:
    values = np.array([[0.9, 0.05, 0.05], [0.3, 0.36, 0.34], [0.2, 0.38, 0.42], [0.2, 0.41, 0.39]])
    assert two_thresholds(values, ONE[:4], enter=0.9, leave=0.25).tolist() == [0, 0, 2, 2]


def test_segments_begin_afresh_and_rows_without_a_face_have_no_label() -> None:
    values = smile(0.9, 0.6, np.nan, 0.4, 0.45)
    assert two_thresholds(values, ONE[:5], enter=1.0, leave=0.1).tolist() == [1, 1, -1, 1, 1]
    segments = np.array([0, 0, -1, 3, 3])
    assert two_thresholds(values, segments, enter=1.0, leave=0.1).tolist() == [1, 1, -1, 0, 0]


@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_thresholds_only_remove_changes(seed: int, count: int, one: float, other: float) -> None:
    leave, enter = sorted((one, other))
    values = np.random.default_rng(seed).dirichlet(np.full(3, 0.5), size=count)
    segments = np.zeros(count, np.int64)
    best = values.argmax(axis=1)
    assert two_thresholds(values, segments, enter=0, leave=0).tolist() == best.tolist()
    found = two_thresholds(values, segments, enter=enter, leave=leave)
    assert (np.diff(found) != 0).sum() <= (np.diff(best) != 0).sum()
    kept = found != best
    assert (values[kept, found[kept]] >= leave).all()
    assert (values[kept].max(axis=1, initial=0) < enter).all()


def lasting(text: str, seconds: float, times: list[float] | None = None, segments: str | None = None) -> str:
    labels = np.array([-1 if letter == "-" else int(letter) for letter in text], np.int64)
    where = np.array(times) if times else np.arange(len(labels)) / 10
    names = np.array([ord(letter) for letter in segments]) if segments else ONE[: len(labels)]
    found = minimum_duration(labels, where, names, seconds=seconds)
    return "".join("-" if label < 0 else str(label) for label in found)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("0001000", "0000000"),
        ("0001100", "0000000"),
        ("0001110", "0001111"),
        ("1200011", "0000000"),
        ("0001211", "0000000"),
        ("0112", "1111"),
        ("0123", "0000"),
        ("000111000", "000111000"),
    ],
)
def test_runs_shorter_than_three_frames_take_the_label_before_them(labels: str, expected: str) -> None:
    assert lasting(labels, 0.3) == expected


def test_durations_are_seconds_and_not_frames() -> None:
    assert lasting("0010", 0.5, [0.0, 1.0, 2.0, 3.0]) == "0010"
    assert lasting("0010", 0.5, [0.0, 1.0, 1.1, 1.2]) == "0000"


def test_runs_end_with_their_segment_and_no_label_stays() -> None:
    assert lasting("0001-1000", 0.2, segments="aaaaxbbbb") == "0000-0000"
    assert lasting("0001-1000", 0.2, segments="aaaaxbccc") == "0000-1000"
    assert lasting("", 1) == ""
    assert lasting("1", 1) == "1"


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 500)), min_size=2, max_size=40),
    st.sampled_from((0.0, 0.2, 1.0)),
)
@settings(max_examples=80, deadline=None)
def test_what_is_left_lasts_or_is_alone(rows: list[tuple[int, int]], seconds: float) -> None:
    labels: IntArray = np.array([label for label, _ in rows], np.int64)
    times = np.cumsum([step for _, step in rows]) / 1000
    segments = np.zeros(len(rows), np.int64)
    found = minimum_duration(labels, times, segments, seconds=seconds)
    assert set(found) <= set(labels)
    np.testing.assert_array_equal(minimum_duration(found, times, segments, seconds=seconds), found)
    if seconds == 0:
        np.testing.assert_array_equal(found, labels)
    middles = (times[1:] + times[:-1]) / 2
    edges = [times[0] - (times[1] - times[0]) / 2, *middles, times[-1] + (times[-1] - times[-2]) / 2]
    first = [0, *(np.flatnonzero(np.diff(found)) + 1)]
    durations = [edges[b] - edges[a] for a, b in zip(first, [*first[1:], len(found)], strict=True)]
    assert len(durations) == 1 or min(durations) >= seconds - 1e-6
