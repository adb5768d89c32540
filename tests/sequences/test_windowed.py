"""Whole videos and streams get the same logits to the bit, in memory that does not grow with the video."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfsmile.data.windows import window_starts
from halfsmile.sequences import windowed
from halfsmile.sequences.windowed import Flags, Floats, FrameFeatures, LogitStream, Times, frame_logits

FEATURES, CLASSES = 3, 7
CONTEXTS = [(0, 0), (3, 0), (3, 2), (0, 2), (1, 9), None]
LENGTHS = (*range(20), 25, 26, 27, 140)


class Network:
    """A third of a whole number for what it sees; without a context that depends on the place in the window.

    Notes the windows that it is run on: for each batch the numbers of their first frames, and their length.
    """

    features, classes = FEATURES, CLASSES

    def __init__(self, context: tuple[int, int] | None, window: int = 8) -> None:
        self.context, self.window = context, window
        self.batches: list[tuple[list[int], int]] = []

    def window_logits(self, features: Floats, times: Times, present: Flags) -> Floats:
        assert [str(array.dtype) for array in (features, times, present)] == ["float32", "float64", "bool"]
        assert not features[~present].any()
        assert not times[:, 0].any()
        assert (np.diff(times, axis=1) > 0).all()
        numbers = features[:, :, 0].astype(int)
        self.batches.append((numbers[:, 0].tolist(), numbers.shape[1]))
        return np.stack([self.logits(row) for row in numbers])

    def logits(self, numbers: npt.NDArray[np.int64]) -> Floats:
        """Logits (T, classes) of one window of frames with these numbers, 0 without a face."""
        places = np.arange(len(numbers))
        past, later = self.context or (len(numbers), len(numbers))
        near = np.abs(places[:, None] - places) <= np.where(places < places[:, None], past, later)
        seen = (near * numbers).sum(axis=1)
        if self.context is None:
            seen += places
        return np.asarray(seen[:, None] * (1 + np.arange(CLASSES)) % 97, np.float32) / np.float32(3)

    def taken(self) -> list[tuple[list[int], int]]:
        """The batches since the last call."""
        found, self.batches = self.batches, []
        return found


def video(count: int, *, gaps: bool = True) -> list[FrameFeatures]:
    """Frames whose first feature is their number; some without a face. Frame 0 has none, or number 0."""
    rng = np.random.default_rng(count)
    times = np.cumsum(rng.uniform(0.02, 0.3, count)) + 3600
    present = rng.random(count) < 0.7 if gaps else np.ones(count, np.bool_)
    return [
        FrameFeatures(float(time), np.array([i, 1, 2]) if seen else None)
        for i, (time, seen) in enumerate(zip(times, present, strict=True))
    ]


def joined(rows: list[Floats]) -> Floats:
    return np.stack(rows) if rows else np.zeros((0, CLASSES), np.float32)


def whole(network: Network, frames: list[FrameFeatures], hop: int | None = None) -> Floats:
    return joined(list(frame_logits(network, frames, hop=hop)))


def by_definition(network: Network, frames: list[FrameFeatures], hop: int) -> Floats:
    """One pass over the whole video, or windows blended by triangles, without any streaming."""
    numbers = np.array([0 if f.features is None else f.features[0] for f in frames], np.int64)
    count, window = len(frames), network.window
    if network.context is not None or count < window:
        return network.logits(numbers)
    sums, weights = np.zeros((count, CLASSES), np.float32), np.zeros((count, 1), np.float32)
    triangle = np.array([[min(i + 1, window - i)] for i in range(window)], np.float32)
    for start in window_starts(count, window=window, hop=hop):
        sums[start : start + window] += triangle * network.logits(numbers[start : start + window])
        weights[start : start + window] += triangle
    return sums / weights


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("window", [1, 2, 5, 8])
def test_whole_videos_and_streams_get_the_same_bits(
    context: tuple[int, int] | None, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windowed, "CHUNK", 6)
    monkeypatch.setattr(windowed, "WINDOWS_AT_ONCE", 3)
    network = Network(context, window)
    stream = LogitStream(network)
    assert stream.delay == (window if context is None else context[1])
    for count in LENGTHS:
        frames = video(count)
        expected = by_definition(network, frames, max(1, window // 2))
        np.testing.assert_array_equal(whole(network, frames), expected)
        for _ in range(2):
            found = [stream.push(frame.time, frame.features) for frame in frames]
            assert [len(decided) for decided in found] == [int(i >= stream.delay) for i in range(count)]
            decided = [*itertools.chain(*found), *stream.finish()]
            assert [time for time, _ in decided] == [frame.time for frame in frames]
            np.testing.assert_array_equal(joined([logits for _, logits in decided]), expected)
        assert stream.finish() == []


@settings(max_examples=30, deadline=None)
@given(
    frames=st.integers(1, 60),
    window=st.integers(1, 9),
    share=st.floats(0, 1),
    at_once=st.integers(1, 4),
)
def test_any_hop_and_any_number_at_once_blend_alike(
    frames: int, window: int, share: float, at_once: int
) -> None:
    network, shown, hop = Network(None, window), video(frames), 1 + int(share * (window - 1))
    stream = LogitStream(network, hop=hop, at_once=at_once)
    decided = [pair for frame in shown for pair in stream.push(frame.time, frame.features)] + stream.finish()
    expected = by_definition(network, shown, hop)
    np.testing.assert_array_equal(joined([logits for _, logits in decided]), expected)
    np.testing.assert_array_equal(whole(network, shown, hop), expected)


def test_chunks_are_read_with_their_context_and_no_more() -> None:
    """256 new frames at a time: the network sees each frame about once, however long the video."""
    network = Network((3, 2))
    for count in (255, 256, 257, 258, 259, 511, 512, 513, 514, 515, 516):
        frames = video(count, gaps=False)
        np.testing.assert_array_equal(whole(network, frames), by_definition(network, frames, 4))
        starts = range(0, count, 256)
        assert network.taken() == [
            ([max(0, start - 3)], min(count, start + 256 + 2) - max(0, start - 3)) for start in starts
        ]


def test_windows_are_read_together_and_the_last_one_ends_with_the_video() -> None:
    network = Network(None, window=8)
    for count in (7, 8, 9, 12, 13, 68, 69, 71, 72, 73, 132, 133):
        whole(network, video(count, gaps=False))
        starts = window_starts(count, window=8, hop=4)
        assert network.taken() == [
            (starts[first : first + 16], min(8, count)) for first in range(0, len(starts), 16)
        ]


def test_a_video_shorter_than_a_window_gets_the_very_logits_of_its_window() -> None:
    logits = np.random.default_rng(0).normal(size=(63, CLASSES)).astype(np.float32)

    class Fixed(Network):
        def window_logits(self, features: Floats, times: Times, present: Flags) -> Floats:
            return logits[None]

    np.testing.assert_array_equal(whole(Fixed(None, window=64), video(63)), logits)


@pytest.mark.parametrize("context", [(3, 2), None])
def test_a_frame_costs_the_same_however_long_the_stream_runs(context: tuple[int, int] | None) -> None:
    network = Network(context)
    stream = LogitStream(network)
    for frame in video(200, gaps=False):
        stream.push(frame.time, frame.features)
        held = len(stream._windows.held)
        assert held <= (8 if context is None else sum(context))
    frames = sum(len(starts) * length for starts, length in network.taken()[-10:])
    assert frames == 10 * (8 if context is None else 3 + 1 + 2)


@pytest.mark.parametrize("context", [(3, 2), None])
def test_an_endless_video_is_answered_as_it_comes(context: tuple[int, int] | None) -> None:
    read = itertools.count()
    endless = (FrameFeatures(next(read) / 25, None) for _ in itertools.repeat(None))
    answers = frame_logits(Network(context), endless)
    for answered in range(3000):
        next(answers)
        if answered % 100 == 0:
            assert next(read) - answered < 600


@pytest.mark.parametrize("context", [(3, 2), None])
def test_memory_does_not_grow_with_the_video(context: tuple[int, int] | None) -> None:
    def peak(frames: int) -> int:
        """Bytes, of which a frame that is held takes some 200."""
        network = Network(context)
        tracemalloc.start()
        shown = (FrameFeatures(i / 25, np.zeros(FEATURES, np.float32)) for i in range(frames))
        for _ in frame_logits(network, shown):
            network.batches.clear()
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(500)
    assert peak(4000) - peak(500) < 0.2 * 200 * 3500


def test_what_does_not_fit_is_refused() -> None:
    feature = np.zeros(FEATURES, np.float32)
    backwards = [FrameFeatures(1.0, feature), FrameFeatures(0.5, feature)]
    with pytest.raises(ValueError, match=r"0\.5 s follows 1\.0 s"):
        list(frame_logits(Network(None), backwards))
    for context in ((3, 1), None):
        stream = LogitStream(Network(context))
        stream.push(1.0, None)
        for time in (1.0, 0.5, float("nan"), float("inf")):
            with pytest.raises(ValueError, match="must be finite and rise"):
                stream.push(time, None)
        with pytest.raises(ValueError, match=r"Expected 3 features of a face, found shape \(1,\)"):
            stream.push(2.0, feature[:1])
        stream.push(2.0, feature)
        assert [time for time, _ in stream.finish()] == ([2.0] if context else [1.0, 2.0])
    with pytest.raises(ValueError, match="between 1 and the window"):
        frame_logits(Network(None), [], hop=9)
    with pytest.raises(ValueError, match="at least 1, found 0"):
        LogitStream(Network((3, 1)), at_once=0)
