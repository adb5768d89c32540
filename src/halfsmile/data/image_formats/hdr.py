"""Which pictures are of high dynamic range: PNG by its chunk cICP, HEIC and AVIF by their boxes of color."""

from __future__ import annotations

import re
import struct

from halfsmile.data.image_header import heif_kind
from halfsmile.data.tone import CURVES, Curve

_BOXES = 1 << 16  # bytes within which HEIC and AVIF describe their pictures
_BT2020 = 9  # primaries of ITU-T H.273, those that are tone-mapped
_GAIN_MAP = re.compile(  # box infe: version and flags, number of the item, protection, type
    rb"infe(?:\x02.{3}.{2}|\x03.{3}.{4}).{2}tmap", re.DOTALL
)
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def hdr_curve(data: bytes) -> Curve | None:
    """The curve of a picture's signal, where it is one of high dynamic range.

    A picture with a gain map is itself of standard range, whatever the map's own color is. None, too, for
    colors other than those of BT.2020, and for PNG samples of narrow range: they are shown as they are.

    Args:
        data: The file.
    """
    if data.startswith(_SIGNATURE):
        return _of_png(data)
    if heif_kind(data) is None:
        return None
    head = data[:_BOXES]
    if _has_gain_map(head) or b"colrprof" in head or b"colrrICC" in head:
        return None
    found = set()
    place = head.find(b"colrnclx")
    while place >= 0 and place + 12 <= len(head):
        found.add(struct.unpack_from(">HH", head, place + 8))
        place = head.find(b"colrnclx", place + 1)
    return _curve(*found.pop()) if len(found) == 1 else None


def _has_gain_map(head: bytes) -> bool:
    """Whether a file names a tone-mapped picture (ISO 23008-12) among its brands or types of items."""
    brands = head[8 : int.from_bytes(head[:4], "big")]
    return b"tmap" in brands or _GAIN_MAP.search(head) is not None


def _curve(primaries: int, transfer: int) -> Curve | None:
    return CURVES.get(transfer) if primaries == _BT2020 else None


def _of_png(data: bytes) -> Curve | None:
    position = len(_SIGNATURE)
    while position + 12 <= len(data):
        length, kind = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + 8]
        if kind == b"cICP" and length == 4:
            primaries, transfer, _, is_full_range = data[position + 8 : position + 12]
            return _curve(primaries, transfer) if is_full_range else None
        if kind in (b"IDAT", b"IEND"):
            return None
        position += 12 + length
    return None
