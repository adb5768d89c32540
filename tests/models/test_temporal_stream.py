"""Whole videos in parts give what one pass gives, and memory does not grow with the video."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from halfsmile.data.windows import window_starts
from halfsmile.models import temporal_stream
from halfsmile.models.temporal import TemporalConfig, TemporalNetwork
from halfsmile.models.temporal_convolution import make_network
from halfsmile.models.temporal_stream import Frame, OnlineStream, frame_logits

FEATURES, CLASSES = 5, 3


def network(**changes: object) -> TemporalNetwork:
    torch.manual_seed(0)
    shape = {"width": 8, "heads": 2, "window": 8, "history": 3} | changes
    model = make_network(TemporalConfig(**shape), features=FEATURES, classes=CLASSES)  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model.eval()


def video(frames: int, seed: int = 0) -> list[Frame]:
    """Uneven times, and every fifth frame or so without a face."""
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.02, 0.3, frames)) + 3600
    features = rng.normal(size=(frames, FEATURES)).astype(np.float32)
    seen = rng.random(frames) > 0.2
    return [Frame(float(t), f if s else None) for t, f, s in zip(times, features, seen, strict=True)]


@torch.inference_mode()
def one_pass(model: TemporalNetwork, frames: list[Frame]) -> npt.NDArray[np.float32]:
    zero = np.zeros(FEATURES, np.float32)
    features = np.stack([zero if f.feature is None else f.feature for f in frames])
    return model(  # type: ignore[no-any-return]
        torch.from_numpy(features)[None],
        torch.tensor([[f.time for f in frames]], dtype=torch.float64),
        torch.tensor([[f.feature is not None for f in frames]]),
    )[0].numpy()


def joined(parts: Iterator[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    found = list(parts)
    return np.stack(found) if found else np.zeros((0, CLASSES), np.float32)


@pytest.mark.parametrize("kind", ["transformer", "convolution"])
@pytest.mark.parametrize("delay", [0, 1, 4])
@pytest.mark.parametrize("frames", [1, 2, 7, 40])
def test_chunks_and_stream_are_one_pass_over_the_video(
    kind: str, delay: int, frames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(temporal_stream, "CHUNK", 6)
    model, shown = network(kind=kind, delay=delay), video(frames)
    expected = one_pass(model, shown)
    np.testing.assert_allclose(joined(frame_logits(model, shown)), expected, atol=1e-5)
    stream = OnlineStream(model)
    for _ in range(2):
        answers = [stream.push(frame) for frame in shown]
        assert [answer is None for answer in answers] == [i < delay for i in range(frames)]
        given_back = [answer for answer in answers if answer is not None] + stream.finish()
        np.testing.assert_allclose(np.stack(given_back), expected, atol=1e-5)


@pytest.mark.parametrize("frames", [1, 5, 40])
def test_an_offline_convolution_is_exact_too(frames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temporal_stream, "CHUNK", 6)
    model, shown = network(kind="convolution"), video(frames)
    np.testing.assert_allclose(joined(frame_logits(model, shown)), one_pass(model, shown), atol=1e-5)


@settings(max_examples=12, deadline=None)
@given(frames=st.integers(1, 60), hop=st.integers(1, 8), at_once=st.integers(1, 4))
def test_offline_windows_are_blended_by_triangles(frames: int, hop: int, at_once: int) -> None:
    model, shown = network(), video(frames)
    sums, weights = np.zeros((frames, CLASSES)), np.zeros((frames, 1))
    for start in window_starts(frames, window=8, hop=hop):
        part = shown[start : start + 8]
        share = (
            np.array([[min(i + 1, 8 - i)] for i in range(8)]) if len(part) == 8 else np.ones((len(part), 1))
        )
        sums[start : start + 8] += share * one_pass(model, part)
        weights[start : start + 8] += share
    before = temporal_stream.WINDOWS_AT_ONCE
    try:
        temporal_stream.WINDOWS_AT_ONCE = at_once
        found = joined(frame_logits(model, shown, hop=hop))
    finally:
        temporal_stream.WINDOWS_AT_ONCE = before
    np.testing.assert_allclose(found, sums / weights, atol=1e-5)


@pytest.mark.parametrize("delay", [None, 2])
def test_an_endless_video_is_answered_as_it_comes(delay: int | None) -> None:
    model = network(delay=delay)
    read = itertools.count()
    feature = np.zeros(FEATURES, np.float32)
    endless = (Frame(next(read) / 25, feature) for _ in itertools.repeat(None))
    answers = frame_logits(model, endless)
    for answered in range(3000):
        next(answers)
        if answered % 100 == 0:
            ahead = next(read) - answered
            assert ahead < 600


@pytest.mark.parametrize("delay", [None, 2])
def test_memory_does_not_grow_with_the_video(delay: int | None) -> None:
    model = network(delay=delay)

    def peak(frames: int) -> int:
        """Bytes, of which a frame that is held takes some 200."""
        tracemalloc.start()
        shown = (Frame(i / 25, np.zeros(FEATURES, np.float32)) for i in range(frames))
        for _ in frame_logits(model, shown):
            pass
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(500)
    assert peak(4000) - peak(500) < 0.2 * 200 * 3500


def test_no_frame_gives_no_logits_and_no_face_gives_finite_ones() -> None:
    for delay in (None, 1):
        model = network(delay=delay)
        assert list(frame_logits(model, [])) == []
        found = joined(frame_logits(model, [Frame(i / 25, None) for i in range(30)]))
        assert found.shape == (30, CLASSES)
        assert np.isfinite(found).all()


def test_what_does_not_fit_is_refused() -> None:
    feature = np.zeros(FEATURES, np.float32)
    backwards = [Frame(1.0, feature), Frame(0.5, feature)]
    with pytest.raises(ValueError, match=r"0\.5 s follows 1\.0 s"):
        list(frame_logits(network(), backwards))
    stream = OnlineStream(network(delay=1))
    stream.push(backwards[0])
    with pytest.raises(ValueError, match="must be finite and rise"):
        stream.push(backwards[1])
    with pytest.raises(ValueError, match="needs an online network"):
        OnlineStream(network())
    with pytest.raises(ValueError, match="between 1 and the window"):
        frame_logits(network(), [], hop=9)
