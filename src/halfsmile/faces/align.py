"""From a face in a picture of any size to an upright face of a fixed size: a similarity transform of points.

The template holds the five points of :mod:`halfsmile.faces.detect` in a picture of 112 x 112. They are the
median geometry of FER2013's crops, scaled by 0.92 about the center, so faces from photographs look like that
data set's.

A matrix (2, 3) maps points of the picture to points of the aligned face. Pixel i covers [i, i + 1).
"""

from __future__ import annotations

import cmath
import math
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from halfsmile.data.preprocess import Image
from halfsmile.faces.boxes import side
from halfsmile.faces.detect import Detection, Floats, require_pictures

Doubles = npt.NDArray[np.float64]
Border = Literal["replicate", "black"]

TEMPLATE_SIZE = 112
TEMPLATE = ((38.0, 45.4), (74.0, 45.4), (56.0, 65.4), (41.1, 81.3), (70.9, 81.3))
TEMPLATE_BOX = (19.0, 6.0, 94.0, 107.0)  # where YuNet and MTCNN see an upright face: medians of photographs
_MARGIN = 4  # pixels around what is cut out, at the resolution that is sampled


@lru_cache
def template(size: int = TEMPLATE_SIZE, scale: float = 1.0) -> Floats:
    """The template's points (5, 2) in an aligned face of this size, read-only.

    Args:
        size: Side of the aligned face in pixels.
        scale: Above 1 the face fills more of it, below 1 more of the surroundings are seen.

    Raises:
        ValueError: If one of them is not positive.
    """
    points = _in_template(np.array(TEMPLATE), size, scale).astype(np.float32)
    points.flags.writeable = False
    return points


def similarity(points: npt.ArrayLike, targets: npt.ArrayLike) -> Doubles:
    """The rotation, uniform scaling and shift that bring points closest to their targets.

    Closed form of the least squares (Umeyama, "Least-squares estimation of transformation parameters between
    two point patterns", TPAMI 1991), in two dimensions a division of complex numbers. Never a reflection.

    Args:
        points: (N, 2), at least two different ones.
        targets: (N, 2).

    Returns:
        (2, 3) matrix.

    Raises:
        ValueError: If the shapes differ, a number is not finite, or all points or all targets coincide.
    """
    source, target = np.asarray(points, np.float64), np.asarray(targets, np.float64)
    if source.shape != target.shape or source.ndim != 2 or source.shape[1] != 2 or len(source) < 2:
        raise ValueError(
            f"Expected two equally long lists of at least 2 points (x, y), found {source.shape} and "
            f"{target.shape}."
        )
    if not (np.isfinite(source).all() and np.isfinite(target).all()):
        raise ValueError("Points must be finite numbers.")
    fit = _fit(_complex(source), _complex(target))
    if fit is None:
        raise ValueError(f"Points {source.tolist()} fix no scale and rotation towards {target.tolist()}.")
    return _matrix(*fit)


def alignment(face: Detection, size: int = TEMPLATE_SIZE, scale: float = 1.0) -> Doubles:
    """The matrix (2, 3) from the picture to the aligned face.

    It follows the landmarks. Where there are none, the box gives position and scale, but no rotation: its
    center and its area are brought to those that boxes of upright faces have in the template.

    Args:
        face: The face in its picture.
        size: Side of the aligned face in pixels.
        scale: See :func:`template`.

    Raises:
        ValueError: If size or scale is not positive, or the landmarks fix no scale and rotation.
    """
    if face.landmarks is not None:
        targets = template(size, scale)
        fit = _fit(_complex(face.landmarks), _complex(targets))
        return similarity(face.landmarks, targets) if fit is None else _matrix(*fit)
    goal = _in_template(np.reshape(TEMPLATE_BOX, (2, 2)), size, scale).astype(np.float32).ravel()
    factor = side(goal) / side(face.box)
    shift = (goal[:2] + goal[2:]) / 2 - factor * (face.box[:2] + face.box[2:]) / 2
    return np.array([[factor, 0, shift[0]], [0, factor, shift[1]]])


def tilt(face: Detection) -> float:
    """Degrees by which alignment turns a face; infinite where it can't be aligned."""
    if face.landmarks is None:
        return 0.0
    fit = _fit(_complex(face.landmarks), _complex(template()))
    return math.inf if fit is None else math.degrees(cmath.phase(fit[0]))


def align(
    image: Image,
    face: Detection,
    *,
    size: int = TEMPLATE_SIZE,
    scale: float = 1.0,
    border: Border = "replicate",
) -> Image:
    """Cut a face out of its picture, upright and of a fixed size.

    Args:
        image: The picture in full resolution, RGB (H, W, 3), uint8.
        face: The face in it.
        size: Side of the aligned face in pixels.
        scale: See :func:`template`.
        border: See :func:`warp`.

    Returns:
        (size, size, 3), uint8.

    Raises:
        ValueError: If the picture is empty or not RGB uint8, or as :func:`alignment` says.
    """
    return warp(image, alignment(face, size, scale), size, border=border)


def warp(
    image: Image, matrix: Doubles, size: int, *, border: Border = "replicate", fine: bool = True
) -> Image:
    """Sample a picture through a similarity transform, without aliasing.

    Shrinking averages areas: what lies under the result is shrunk by area to at most twice the result's
    resolution, sampled at four places per pixel, and averaged. Sampling is bicubic.

    Args:
        image: RGB (H, W, 3), uint8.
        matrix: (2, 3) from points of the picture to points of the result.
        size: Side of the result in pixels.
        border: What is seen beyond the picture: copies of its edge, or black.
        fine: Else the picture is sampled once per pixel of the result, and areas are averaged only where it
            shrinks by more than two: a fourth of the time, and enough to find faces in.

    Returns:
        (size, size, 3), uint8.

    Raises:
        ValueError: If the picture is empty or not RGB uint8, or the matrix is no similarity transform.
    """
    require_pictures([image])
    zoom = _zoom(matrix) if np.isfinite(matrix).all() else 0.0
    if zoom == 0:
        raise ValueError(f"Expected an invertible (2, 3) matrix, found {np.asarray(matrix).tolist()}.")
    if not fine:
        return _sample(image, matrix, size, border, least=0.5)
    if zoom >= 1:
        return _sample(image, matrix, size, border)
    doubled = _sample(image, matrix * 2, 2 * size, border)
    return np.asarray(cv2.resize(doubled, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def move(points: npt.ArrayLike, matrix: Doubles) -> Floats:
    """Move points (..., 2) by a matrix (2, 3)."""
    return np.asarray(np.asarray(points, np.float64) @ matrix[:, :2].T + matrix[:, 2], np.float32)


def _complex(points: npt.NDArray[np.floating]) -> list[complex]:
    """Points (N, 2) as x + iy: a few are faster in Python than in NumPy."""
    return [complex(x, y) for x, y in points.tolist()]


def _fit(points: list[complex], targets: list[complex]) -> tuple[complex, complex] | None:
    """Turn and shift of least squares of turn · point + shift − target; None where nothing fixes them."""
    center, goal = sum(points) / len(points), sum(targets) / len(targets)
    away = [point - center for point in points]
    spread = sum(abs(one) ** 2 for one in away)
    if spread <= 1e-12:
        return None
    turn = sum(one.conjugate() * (target - goal) for one, target in zip(away, targets, strict=True)) / spread
    return None if abs(turn) < 1e-9 else (turn, goal - turn * center)


def _matrix(turn: complex, shift: complex) -> Doubles:
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def _in_template(points: Doubles, size: int, scale: float) -> Doubles:
    if size < 1 or not scale > 0:
        raise ValueError(f"An aligned face needs a positive size and scale, found {size} and {scale}.")
    center = TEMPLATE_SIZE / 2
    return ((points - center) * scale + center) * (size / TEMPLATE_SIZE)


def _sample(
    image: Image,
    matrix: Doubles,
    size: int,
    border: Border,
    *,
    least: float = 1.0,
) -> Image:
    """Sample what lies under the result, shrunk to its resolution first if that is below ``least``."""
    height, width = image.shape[:2]
    zoom = min(1.0, _zoom(matrix))
    back = np.asarray(cv2.invertAffineTransform(matrix), np.float64)
    corners = move([(0, 0), (0, size), (size, 0), (size, size)], back)
    reach = _MARGIN / zoom
    low = np.clip(np.floor(corners.min(0) - reach), 0, (width - 1, height - 1)).astype(int)
    high = np.clip(np.ceil(corners.max(0) + reach), low + 1, (width, height)).astype(int)
    patch = image[low[1] : high[1], low[0] : high[0]]
    if zoom < least:
        small = np.maximum(1, np.round((high - low) * zoom)).astype(int)
        shape = int(small[0]), int(small[1])
        patch = np.asarray(cv2.resize(patch, shape, interpolation=cv2.INTER_AREA), np.uint8)
    ratio = (high - low) / (patch.shape[1], patch.shape[0])
    linear, shift = matrix[:, :2] * ratio, matrix[:, 2] + matrix[:, :2] @ low
    shift = shift + linear @ (0.5, 0.5) - 0.5  # OpenCV counts from the center of the first pixel
    mode = cv2.BORDER_REPLICATE if border == "replicate" else cv2.BORDER_CONSTANT
    sampled = cv2.warpAffine(
        patch, np.column_stack((linear, shift)), (size, size), flags=cv2.INTER_CUBIC, borderMode=mode
    )
    return np.asarray(sampled, np.uint8)


def _zoom(matrix: Doubles) -> float:
    """Pixels of the result per pixel of the picture, along a side."""
    return math.sqrt(abs(float(np.linalg.det(matrix[:, :2]))))
