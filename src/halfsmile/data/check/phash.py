"""Perceptual hash: 64 bits that hardly change when a picture is compressed, resized or brightened.

The gray picture is shrunk to 32 × 32, and the signs of the 8 × 8 lowest frequencies of its discrete cosine
transform, relative to their median, are the bits (the "pHash" of Zauner 2010, "Implementation and
benchmarking of perceptual image hash functions"). The mean brightness, coefficient (0, 0), takes no part in
the median.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from halfsmile.data.preprocess import Image

SIDE = 32
_LOW = 8

Hashes = npt.NDArray[np.uint64]


def thumbnail(image: Image) -> Image:
    """The picture in gray, squeezed to 32 × 32.

    Args:
        image: RGB (H, W, 3) or gray (H, W, 1), uint8.
    """
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.shape[2] == 3 else image[:, :, 0]
    shrinks = min(gray.shape) >= SIDE
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(gray, (SIDE, SIDE), interpolation=method), np.uint8)


def phash(thumbnails: Image) -> Hashes:
    """Hashes of thumbnails.

    Args:
        thumbnails: (N, 32, 32), uint8; see :func:`thumbnail`.

    Returns:
        (N,), uint64; two hashes are compared by the number of different bits.
    """
    basis = _basis()
    coefficients = (basis @ thumbnails.astype(np.float32) @ basis.T).reshape(len(thumbnails), _LOW * _LOW)
    median = np.median(coefficients[:, 1:], axis=1, keepdims=True)
    return np.packbits(coefficients > median, axis=1).view(np.uint64).ravel()


@cache
def _basis() -> npt.NDArray[np.float32]:
    """Rows of the orthonormal DCT-II matrix for the lowest frequencies, (8, 32)."""
    frequency, place = np.arange(_LOW)[:, None], np.arange(SIDE)[None, :]
    basis = np.cos(np.pi * frequency * (2 * place + 1) / (2 * SIDE)) * np.sqrt(2 / SIDE)
    basis[0] /= np.sqrt(2)
    return np.asarray(basis, np.float32)
