"""The perceptual hash against SciPy's cosine transform, and what it must not notice."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from halfsmile.data.check.phash import SIDE, phash, thumbnail

fft = pytest.importorskip("scipy.fft")


def noise(count: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE), dtype=np.uint8)


def test_bits_are_the_signs_of_low_frequencies() -> None:
    images = noise(20)
    for image, value in zip(images, phash(images), strict=True):
        low = fft.dctn(image.astype(float), type=2, norm="ortho")[:8, :8].ravel()
        expected = low > np.median(low[1:])
        assert np.array_equal(np.unpackbits(np.array([value]).view(np.uint8)).astype(bool), expected)


def test_contrast_and_brightness_change_nothing_without_clipping() -> None:
    images = noise(20) // 4
    assert np.array_equal(phash(images), phash(images * 2 + 50))


def test_thumbnails_of_all_shapes() -> None:
    for shape in ((1, 1, 3), (5, 90, 1), (300, 200, 3), (32, 32, 1)):
        small = thumbnail(np.full(shape, 77, np.uint8))
        assert small.shape == (SIDE, SIDE)
        assert np.abs(small.astype(int) - 77).max() <= 1
    exact = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 1), dtype=np.uint8)
    assert np.array_equal(thumbnail(exact), exact[:, :, 0])
