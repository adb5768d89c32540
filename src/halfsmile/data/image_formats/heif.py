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
    try:
        pillow: Any = import_module("PIL.Image")
        operations: Any = import_module("PIL.ImageOps")
        import_module("pillow_heif").register_heif_opener()
    except ImportError as error:
        raise ValueError(WAY) from error
    try:
        with pillow.open(io.BytesIO(data)) as file:
            width, height = file.size
            if width * height > most:
                raise ValueError(f"{_TOO_LARGE} {width:,} × {height:,} pixels; at most {most:,} are decoded.")
            upright = operations.exif_transpose(file)
            return np.array(upright.convert("RGB"), np.uint8)
    except (OSError, SyntaxError, RuntimeError, EOFError, ValueError) as error:
        if str(error).startswith(_TOO_LARGE):
            raise
        reason = str(error).strip().rstrip(".")
        raise ValueError(f"the HEIC or AVIF picture is damaged or cut short ({reason}).") from error
