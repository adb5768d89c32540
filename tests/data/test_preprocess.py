"""The one resize of the product, guarded by golden pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfsmile.data.preprocess import Image, placement, preprocess

SHRUNK = """
 51  79 107 135 163 186 193 145
 71  99 127 155 174 183 165  90
 91 119 147 162 175 187  85 108
112 140 149 167 185  97 100 118
129 137 159 187 115  93 121 112
126 152 180 127  85 113 141  99
144 172 162  78 106 134 139 106
164 162  78  98 126 154 117 105
"""
ENLARGED = """
  0  11  37  56  81 101 126 142
  0  11  37  56  81 101 126 142
  3  18  44  64  88 108 134 149
 15  30  56  76 101 120 146 161
 24  39  65  84 109 129 155 170
 36  51  77  97 121 141 167 182
 43  59  84 104 129 148 174 190
 43  59  84 104 129 148 174 190
"""


def picture(height: int, width: int, channels: int = 3) -> Image:
    """A smooth picture that is different along both axes and in every channel."""
    y, x = np.mgrid[:height, :width]
    planes = [(x * 7 + y * 3 * (c + 1) + 40 * c) % 256 for c in range(channels)]
    return np.stack(planes, axis=2).astype(np.uint8)


def table(text: str) -> Image:
    return np.array([line.split() for line in text.split("\n") if line.strip()], np.uint8)


def test_golden_pixels_when_shrinking() -> None:
    image = picture(30, 32)
    assert np.abs(preprocess(image, 8, 1)[:, :, 0].astype(int) - table(SHRUNK)).max() <= 1


def test_golden_pixels_when_enlarging() -> None:
    image = (picture(4, 5, 1) * 5).astype(np.uint8)
    assert np.abs(preprocess(image, 8, 1)[:, :, 0].astype(int) - table(ENLARGED)).max() <= 1


def test_same_size_is_the_identity_and_a_copy() -> None:
    image = picture(8, 8)
    result = preprocess(image, 8, 3)
    assert np.array_equal(result, image)
    assert not np.shares_memory(result, image)


def test_shrinking_by_a_whole_factor_averages_blocks() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 1), dtype=np.uint8)
    means = image[:, :, 0].reshape(8, 4, 8, 4).mean(axis=(1, 3))
    assert np.abs(preprocess(image, 8, 1)[:, :, 0] - means).max() <= 0.51


def test_gray_weights_are_those_of_bt601() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    for channel, expected in enumerate((76, 150, 29)):
        image[:] = 0
        image[:, :, channel] = 255
        assert (preprocess(image, 8, 1) == expected).all()


def test_gray_becomes_rgb_by_repetition_and_comes_back() -> None:
    gray = picture(8, 8, 1)
    rgb = preprocess(gray, 8, 3)
    assert (rgb == gray).all()
    assert np.array_equal(preprocess(rgb, 8, 1), gray)


def test_the_whole_picture_stays_visible_and_the_edge_is_repeated() -> None:
    wide = picture(4, 8, 1)
    result = preprocess(wide, 8, 1)
    assert np.array_equal(result[2:6], wide)
    assert (result[:2] == wide[0]).all()
    assert (result[6:] == wide[-1]).all()


@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.integers(1, 40),
    st.sampled_from([1, 3]),
    st.sampled_from([1, 3]),
)
def test_any_size_gives_the_wanted_square(
    height: int, width: int, size: int, stored: int, channels: int
) -> None:
    result = preprocess(picture(height, width, stored), size, channels)
    assert result.shape == (size, size, channels)
    assert result.dtype == np.uint8
    assert result.flags.c_contiguous


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 40), st.integers(0, 255))
def test_a_flat_picture_stays_flat(height: int, width: int, size: int, value: int) -> None:
    assert (preprocess(np.full((height, width, 1), value, np.uint8), size, 1) == value).all()


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 100))
def test_placement_moves_the_picture_into_the_square(height: int, width: int, size: int) -> None:
    corners = placement(height, width, size).points([[0, 0], [width, height]])
    assert (corners >= -1e-3).all()
    assert (corners <= size + 1e-3).all()
    middle = corners.mean(axis=0)
    assert np.abs(middle - size / 2).max() <= 0.5 + 1e-3


def test_placement_follows_a_pixel() -> None:
    image = np.zeros((40, 20, 1), np.uint8)
    image[20:24, 8:12] = 255
    place = placement(40, 20, 10)
    (x0, y0), (x1, y1) = place.points([[8, 20], [12, 24]])
    result = preprocess(image, 10, 1)[:, :, 0]
    assert result[round(float(y0)) : round(float(y1)), round(float(x0)) : round(float(x1))].min() == 255
    assert (result > 0).sum() == 1


@pytest.mark.parametrize(
    ("image", "size", "channels"),
    [
        (np.zeros((4, 4), np.uint8), 8, 1),
        (np.zeros((4, 4, 4), np.uint8), 8, 3),
        (np.zeros((4, 4, 3), np.float32), 8, 3),
        (np.zeros((0, 4, 3), np.uint8), 8, 3),
        (np.zeros((4, 4, 3), np.uint8), 0, 3),
        (np.zeros((4, 4, 3), np.uint8), 8, 2),
    ],
)
def test_anything_else_is_refused(image: Image, size: int, channels: int) -> None:
    with pytest.raises(ValueError, match=r"got|expected|Expected"):
        preprocess(image, size, channels)
