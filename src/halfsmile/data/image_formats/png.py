"""How much a PNG file inflates to, before a decoder finds out.

A file of some megabytes can hold gigabytes of zeros behind a picture of 100 × 100, and libpng inflates all of
them. So what is more than its header asks for is refused as soon as it is met.
"""

from __future__ import annotations

import zlib

HARMLESS = 1 << 18  # bytes of compressed data that inflate in less than a second, whatever they are
_STEP = 1 << 20
_SPARE = 1 << 16  # bytes too many that a careless program may have written
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def inflates_too_far(data: bytes) -> bool:
    """Whether the pixels of a PNG file are followed by more data than its header asks for.

    Args:
        data: The file; of other formats and of damaged ones nothing is known, and the answer is no.
    """
    if not data.startswith(_SIGNATURE) or len(data) < HARMLESS:
        return False
    left = _needed(data) + _SPARE
    stream = zlib.decompressobj()
    position = len(_SIGNATURE)
    while position + 8 <= len(data):
        length, kind = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + 8]
        if kind == b"IDAT":
            part: bytes = data[position + 8 : position + 8 + length]
            try:
                while part and left >= 0:
                    left -= len(stream.decompress(part, min(_STEP, left + 1)))
                    part = stream.unconsumed_tail
            except zlib.error:
                return False
            if left < 0:
                return True
        elif kind == b"IEND":
            break
        position += 12 + length
    return False


def _needed(data: bytes) -> int:
    """Bytes of the pixels of a picture with this header; at most, where it is interlaced."""
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    depth, color, interlaced = data[24], data[25], data[28]
    row = (width * depth * _CHANNELS.get(color, 4) + 7) // 8 + 1
    return row * height if not interlaced else row * height + 15 * (height + width) + 64
