"""Which pictures are of high dynamic range: PNG by its chunk cICP, HEIC and AVIF by their boxes of color."""

from __future__ import annotations

import struct

from halfsmile.data.image_header import heif_kind
from halfsmile.data.tone import CURVES, Curve

_BOXES = 1 << 16  # bytes within which HEIC and AVIF describe their pictures
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def hdr_curve(data: bytes) -> Curve | None:
    """The curve of a picture's signal, where it is one of high dynamic range.

    A picture with a gain map is itself of standard range, whatever the map's own color is.

    Args:
        data: The file.
    """
    if data.startswith(_SIGNATURE):
        return _of_png(data)
    if heif_kind(data) is None:
        return None
    head = data[:_BOXES]
    if b"tmap" in head or b"colrprof" in head or b"colrrICC" in head:
        return None
    found = set()
    place = head.find(b"colrnclx")
    while place >= 0 and place + 12 <= len(head):
        found.add(struct.unpack_from(">H", head, place + 10)[0])
        place = head.find(b"colrnclx", place + 1)
    return CURVES.get(found.pop()) if len(found) == 1 else None


def _of_png(data: bytes) -> Curve | None:
    position = len(_SIGNATURE)
    while position + 12 <= len(data):
        length, kind = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + 8]
        if kind == b"cICP" and length == 4:
            return CURVES.get(data[position + 9])
        if kind in (b"IDAT", b"IEND"):
            return None
        position += 12 + length
    return None
