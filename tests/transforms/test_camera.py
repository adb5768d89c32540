"""What cameras do to faces."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from halfsmile.transforms.augment import Augment
from halfsmile.transforms.camera import (
    CHANGES,
    Change,
    add_noise,
    cover,
    glare,
    jpeg,
    move,
    photograph,
    recede,
    shade,
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def faces(count: int = 8, channels: int = 1, side: int = 51) -> Tensor:
    """Smooth pictures with an edge, in the middle of the range."""
    x = torch.linspace(0.3, 0.7, side)
    pixels = (x * x[:, None] * 2).clamp(0, 1).expand(count, channels, side, side).clone()
    pixels[..., side // 2 :, :] *= 0.6
    return pixels


def roughness(pixels: Tensor) -> float:
    return float(pixels.diff(dim=-1).square().mean() + pixels.diff(dim=-2).square().mean())


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_change_keeps_shape_and_is_repeatable(change: Change, channels: int) -> None:
    pixels = faces(channels=channels)
    before = pixels.clone()
    changed = change(pixels, seeded())
    assert changed.shape == pixels.shape
    assert torch.isfinite(changed).all()
    assert torch.equal(pixels, before)
    assert torch.equal(changed, change(pixels, seeded()))
    assert not torch.equal(changed, pixels)


def test_light() -> None:
    pixels = faces(64)
    dark = shade(pixels, seeded())
    assert (dark <= pixels + 1e-6).all()
    assert dark.mean() < 0.8 * pixels.mean()
    assert (glare(pixels, seeded()) >= pixels).all()


def test_covers_hide_a_part() -> None:
    pixels = torch.full((64, 1, 50, 50), 2.0)
    hidden = (cover(pixels, seeded()) != 2).float().mean((1, 2, 3))
    assert 0.1 < hidden.mean() < 0.5
    assert hidden.max() < 0.95


@pytest.mark.parametrize("change", [move, recede])
def test_blurs_smooth_and_keep_the_light(change: Change) -> None:
    noisy = faces() + 0.2 * torch.rand(8, 1, 51, 51, generator=seeded())
    blurred = change(noisy, seeded())
    assert roughness(blurred) < roughness(noisy) / 2
    assert float(blurred.mean()) == pytest.approx(float(noisy.mean()), abs=0.01)


def test_a_picture_that_is_small_already_is_left() -> None:
    pixels = faces(side=20)
    assert torch.equal(recede(pixels, seeded()), pixels)


def test_noise_has_no_bias() -> None:
    pixels = torch.full((32, 1, 64, 64), 0.5)
    noisy = add_noise(pixels, seeded())
    assert noisy.mean() == pytest.approx(0.5, abs=0.002)
    assert 0.03 < noisy.std() < 0.12


@pytest.mark.parametrize("quality", [10, 30, 50])
def test_compression_is_that_of_jpeg(quality: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (12, 12), np.uint8)
    picture = Image.fromarray(noise).resize((48, 48))
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=quality)
    expected = torch.from_numpy(np.array(Image.open(written))).float()
    pixels = torch.from_numpy(np.array(picture)).float()
    found = 255 * jpeg(pixels[None, None] / 255, torch.tensor([float(quality)]))[0, 0].clamp(0, 1)
    assert (found.round() - expected).abs().mean() < 0.1 * (pixels - expected).abs().mean()


def test_each_change_meets_its_share_of_samples() -> None:
    pixels = faces(2000, side=26)
    met = (photograph(pixels, probability=0.1, generator=seeded()) != pixels).flatten(1).any(1).float().mean()
    assert met == pytest.approx(1 - 0.9 ** len(CHANGES), abs=0.03)
    assert torch.equal(photograph(pixels, probability=0.0, generator=seeded()), pixels)
    sure = photograph(pixels[:8], probability=1.0, generator=seeded())
    assert 0 <= float(sure.min()) <= float(sure.max()) <= 1


def test_views_use_it() -> None:
    pictures = (faces(4) * 255).byte()
    plain = Augment()(pictures, generator=seeded()).images
    taken = Augment(camera=1.0)(pictures, generator=seeded()).images
    assert taken.shape == plain.shape
    assert not torch.equal(taken, plain)
    with pytest.raises(ValueError, match="camera"):
        Augment(camera=1.5)
