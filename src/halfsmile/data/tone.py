"""Films and pictures of high dynamic range brought to the standard one, about as players do: HLG and PQ.

Phones film so, and some cameras take photographs so: HLG (ARIB STD-B67) or PQ (SMPTE ST 2084), with the wide
colors of BT.2020. Shown as they are, they look pale and gray. Light is computed from the signal (ITU-R
BT.2100; HLG for a display of 1,000 cd/m²), diffuse white of 203 cd/m² (BT.2408) becomes nearly white, what is
brighter is compressed, and colors become those of BT.709.
"""

from __future__ import annotations

import functools
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from halfsmile.data.preprocess import Image

Curve = Literal["HLG", "PQ"]
CURVES: dict[int, Curve] = {16: "PQ", 18: "HLG"}
"""By FFmpeg's numbers of transfer characteristics, which are those of ITU-T H.273."""
WHITE, PEAK = 203.0, 1000.0  # cd/m²
KNEE = 0.8  # light, of white, above which highlights are compressed
GAMMA = 2.4  # of a display of standard dynamic range (BT.1886)
_LUMINANCE = np.array([[0.2627, 0.6780, 0.0593]], np.float32)
_TO_709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)
_STEPS = 1 << 16
_TOGETHER = 1 << 23  # pixels


def tone_mapped(signal: npt.NDArray[np.uint16], curve: Curve) -> Image:
    """A frame of standard dynamic range.

    Args:
        signal: (H, W, 3) R'G'B' of BT.2020, full range, 16 bits.
        curve: Of the signal.

    Returns:
        (H, W, 3), uint8.
    """
    rows = max(1, _TOGETHER // max(1, signal.shape[1]))
    if len(signal) > rows:
        parts = [tone_mapped(signal[top : top + rows], curve) for top in range(0, len(signal), rows)]
        return np.concatenate(parts)
    light = _light(curve)[signal >> 4]
    if curve == "HLG":  # the display's gamma of 1.2 acts on the luminance of the scene
        scene = cv2.transform(light, _LUMINANCE)
        light *= np.power(scene, 0.2).reshape(*scene.shape[:2], 1) * np.float32(PEAK / WHITE)
    shown = np.asarray(cv2.transform(light, _TO_709), np.float32) * np.float32((_STEPS - 1) * WHITE / PEAK)
    return np.asarray(_display()[np.clip(shown, 0, _STEPS - 1).astype(np.uint16)], np.uint8)


@functools.cache
def _light(curve: Curve) -> npt.NDArray[np.float32]:
    """By 12 bits of the signal: for PQ light, of white; for HLG that of the scene, 0 to 1."""
    values = np.arange(1 << 12) / ((1 << 12) - 1)
    if curve == "HLG":
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        dark, bright = values**2 / 3, (np.exp((values - c) / a) + b) / 12
        return np.where(values <= 0.5, dark, bright).astype(np.float32)
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = values ** (1 / m2)
    light = (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)
    return (light * 10_000 / WHITE).astype(np.float32)


@functools.cache
def _display() -> npt.NDArray[np.uint8]:
    """Bytes by light from 0 to ``PEAK``: as it is up to the knee, then ever flatter, to white at the peak."""
    light = np.linspace(0, PEAK / WHITE, _STEPS)
    room = 1 - KNEE
    over = np.maximum(light - KNEE, 0) / room
    most = (PEAK / WHITE - KNEE) / room
    rolled = KNEE + room * over * (1 + over / most**2) / (1 + over)  # Reinhard's, which reaches 1 at most
    shown = np.where(light <= KNEE, light, rolled)
    return np.rint(255 * np.clip(shown, 0, 1) ** (1 / GAMMA)).astype(np.uint8)
