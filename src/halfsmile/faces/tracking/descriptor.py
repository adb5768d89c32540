"""How a face looks in detail, to tell whether somebody is seen again: local binary patterns.

Every pixel says which of eight neighbors are at least as bright as it is; how often each such pattern occurs
in each cell of a grid over the aligned face is the descriptor (Ahonen, Hadid and Pietikäinen, "Face
Description with Local Binary Patterns", TPAMI 2006). It knows a face again in a like pose and light, however
large and bright it is; it does not know a person from another day.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from halfsmile.data.preprocess import Image
from halfsmile.faces.align import align
from halfsmile.faces.detect import Detection

SIDE, CELL, RADIUS = 64, 8, 2

Descriptor = npt.NDArray[np.float32]

_RING = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))


def describe(image: Image, face: Detection) -> Descriptor | None:
    """The descriptor of a face.

    The scalar product of two is a similarity from 0 to 1: the Bhattacharyya coefficient of the histograms.
    Pixels that no neighbor is darker than, as all of an even surface, count for nothing, so that faces are
    not alike for being blurred, dark or overexposed.

    Args:
        image: (H, W, 3) uint8, RGB.
        face: Its landmarks, or its box where it has none.

    Returns:
        (cells * patterns,), of length at most 1; None where the landmarks fix no place.
    """
    try:
        aligned = align(image, face, size=SIDE)
    except ValueError:
        return None
    gray = cv2.GaussianBlur(cv2.cvtColor(aligned, cv2.COLOR_RGB2GRAY), (0, 0), 1.0)
    padded = cv2.copyMakeBorder(gray, RADIUS, RADIUS, RADIUS, RADIUS, cv2.BORDER_REPLICATE)
    codes = np.zeros(gray.shape, np.uint8)
    for bit, (down, right) in enumerate(_RING):
        top, left = RADIUS * (1 + down), RADIUS * (1 + right)
        codes |= (padded[top : top + SIDE, left : left + SIDE] >= gray).astype(np.uint8) << bit
    counts = np.bincount(
        (_CELLS + _PATTERNS[codes]).ravel(),
        weights=(codes != 255).ravel(),
        minlength=_NUM_CELLS * _NUM_PATTERNS,
    )
    return np.sqrt(counts / SIDE**2).astype(np.float32)


def _uniform_patterns() -> npt.NDArray[np.intp]:
    """A number for each code whose ring has at most one run of ones; 0 for all others: (256,)."""
    bits = np.arange(256)[:, None] >> np.arange(8) & 1
    is_uniform = (bits != np.roll(bits, 1, axis=1)).sum(axis=1) <= 2
    return np.where(is_uniform, np.cumsum(is_uniform), 0)


_PATTERNS = _uniform_patterns()
_NUM_PATTERNS = int(_PATTERNS.max()) + 1
_NUM_CELLS = (SIDE // CELL) ** 2
_PLACE = np.arange(SIDE) // CELL
_CELLS = (_PLACE[:, None] * (SIDE // CELL) + _PLACE) * _NUM_PATTERNS
