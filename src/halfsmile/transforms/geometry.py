"""Geometry of augmentation: one affine matrix per sample moves pixels, boxes and landmarks alike.

A matrix (2, 3) maps output pixel coordinates to input pixel coordinates; pixel i covers [i, i + 1), its
center is at i + 0.5. Random resized crop, flip, rotation, shear, translation and the geometric operations
of RandAugment are all folded into it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from halfsmile.transforms.photometric import MAX_LEVEL, OPERATIONS, Choices, uniform

CROP_TRIES = 10
CPU_CHUNK = 2**17  # output positions at a time whose intermediate results fit in a processor's cache
MIRRORED_LANDMARKS = (1, 0, 2, 4, 3)

Interpolation = Literal["bilinear", "bicubic", "nearest"]
Size = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Ranges from which the geometry of a sample is drawn.

    Attributes:
        crop_scale: Smallest and largest share of the picture's area that a crop keeps. Where the largest is
            above 1, crops may reach beyond the picture, so that faces also appear smaller than they are.
        crop_ratio: Smallest and largest aspect of a crop relative to the picture's, width over height.
        flip: Probability of mirroring left and right.
        rotation: Largest rotation either way, in degrees.
        translation: Largest shift either way along each axis, as a share of the output.
        shear: Largest horizontal shear either way, in degrees.

    Raises:
        ValueError: If a range is empty, reversed or outside what it can mean.
    """

    crop_scale: tuple[float, float] = (1.0, 1.0)
    crop_ratio: tuple[float, float] = (1.0, 1.0)
    flip: float = 0.0
    rotation: float = 0.0
    translation: float = 0.0
    shear: float = 0.0

    def __post_init__(self) -> None:
        require_range("crop_scale", self.crop_scale, 4.0)
        require_range("crop_ratio", self.crop_ratio, math.inf)
        require_within("flip", self.flip, 1.0)
        require_within("rotation", self.rotation, 180.0)
        require_within("translation", self.translation, 1.0)
        require_within("shear", self.shear, 80.0)

    @property
    def is_identity(self) -> bool:
        """Whether every draw keeps the whole picture as it is."""
        crop = self.crop_scale == (1.0, 1.0) and self.crop_ratio == (1.0, 1.0)
        return crop and not (self.flip or self.rotation or self.translation or self.shear)


def draw_geometry(batch: int, geometry: Geometry, size: Size, out_size: Size, generator: Generator) -> Tensor:
    """Draw one affine matrix per sample.

    Crops are drawn as in torchvision's RandomResizedCrop, but with real-valued corners.

    Args:
        batch: Number of samples.
        geometry: Ranges to draw from.
        size: Height and width of the input.
        out_size: Height and width of the output.
        generator: Source of all random numbers.

    Returns:
        (batch, 2, 3) float32 on the generator's device: output to input pixel coordinates.
    """
    (height, width), (out_height, out_width) = size, out_size
    area = uniform((batch, CROP_TRIES), *geometry.crop_scale, generator=generator)
    low, high = geometry.crop_ratio
    ratio = uniform((batch, CROP_TRIES), math.log(low), math.log(high), generator=generator).exp_()
    wide, tall = (area * ratio).sqrt_(), (area / ratio).sqrt_()
    fits = (wide <= 1) & (tall <= 1) | (geometry.crop_scale[1] > 1)
    first = fits.int().argmax(1, keepdim=True)
    whole = min(max(1.0, low), high)
    wide = torch.where(fits.any(1), wide.gather(1, first)[:, 0], min(1.0, whole))
    tall = torch.where(fits.any(1), tall.gather(1, first)[:, 0], min(1.0, 1 / whole))
    place = uniform((2, batch), 0, 1, generator=generator)
    zero = torch.zeros_like(wide)
    crop = _matrix(
        wide * (width / out_width), zero, (1 - wide) * place[0] * width,
        zero, tall * (height / out_height), (1 - tall) * place[1] * height,
    )  # fmt: skip
    side = 1 - 2 * (uniform((batch,), 0, 1, generator=generator) < geometry.flip).float()
    turn = torch.deg2rad(uniform((batch,), -geometry.rotation, geometry.rotation, generator=generator))
    slant = torch.deg2rad(uniform((batch,), -geometry.shear, geometry.shear, generator=generator)).tan_()
    shift = uniform((2, batch), -geometry.translation, geometry.translation, generator=generator)
    cos, sin = turn.cos(), turn.sin()
    inner = _around_center(
        _matrix(
            side * cos, slant * cos - sin, shift[0] * out_width,
            side * sin, slant * sin + cos, shift[1] * out_height,
        ),
        out_size,
    )  # fmt: skip
    return compose(crop, inner)


def fold_choices(matrices: Tensor, choices: Choices, out_size: Size) -> Tensor:
    """Fold the geometric operations that RandAugment chose into sampling matrices.

    As in timm, a level of 10 turns by 30 degrees about the center, shears by 0.3 about the upper left
    corner and shifts by 0.45 of the picture.

    Args:
        matrices: (B, 2, 3) on the device of `choices`.
        choices: RandAugment's draw for the batch.
        out_size: Height and width of the output.
    """
    for slot in range(choices.operation.shape[1]):
        turn = torch.deg2rad(_strength(choices, slot, "rotate", 30.0))
        zero, one = torch.zeros_like(turn), torch.ones_like(turn)
        rotation = _matrix(turn.cos(), -turn.sin(), zero, turn.sin(), turn.cos(), zero)
        right = _strength(choices, slot, "translate_x", 0.45 * out_size[1])
        down = _strength(choices, slot, "translate_y", 0.45 * out_size[0])
        shear_x = _strength(choices, slot, "shear_x", 0.3)
        shear_y = _strength(choices, slot, "shear_y", 0.3)
        rest = _matrix(one, shear_x, right, shear_y, one, down)
        matrices = compose(matrices, compose(_around_center(rotation, out_size), rest))
    return matrices


def compose(outer: Tensor, inner: Tensor) -> Tensor:
    """The affine maps p -> outer(inner(p)), all (B, 2, 3)."""
    linear = outer[:, :, :2]
    product = linear @ inner
    product[:, :, 2] += outer[:, :, 2]
    return product


def warp(
    images: Tensor,
    matrices: Tensor,
    out_size: Size,
    *,
    interpolation: Interpolation = "bilinear",
    fill: float = 0.0,
) -> Tensor:
    """Sample every picture along its matrix.

    Samples within half a pixel of the border repeat the outermost pixel; output pixels whose center lies
    outside the picture get `fill`. Inputs at least twice as large as the output are averaged over blocks of
    2, 4, ... pixels first, as many as the matrix shrinks that sample, so shrinking does not alias.

    Args:
        images: (B, C, H, W) uint8 or float.
        matrices: (B, 2, 3), output to input pixel coordinates, on any device.
        out_size: Height and width of the output.
        interpolation: "bilinear", "bicubic" or "nearest".
        fill: Value outside the picture, on the scale of `images`.

    Returns:
        (B, C, h, w) float32 on the scale of `images`.
    """
    warped = torch.empty(len(images), images.shape[1], *out_size, device=images.device)
    halvings = _halvings(images, matrices, out_size)
    cpu = images.device.type == "cpu"
    chunk = max(1, CPU_CHUNK // (out_size[0] * out_size[1])) if cpu else len(images)
    for level in sorted(set(halvings)):
        same = [row for row, own in enumerate(halvings) if own == level]
        for start in range(0, len(same), chunk):
            rows = torch.tensor(same[start : start + chunk])
            here = rows.to(images.device)
            pixels = images.index_select(0, here).float()
            if level:
                pixels = F.avg_pool2d(pixels, 2**level, ceil_mode=True)
            own = matrices.index_select(0, rows.to(matrices.device)) / 2**level
            warped.index_copy_(0, here, _sample(pixels, own, out_size, interpolation, fill))
    return warped


def move_points(points: Tensor, matrices: Tensor) -> Tensor:
    """Move points (B, N, 2), x and y in input pixels, to output pixels. NaN stays NaN."""
    inverse = torch.linalg.inv(matrices[:, :, :2])
    return torch.matmul(points - matrices[:, None, :, 2], inverse.transpose(1, 2))


def move_boxes(boxes: Tensor, matrices: Tensor, out_size: Size) -> Tensor:
    """Move boxes (B, 4), xyxy in input pixels, to output pixels.

    The result is the smallest upright box around the four moved corners, clipped to the picture: a box
    that leaves the picture keeps zero area at its edge. NaN boxes stay NaN.
    """
    corners = boxes[:, [0, 1, 2, 1, 0, 3, 2, 3]].view(-1, 4, 2)
    moved = move_points(corners, matrices)
    limit = moved.new_tensor([out_size[1], out_size[0]])
    low = moved.amin(1).clamp(min=0).minimum(limit)
    high = moved.amax(1).clamp(min=0).minimum(limit)
    return torch.cat((low, high), 1)


def move_landmarks(landmarks: Tensor, matrices: Tensor) -> Tensor:
    """Move landmarks (B, 5, 2) to output pixels; a mirrored sample swaps left and right names.

    Landmarks are named by their side in the picture (eye at image left, eye at image right, nose, mouth
    corner at image left, mouth corner at image right), hence the swap. They are not clipped.
    """
    moved = move_points(landmarks, matrices)
    mirrored = torch.linalg.det(matrices[:, :, :2]) < 0
    return torch.where(mirrored[:, None, None], moved[:, MIRRORED_LANDMARKS], moved)


def require_range(name: str, values: tuple[float, float], largest: float) -> None:
    """Refuse a range that is not 0 < low <= high <= largest."""
    if not 0 < values[0] <= values[1] <= largest:
        raise ValueError(f"{name} must be (low, high) with 0 < low <= high <= {largest:g}, found {values}.")


def require_within(name: str, value: float, largest: float) -> None:
    """Refuse a number outside [0, largest]."""
    if not 0 <= value <= largest:
        raise ValueError(f"{name} must be from 0 to {largest:g}, found {value}.")


def _halvings(images: Tensor, matrices: Tensor, out_size: Size) -> list[int]:
    """How often each sample is halved before it is sampled."""
    if min(images.shape[2] / out_size[0], images.shape[3] / out_size[1]) < 2:
        return [0] * len(images)
    area = matrices[:, 0, 0] * matrices[:, 1, 1] - matrices[:, 0, 1] * matrices[:, 1, 0]
    halvings: list[int] = (area.abs().log2() / 2 + 1e-4).floor().clamp_(min=0).int().tolist()
    return halvings


def _sample(
    images: Tensor, matrices: Tensor, out_size: Size, interpolation: Interpolation, fill: float
) -> Tensor:
    height, width = images.shape[2:]
    out_height, out_width = out_size
    # grid_sample wants [-1, 1] from border to border
    matrices = matrices * matrices.new_tensor([2 / width, 2 / height])[:, None]
    matrices[:, :, 2] -= 1
    reach = torch.tensor([[x, y, 1.0] for x in (0.5, out_width - 0.5) for y in (0.5, out_height - 0.5)])
    leaves = (matrices @ reach.T.to(matrices.device)).abs().amax((1, 2)) > 1
    rows = leaves.nonzero()[:, 0].to(images.device)
    matrices = matrices.to(images.device)
    x = torch.arange(out_width, device=images.device) + 0.5
    y = torch.arange(out_height, device=images.device) + 0.5
    grid = torch.empty(len(images), out_height, out_width, 2, device=images.device)
    for axis in range(2):
        along, down, start = matrices[:, axis, :, None].unbind(1)
        torch.add((along * x)[:, None, :], (down * y + start)[:, :, None], out=grid[..., axis])
    warped = F.grid_sample(images, grid, mode=interpolation, padding_mode="border", align_corners=False)
    if len(rows):
        near_x, near_y = (grid.index_select(0, rows).abs() <= 1).unbind(3)
        inside = (near_x & near_y)[:, None]
        warped.index_copy_(0, rows, torch.where(inside, warped.index_select(0, rows), fill))
    return warped


def _strength(choices: Choices, slot: int, name: str, full: float) -> Tensor:
    """(B,) signed strength of one operation, `full` at level 10, 0 where it was not chosen."""
    chosen = choices.operation[:, slot] == OPERATIONS.index(name)
    return torch.where(chosen, choices.level[:, slot] * (full / MAX_LEVEL), 0.0)


def _matrix(*entries: Tensor) -> Tensor:
    return torch.stack(entries, -1).view(-1, 2, 3)


def _around_center(matrices: Tensor, size: Size) -> Tensor:
    """The same linear maps and shifts, with the picture's center as the origin."""
    center = matrices.new_tensor([size[1] / 2, size[0] / 2])
    moved = matrices.clone()
    moved[:, :, 2] += center - matrices[:, :, :2] @ center
    return moved
