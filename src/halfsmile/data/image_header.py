"""Width and height of an image file from its first bytes, before anything is decoded.

A file of a few kilobytes can claim a picture that fills the memory, so the claim is read first. Known are
the formats whose suffixes :mod:`halfsmile.data.readers.folder` lists.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import Literal

_SUBFILE = 254  # the tag of a TIFF's picture whose lowest bit says that it is a reduced copy
_PNM = re.compile(rb"P[1-6](?:\s|#[^\n]*\n)+(\d{1,9})(?:\s|#[^\n]*\n)+(\d{1,9})")
_JPEG2000_SIZE = b"\xff\x4f\xff\x51"
_JPEG_FRAMES = frozenset((*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)))
_JPEG_ENDS = (0xD9, 0xDA)  # of the image, and of the headers
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)
_HEIF_STILLS = (b"avif", b"heic", b"heim", b"heis", b"heix", b"mif1")
_HEIF_SEQUENCES = (b"avis", b"hevc", b"hevm", b"hevs", b"hevx", b"msf1")


def image_size(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels as the file states them, before any EXIF rotation.

    Args:
        data: An image file: JPEG, PNG, GIF, BMP, WebP, TIFF, PNM (P1 to P6) or JPEG 2000.

    Returns:
        None if the format is unknown or the header is cut short.

    Example:
        >>> image_size(b"P5 640 480 255 ")
        (640, 480)
    """
    for magic, size in _FORMATS:
        if data.startswith(magic):
            try:
                return size(data)
            except (struct.error, IndexError, OverflowError):
                return None
    return None


def heif_kind(data: bytes) -> Literal["still", "sequence"] | None:
    """Whether a file is a HEIC or AVIF picture, or a sequence of such; None for all others.

    Its boxes are those of an MP4 file, so that only the brand at its start tells a picture from a video.

    Example:
        >>> heif_kind(b"....ftypheic")
        'still'
    """
    if data[4:8] != b"ftyp":
        return None
    brand = data[8:12]
    return "still" if brand in _HEIF_STILLS else "sequence" if brand in _HEIF_SEQUENCES else None


def tiff_pages(data: bytes) -> int:
    """How many pictures a TIFF file holds one after the other, without reduced copies; 0 for all others.

    Args:
        data: The file.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        return 0
    pages, seen = 0, set[int]()
    try:
        (place,) = struct.unpack_from(f"{order}I", data, 4)
        while place and place not in seen:
            seen.add(place)
            (entries,) = struct.unpack_from(f"{order}H", data, place)
            tags = dict(struct.unpack_from(f"{order}H6xI", data, place + 2 + 12 * i) for i in range(entries))
            pages += not tags.get(_SUBFILE, 0) & 1
            (place,) = struct.unpack_from(f"{order}I", data, place + 2 + 12 * entries)
    except struct.error:
        pass
    return pages


def _png(data: bytes) -> tuple[int, int] | None:
    width, height = struct.unpack_from(">II", data, 16)
    return (width, height) if data[12:16] == b"IHDR" else None


def _gif(data: bytes) -> tuple[int, int] | None:
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def _bmp(data: bytes) -> tuple[int, int] | None:
    header = struct.unpack_from("<I", data, 14)[0]
    if header not in _BMP_HEADERS:  # text may begin with BM, too
        return None
    if header == 12:
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)
    return abs(width), abs(height)


def _webp(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16] if data[8:12] == b"WEBP" else b""
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    """Size of the frame that a decoder would take: what libjpeg skips is skipped; where it ends, all ends."""
    position = 2
    while (position := data.find(b"\xff", position)) >= 0:
        marker = data[position + 1]
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, position + 5)
            return width, height
        if marker in _JPEG_ENDS:
            return None
        has_no_length = marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD8
        if has_no_length:
            position += 1 if marker == 0xFF else 2
        else:
            position += 2 + max(2, struct.unpack_from(">H", data, position + 2)[0])
    return None


def _jpeg2000(data: bytes) -> tuple[int, int] | None:
    start = data.find(_JPEG2000_SIZE)
    if start < 0:
        return None
    width, height, left, top = struct.unpack_from(">4I", data, start + 8)
    return width - left, height - top


def _pnm(data: bytes) -> tuple[int, int] | None:
    match = _PNM.match(data)
    return (int(match[1]), int(match[2])) if match else None


def _tiff(data: bytes) -> tuple[int, int] | None:
    order = "<" if data.startswith(b"II") else ">"
    is_big = struct.unpack_from(f"{order}H", data, 2)[0] == 43
    start = struct.unpack_from(f"{order}Q" if is_big else f"{order}I", data, 8 if is_big else 4)[0]
    count = struct.unpack_from(f"{order}Q" if is_big else f"{order}H", data, start)[0]
    first, step = (start + 8, 20) if is_big else (start + 2, 12)
    found = {}
    for entry in range(first, first + step * min(count, 4096), step):
        tag, kind = struct.unpack_from(f"{order}HH", data, entry)
        if tag in (256, 257):
            value = {3: "H", 4: "I", 16: "Q"}.get(kind)
            if value is None:
                return None
            found[tag] = struct.unpack_from(order + value, data, entry + (12 if is_big else 8))[0]
    return (found[256], found[257]) if len(found) == 2 else None


_FORMATS: tuple[tuple[bytes, Callable[[bytes], tuple[int, int] | None]], ...] = (
    (b"\xff\xd8", _jpeg),
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"RIFF", _webp),
    (b"GIF8", _gif),
    (b"BM", _bmp),
    (b"II*\0", _tiff),
    (b"MM\0*", _tiff),
    (b"II+\0", _tiff),
    (b"MM\0+", _tiff),
    (b"\xff\x4f\xff\x51", _jpeg2000),
    (b"\0\0\0\x0cjP  ", _jpeg2000),
    *((b"P%d" % kind, _pnm) for kind in range(1, 7)),
)
