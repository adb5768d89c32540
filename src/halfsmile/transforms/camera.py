"""What cameras and light do to a face: few pixels, motion, deep shadow, glare, covers, noise, JPEG.

Each change meets each sample with the same probability, independently, in the order of the world: light falls
on the face and something covers it, then the lens blurs, the sensor counts few photons, and the file is
compressed. All are batched, and every random number comes from the generator that is passed in.
``pixels`` are float32 (B, C, H, W) in [0, 1]; all channels of a sample change alike, but for the noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from halfsmile.transforms.photometric import uniform

_SIDES = (24, 32, 40, 52)  # of faces that are far away, in pixels
_LENGTHS = (5, 7, 9)  # of a motion, in pixels of a face of 100
_BLOCK, _MIDDLE = 8, 128 / 255  # of JPEG
# Quantization of brightness at quality 50, ITU-T T.81 annex K, table K.1.
_TABLE = """
16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62
18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99
"""

Change = Callable[[Tensor, Generator], Tensor]


def photograph(pixels: Tensor, *, probability: float, generator: Generator) -> Tensor:
    """Change some samples as cameras do.

    Args:
        pixels: (B, C, H, W) in [0, 1].
        probability: Of each of the seven changes, for each sample.
        generator: Source of all random numbers.

    Example:
        >>> face = torch.full((2, 1, 16, 16), 0.5)
        >>> photograph(face, probability=0.5, generator=torch.Generator().manual_seed(0)).shape
        torch.Size([2, 1, 16, 16])
    """
    pixels = pixels.clone()
    for change in CHANGES:
        met = torch.rand(len(pixels), generator=generator, device=generator.device) < probability
        rows = met.nonzero()[:, 0].to(pixels.device)
        if len(rows):
            pixels[rows] = change(pixels[rows], generator).clamp_(0, 1)
    return pixels


def shade(pixels: Tensor, generator: Generator) -> Tensor:
    """Night: all of it darker, by a gain and a gamma; or shadow: one side of a soft edge is."""
    count = len(pixels)
    gain = uniform((count, 1, 1, 1), 0.08, 0.7, generator=generator).to(pixels)
    gamma = uniform((count, 1, 1, 1), 0.8, 1.8, generator=generator).to(pixels)
    lit = torch.sigmoid(_ramp(pixels, generator) * 6)
    is_whole = (uniform((count, 1, 1, 1), 0, 1, generator=generator) < 0.5).to(pixels.device)
    lit = torch.where(is_whole, torch.zeros_like(lit), lit)
    return pixels * lit + gain * pixels.pow(gamma) * (1 - lit)


def glare(pixels: Tensor, generator: Generator) -> Tensor:
    """A bright spot with a soft edge."""
    spot = torch.exp(-_distance(pixels, generator, low=0.15, high=0.6))
    return pixels + spot * uniform((len(pixels), 1, 1, 1), 0.3, 1.2, generator=generator).to(pixels)


def cover(pixels: Tensor, generator: Generator) -> Tensor:
    """A hand, mask, lock of hair or pair of glasses: an ellipse or a half of the picture in one shade."""
    count = len(pixels)
    inside = _distance(pixels, generator, low=0.1, high=0.4) < 1
    beyond = _ramp(pixels, generator) > uniform((count, 1, 1, 1), 0.25, 0.7, generator=generator).to(pixels)
    is_side = (uniform((count, 1, 1, 1), 0, 1, generator=generator) < 0.3).to(pixels.device)
    mask = torch.where(is_side, beyond, inside)
    tone = uniform((count, pixels.shape[1], 1, 1), 0, 1, generator=generator).to(pixels)
    grain = 1 + 0.08 * torch.randn(pixels.shape, generator=generator, device=generator.device).to(pixels)
    return torch.where(mask, tone * grain, pixels)


def move(pixels: Tensor, generator: Generator) -> Tensor:
    """Blur along a straight line of any direction."""
    length = _choose(_LENGTHS, generator)
    angle = math.pi * float(uniform((1,), 0, 1, generator=generator))
    steps = torch.linspace(-length / 2, length / 2, length)
    shifts = torch.stack([steps * math.cos(angle), steps * math.sin(angle)], 1).round().long()
    reach = length // 2 + 1
    kernel = torch.zeros(2 * reach + 1, 2 * reach + 1)
    kernel.index_put_((shifts[:, 1] + reach, shifts[:, 0] + reach), torch.ones(length), accumulate=True)
    weight = (kernel / kernel.sum()).to(pixels).expand(pixels.shape[1], 1, -1, -1)
    padded = F.pad(pixels, (reach,) * 4, mode="replicate")
    return F.conv2d(padded, weight, groups=pixels.shape[1])


def recede(pixels: Tensor, generator: Generator) -> Tensor:
    """Few pixels: the face shrinks and is enlarged again."""
    height, width = pixels.shape[-2:]
    side = _choose(_SIDES, generator)
    if side >= min(height, width):
        return pixels
    small = F.interpolate(pixels, (side, side), mode="bilinear", antialias=True)
    return F.interpolate(small, (height, width), mode="bilinear")


def add_noise(pixels: Tensor, generator: Generator) -> Tensor:
    """Gaussian noise of a sensor, each sample with its own spread."""
    count = len(pixels)
    spread = uniform((count, 1, 1, 1), 0.01, 0.12, generator=generator).to(pixels)
    noise = torch.randn(pixels.shape, generator=generator, device=generator.device).to(pixels)
    return pixels + spread * noise


def compress(pixels: Tensor, generator: Generator) -> Tensor:
    """JPEG of a quality from 8 to 50."""
    return jpeg(pixels, uniform((len(pixels),), 8, 50, generator=generator).to(pixels))


def jpeg(pixels: Tensor, quality: Tensor) -> Tensor:
    """What the quantization of 8 × 8 blocks leaves of a picture, each channel treated as brightness.

    Args:
        pixels: (B, C, H, W) in [0, 1].
        quality: (B,) from 1 to 50, as the IJG's library counts it.
    """
    table, basis = _jpeg(pixels.dtype, pixels.device)
    steps = (table * (50 / quality.view(-1, 1, 1, 1, 1, 1)) + 0.5).floor_().clamp_(1, 255) / 255
    height, width = pixels.shape[-2:]
    padded = F.pad(pixels, (0, -width % _BLOCK, 0, -height % _BLOCK), mode="replicate")
    blocks = padded.unfold(2, _BLOCK, _BLOCK).unfold(3, _BLOCK, _BLOCK) - _MIDDLE
    quantized = ((basis @ blocks @ basis.T) / steps).round() * steps
    blocks = basis.T @ quantized @ basis + _MIDDLE
    return blocks.permute(0, 1, 2, 4, 3, 5).reshape(padded.shape)[..., :height, :width]


CHANGES: tuple[Change, ...] = (shade, glare, cover, move, recede, add_noise, compress)


@lru_cache
def _jpeg(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """The steps at quality 50, (8, 8), and the discrete cosine transform, (frequencies, places)."""
    table = torch.tensor([float(step) for step in _TABLE.split()], dtype=dtype).view(_BLOCK, _BLOCK)
    places = torch.arange(_BLOCK, dtype=dtype)
    basis = torch.cos(math.pi / _BLOCK * (places + 0.5) * places[:, None]) * math.sqrt(2 / _BLOCK)
    basis[0] /= math.sqrt(2)
    return table.to(device), basis.to(device)


def _choose(values: tuple[int, ...], generator: Generator) -> int:
    drawn = torch.randint(len(values), (1,), generator=generator, device=generator.device)
    return values[int(drawn)]


def _grid(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """X and y from −1 to 1, (1, 1, 1, W) and (1, 1, H, 1)."""
    height, width = pixels.shape[-2:]
    x = torch.linspace(-1, 1, width, device=pixels.device)
    return x.view(1, 1, 1, -1), torch.linspace(-1, 1, height, device=pixels.device).view(1, 1, -1, 1)


def _ramp(pixels: Tensor, generator: Generator) -> Tensor:
    """A plane that rises from side to side in any direction, (B, 1, H, W) with 0 near the middle."""
    x, y = _grid(pixels)
    angle = uniform((len(pixels), 1, 1, 1), 0, 2 * math.pi, generator=generator).to(pixels)
    offset = uniform((len(pixels), 1, 1, 1), -0.3, 0.3, generator=generator).to(pixels)
    return x * angle.cos() + y * angle.sin() + offset


def _distance(pixels: Tensor, generator: Generator, *, low: float, high: float) -> Tensor:
    """Squared distance from a random ellipse's center, in its half axes of ``low`` to ``high`` sides."""
    count = len(pixels)
    x, y = _grid(pixels)
    center = uniform((2, count, 1, 1, 1), -0.8, 0.8, generator=generator).to(pixels)
    axes = uniform((2, count, 1, 1, 1), 2 * low, 2 * high, generator=generator).to(pixels)
    angle = uniform((count, 1, 1, 1), 0, math.pi, generator=generator).to(pixels)
    x, y = x - center[0], y - center[1]
    along, across = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()
    return (along / axes[0]).square() + (across / axes[1]).square()
