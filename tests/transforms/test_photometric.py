"""Photometric augmentation against torchvision (one picture at a time) and timm's magnitude scale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchvision.transforms.v2.functional as TF
from PIL import Image
from timm.data import auto_augment
from torch import Generator, Tensor

from halfsmile.transforms import photometric as P

TIMM: Any = auto_augment
Operation = Callable[[Tensor, Tensor], Tensor]

FACTORS = [0.1, 0.5, 1.0, 1.3, 1.9]
CASES: dict[str, tuple[Operation, Callable[..., Tensor], list[Any]]] = {
    "autocontrast": (lambda x, _: P.autocontrast(x), lambda x, _: TF.autocontrast(x), [0] * 5),
    "equalize": (lambda x, _: P.equalize(x), lambda x, _: TF.equalize(x), [0] * 5),
    "invert": (lambda x, _: P.invert(x), lambda x, _: TF.invert(x), [0] * 5),
    "posterize": (P.posterize, TF.posterize, [0, 1, 3, 4, 8]),
    "solarize": (P.solarize, TF.solarize, [0, 26, 128, 254, 255]),
    "color": (P.color, TF.adjust_saturation, FACTORS),
    "contrast": (P.contrast, TF.adjust_contrast, FACTORS),
    "brightness": (P.brightness, TF.adjust_brightness, FACTORS),
    "sharpness": (P.sharpness, TF.adjust_sharpness, FACTORS),
}


def generator(seed: int = 0) -> Generator:
    return torch.Generator().manual_seed(seed)


def pictures(channels: int = 3, batch: int = 5, size: int = 24) -> Tensor:
    """Smooth, noisy, dark, flat and two-valued pictures, uint8."""
    noise = torch.rand(batch, channels, size, size, generator=generator())
    ramp = torch.linspace(0.2, 0.7, size).expand(channels, size, size)
    noise[0] = ramp + 0.1 * noise[0]
    noise[1] *= 0.3
    if batch > 3:
        noise[2] = 0.4
        noise[3] = (noise[3] > 0.5).float() * 0.8
    return (noise * 255).to(torch.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", CASES)
def test_operations_equal_torchvision_on_uint8(name: str, channels: int) -> None:
    ours, reference, strengths = CASES[name]
    images = pictures(channels)
    found = ours(images.float(), torch.tensor(strengths))
    assert torch.equal(found, found.round())
    if name == "color" and channels == 1:
        expected = images
    else:
        expected = torch.stack([reference(x, s) for x, s in zip(images, strengths, strict=True)])
    difference = (found - expected.float()).abs()
    # torchvision's other order of float operations may fall below a whole number where ours meets it
    assert difference.max() <= (1 if name in ("autocontrast", "contrast", "color") else 0)
    assert (difference > 0).float().mean() < 0.02


def test_solarize_add_equals_timm() -> None:
    images = pictures(1)[:, 0]
    amounts = [0, 20, 55, 99, 110]
    expected = [
        torch.tensor(list(TIMM.solarize_add(Image.fromarray(x.numpy()), a).tobytes()))
        for x, a in zip(images, amounts, strict=True)
    ]
    found = P.solarize_add(images[:, None].float(), torch.tensor(amounts))
    assert torch.equal(found.flatten(1).long(), torch.stack(expected))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", P.PHOTOMETRIC)
def test_operations_leave_their_input_alone_and_treat_samples_apart(name: str, channels: int) -> None:
    pixels = pictures(channels).float()
    before = pixels.clone()
    level = torch.tensor([9.0, -9.0, 3.0, -10.0, 0.0])
    together = P.PHOTOMETRIC[name](pixels, level)
    assert torch.equal(pixels, before)
    alone = torch.cat([P.PHOTOMETRIC[name](pixels[i : i + 1], level[i : i + 1]) for i in range(5)])
    assert torch.allclose(together, alone, atol=1)
    assert together.min() >= 0
    assert together.max() <= 255


def test_sharpness_leaves_tiny_pictures_alone() -> None:
    pixels = torch.rand(2, 1, 2, 5)
    assert torch.equal(P.sharpness(pixels, torch.tensor([0.1, 1.9])), pixels)


@pytest.mark.parametrize("level", [0.0, 2.5, 5.0, 8.9, 9.0, 9.6])
def test_magnitudes_are_those_of_timm_increasing(level: float) -> None:
    scale = TIMM.LEVEL_TO_ARG
    signed = torch.tensor([level, -level])
    assert P.posterize_bits(signed).tolist() == [scale["PosterizeIncreasing"](level, {})[0]] * 2
    assert P.solarize_threshold(signed).tolist() == [scale["SolarizeIncreasing"](level, {})[0]] * 2
    assert P.solarize_amount(signed).tolist() == [scale["SolarizeAdd"](level, {})[0]] * 2
    factors = {round(scale["ColorIncreasing"](level, {})[0], 5) for _ in range(64)}
    assert {round(factor, 5) for factor in P.enhancement_factor(signed).tolist()} == factors


def test_one_bit_survives_the_highest_level() -> None:
    assert P.posterize_bits(torch.tensor([10.0])).tolist() == [1]


def test_operations_are_the_fifteen_of_timm() -> None:
    assert len(P.OPERATIONS) == len(TIMM._RAND_INCREASING_TRANSFORMS) == 15


def draw(batch: int = 20_000, probability: float = 0.5, magnitude: float = 9.0) -> P.Choices:
    return P.draw_choices(
        batch, 2, magnitude=magnitude, magnitude_std=0.5, probability=probability, generator=generator()
    )


def test_choices_follow_their_distribution() -> None:
    choices = draw()
    share = torch.bincount(choices.operation.flatten() + 1, minlength=16) / choices.operation.numel()
    assert share[0] == pytest.approx(0.5, abs=0.01)
    assert torch.allclose(share[1:], torch.tensor(0.5 / 15), atol=0.005)
    assert choices.level.sign().mean().abs() < 0.02
    assert choices.level.abs().max() <= 10
    assert choices.level.abs().mean() == pytest.approx(9.0, abs=0.02)
    assert draw(magnitude=5.0).level.abs().std() == pytest.approx(0.5, abs=0.02)
    assert draw(magnitude=0.0).level.abs().min() == 0


def test_operations_of_a_sample_are_drawn_apart() -> None:
    first, second = draw(probability=1.0).operation.unbind(1)
    assert (first == second).float().mean() == pytest.approx(1 / 15, abs=0.01)


def test_apply_choices_follows_slots_in_order() -> None:
    names = [("invert", "solarize"), ("solarize", "invert"), ("none", "posterize"), ("rotate", "none")]
    positions = {name: position for position, name in enumerate(P.OPERATIONS)} | {"none": -1}
    operation = torch.tensor([[positions[name] for name in pair] for pair in names])
    images = pictures(3, batch=4)
    pixels = P.apply_choices(images.float(), P.Choices(operation, torch.full((4, 2), 6.0)))
    threshold = 256 - int(0.6 * 256)
    expected = torch.stack(
        [
            TF.solarize(TF.invert(images[0]), threshold),
            TF.invert(TF.solarize(images[1], threshold)),
            TF.posterize(images[2], 2),
            images[3],
        ]
    )
    assert torch.equal(pixels, expected.float())


def test_apply_choices_reaches_every_operation_but_not_unchosen_samples() -> None:
    images = pictures(3).float()[[0]].repeat(300, 1, 1, 1)
    choices = draw(300)
    changed = (P.apply_choices(images.clone(), choices) != images).flatten(1).any(1)
    chosen = ((choices.operation >= 0) & (choices.operation < len(P.PHOTOMETRIC))).any(1)
    assert not changed[~chosen].any()
    assert changed[chosen].float().mean() > 0.9


@pytest.mark.parametrize("noise", [False, True])
def test_erased_rectangles_have_the_asked_area_and_aspect(noise: bool) -> None:
    images = torch.full((300, 3, 60, 60), 2.0)
    P.erase(images, probability=0.5, area=(0.05, 0.2), aspect=(0.5, 2.0), noise=noise, generator=generator())
    erased = (images != 2).all(1)
    hit = erased.flatten(1).any(1)
    assert 0.4 < hit.float().mean() < 0.6
    tall = erased.any(2).sum(1)[hit]
    wide = erased.any(1).sum(1)[hit]
    assert torch.equal(tall * wide, erased.flatten(1).sum(1)[hit])
    share = tall * wide / 3600
    assert share.min() > 0.045
    assert share.max() < 0.21
    assert share.max() - share.min() > 0.1
    ratio = tall / wide
    assert ratio.min() > 0.45
    assert ratio.max() < 2.2
    inside = images[erased[:, None].expand_as(images)]
    assert (inside.std() > 0.2) == noise
    assert inside.min() >= 0
    assert inside.max() < 1


def test_rectangles_that_never_fit_erase_nothing() -> None:
    images = torch.ones(8, 1, 10, 10)
    P.erase(images, probability=1.0, area=(1.0, 1.0), aspect=(1.0, 1.0), noise=False, generator=generator())
    assert images.min() == 1


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
def test_gaussian_blur_equals_torchvision(sigma: float) -> None:
    images = pictures().float() / 255
    width = 2 * int(-(-3 * sigma // 1)) + 1
    expected = TF.gaussian_blur(images, [width, width], [sigma, sigma])
    assert torch.allclose(P.gaussian_blur(images, sigma), expected, atol=1e-5)


def test_blur_and_gray_touch_the_asked_share() -> None:
    images = torch.rand(400, 3, 8, 8, generator=generator(1))
    blurred = P.blur_some(images.clone(), probability=0.3, sigmas=(0.5, 1.0), generator=generator())
    assert 0.2 < (blurred != images).flatten(1).any(1).float().mean() < 0.4
    gray = P.gray_some(images.clone(), probability=0.3, generator=generator())
    flat = (gray[:, 0] == gray[:, 1]).flatten(1).all(1) & (gray[:, 1] == gray[:, 2]).flatten(1).all(1)
    assert 0.2 < flat.float().mean() < 0.4
    assert torch.allclose(gray[flat], TF.rgb_to_grayscale(images[flat], 3), atol=1e-5)
    assert torch.equal(gray[~flat], images[~flat])
