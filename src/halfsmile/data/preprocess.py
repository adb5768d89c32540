"""From a picture of any size to the square uint8 input of a model: the only resize in the product.

Training, evaluation, export, serving and the web page all call :func:`preprocess`. The whole picture stays
visible: the longer side is scaled to ``size``, the shorter one keeps the proportion and is filled up with
copies of the picture's edge, half on each side (an odd pixel goes to the right or the bottom). Shrinking
averages areas, so nothing aliases; enlarging is bicubic.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Placement:
    """Where a picture lands in its square: ``x' = x * scale_x + left`` and ``y' = y * scale_y + top``.

    Args:
        width: Width of the scaled picture in pixels, without the padding.
        height: Height of the scaled picture in pixels, without the padding.
        left: Padding on the left in pixels.
        top: Padding at the top in pixels.
        scale_x: Pixels of the square per pixel of the picture, horizontally.
        scale_y: The same vertically; it differs from ``scale_x`` by the rounding to whole pixels only.
    """

    width: int
    height: int
    left: int
    top: int
    scale_x: float
    scale_y: float

    def points(self, points: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Move (x, y) points of the picture, shape (..., 2), to the square. Pixel i covers [i, i + 1)."""
        scale = np.array([self.scale_x, self.scale_y], np.float32)
        moved = np.asarray(points, np.float32) * scale + np.array([self.left, self.top], np.float32)
        return np.asarray(moved, np.float32)


def placement(height: int, width: int, size: int) -> Placement:
    """Where :func:`preprocess` puts a picture of this height and width.

    Raises:
        ValueError: If one of the three is not positive.

    Example:
        >>> placement(50, 100, 20)
        Placement(width=20, height=10, left=0, top=5, scale_x=0.2, scale_y=0.2)
    """
    if height < 1 or width < 1 or size < 1:
        raise ValueError(
            f"A picture needs at least one pixel and a positive target size; got height {height}, "
            f"width {width}, size {size}."
        )
    longer = max(height, width)
    new_width = max(1, round(width * size / longer))
    new_height = max(1, round(height * size / longer))
    return Placement(
        new_width,
        new_height,
        (size - new_width) // 2,
        (size - new_height) // 2,
        new_width / width,
        new_height / height,
    )


def preprocess(image: Image, size: int, channels: int) -> Image:
    """Scale and pad a picture to a square of the wanted channels.

    Args:
        image: RGB (H, W, 3) or gray (H, W, 1), uint8.
        size: Side of the square in pixels.
        channels: 1 for gray (from RGB by ITU-R BT.601: 0.299 R + 0.587 G + 0.114 B) or 3 for RGB
            (from gray by repetition).

    Returns:
        A new array of shape (size, size, channels), uint8.

    Raises:
        ValueError: If the image or an argument is not as described.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (1, 3):
        raise ValueError(
            f"Expected a uint8 image of shape (H, W, 3) or (H, W, 1), got {image.dtype} {image.shape}."
        )
    if channels not in (1, 3):
        raise ValueError(f"channels is 1 (gray) or 3 (RGB), got {channels}.")
    height, width = image.shape[:2]
    place = placement(height, width, size)
    if channels == 1 and image.shape[2] == 3:
        pixels = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    else:
        pixels = np.ascontiguousarray(image[:, :, 0] if image.shape[2] == 1 else image)
    if (place.height, place.width) != (height, width):
        shrinks = max(height, width) > size
        pixels = cv2.resize(
            pixels,
            (place.width, place.height),
            interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC,
        )
    if place.height != size or place.width != size:
        pixels = cv2.copyMakeBorder(
            pixels,
            place.top,
            size - place.height - place.top,
            place.left,
            size - place.width - place.left,
            cv2.BORDER_REPLICATE,
        )
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], channels, axis=2)
    return np.array(pixels, dtype=np.uint8, order="C")
