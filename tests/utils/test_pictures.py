from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from halfsmile.utils import pictures
from halfsmile.utils.pictures import (
    Images,
    facemix_grid,
    mistakes_grid,
    reconstruction_grid,
    write_png,
)


def noise(count: int, size: int, channels: int, seed: int = 0) -> Images:
    shape = (count, size, size, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [48, 144, 224])
def test_every_tile_shows_its_image(size: int, channels: int) -> None:
    """Flat images of known colors: each color covers about a tile of the sheet."""
    values = np.arange(40, 40 + 5 * 30, 30, dtype=np.uint8)
    flat = np.broadcast_to(values[:, None, None, None], (5, size, size, channels)).copy()
    sheet = reconstruction_grid(flat, flat, flat)
    assert sheet.dtype == np.uint8
    assert sheet.shape[2] == 3
    for value in values:
        assert (sheet == value).all(axis=2).sum() >= 3 * pictures.TILE**2


def test_facemix_draws_known_boxes_only() -> None:
    images = np.zeros((2, 64, 64, 3), dtype=np.uint8)
    boxes = np.array([[8, 8, 56, 56], [np.nan] * 4], dtype=np.float32)
    sheet = facemix_grid(images, images, images, boxes, boxes, np.array([1.0, 0.5]), np.array([0.0, 1.0]))
    left, right = np.split(sheet, [sheet.shape[1] // 2], axis=1)
    assert (left == pictures.FIRST).all(axis=2).any()
    assert not (right == pictures.FIRST).all(axis=2).any()
    alone = facemix_grid(*(images[:1],) * 3, boxes[:1], boxes[:1], np.ones(1), np.zeros(1))
    assert alone.shape[1] < sheet.shape[1]


def test_mistakes_need_one_caption_each_and_long_ones_fit() -> None:
    images = noise(7, 48, 1)
    labels = ["a very long expression name that does not fit"] * 7
    sheet = mistakes_grid(images, labels, labels, np.full(7, 0.987))
    background = (sheet == pictures.SHEET).all(axis=2)
    assert background[:, : pictures.MARGIN - 2].all()
    assert background[:, -pictures.MARGIN + 2 :].all()
    with pytest.raises(ValueError, match="one of each per image"):
        mistakes_grid(images, labels[:6], labels, np.full(7, 0.5))


def test_bad_stacks_are_refused() -> None:
    good = noise(2, 48, 3)
    with pytest.raises(ValueError, match="square uint8"):
        reconstruction_grid(good.astype(np.float32), good, good)
    with pytest.raises(ValueError, match="square uint8"):
        reconstruction_grid(good[:0], good[:0], good[:0])
    with pytest.raises(ValueError, match="differ in shape"):
        reconstruction_grid(good, good[:1], good)
    with pytest.raises(ValueError, match="boxes"):
        facemix_grid(good, good, good, np.zeros((2, 4)), np.zeros((1, 4)), np.zeros(2), np.zeros(2))


@pytest.mark.parametrize("channels", [1, 3])
def test_png_round_trip_keeps_channel_order(tmp_path: Path, channels: int) -> None:
    picture = noise(1, 32, channels)[0]
    write_png(tmp_path / "figures" / "x.png", picture)
    decoded = cv2.imread(str(tmp_path / "figures" / "x.png"), cv2.IMREAD_UNCHANGED)
    assert decoded is not None
    read = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB) if channels == 3 else decoded[..., None]
    assert np.array_equal(read, picture)
    assert [p.name for p in (tmp_path / "figures").iterdir()] == ["x.png"]
    with pytest.raises(ValueError, match="uint8"):
        write_png(tmp_path / "y.png", picture.astype(np.float64))
