"""What the camera adds to a drawn head: the background behind it, things in front of it, light and noise."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from halfsmile.data.synthetic.canvas import CIRCLE, Image, View, color
from halfsmile.data.synthetic.rig import spline_matrix
from halfsmile.data.synthetic.scene import Scene

Array = npt.NDArray[np.float32]
_LEVELS = np.arange(256, dtype=np.float32)
_SMOOTH = spline_matrix(4, 5)


@lru_cache(maxsize=4)
def _noise_bank(size: int) -> Array:
    """Unit normal noise that pictures take random windows from. Shape (rows, columns * 3)."""
    rng = np.random.default_rng(20)
    return rng.standard_normal((size + 251, 3 * (size + 251)), dtype=np.float32)


@lru_cache(maxsize=4)
def _grid(size: int) -> Array:
    """Pixel centers in sides of the picture. Shape (size,)."""
    return ((np.arange(size, dtype=np.float32) + 0.5) / size).astype(np.float32)


def _brightness(scene: Scene, size: int) -> Array:
    """A ball lit from the scene's side: factors for every column and every row. Shape (2, size)."""
    places = (_grid(size) - np.array(scene.center, np.float32)[:, None]) * np.float32(1 / scene.scale)
    places = np.minimum(np.maximum(places, -1.4), 1.4)
    slope = np.array(scene.light, np.float32)[:, None] * np.float32(0.2)
    return np.asarray((1 + slope * places) * (1.02 - 0.09 * places * places), np.float32)


def backdrop(scene: Scene, side: int) -> Image:
    """A smooth background from the scene's coarse one. Shape (side, side, 3)."""
    across = (_SMOOTH @ scene.backdrop.reshape(4, 12)).reshape(-1, 4, 3)
    colors = np.clip(_SMOOTH @ across, 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(colors, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)


def cover(canvas: View, skin: Array, scene: Scene) -> None:
    """Put the scene's occlusion in front of the face."""
    a, b, c, d, e, f = scene.cover.tolist()
    tone = (40 + 150 * d, 40 + 150 * e, 40 + 150 * f)
    if scene.occlusion == "bar":
        x = -0.9 + 1.8 * a
        tilt = (b - 0.5) * 0.8
        bar = np.array(
            [(x - tilt, -1.6), (x + 0.18 - tilt, -1.6), (x + 0.18 + tilt, 1.6), (x + tilt, 1.6)], np.float32
        )
        canvas.fill([canvas.pin(bar, 0.0)], tone)
    elif scene.occlusion == "patch":
        center = np.array([(-0.6 + 1.2 * a, -0.5 + 1.2 * b)], np.float32)
        blob = center + CIRCLE * (0.20 + 0.14 * c)
        canvas.fill([canvas.pin(blob.astype(np.float32), 0.0)], (30 + 30 * d, 28 + 30 * d, 30 + 30 * d))
    elif scene.occlusion == "hand":
        sign = 1 if a < 0.5 else -1
        skin = skin * np.array((0.95, 0.91, 0.9), np.float32)
        for finger in range(4):
            y = 0.35 + 0.5 * b + 0.15 * finger
            reach = 0.42 - 0.10 * abs(finger - 1.2) - 0.2 * c
            strip = np.array([(sign * 1.5, y + 0.25), (sign * (0.75 - reach), y - 0.05)], np.float32)
            line = canvas.pin(strip, 0.0)
            canvas.line([line], color(skin * 0.8), 0.17)
            canvas.line([line], color(skin), 0.13)
    elif scene.occlusion == "curtain":
        edge = -0.75 + 0.15 * b
        sheet = np.array([(-1.6, edge + 0.3 * a), (1.6, edge + 0.3 * c), (1.6, 1.8), (-1.6, 1.8)], np.float32)
        canvas.fill([canvas.pin(sheet, 0.0)], tone)
    elif scene.occlusion == "corner":
        x, y = (-1.1 if a < 0.5 else 1.1), (-1.1 if b < 0.3 else 1.1)
        reach = 0.75 + 0.4 * c
        corner = np.array([(x, y), (x - np.sign(x) * reach, y), (x, y - np.sign(y) * reach)], np.float32)
        canvas.fill([canvas.pin(corner * 1.25, 0.0)], tone)


def expose(pixels: Image, scene: Scene, size: int) -> Image:
    """Shrink, then blur, light, noise, gamma and color cast. Shape (size, size, 3)."""
    small = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA)
    if scene.blur * size > 0.25:
        small = cv2.GaussianBlur(small, (0, 0), scene.blur * size)
    across, down = _brightness(scene, size)
    values = np.multiply.outer(down, np.repeat(across, 3))  # rows of interleaved channels are fast
    values *= small.reshape(size, -1)
    row, column = scene.texture % 251, 3 * (scene.texture // 251 % 251)
    noise = _noise_bank(size)[row : row + size, column : column + 3 * size]
    seen = cv2.addWeighted(values, 1.0, noise, scene.noise, 0.0, dtype=cv2.CV_8U)
    curve = np.multiply.outer((_LEVELS / 255) ** np.float32(scene.gamma) * 255, scene.cast) + 0.5
    table = np.minimum(curve, 255).astype(np.uint8)[None]
    return np.asarray(cv2.LUT(seen.reshape(size, size, 3), table), np.uint8)
