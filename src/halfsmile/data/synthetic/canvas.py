"""Polygons, lines and spots on a picture, with widths in face units, and where a posed head puts them."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from halfsmile.data.synthetic.scene import Scene

Array = npt.NDArray[np.float32]
Image = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int32]
Color = tuple[float, ...]

SHIFT = 4  # fractional bits of the coordinates handed to OpenCV
CIRCLE = np.stack([np.cos(np.arange(12) * np.pi / 6), np.sin(np.arange(12) * np.pi / 6)], 1).astype(
    np.float32
)


def color(values: Array) -> Color:
    """An RGB array, 0 to 255, as OpenCV takes it."""
    return tuple(values.tolist())


def fixed(placed: Array) -> Ints:
    """Canvas coordinates, where pixel i covers [i, i + 1), to OpenCV's, whose whole numbers are centers.

    Args:
        placed: Shape (..., 2).

    Returns:
        Fixed-point numbers with :data:`SHIFT` fractional bits, same shape.
    """
    return np.asarray(np.rint((placed - 0.5) * 2**SHIFT), np.int32)


class Canvas:
    """A picture to draw on; coordinates are what :func:`fixed` returns.

    Args:
        pixels: RGB, shape (S, S, 3), drawn on in place.
        unit: Length of one face unit in pixels.
    """

    def __init__(self, pixels: Image, unit: float) -> None:
        self.pixels = pixels
        self.side = pixels.shape[0]
        self.unit = unit

    def fill(self, polygons: list[Ints], color: Color) -> None:
        """Filled polygons that don't overlap, each of shape (n, 2)."""
        cv2.fillPoly(self.pixels, polygons, color, cv2.LINE_AA, SHIFT)

    def line(self, curves: list[Ints], color: Color, width: float, *, closed: bool = False) -> None:
        """Polylines of a width in face units.

        They are not anti-aliased: thick lines would cost four times as much, and shrinking smooths them.
        """
        thickness = max(1, round(width * self.unit))
        cv2.polylines(self.pixels, curves, closed, color, thickness, cv2.LINE_8, SHIFT)

    def spot(self, center: Ints, axes: tuple[float, float], color: Color) -> None:
        """A filled ellipse with upright axes, given in face units."""
        x, y = center.tolist()
        scale = self.unit * 2**SHIFT
        size = (int(axes[0] * scale), int(axes[1] * scale))
        cv2.ellipse(self.pixels, (x, y), size, 0, 0, 360, color, -1, cv2.LINE_AA, SHIFT)


class View(Canvas):
    """A canvas on which the head of a scene is placed.

    Args:
        pixels: RGB, shape (S, S, 3), drawn on in place.
        scene: Position, scale and direction of the head.
    """

    def __init__(self, pixels: Image, scene: Scene) -> None:
        super().__init__(pixels, scene.scale * pixels.shape[0])
        cos, sin = math.cos(scene.roll) * self.unit, math.sin(scene.roll) * self.unit
        self.rotation = np.array([[cos, -sin], [sin, cos]], np.float32)
        squeeze = np.array([math.cos(scene.yaw), math.cos(scene.pitch)], np.float32)
        origin = np.array(scene.center, np.float32) * self.side
        self.affine = np.concatenate([self.rotation * squeeze, origin[:, None]], axis=1)
        self.turn = self.rotation @ np.array([math.sin(scene.yaw), math.sin(scene.pitch)], np.float32)

    def place(self, points: Array, depth: Array | float) -> Array:
        """Face units to canvas coordinates, where pixel i covers [i, i + 1).

        Args:
            points: Shape (n, 2).
            depth: How far the points stand out towards the camera: one number, or shape (n, 1).

        Returns:
            Shape (n, 2).
        """
        placed = cv2.transform(points[None], self.affine)[0]
        if isinstance(depth, np.ndarray):
            return np.asarray(placed + depth * self.turn)
        return np.asarray(placed + np.float32(depth) * self.turn)

    def pin(self, points: Array, depth: Array | float) -> Ints:
        """The same in the coordinates that the drawing functions take."""
        return fixed(self.place(points, depth))
