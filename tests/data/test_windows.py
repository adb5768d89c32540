"""Frames fall into tracks in order, and windows over them are a pure function of the step."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfsmile.data.windows import (
    PADDING,
    FrameTrack,
    WindowSampler,
    group_tracks,
    take_windows,
    window_starts,
)


def tracks_of(*lengths: int) -> list[FrameTrack]:
    first, found = 0, []
    for number, length in enumerate(lengths):
        rows = np.arange(first, first + length)
        found.append(FrameTrack(f"video {number}", None, rows, 100 + np.arange(length) / 25))
        first += length
    return found


def test_people_and_videos_are_tracks_of_their_own() -> None:
    videos, people = ["a", "a", "b", "a", "a"], ["x", "y", "x", "x", "y"]
    tracks, notes = group_tracks(videos, people, [0.0, 0.0, 0.0, 0.1, 0.4])
    assert [(t.video, t.person, t.rows.tolist(), t.times.tolist()) for t in tracks] == [
        ("a", "x", [0, 3], [0.0, 0.1]),
        ("a", "y", [1, 4], [0.0, 0.4]),
        ("b", "x", [2], [0.0]),
    ]
    assert notes == []


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.integers(0, 8)), min_size=1))
def test_tracks_are_the_rows_in_the_order_of_time(frames: list[tuple[str, str, int]]) -> None:
    videos, people, times = (list(column) for column in zip(*frames, strict=True))
    tracks, notes = group_tracks(videos, people, times)
    kept = np.concatenate([track.rows for track in tracks])
    assert len(set(kept.tolist())) == len(kept) == len(set(frames))
    repeated = len(frames) - len(kept)
    assert any(note.startswith(f"{repeated} frames have the time") for note in notes) == (repeated > 0)
    for track in tracks:
        assert (np.diff(track.times) > 0).all()
        assert all(
            frames[row] == (track.video, track.person, time)
            for row, time in zip(track.rows, track.times, strict=True)
        )
        assert all(frames.index(frames[row]) == row for row in track.rows)


def test_frames_out_of_order_are_sorted_and_counted() -> None:
    tracks, notes = group_tracks(["a"] * 5, [None] * 5, [0.3, 0.1, 0.2, 0.0, 0.4])
    assert tracks[0].rows.tolist() == [3, 1, 2, 0, 4]
    assert notes == ["2 frames came before an earlier one of their track and were sorted by time."]


def test_frames_without_a_usable_time_are_refused() -> None:
    with pytest.raises(ValueError, match="1 frames have no finite time, first row 1"):
        group_tracks(["a", "a"], ["x", "x"], [0.0, float("nan")])
    with pytest.raises(ValueError, match="found 2, 1 and times of shape"):
        group_tracks(["a", "a"], ["x"], [0.0, 1.0])
    with pytest.raises(ValueError, match="one or more frames"):
        group_tracks([], [], [])


@settings(max_examples=100, deadline=None)
@given(length=st.integers(1, 100), window=st.integers(1, 20), hop=st.integers(1, 20))
def test_windows_cover_every_frame_and_end_with_the_track(length: int, window: int, hop: int) -> None:
    hop = min(hop, window)
    starts = window_starts(length, window=window, hop=hop)
    covered = {frame for start in starts for frame in range(start, min(start + window, length))}
    assert covered == set(range(length))
    assert starts == sorted(set(starts))
    assert starts[-1] == max(0, length - window)
    assert all(0 < step <= hop for step in np.diff(starts))


def test_ranges_are_checked() -> None:
    for length, window, hop in ((0, 4, 2), (4, 4, 5), (4, 4, 0)):
        with pytest.raises(ValueError, match="1 <= hop <= window"):
            window_starts(length, window=window, hop=hop)


def test_windows_hold_rows_and_seconds_since_their_first_frame() -> None:
    tracks = [
        FrameTrack("v", None, np.array([7, 5, 9, 2]), np.array([10.0, 10.5, 11.5, 12.0])),
        *tracks_of(1),
    ]
    windows = take_windows(tracks, [(0, 1), (1, 0)], 3)
    assert windows.rows.tolist() == [[5, 9, 2], [0, PADDING, PADDING]]
    assert windows.times.tolist() == [[0.0, 1.0, 1.5], [0.0, 0.0, 0.0]]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), step=st.integers(0, 30), hop=st.integers(1, 8))
def test_a_step_depends_on_seed_and_number_alone_and_shards_make_it_up(
    seed: int, step: int, hop: int
) -> None:
    tracks = tracks_of(3, 30, 8, 1)

    def sampler(rank: int = 0, world_size: int = 1) -> WindowSampler:
        return WindowSampler(
            tracks, window=8, hop=hop, batch_size=6, seed=seed, rank=rank, world_size=world_size
        )

    used = sampler()
    for other in range(step):
        used(other)
    whole = used(step)
    assert np.array_equal(whole.rows, sampler()(step).rows)
    for rank in range(3):
        assert np.array_equal(sampler(rank, 3)(step).rows, whole.rows[rank::3])
    for row in whole.rows:
        inside = [t for t in tracks if set(row[row != PADDING].tolist()) <= set(t.rows.tolist())]
        assert len(inside) == 1
        assert (row != PADDING).sum() == min(8, len(inside[0]))
        assert (np.diff(row[row != PADDING]) == 1).all()


def test_an_epoch_draws_from_every_window_and_windows_move() -> None:
    sampler = WindowSampler(tracks_of(60, 2), window=10, hop=10, batch_size=7, seed=1)
    assert len(sampler) == 7
    firsts = np.array([sorted(sampler(epoch).rows[:, 0]) for epoch in range(40)])
    assert (abs(firsts - [0, 10, 20, 30, 40, 50, 60]) <= 5).all()
    assert (firsts[:, :6] >= 0).all()
    assert (firsts[:, :6] <= 50).all()
    assert len(np.unique(firsts[:, 2])) > 5
