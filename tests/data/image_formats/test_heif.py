from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from halfsmile.data.decode import BadImageError, decode
from halfsmile.faces.sources import find_sources

RGB = cv2.resize(np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8), (160, 120))


def encoded(kind: str, **options: Any) -> bytes:
    """The picture as pillow-heif or Pillow writes it."""
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow = pytest.importorskip("PIL.Image")
    pillow_heif.register_heif_opener()
    file = io.BytesIO()
    pillow.fromarray(RGB).save(file, kind, quality=95, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_pictures_of_phones_are_read(kind: str, tmp_path: Path) -> None:
    data = encoded(kind)
    image = decode(data, "IMG_1")
    assert image.shape == RGB.shape
    assert np.abs(image.astype(int) - RGB).mean() < 6
    (tmp_path / "IMG_1").write_bytes(data)
    (source,) = find_sources([tmp_path]).items
    np.testing.assert_array_equal(source.read(), image)
    with pytest.raises(BadImageError, match="damaged or cut short"):
        decode(data[: len(data) // 2], "IMG_1")


def test_orientation_is_applied() -> None:
    exif = pytest.importorskip("PIL.Image").Exif()
    exif[0x0112] = 6  # turned: a viewer turns it by 90 degrees clockwise
    image = decode(encoded("HEIF", exif=exif.tobytes()), "x")
    assert image.shape == (160, 120, 3)
    assert np.abs(image.astype(int) - np.rot90(RGB, -1)).mean() < 8


def test_without_the_package_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(BadImageError, match=r"need pillow-heif: pip install 'halfsmile\[heif\]'"):
        decode(b"\0\0\0\x18ftypheic" + bytes(60), "IMG_1.HEIC")
