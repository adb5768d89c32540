"""Time enters by differences, absent frames have no say, online logits wait for few later frames."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from halfsmile.data.windows import window_starts
from halfsmile.models.temporal.convolution import make_network
from halfsmile.models.temporal.encoder import (
    TIME_UNIT,
    TemporalConfig,
    TemporalEncoder,
    TemporalNetwork,
    TimeBias,
)
from halfsmile.sequences import windowed
from halfsmile.sequences.windowed import Floats, FrameFeatures, LogitStream, frame_logits

CONFIG = TemporalConfig(width=16, depth=3, heads=4, window=12, history=4, dropout=0.2)
FRAMES, FEATURES, CLASSES = 12, 5, 3


def encoder(config: TemporalConfig = CONFIG) -> TemporalEncoder:
    """A network in evaluation mode whose every parameter matters."""
    torch.manual_seed(0)
    model = TemporalEncoder(config, features=FEATURES, classes=CLASSES)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model.eval()


def window(seed: int = 0, frames: int = FRAMES) -> tuple[Tensor, Tensor, Tensor]:
    """Features, uneven times and presence of two windows."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(2, frames, FEATURES, generator=generator)
    times = (0.02 + torch.rand(2, frames, generator=generator, dtype=torch.float64) / 10).cumsum(dim=1)
    return features, times, torch.ones(2, frames, dtype=torch.bool)


def touched(model: TemporalEncoder, frame: int) -> list[int]:
    """Frames whose logits change with the features of one frame."""
    features, times, present = window()
    other = features.clone()
    other[:, frame] += 1
    change = (model(other, times, present) - model(features, times, present)).abs().amax(dim=(0, 2))
    return torch.nonzero(change).flatten().tolist()


@pytest.mark.parametrize("shift", [1.0, -3.5, 7200.0, 1e6])
def test_adding_a_constant_to_all_times_changes_nothing(shift: float) -> None:
    model, (features, times, present) = encoder(), window()
    before, after = model(features, times, present), model(features, times + shift, present)
    torch.testing.assert_close(after, before, atol=2e-5, rtol=1e-4)


def test_time_differences_matter() -> None:
    model, (features, times, present) = encoder(), window()
    assert (model(features, 3 * times, present) - model(features, times, present)).abs().max() > 1e-2


def test_order_of_frames_matters_only_through_their_times() -> None:
    model, (features, times, present) = encoder(), window()
    order = torch.randperm(FRAMES, generator=torch.Generator().manual_seed(1))
    shuffled = model(features[:, order], times[:, order], present[:, order])
    torch.testing.assert_close(shuffled, model(features, times, present)[:, order])


def test_offline_every_frame_sees_every_other() -> None:
    assert touched(encoder(), 0) == touched(encoder(), FRAMES - 1) == list(range(FRAMES))
    assert encoder().context is None


@settings(max_examples=15, deadline=None)
@given(delay=st.integers(0, 4), history=st.integers(0, 5), depth=st.integers(1, 3), frame=st.integers(0, 11))
def test_online_logits_depend_on_no_frame_beyond_the_delay_nor_before_the_history(
    delay: int, history: int, depth: int, frame: int
) -> None:
    model = encoder(replace(CONFIG, delay=delay, history=history, depth=depth))
    found = touched(model, frame)
    assert model.context == (depth * history, delay)
    assert frame in found
    assert min(found) == max(0, frame - delay)
    assert max(found) == min(FRAMES - 1, frame + depth * history)


def test_online_logits_stay_when_later_frames_arrive() -> None:
    model, (features, times, present) = encoder(replace(CONFIG, delay=2)), window()
    whole = model(features, times, present)
    for seen in (5, 8, 11):
        early = model(features[:, :seen], times[:, :seen], present[:, :seen])
        torch.testing.assert_close(early[:, : seen - 2], whole[:, : seen - 2])


@pytest.mark.parametrize("delay", [None, 2])
def test_absent_frames_have_no_say_and_get_logits_of_their_own(delay: int | None) -> None:
    model, (features, times, present) = encoder(replace(CONFIG, delay=delay)), window()
    present[:, [3, 4, 9]] = False
    other = features.clone()
    other[:, [3, 4, 9]] = torch.nan
    logits = model(other, times, present)
    assert logits.isfinite().all()
    assert torch.equal(logits, model(features, times, present))
    if delay is None:
        kept = torch.tensor([i for i in range(FRAMES) if i not in (3, 4, 9)])
        without = model(features[:, kept], times[:, kept], present[:, kept])
        torch.testing.assert_close(logits[:, kept], without)


def test_windows_of_absent_frames_alone_are_finite() -> None:
    model, (features, times, present) = encoder(), window()
    assert model(features, times, torch.zeros_like(present)).isfinite().all()
    one = model(features[:, :1], times[:, :1], present[:, :1])
    assert one.shape == (2, 1, CLASSES)


def test_without_blocks_each_frame_stands_alone() -> None:
    model = encoder(replace(CONFIG, depth=0))
    assert touched(model, 4) == [4]
    assert model.context == (0, 0)


def test_features_are_standardized_as_the_training_features() -> None:
    model, (features, times, present) = encoder(), window()
    flat = features.flatten(0, 1)
    before = model(features, times, present)
    model.standardize_as(flat)
    expected = (flat - flat.mean(dim=0)) / flat.std(dim=0, correction=0)
    plain = encoder()
    torch.testing.assert_close(
        model(features, times, present),
        plain(expected.view_as(features), times, present),
        atol=1e-5,
        rtol=1e-4,
    )
    assert not torch.allclose(model(features, times, present), before)
    model.standardize_as(torch.ones(4, FEATURES))
    assert model(features, times, present).isfinite().all()
    with pytest.raises(ValueError, match="at least one frame"):
        model.standardize_as(torch.ones(0, FEATURES))


def test_time_bias_interpolates_its_curve_and_is_flat_far_away() -> None:
    bias = TimeBias(2)
    with torch.no_grad():
        bias.curves.copy_(torch.randn(bias.curves.shape, generator=torch.Generator().manual_seed(0)))
    times = torch.tensor([[0.0, 0.04, 0.5, 7.0, 29.0, 61.0, 100.0]], dtype=torch.float64)
    found = bias(times)[0, 1].detach().numpy()
    difference = times[0].numpy()[None, :] - times[0].numpy()[:, None]
    place = np.sign(difference) * np.log1p(np.abs(difference) / TIME_UNIT)
    knots = np.linspace(-bias.reach, bias.reach, len(bias.curves))
    expected = np.interp(place, knots, bias.curves[:, 1].detach().numpy())
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert found[0, 5] == found[0, 6]


def test_every_parameter_gets_a_gradient() -> None:
    model, (features, times, present) = encoder(replace(CONFIG, delay=1)), window()
    present[:, 2] = False
    model(features, times, present).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_without_blocks_nothing_is_trained_that_gets_no_gradient() -> None:
    encoder = TemporalEncoder(TemporalConfig(width=8, heads=2, depth=0), features=4, classes=3)
    encoder(torch.rand(1, 5, 4), torch.arange(5.0)[None], torch.ones(1, 5, dtype=torch.bool)).sum().backward()
    assert all(p.grad is not None for p in encoder.parameters() if p.requires_grad)


def test_shapes_that_do_not_fit_are_refused() -> None:
    features, times, present = window()
    with pytest.raises(ValueError, match=r"Expected features \(windows, frames, 5\)"):
        encoder()(features[..., :3], times, present)
    with pytest.raises(ValueError, match="heads divide width"):
        TemporalConfig(width=10, heads=4)
    with pytest.raises(ValueError, match="None is offline"):
        TemporalConfig(delay=-1)


def network(kind: Literal["transformer", "convolution"], delay: int | None) -> TemporalNetwork:
    torch.manual_seed(0)
    config = TemporalConfig(kind=kind, width=8, heads=2, window=8, delay=delay, history=3)
    model = make_network(config, features=FEATURES, classes=CLASSES)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model.train()  # which is not how videos are read


def video(frames: int) -> list[FrameFeatures]:
    """Uneven times, and every fifth frame or so without a face."""
    rng = np.random.default_rng(frames)
    times = np.cumsum(rng.uniform(0.02, 0.3, frames)) + 3600
    features = rng.normal(size=(frames, FEATURES)).astype(np.float32)
    seen = rng.random(frames) > 0.2
    return [FrameFeatures(float(t), f if s else None) for t, f, s in zip(times, features, seen, strict=True)]


@torch.inference_mode()
def one_pass(model: TemporalNetwork, frames: list[FrameFeatures]) -> Floats:
    features = np.array([np.zeros(FEATURES) if f.features is None else f.features for f in frames])
    return model.eval()(  # type: ignore[no-any-return]
        torch.from_numpy(features).float()[None],
        torch.tensor([[f.time for f in frames]], dtype=torch.float64),
        torch.tensor([[f.features is not None for f in frames]]),
    )[0].numpy()


@pytest.mark.parametrize(
    ("kind", "delay"),
    [
        *itertools.product(("transformer", "convolution"), (0, 1, 4)),
        ("convolution", None),
    ],
)
@pytest.mark.parametrize("frames", [1, 2, 5, 7, 40])
def test_chunks_and_streams_are_one_pass_over_the_video(
    kind: Literal["transformer", "convolution"],
    delay: int | None,
    frames: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(windowed, "CHUNK", 6)
    model, shown = network(kind, delay), video(frames)
    found = np.stack(list(frame_logits(model, shown)))
    np.testing.assert_allclose(found, one_pass(model, shown), atol=1e-5)
    stream = LogitStream(model)
    decided = [pair for frame in shown for pair in stream.push(frame.time, frame.features)]
    assert len(decided) == max(0, frames - (model.context or (0, 0))[1])
    streamed = np.stack([logits for _, logits in decided + stream.finish()])
    np.testing.assert_allclose(streamed, one_pass(model, shown), atol=1e-5)


@pytest.mark.parametrize("frames", [1, 7, 8, 9, 13, 60, 90])
@pytest.mark.parametrize("hop", [1, 3, 4, 8])
def test_windows_of_an_offline_transformer_are_blended_by_triangles(frames: int, hop: int) -> None:
    model, shown = network("transformer", None), video(frames)
    sums, weights = np.zeros((frames, CLASSES)), np.zeros((frames, 1))
    for start in window_starts(frames, window=8, hop=hop):
        part = shown[start : start + 8]
        share = np.array([[min(i + 1, 8 - i) if len(part) == 8 else 1] for i in range(len(part))])
        sums[start : start + 8] += share * one_pass(model, part)
        weights[start : start + 8] += share
    found = np.stack(list(frame_logits(model, shown, hop=hop)))
    np.testing.assert_allclose(found, sums / weights, atol=1e-5)
    stream = LogitStream(model, hop=hop)
    decided = [pair for frame in shown for pair in stream.push(frame.time, frame.features)]
    assert len(decided) == max(0, frames - 8)
    streamed = np.stack([logits for _, logits in decided + stream.finish()])
    np.testing.assert_allclose(streamed, sums / weights, atol=1e-5)


@pytest.mark.parametrize("delay", [None, 1])
def test_no_frame_gives_no_logits_and_no_face_gives_finite_ones(delay: int | None) -> None:
    model = network("transformer", delay)
    assert list(frame_logits(model, [])) == []
    found = np.stack(list(frame_logits(model, [FrameFeatures(i / 25, None) for i in range(30)])))
    assert found.shape == (30, CLASSES)
    assert np.isfinite(found).all()
