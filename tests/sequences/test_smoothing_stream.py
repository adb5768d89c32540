"""The average frame by frame: equal to the whole-video one, in order, in time, in little memory."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfsmile.sequences.smoothing import Smoothing
from halfsmile.sequences.smoothing_stream import Smoothed, StreamingAverage


def stream(
    average: StreamingAverage, probabilities: np.ndarray, times: np.ndarray, tracks: np.ndarray
) -> list[Smoothed]:
    done: list[Smoothed] = []
    for row, time, track in zip(probabilities, times, tracks, strict=True):
        done += average.push(float(time), row, track=int(track))
    return done + average.flush()


@st.composite
def videos(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    count = draw(st.integers(1, 50))
    steps = draw(st.lists(st.integers(1, 400), min_size=count, max_size=count))
    probabilities = np.random.default_rng(draw(st.integers(0, 999))).dirichlet(np.full(3, 0.5), size=count)
    faces = draw(st.lists(st.booleans() | st.just(True), min_size=count, max_size=count))
    probabilities[~np.array(faces)] = np.nan
    changes = draw(st.lists(st.integers(0, 12), min_size=count, max_size=count))
    return probabilities, np.cumsum(steps) / 1000, np.cumsum(np.array(changes) == 0)


@given(videos(), st.sampled_from((0.0, 0.2, 0.9, 3.0)), st.sampled_from((0.0, 0.3, 1.0)))
@settings(max_examples=150, deadline=None)
def test_with_half_a_width_of_delay_it_is_the_average_of_the_whole_video(
    video: tuple[np.ndarray, np.ndarray, np.ndarray], width: float, max_gap: float
) -> None:
    done = stream(StreamingAverage(width, delay=width / 2, max_gap=max_gap), *video)
    assert [time for time, _ in done] == video[1].tolist()
    found = np.array([np.full(3, np.nan) if row is None else row for _, row in done])
    np.testing.assert_allclose(found, Smoothing("average", width, max_gap).apply(*video), atol=1e-12)


@given(videos(), st.sampled_from((0.0, 0.1, 0.5, 0.9)))
@settings(max_examples=60, deadline=None)
def test_the_window_reaches_from_width_minus_delay_before_to_delay_after(
    video: tuple[np.ndarray, np.ndarray, np.ndarray], delay: float
) -> None:
    _, times, tracks = video
    probabilities = np.random.default_rng(0).dirichlet(np.ones(3), size=len(times))
    done = stream(StreamingAverage(0.9, delay=delay, max_gap=9), probabilities, times, tracks)
    for (time, row), track in zip(done, tracks, strict=True):
        near = (times >= time - (0.9 - delay) - 1e-6) & (times <= time + delay + 1e-6) & (tracks == track)
        assert row is not None
        np.testing.assert_allclose(row, probabilities[near].mean(axis=0), atol=1e-12)


@given(videos(), st.sampled_from((0.0, 0.2, 0.5)), st.sampled_from((0.0, 0.3)))
@settings(max_examples=80, deadline=None)
def test_every_frame_comes_in_time(
    video: tuple[np.ndarray, np.ndarray, np.ndarray], delay: float, max_gap: float
) -> None:
    average = StreamingAverage(0.5, delay=delay, max_gap=max_gap)
    given_back = 0
    for pushed, (row, time, track) in enumerate(zip(*video, strict=True), 1):
        given_back += len(average.push(float(time), row, track=int(track)))
        overdue = (video[1][:pushed] < time - delay - max_gap - 1e-5).sum()
        assert overdue <= given_back <= pushed
    if delay == 0 and not np.isnan(video[0]).any():
        assert given_back == len(video[0])


def test_without_delay_each_frame_is_answered_at_once() -> None:
    average = StreamingAverage(0.2)
    for k in range(30):
        ((time, row),) = average.push(k / 30, [0.25, 0.75])
        assert time == k / 30
        assert row is not None
        np.testing.assert_allclose(row, np.array([0.25, 0.75]))
    assert average.flush() == []


def test_memory_is_that_of_a_window() -> None:
    average = StreamingAverage(1.0, delay=0.5)
    for k in range(3000):
        average.push(k / 30, [0.5, 0.5] if k % 7 else None)
        assert len(average._segment) <= 33


def test_a_gap_holds_back_its_frames_and_no_others_forever() -> None:
    average = StreamingAverage(0.2, max_gap=0.3)
    assert len(average.push(0.0, [1, 0])) == 1
    assert average.push(0.1, None) == average.push(0.3, [math.nan] * 2) == []
    assert average.push(0.4, None) == [(0.1, None), (0.3, None), (0.4, None)]
    assert average.push(0.5, None) == [(0.5, None)]
    ((time, row),) = average.push(0.6, [0, 1])
    assert (time, row.tolist() if row is not None else None) == (0.6, [0, 1])


@pytest.mark.parametrize(("width", "delay", "gap"), [(1, 2, 1), (-1, 0, 1), (1, -0.1, 1), (1, 0, math.inf)])
def test_bad_settings_are_refused(width: float, delay: float, gap: float) -> None:
    with pytest.raises(ValueError, match="0 <= delay <= width"):
        StreamingAverage(width, delay=delay, max_gap=gap)


def test_frames_out_of_order_and_rows_that_are_no_distribution_are_refused() -> None:
    average = StreamingAverage(1.0)
    average.push(1.0, [0.5, 0.5])
    with pytest.raises(ValueError, match="order of time"):
        average.push(1.0, [0.5, 0.5])
    for bad in ([0.5, math.nan], [3, 4], [[0.5, 0.5]], [1.5, -0.5]):
        with pytest.raises(ValueError, match="sum to 1"):
            average.push(2.0, bad)
    assert len(average.push(2.0, [1, 0])) == 1
