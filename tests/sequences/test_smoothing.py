"""Smoothing over time: oracles on regular times, a written-out definition on irregular ones, and cuts."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from halfsmile.sequences.smoothing import Kind, Smoothing

C = 4
KINDS: tuple[Kind, ...] = ("average", "gaussian", "median")
FloatArray = npt.NDArray[np.float64]
Sequence = tuple[FloatArray, FloatArray, npt.NDArray[np.int64]]


def distributions(seed: int, count: int, classes: int = C) -> FloatArray:
    return np.random.default_rng(seed).dirichlet(np.full(classes, 0.5), size=count)


@st.composite
def sequences(draw: st.DrawFn) -> Sequence:
    """Irregular times on a grid of milliseconds, rows without a face, and changes of track."""
    count = draw(st.integers(1, 40))
    steps = draw(st.lists(st.integers(1, 900), min_size=count, max_size=count))
    probabilities = distributions(draw(st.integers(0, 2**32 - 1)), count)
    faces = draw(st.lists(st.booleans() | st.just(True), min_size=count, max_size=count))
    probabilities[~np.array(faces)] = np.nan
    changes = draw(st.lists(st.integers(0, 9), min_size=count, max_size=count))
    return probabilities, np.cumsum(steps) / 1000, np.cumsum(np.array(changes) == 0)


smoothings = st.builds(
    Smoothing,
    kind=st.sampled_from(("none", *KINDS)),
    width=st.sampled_from((0.0, 0.1, 0.7, 2.0)),
    max_gap=st.sampled_from((0.0, 0.3, 1.0)),
)


def written_out(smoothing: Smoothing, sequence: Sequence) -> FloatArray:
    """The definition, row by row."""
    probabilities, times, tracks = sequence
    result = np.full_like(probabilities, np.nan)
    segment: list[int] = []
    faces = np.flatnonzero(~np.isnan(probabilities[:, 0]))
    for position, row in enumerate(faces):
        segment.append(int(row))
        after = faces[position + 1] if position + 1 < len(faces) else None
        if (
            after is None
            or times[after] - times[row] > smoothing.max_gap + 1e-6
            or tracks[after] != tracks[row]
        ):
            _smooth_segment(smoothing, probabilities, times, segment, result)
            segment = []
    return result


def _smooth_segment(
    smoothing: Smoothing, probabilities: FloatArray, times: FloatArray, faces: list[int], result: FloatArray
) -> None:
    rows = range(faces[0], faces[-1] + 1)
    filled = {t: [np.interp(times[t], times[faces], probabilities[faces, c]) for c in range(C)] for t in rows}
    for t in rows:
        near = [s for s in rows if abs(times[s] - times[t]) <= smoothing.width / 2 + 1e-6]
        values = np.array([filled[s] for s in near])
        if smoothing.kind == "none":
            result[t] = filled[t]
        elif smoothing.kind == "average":
            result[t] = values.mean(axis=0)
        elif smoothing.kind == "median":
            middle = np.median(values, axis=0)
            result[t] = middle / middle.sum() if middle.sum() else values.mean(axis=0)
        elif smoothing.width == 0:
            result[t] = filled[t]
        else:
            deviation = smoothing.width / math.sqrt(12)
            reached = [s for s in rows if abs(times[s] - times[t]) <= 4 * deviation + 1e-6]
            weights = [math.exp(-((times[s] - times[t]) ** 2) / (2 * deviation**2)) for s in reached]
            result[t] = np.average([filled[s] for s in reached], axis=0, weights=weights)


@given(sequence=sequences(), smoothing=smoothings)
@settings(max_examples=150, deadline=None)
def test_every_kind_is_its_definition_on_irregular_times(sequence: Sequence, smoothing: Smoothing) -> None:
    np.testing.assert_allclose(smoothing.apply(*sequence), written_out(smoothing, sequence), atol=1e-12)


@given(sequence=sequences(), smoothing=smoothings)
@settings(max_examples=100, deadline=None)
def test_rows_stay_distributions_and_faces_keep_a_result(sequence: Sequence, smoothing: Smoothing) -> None:
    result = smoothing.apply(*sequence)
    faces = ~np.isnan(sequence[0][:, 0])
    has_result = np.logical_not(np.isnan(result).any(axis=1))
    assert has_result[faces].all()
    assert np.isnan(result[~has_result]).all()
    assert (result[has_result] >= 0).all()
    np.testing.assert_allclose(result[has_result].sum(axis=1), 1, atol=1e-12)


@given(sequence=sequences(), smoothing=smoothings, shift=st.sampled_from((-50.0, 3.125, 86_400.0, 1.7e9)))
@settings(max_examples=60, deadline=None)
def test_a_shift_of_time_changes_nothing(sequence: Sequence, smoothing: Smoothing, shift: float) -> None:
    probabilities, times, tracks = sequence
    times = np.round(times * 2**20) / 2**20  # adding the shift is exact, so that nothing but it differs
    assert ((times + shift) - shift == times).all()
    shifted = smoothing.apply(probabilities, times + shift, tracks)
    np.testing.assert_allclose(shifted, smoothing.apply(probabilities, times, tracks), atol=1e-9)


@given(sequence=sequences(), smoothing=smoothings)
@settings(max_examples=60, deadline=None)
def test_turning_time_round_turns_the_result_round(sequence: Sequence, smoothing: Smoothing) -> None:
    probabilities, times, tracks = sequence
    turned = smoothing.apply(probabilities[::-1], -times[::-1], tracks[::-1])
    np.testing.assert_allclose(turned[::-1], smoothing.apply(*sequence), atol=1e-12)


@given(sequence=sequences(), smoothing=smoothings)
@settings(max_examples=60, deadline=None)
def test_constant_sequences_are_unchanged(sequence: Sequence, smoothing: Smoothing) -> None:
    constant = np.where(np.isnan(sequence[0]), np.nan, distributions(1, 1))
    result = smoothing.apply(constant, *sequence[1:])
    rows = ~np.isnan(result[:, 0])
    np.testing.assert_allclose(
        result[rows], np.broadcast_to(distributions(1, 1), (rows.sum(), C)), atol=1e-12
    )


@given(sequence=sequences(), smoothing=smoothings, data=st.data())
@settings(max_examples=100, deadline=None)
def test_nothing_crosses_a_gap_or_a_change_of_track(
    sequence: Sequence, smoothing: Smoothing, data: st.DataObject
) -> None:
    """What lies on one side of a cut does not depend on what lies on the other."""
    probabilities, times, tracks = sequence
    faces = np.flatnonzero(~np.isnan(probabilities[:, 0]))
    cuts = [
        (a, b)
        for a, b in pairwise(faces)
        if tracks[a] != tracks[b] or times[b] - times[a] > smoothing.max_gap + 1e-6
    ]
    if not cuts:
        return
    before, after = data.draw(st.sampled_from(cuts))
    result = smoothing.apply(*sequence)
    left, right = slice(None, before + 1), slice(after, None)
    for side in (left, right):
        alone = smoothing.apply(probabilities[side], times[side], tracks[side])
        np.testing.assert_allclose(result[side], alone, atol=1e-12)
    assert np.isnan(result[before + 1 : after]).all()


@pytest.mark.parametrize("half", [1, 4, 50])
def test_the_average_agrees_with_scipy_on_regular_times(half: int) -> None:
    values = distributions(0, 300)
    window: dict[str, Any] = {"size": 2 * half + 1, "mode": "constant"}
    counted = ndimage.uniform_filter1d(np.ones(300), **window)
    expected = ndimage.uniform_filter1d(values, axis=0, **window) / counted[:, None]
    result = Smoothing("average", 2 * half / 30).apply(values, np.arange(1, 301) / 30)
    np.testing.assert_allclose(result, expected, atol=1e-12)


def test_the_gaussian_agrees_with_scipy_on_regular_times() -> None:
    values = distributions(1, 300)
    deviation = 1.0 / math.sqrt(12) * 30
    window: dict[str, Any] = {"sigma": deviation, "mode": "constant", "radius": int(4 * deviation)}
    counted = ndimage.gaussian_filter1d(np.ones(300), **window)
    expected = ndimage.gaussian_filter1d(values, axis=0, **window) / counted[:, None]
    result = Smoothing("gaussian", 1.0).apply(values, np.arange(300) / 30)
    np.testing.assert_allclose(result, expected, atol=1e-12)


@pytest.mark.parametrize("half", [1, 7])
def test_the_median_agrees_with_scipy_away_from_the_ends(half: int) -> None:
    values = distributions(2, 5000)
    expected = ndimage.median_filter(values, size=(2 * half + 1, 1))
    expected /= expected.sum(axis=1, keepdims=True)
    result = Smoothing("median", 2 * half / 25).apply(values, np.arange(5000) / 25)
    np.testing.assert_allclose(result[half:-half], expected[half:-half], atol=1e-12)


def test_the_median_removes_a_single_outlier_and_keeps_an_onset_sharp() -> None:
    labels = np.array([0] * 10 + [1] * 10)
    clean = np.eye(2)[labels]
    spoiled = clean.copy()
    spoiled[4] = [0, 1]
    times = np.arange(20) / 10
    np.testing.assert_array_equal(Smoothing("median", 0.4).apply(spoiled, times), clean)


def test_gaussian_and_average_of_one_width_blur_alike() -> None:
    impulse = np.tile([0.0, 1.0], (2001, 1))
    impulse[1000] = [1, 0]
    times = np.arange(-1000, 1001) / 500

    def spread(kind: Kind) -> float:
        weights = Smoothing(kind, 0.8).apply(impulse, times)[:, 0]
        return float(np.sqrt((weights * times**2).sum() / weights.sum()))

    assert spread("average") == pytest.approx(0.8 / math.sqrt(12), rel=0.01)
    assert spread("gaussian") == pytest.approx(spread("average"), rel=0.01)


def test_gaps_are_filled_linearly_in_time_up_to_the_given_length() -> None:
    nothing = [math.nan, math.nan]
    values = np.array([[1.0, 0.0], nothing, [0.0, 1.0], nothing, nothing, [1.0, 0.0], nothing])
    times = np.array([0.0, 0.1, 0.4, 0.5, 0.9, 1.2, 1.3])
    result = Smoothing("none", max_gap=0.4).apply(values, times)
    np.testing.assert_allclose(result[:3], np.array([[1, 0], [0.75, 0.25], [0, 1]]))
    assert np.isnan(result[[3, 4, 6]]).all()
    np.testing.assert_allclose(result[5], [1, 0])


def test_input_is_not_written_to_and_no_gap_means_no_change() -> None:
    values, times = distributions(3, 50), np.arange(50) / 30
    values[[0, 7, 8]] = np.nan
    before = values.copy()
    result = Smoothing("none", max_gap=0).apply(values, times)
    np.testing.assert_array_equal(result, before)
    Smoothing("average").apply(values, times)
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("kind", ["none", *KINDS])
@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_video_with_no_face_has_no_result_and_one_frame_is_itself(kind: Kind, count: int) -> None:
    times = np.arange(count) / 30
    assert np.isnan(Smoothing(kind).apply(np.full((count, C), np.nan), times)).all()
    assert (Smoothing(kind).labels(np.full((count, C), np.nan), times) == -1).all()
    one = distributions(0, 1)
    np.testing.assert_allclose(Smoothing(kind).apply(one, np.zeros(1)), one)


def test_labels_are_those_of_the_smoothed_rows_after_hysteresis() -> None:
    values = np.array([[0.9, 0.1]] * 5 + [[0.4, 0.6]] + [[0.9, 0.1]] * 5 + [[0.1, 0.9]] * 9)
    times = np.arange(20) / 10
    assert Smoothing("none").labels(values, times).tolist() == [0] * 5 + [1] + [0] * 5 + [1] * 9
    kept = [0] * 11 + [1] * 9
    assert Smoothing("average", 0.4).labels(values, times).tolist() == kept
    assert Smoothing("none", enter=0.8, leave=0.3).labels(values, times).tolist() == kept
    assert Smoothing("none", min_duration=0.3).labels(values, times).tolist() == kept


@pytest.mark.parametrize(
    ("probabilities", "times", "tracks", "message"),
    [
        (np.full((3, 2), 0.5), [0, 1], None, "Expected 3 times"),
        (np.full((3, 2), 0.5), [0, 2, 1], None, r"first row 2: 1 s after 2 s"),
        (np.full((3, 2), 0.5), [0, 1, 1], None, "must increase"),
        (np.full((3, 2), 0.5), [0, 1, math.nan], None, "1 of 3 times are not finite"),
        (np.full((3, 2), 0.5), [0, 1, 2], [0, 1], "Expected 3 tracks"),
        (np.full((3, 1), 1.0), [0, 1, 2], None, "at least two classes"),
        (np.full(3, 1.0), [0, 1, 2], None, "at least two classes"),
        ([[0.5, 0.5], [0.5, math.nan], [2, 3]], [0, 1, 2], None, "2 rows .* first row 1"),
        ([[1.5, -0.5]], [0], None, "softmax"),
        ([[math.inf, -math.inf]], [0], None, "softmax"),
    ],
)
def test_bad_input_is_refused(probabilities: Any, times: Any, tracks: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Smoothing().apply(
            np.asarray(probabilities), np.asarray(times), None if tracks is None else np.asarray(tracks)
        )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "mean"}, "choose from none, average"),
        ({"width": -1}, "width"),
        ({"max_gap": math.inf}, "max_gap"),
        ({"min_duration": math.nan}, "min_duration"),
        ({"enter": 0.4, "leave": 0.5}, "leave 0.5 and enter 0.4"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Smoothing(**settings)
