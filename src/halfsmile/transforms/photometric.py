"""Batched photometric augmentation: RandAugment's color operations, blur, gray and random erasing.

Every operation takes a whole batch with one strength per sample, and agrees with torchvision on uint8
pictures within one gray level. Its `pixels` are float32, (B, C, H, W), with whole numbers from 0 to 255: a
batch never leaves float between sampling and model, and conversions to uint8 would take longer than the
operations. Magnitudes follow timm's `rand-m9-mstd0.5-inc1`: a level in 0..10 that means "further from the
original" for every operation. Random numbers come from the generator that is passed in, from nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

MAX_LEVEL = 10.0
GEOMETRIC = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")
ERASE_TRIES = 10


def autocontrast(pixels: Tensor) -> Tensor:
    """Stretch every channel of every sample to the full range; flat channels stay as they are."""
    low = pixels.amin(dim=(-2, -1), keepdim=True)
    high = pixels.amax(dim=(-2, -1), keepdim=True)
    flat = high == low
    step = torch.where(flat, 1.0, (high - low) * (1.0 / 255.0))
    return pixels.sub(torch.where(flat, 0.0, low)).div_(step).clamp_(0, 255).floor_()


def equalize(pixels: Tensor) -> Tensor:
    """Flatten the histogram of every channel of every sample, by Pillow's lookup table."""
    index = pixels.flatten(2).long()
    histogram = torch.zeros(*index.shape[:2], 256, dtype=torch.long, device=pixels.device)
    histogram.scatter_add_(2, index, torch.ones((), dtype=torch.long, device=pixels.device).expand_as(index))
    brightest = histogram.gather(2, index.amax(2, keepdim=True))
    step = (index.shape[2] - brightest) // 255
    table = (histogram.cumsum(2) - histogram + step // 2) // step.clamp(min=1)
    unchanged = torch.arange(256, device=pixels.device)
    table = torch.where(step == 0, unchanged, table.clamp_(0, 255)).to(pixels.dtype)
    return table.gather(2, index).view_as(pixels)


def invert(pixels: Tensor) -> Tensor:
    """Turn light into dark."""
    return 255 - pixels


def posterize(pixels: Tensor, bits: Tensor) -> Tensor:
    """Keep the `bits` (B,) highest bits of every pixel, 0 to 8."""
    step = _per_sample(torch.pow(2.0, 8 - bits))
    return pixels.div(step).floor_().mul_(step)


def solarize(pixels: Tensor, threshold: Tensor) -> Tensor:
    """Invert the pixels that are not below `threshold` (B,), 0 to 256."""
    return torch.where(pixels >= _per_sample(threshold), 255 - pixels, pixels)


def solarize_add(pixels: Tensor, amount: Tensor) -> Tensor:
    """Add `amount` (B,), 0 to 128, to the pixels below 128."""
    return torch.where(pixels < 128, (pixels + _per_sample(amount)).clamp_(max=255), pixels)


def brightness(pixels: Tensor, factor: Tensor) -> Tensor:
    """Blend with black: `factor` (B,) 0 is black, 1 the original, above 1 brighter."""
    return pixels.mul(_per_sample(factor)).clamp_(0, 255).floor_()


def contrast(pixels: Tensor, factor: Tensor) -> Tensor:
    """Blend with the mean gray of each sample: `factor` (B,) 0 is flat, 1 the original."""
    gray = luminance(pixels).floor_() if pixels.shape[1] == 3 else pixels
    return _blend(pixels, gray.mean(dim=(-3, -2, -1), keepdim=True), factor)


def color(pixels: Tensor, factor: Tensor) -> Tensor:
    """Blend with the gray picture: `factor` (B,) 0 is gray, 1 the original. Gray pictures stay."""
    return _blend(pixels, luminance(pixels).floor_(), factor) if pixels.shape[1] == 3 else pixels


def sharpness(pixels: Tensor, factor: Tensor) -> Tensor:
    """Blend with a 3x3 smoothed picture: `factor` (B,) below 1 softens, above 1 sharpens.

    The smoothing weights are 5/13 in the middle and 1/13 around it. The outermost pixels stay as they are.
    """
    if min(pixels.shape[-2:]) <= 2:
        return pixels
    columns = pixels[..., :-2] + pixels[..., 1:-1]
    columns += pixels[..., 2:]
    smooth = columns[..., :-2, :] + columns[..., 1:-1, :]
    smooth += columns[..., 2:, :]
    inner = pixels[..., 1:-1, 1:-1]
    smooth = smooth.add_(inner, alpha=4.0).div_(13.0).round_()
    sharpened = pixels.clone()
    sharpened[..., 1:-1, 1:-1] = _blend(inner, smooth, factor)
    return sharpened


def luminance(images: Tensor) -> Tensor:
    """Rec. 601 gray of (B, 3, H, W) pictures as float (B, 1, H, W), in the range of the input."""
    red, green, blue = images[:, :1], images[:, 1:2], images[:, 2:]
    return red.mul(0.2989).add_(green, alpha=0.587).add_(blue, alpha=0.114)


def enhancement_factor(level: Tensor) -> Tensor:
    """Blend factor of a signed level: 1 at level 0, towards 0.1 or 1.9 at -10 or +10."""
    return (1.0 + level / MAX_LEVEL * 0.9).clamp(min=0.1)


def posterize_bits(level: Tensor) -> Tensor:
    """Bits kept at a level: 4 down to 1. (timm's scale ends at 0, a black picture, which Pillow refuses)."""
    return (4 - (level.abs() / MAX_LEVEL * 4).long()).clamp(min=1)


def solarize_threshold(level: Tensor) -> Tensor:
    """Threshold at a level: 256 (nothing inverted) down to 0 (everything)."""
    return 256 - (level.abs() / MAX_LEVEL * 256).long()


def solarize_amount(level: Tensor) -> Tensor:
    """Amount added at a level: 0 up to 110."""
    return (level.abs() / MAX_LEVEL * 110).long()


PHOTOMETRIC: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "autocontrast": lambda pixels, level: autocontrast(pixels),
    "equalize": lambda pixels, level: equalize(pixels),
    "invert": lambda pixels, level: invert(pixels),
    "posterize": lambda pixels, level: posterize(pixels, posterize_bits(level)),
    "solarize": lambda pixels, level: solarize(pixels, solarize_threshold(level)),
    "solarize_add": lambda pixels, level: solarize_add(pixels, solarize_amount(level)),
    "color": lambda pixels, level: color(pixels, enhancement_factor(level)),
    "contrast": lambda pixels, level: contrast(pixels, enhancement_factor(level)),
    "brightness": lambda pixels, level: brightness(pixels, enhancement_factor(level)),
    "sharpness": lambda pixels, level: sharpness(pixels, enhancement_factor(level)),
}
"""Photometric operations of RandAugment by name: (pixels, signed levels (B,)) to pixels."""

OPERATIONS = (*PHOTOMETRIC, *GEOMETRIC)


@dataclass(frozen=True)
class Choices:
    """Which operations RandAugment chose for a batch.

    Attributes:
        operation: (B, n) positions in `OPERATIONS`, -1 for none, in the order of application.
        level: (B, n) signed levels in [-10, 10]; the sign is the direction of operations that have two.
    """

    operation: Tensor
    level: Tensor


def draw_choices(
    batch: int,
    num_operations: int,
    *,
    magnitude: float,
    magnitude_std: float,
    probability: float,
    generator: Generator,
) -> Choices:
    """Draw RandAugment's operations (arXiv 1909.13719) with timm's magnitude noise.

    Each of `num_operations` slots is filled with `probability`, uniformly from `OPERATIONS`; its level is
    normal around `magnitude`, clamped to [0, 10], with a random sign. The result is on the generator's
    device.
    """
    shape, device = (batch, num_operations), generator.device
    operation = torch.randint(len(OPERATIONS), shape, generator=generator, device=device)
    used = torch.rand(shape, generator=generator, device=device) < probability
    noise = torch.randn(shape, generator=generator, device=device)
    sign = torch.randint(2, shape, generator=generator, device=device) * 2 - 1
    level = (magnitude + magnitude_std * noise).clamp_(0, MAX_LEVEL) * sign
    return Choices(torch.where(used, operation, -1), level)


def apply_choices(pixels: Tensor, choices: Choices) -> Tensor:
    """Apply the photometric operations among `choices`; geometric ones belong to the sampling matrix.

    Args:
        pixels: (B, C, H, W) float in [0, 255] with 1 or 3 channels; changed in place.
        choices: For the same batch, on any device.

    Returns:
        The same tensor; samples with an operation have integer values.
    """
    for slot in range(choices.operation.shape[1]):
        chosen = choices.operation[:, slot].tolist()
        for position, apply in enumerate(PHOTOMETRIC.values()):
            found = [row for row, operation in enumerate(chosen) if operation == position]
            if found:
                rows = torch.tensor(found, device=pixels.device)
                level = choices.level[found, slot].to(pixels.device)
                pixels.index_copy_(0, rows, apply(pixels.index_select(0, rows).round_(), level))
    return pixels


def erase(
    images: Tensor,
    *,
    probability: float,
    area: tuple[float, float],
    aspect: tuple[float, float],
    noise: bool,
    generator: Generator,
) -> Tensor:
    """Random erasing (arXiv 1708.04896): overwrite one rectangle in some samples.

    Args:
        images: (B, C, H, W) float in [0, 1]; changed in place.
        probability: Share of the samples to erase in.
        area: Smallest and largest share of the picture.
        aspect: Smallest and largest height over width, drawn on a logarithmic scale.
        noise: Fill with uniform noise in [0, 1] instead of black.
        generator: Source of all random numbers.

    Returns:
        The same tensor. A rectangle that does not fit is drawn again, ten times at most.
    """
    batch, channels, height, width = images.shape
    device, shape = generator.device, (batch, ERASE_TRIES)
    share = uniform(shape, *area, generator=generator)
    ratio = uniform(shape, math.log(aspect[0]), math.log(aspect[1]), generator=generator).exp_()
    tall = (share * height * width * ratio).sqrt_().round_()
    wide = (share * height * width / ratio).sqrt_().round_()
    fits = (tall < height) & (wide < width)
    first = fits.int().argmax(1, keepdim=True)
    tall, wide = tall.gather(1, first)[:, 0], wide.gather(1, first)[:, 0]
    top = (torch.rand(batch, generator=generator, device=device) * (height - tall + 1)).floor_()
    left = (torch.rand(batch, generator=generator, device=device) * (width - wide + 1)).floor_()
    chosen = (torch.rand(batch, generator=generator, device=device) < probability) & fits.any(1)
    rows = chosen.nonzero()[:, 0]
    y, x = torch.arange(height, device=device)[:, None], torch.arange(width, device=device)
    top, left, tall, wide = (value[rows, None, None] for value in (top, left, tall, wide))
    inside = ((y >= top) & (y < top + tall) & (x >= left) & (x < left + wide))[:, None].to(images.device)
    fill = torch.zeros((), device=images.device)
    if noise:
        size = (len(rows), channels, height, width)
        fill = torch.rand(size, generator=generator, device=device).to(images.device)
    rows = rows.to(images.device)
    return images.index_copy_(0, rows, torch.where(inside, fill, images.index_select(0, rows)))


def gaussian_blur(images: Tensor, sigma: float) -> Tensor:
    """Blur (B, C, H, W) float pictures with a Gaussian of `sigma` pixels, mirrored at the border."""
    radius = min(math.ceil(3.0 * sigma), min(images.shape[-2:]) - 1)
    offsets = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel /= kernel.sum()
    planes = F.pad(images.flatten(0, 1)[:, None], (radius,) * 4, mode="reflect")
    planes = F.conv2d(F.conv2d(planes, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))
    return planes.view_as(images)


def blur_some(
    images: Tensor, *, probability: float, sigmas: tuple[float, ...], generator: Generator
) -> Tensor:
    """Blur some samples of (B, C, H, W) float pictures in place, each with one of the given `sigmas`."""
    device = generator.device
    blurred = torch.rand(len(images), generator=generator, device=device) < probability
    choice = torch.randint(len(sigmas), (len(images),), generator=generator, device=device)
    for position, sigma in enumerate(sigmas):
        rows = (blurred & (choice == position)).nonzero()[:, 0].to(images.device)
        if len(rows):
            images.index_copy_(0, rows, gaussian_blur(images.index_select(0, rows), sigma))
    return images


def gray_some(images: Tensor, *, probability: float, generator: Generator) -> Tensor:
    """Turn some samples of (B, 3, H, W) float pictures gray, in place; one channel is gray already."""
    chosen = torch.rand(len(images), generator=generator, device=generator.device) < probability
    rows = chosen.nonzero()[:, 0].to(images.device)
    if images.shape[1] == 3 and len(rows):
        images[rows] = luminance(images[rows]).expand(-1, 3, -1, -1)
    return images


def uniform(shape: tuple[int, ...], low: float, high: float, *, generator: Generator) -> Tensor:
    """Uniform float32 numbers in [low, high) on the generator's device."""
    return torch.rand(shape, generator=generator, device=generator.device).mul_(high - low).add_(low)


def _per_sample(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)


def _blend(pixels: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    # this form returns equal pixels unchanged, which pixels * factor + other * (1 - factor) does not
    return (other - pixels).mul_(1.0 - _per_sample(factor)).add_(pixels).clamp_(0, 255).floor_()
