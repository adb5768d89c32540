"""JPEG files whose end is missing, as after a copy that broke off."""

from __future__ import annotations

import cv2
import numpy as np

from halfsmile.data.preprocess import Image

FLAGS = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH
ENOUGH = 0.9  # share of the rows that must be there
_END = b"\xff\xd9"
_NOISE = b"\x5a\xc3\x96\x71" * 4096  # what no file goes on with


def is_cut(data: bytes) -> bool:
    """Whether a file is a JPEG without its end marker."""
    return data.startswith(b"\xff\xd8") and _END not in data[_first_scan(data) :]


def decode_cut(data: bytes, *, is_wanted: bool) -> tuple[Image, str]:
    """Decode such a file as far as it goes.

    What is missing is gray. How far it goes is where the picture begins to depend on what would follow.

    Args:
        data: The file.
        is_wanted: False refuses it all the same.

    Returns:
        The picture as OpenCV has it, and a sentence that says what is missing.

    Raises:
        ValueError: If it is not wanted, or less than ``ENOUGH`` of the rows is there.
    """
    if not is_wanted:
        raise ValueError("the JPEG is cut short (it has no end marker).")
    pixels, other = (
        cv2.imdecode(np.frombuffer(data + rest + _END, np.uint8), FLAGS) for rest in (b"", _NOISE)
    )
    if pixels is None:
        raise ValueError("the JPEG is cut short, and nothing of it can be read.")
    height, there = len(pixels), len(pixels)
    if other is not None and other.shape == pixels.shape:
        differs = (pixels != other).reshape(height, -1).any(1)
        there = int(np.argmax(differs)) if differs.any() else height
    if there < ENOUGH * height:
        raise ValueError(f"the JPEG is cut short: {there:,} of its {height:,} rows are there.")
    lost = height - there
    missing = f"{lost:,} of {height:,} rows are damaged" if lost else "nothing is missing"
    return np.asarray(pixels), f"the JPEG is cut short, and was read as far as it goes ({missing})."


def _first_scan(data: bytes) -> int:
    """Position of a JPEG's first start-of-scan marker: an end marker before it is an embedded thumbnail's."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF and data[position + 1] != 0xDA:
        if data[position + 1] == 0xFF:
            position += 1
        else:
            position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return position
