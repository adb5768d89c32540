"""HEIC and AVIF, the pictures of phones: read by pillow-heif and Pillow, which are imported here alone.

HEIC (H.265) is read by pillow-heif (libheif), AVIF (AV1) by Pillow itself from 11.3 on; the extra ``heif``
brings both. Orientation is applied as the file asks.
"""

from __future__ import annotations

import io
from importlib import import_module
from typing import Any

import numpy as np

from halfsmile.data.preprocess import Image

_TOO_LARGE = "it claims"
_DAMAGED = (OSError, SyntaxError, RuntimeError, EOFError, ValueError)
WAY = "HEIC and AVIF pictures need pillow-heif: pip install 'halfsmile[heif]'; or export them as JPEG or PNG."


def decode_heif(data: bytes, most: int) -> Image:
    """Decode a HEIC or AVIF picture; of a sequence the first.

    Args:
        data: The file.
        most: Largest number of pixels.

    Returns:
        RGB (H, W, 3), uint8, upright.

    Raises:
        ValueError: If the packages are missing, or the picture is damaged or too large.
    """
    pillow, operations = _libraries()
    try:
        with pillow.open(io.BytesIO(data)) as file:
            width, height = file.size
            if width * height > most:
                raise ValueError(f"{_TOO_LARGE} {width:,} × {height:,} pixels; at most {most:,} are decoded.")
            upright = operations.exif_transpose(file)
            return np.array(upright.convert("RGB"), np.uint8)
    except _DAMAGED as error:
        if str(error).startswith(_TOO_LARGE):
            raise
        raise _damaged(error) from error


def heif_size(data: bytes) -> tuple[int, int]:
    """Width and height of a HEIC or AVIF picture, without decoding it.

    Args:
        data: The file.

    Raises:
        ValueError: If the packages are missing, or the picture is damaged.
    """
    pillow, _ = _libraries()
    try:
        with pillow.open(io.BytesIO(data)) as file:
            width, height = file.size
            return int(width), int(height)
    except _DAMAGED as error:
        raise _damaged(error) from error


def _libraries() -> tuple[Any, Any]:
    """Pillow's images, which read HEIC from then on, and its operations."""
    try:
        pillow: Any = import_module("PIL.Image")
        operations: Any = import_module("PIL.ImageOps")
        import_module("pillow_heif").register_heif_opener()
    except ImportError as error:
        raise ValueError(WAY) from error
    return pillow, operations


def _damaged(error: Exception) -> ValueError:
    reason = str(error).strip().rstrip(".")
    return ValueError(f"the HEIC or AVIF picture is damaged or cut short ({reason}).")
