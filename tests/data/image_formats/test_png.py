from __future__ import annotations

import struct
import time
import zlib

import cv2
import numpy as np
import pytest

from halfsmile.data.decode import BadImageError, decode
from halfsmile.data.image_formats.png import HARMLESS, inflates_too_far

RGB = np.random.default_rng(0).integers(0, 256, (400, 500, 3), np.uint8)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(megabytes: int) -> bytes:
    """A picture of 100 x 100 with so many megabytes of zeros behind it."""
    stream = zlib.compressobj(9)
    block = stream.compress(bytes(1 << 20)) + stream.flush(zlib.Z_FULL_FLUSH)  # each is on its own
    body = block + block[2:] * (megabytes - 1) + stream.flush()
    header = struct.pack(">IIBBBBB", 100, 100, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_what_inflates_without_end_is_refused_at_once() -> None:
    data = bomb(600)
    assert len(data) > HARMLESS
    start = time.process_time()
    with pytest.raises(BadImageError, match=r"x\.png: the PNG inflates to more than 100 × 100 pixels take"):
        decode(data, "x.png")
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize("pixels", [RGB, RGB[:, :, 0], RGB.astype(np.uint16) * 257])
def test_whole_pictures_are_read(pixels: np.ndarray) -> None:
    data = cv2.imencode(".png", pixels)[1].tobytes()
    padded = data + bytes(HARMLESS)
    assert not inflates_too_far(padded)
    assert decode(padded, "x").shape[:2] == (400, 500)


def test_of_other_files_nothing_is_known() -> None:
    assert not inflates_too_far(bytes(2 * HARMLESS))
    assert not inflates_too_far(b"\x89PNG\r\n\x1a\n" + b"\xff" * 2 * HARMLESS)
    assert not inflates_too_far(bomb(1))
