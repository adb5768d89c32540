"""Batched augmentation of face crops: one affine matrix per sample, then photometric changes.

All geometry of a sample, that of RandAugment included, is folded into one matrix, so the picture is sampled
once and the same matrix moves boxes and landmarks. Everything runs on the device of the pictures; every
random number comes from the given generator, which may live on another device.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from halfsmile.transforms import camera, photometric
from halfsmile.transforms.geometry import (
    Geometry,
    Interpolation,
    Size,
    draw_geometry,
    fold_choices,
    move_boxes,
    move_landmarks,
    move_points,
    require_range,
    require_within,
    warp,
)

__all__ = [
    "NONE",
    "STRONG",
    "WEAK",
    "Augment",
    "Augmented",
    "Geometry",
    "draw_geometry",
    "move_boxes",
    "move_landmarks",
    "move_points",
    "normalize",
    "warp",
]


@dataclass(frozen=True)
class Augmented:
    """An augmented batch.

    Attributes:
        images: (B, C, h, w) float32 in [0, 1].
        boxes: (B, 4) xyxy in output pixels, NaN where unknown, or None.
        landmarks: (B, 5, 2) in output pixels, NaN where unknown, or None.
        matrices: (B, 2, 3) that map output to input pixel coordinates.
    """

    images: Tensor
    boxes: Tensor | None
    landmarks: Tensor | None
    matrices: Tensor


@dataclass(frozen=True, kw_only=True)
class Augment(Geometry):
    """A random change of a batch of pictures.

    The order is geometry, RandAugment, gray, camera, blur, erasing. Pictures are meant to be stored at the
    size they are used at; `warp` says what happens to larger ones.

    Attributes:
        num_operations: RandAugment's operations per sample; 0 switches it off.
        magnitude: Mean level of an operation, 0 (no change) to 10.
        magnitude_std: Standard deviation of the level.
        operation_probability: Probability that each of the `num_operations` takes place.
        gray: Probability of losing all color.
        camera: Probability of each of the changes of `transforms/camera.py`.
        blur: Probability of a Gaussian blur.
        blur_sigmas: Widths to choose from, in output pixels.
        erase: Probability of erasing one rectangle.
        erase_area: Smallest and largest erased share of the picture.
        erase_aspect: Smallest and largest height over width of the rectangle.
        erase_noise: Erase with uniform noise instead of black.
        interpolation: How pictures are sampled; "bicubic" is the papers' and is four times slower.
        fill: Gray value in [0, 1] of what lies outside the picture.

    Raises:
        ValueError: If a value is outside its range.

    Example:
        >>> faces = torch.zeros(2, 1, 48, 48, dtype=torch.uint8)
        >>> result = STRONG(faces, out_size=32, generator=torch.Generator().manual_seed(0))
        >>> tuple(result.images.shape), tuple(result.matrices.shape)
        ((2, 1, 32, 32), (2, 2, 3))
    """

    num_operations: int = 0
    magnitude: float = 9.0
    magnitude_std: float = 0.5
    operation_probability: float = 0.5
    gray: float = 0.0
    camera: float = 0.0
    blur: float = 0.0
    blur_sigmas: tuple[float, ...] = (0.5, 1.0, 2.0)
    erase: float = 0.0
    erase_area: tuple[float, float] = (0.02, 1 / 3)
    erase_aspect: tuple[float, float] = (0.3, 1 / 0.3)
    erase_noise: bool = False
    interpolation: Interpolation = "bilinear"
    fill: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        require_within("num_operations", self.num_operations, math.inf)
        require_within("magnitude", self.magnitude, photometric.MAX_LEVEL)
        require_within("magnitude_std", self.magnitude_std, math.inf)
        for name in ("operation_probability", "gray", "camera", "blur", "erase", "fill"):
            require_within(name, getattr(self, name), 1.0)
        require_range("erase_area", self.erase_area, 1.0)
        require_range("erase_aspect", self.erase_aspect, math.inf)
        if not self.blur_sigmas or min(self.blur_sigmas) <= 0:
            raise ValueError(f"blur_sigmas must be positive widths in pixels, found {self.blur_sigmas}.")

    def __call__(
        self,
        images: Tensor,
        *,
        boxes: Tensor | None = None,
        landmarks: Tensor | None = None,
        out_size: int | Size | None = None,
        generator: Generator,
    ) -> Augmented:
        """Change a batch, and move its boxes and landmarks along; in float32, also under autocast.

        Args:
            images: (B, C, H, W) uint8 with 1 or 3 channels.
            boxes: (B, 4) xyxy in input pixels.
            landmarks: (B, 5, 2) in input pixels.
            out_size: Height and width of the result, one number for a square; the input's by default.
            generator: Source of all random numbers.

        Raises:
            ValueError: If `images` is not a uint8 batch of 1 or 3 channels.
        """
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
            raise ValueError(
                f"images must be uint8 (B, 1 or 3, H, W), found {images.dtype} {tuple(images.shape)}."
            )
        size = (images.shape[2], images.shape[3])
        out = size if out_size is None else (out_size, out_size) if isinstance(out_size, int) else out_size
        with _without_autocast(images.device, generator.device):
            return self._change(images, boxes, landmarks, out, generator)

    def _change(
        self, images: Tensor, boxes: Tensor | None, landmarks: Tensor | None, out: Size, generator: Generator
    ) -> Augmented:
        size = (images.shape[2], images.shape[3])
        matrices = draw_geometry(len(images), self, size, out, generator)
        choices = None
        if self.num_operations:
            choices = photometric.draw_choices(
                len(images),
                self.num_operations,
                magnitude=self.magnitude,
                magnitude_std=self.magnitude_std,
                probability=self.operation_probability,
                generator=generator,
            )
            matrices = fold_choices(matrices, choices, out)
        if self.is_identity and choices is None and out == size:
            pixels = images.float()
        else:
            pixels = warp(images, matrices, out, interpolation=self.interpolation, fill=255 * self.fill)
            pixels.clamp_(0, 255)
        if choices is not None:
            pixels = photometric.apply_choices(pixels, choices)
        pixels = self._finish(pixels.mul_(1 / 255), generator)
        matrices = matrices.to(images.device)
        return Augmented(
            images=pixels,
            boxes=None if boxes is None else move_boxes(boxes, matrices, out),
            landmarks=None if landmarks is None else move_landmarks(landmarks, matrices),
            matrices=matrices,
        )

    def _finish(self, pixels: Tensor, generator: Generator) -> Tensor:
        if self.gray:
            pixels = photometric.gray_some(pixels, probability=self.gray, generator=generator)
        if self.camera:
            pixels = camera.photograph(pixels, probability=self.camera, generator=generator)
        if self.blur:
            pixels = photometric.blur_some(
                pixels, probability=self.blur, sigmas=self.blur_sigmas, generator=generator
            )
        if self.erase:
            pixels = photometric.erase(
                pixels,
                probability=self.erase,
                area=self.erase_area,
                aspect=self.erase_aspect,
                noise=self.erase_noise,
                generator=generator,
            )
        return pixels


@contextmanager
def _without_autocast(*devices: torch.device) -> Iterator[None]:
    """Products in the precision of their factors: a place in a picture has more digits than bfloat16."""
    with ExitStack() as stack:
        for kind in {device.type for device in devices}:
            stack.enter_context(torch.autocast(kind, enabled=False))
        yield


NONE = Augment()
"""The picture as it is, as float in [0, 1]."""

WEAK = Augment(crop_scale=(0.5, 1.0), crop_ratio=(3 / 4, 4 / 3), flip=0.5)
"""Random resized crop and flip. Half the area keeps eyes and mouth of an aligned face in most crops."""

STRONG = replace(WEAK, num_operations=2, magnitude=9.0, magnitude_std=0.5)
"""`WEAK` and RandAugment as in timm's `rand-m9-mstd0.5-inc1`."""


def normalize(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Subtract `mean` and divide by `std`, one number per channel.

    Args:
        images: (B, C, H, W) float in [0, 1].
        mean: C numbers.
        std: C positive numbers.

    Raises:
        ValueError: If there is not one number per channel, or a deviation is not positive.
    """
    if not len(mean) == len(std) == images.shape[1] or min(std) <= 0:
        raise ValueError(
            f"mean and std must have {images.shape[1]} numbers, one per channel, std above zero; "
            f"found mean {tuple(mean)}, std {tuple(std)}."
        )
    offset = torch.tensor(mean, dtype=images.dtype, device=images.device).view(1, -1, 1, 1)
    scale = torch.tensor(std, dtype=images.dtype, device=images.device).view(1, -1, 1, 1)
    return (images - offset) / scale
