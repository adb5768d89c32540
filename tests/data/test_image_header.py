"""Sizes read from headers against Pillow, and claims of absurd sizes."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from halfsmile.data.decode import decode
from halfsmile.data.image_header import heif_kind, image_size, tiff_pages


def encoded(width: int, height: int, file_format: str, mode: str = "RGB", **options: Any) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Pillow.fromarray(pixels).convert(mode).save(buffer, file_format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("file_format", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("JPEG", {"exif": b"Exif\0\0" + bytes(500), "comment": b"\xff\xc0" * 9}),
        ("PNG", {}),
        ("PNG", {"mode": "P"}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"mode": "RGBA", "exif": b"Exif\0\0"}),
        ("GIF", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"big_tiff": True}),
        ("PPM", {}),
        ("PPM", {"mode": "L"}),
        ("PPM", {"mode": "1"}),
        ("JPEG2000", {}),
        ("JPEG2000", {"no_jp2": True}),
    ],
)
@pytest.mark.parametrize("size", [(37, 21), (300, 400)])
def test_sizes_are_those_that_were_written(
    file_format: str, options: dict[str, Any], size: tuple[int, int]
) -> None:
    assert image_size(encoded(*size, file_format, **options)) == size


def test_forms_that_pillow_does_not_write() -> None:
    assert image_size(b"P2\n# a comment\n12 # another\n 34\n255\n") == (12, 34)
    assert image_size(b"BM" + bytes(12) + struct.pack("<IHH", 12, 5, 6)) == (5, 6)
    assert image_size(b"BM" + bytes(12) + struct.pack("<Iii", 40, 5, -6)) == (5, 6)
    entries = struct.pack(">HHIHH", 256, 3, 1, 7, 0) + struct.pack(">HHII", 257, 4, 1, 9)
    assert image_size(b"MM\0*" + struct.pack(">IH", 8, 2) + entries) == (7, 9)


def test_a_small_frame_behind_the_picture_does_not_hide_a_large_one() -> None:
    """A decoder skips FF 00; who takes it for a segment jumps over the picture to the frame behind it."""
    real = encoded(300, 200, "JPEG")[2:]
    jump = b"\xff\x00" + (real.find(b"\xff\xda") + 18).to_bytes(2, "big")
    small = b"\xff\xc0\x00\x0b\x08\x00\x08\x00\x08\x01\x01\x11\x00"
    data = b"\xff\xd8" + jump + real + small
    assert decode(data, "a.jpg").shape[:2] == (200, 300)
    assert image_size(data) == (300, 200)
    assert image_size(b"\xff\xd8\xff\xd9" + small) is None
    assert image_size(b"\xff\xd8\xff\xda\x00\x02" + small) is None


@pytest.mark.parametrize(
    "data", [b"", b"<html>", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WAVE", b"P7"]
)
def test_unknown_and_cut_headers_have_no_size(data: bytes) -> None:
    assert image_size(data) is None


def test_the_brand_tells_heic_and_avif_from_videos() -> None:
    for brand, kind in (("heic", "still"), ("avif", "still"), ("mif1", "still"), ("avis", "sequence")):
        assert heif_kind(b"\0\0\0\x1cftyp" + brand.encode()) == kind
    assert heif_kind(b"\0\0\0\x1cftypisom") is None
    assert heif_kind(b"\0\0\0\x1cftyp") is None
    assert heif_kind(b"heicheicheic") is None


def test_pages_of_a_tiff_are_counted_and_told_of() -> None:
    more = [Pillow.new("RGB", (8, 6)) for _ in range(2)]
    pages = encoded(8, 6, "TIFF", save_all=True, append_images=more)
    assert (tiff_pages(encoded(8, 6, "TIFF")), tiff_pages(pages), tiff_pages(encoded(8, 6, "PNG"))) == (
        1,
        3,
        0,
    )
    assert tiff_pages(pages[:9]) == tiff_pages(b"II*\0\4\0\0\0") == 0
    problems: list[str] = []
    assert decode(pages, "scan.tif", problems=problems).shape == (6, 8, 3)
    assert problems == ["scan.tif: it has 3 pages; the first was taken."]


starts = [b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBPVP8 ", b"GIF8", b"BM", b"II*\0", b"MM\0+",
          b"P5 ", b"\xff\x4f\xff\x51"]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(starts), st.binary(max_size=60))
def test_arbitrary_bytes_give_a_size_or_none(start: bytes, rest: bytes) -> None:
    size = image_size(start + rest)
    assert size is None or all(isinstance(side, int) for side in size)
