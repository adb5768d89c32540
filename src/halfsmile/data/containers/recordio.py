"""RecordIO, the format of ``.rec`` files, without MXNet: one record at a byte offset.

A record is ``magic, flag and length, payload, padding to 4 bytes``, all little-endian 32-bit numbers: the
upper 3 bits of the second give the flag, the lower 29 the length. Where the payload itself holds the magic
number at a multiple of 4, the writer leaves it out and cuts the record there: flag 1 begins such a record,
2 goes on, 3 ends it, and 0 is a whole record (dmlc-core, ``recordio.cc``).

The payload of an image is a header ``IRHeader(flag, label, id, id2)``, then ``flag`` further labels as
float32 where ``flag`` is not 0, then the image file (MXNet, ``recordio.py``).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

from halfsmile.data.containers.open_file import OpenFile, per_file

MAGIC = 0xCED7230A
LENGTH_BITS = 29
PAYLOAD_LIMIT = 1 << LENGTH_BITS
FRAME = struct.Struct("<II")
HEADER = struct.Struct("<IfQQ")
_MAGIC_BYTES = struct.pack("<I", MAGIC)


def read_payload(read: Callable[[int, int], bytes], offset: int) -> tuple[bytes, int]:
    """One record's payload, put together of its parts.

    Args:
        read: ``read(offset, count)`` gives the file's bytes, fewer at its end.
        offset: Where the record begins.

    Returns:
        The payload, and the offset of the record behind it.

    Raises:
        ValueError: If there is no record, it is cut short, or its parts do not fit together.
    """
    parts: list[bytes] = []
    total = 0
    while True:
        frame = read(offset, FRAME.size)
        if len(frame) < FRAME.size:
            raise ValueError(f"the record at byte {offset} is cut short")
        magic, packed = FRAME.unpack(frame)
        flag, length = packed >> LENGTH_BITS, packed & (PAYLOAD_LIMIT - 1)
        if magic != MAGIC:
            raise ValueError(f"no record begins at byte {offset}")
        if flag not in ((0, 1) if not parts else (2, 3)):
            raise ValueError(f"the record at byte {offset} is part {flag} of a divided one, out of order")
        total += length + 4
        if total > PAYLOAD_LIMIT:
            raise ValueError(f"the record at byte {offset} is longer than {PAYLOAD_LIMIT} bytes")
        part = read(offset + FRAME.size, length)
        if len(part) < length:
            raise ValueError(f"the record at byte {offset} is cut short")
        parts.append(part)
        offset += FRAME.size + -(-length // 4) * 4
        if flag in (0, 3):
            return _MAGIC_BYTES.join(parts), offset


def unpack(payload: bytes) -> tuple[tuple[float, ...], bytes]:
    """Labels and image file of a payload.

    Raises:
        ValueError: If the header is cut short.
    """
    if len(payload) < HEADER.size:
        raise ValueError(f"a record of {len(payload)} bytes has no header")
    count, label, _, _ = HEADER.unpack_from(payload)
    end = HEADER.size + 4 * count
    if end > len(payload):
        raise ValueError(f"a record of {len(payload)} bytes claims {count} labels")
    labels = struct.unpack_from(f"<{count}f", payload, HEADER.size) if count else (label,)
    return labels, payload[end:]


class RecordFile:
    """A ``.rec`` file whose images are read by the offset of their record, from any thread."""

    def __init__(self, path: Path) -> None:
        self.file = OpenFile(path.open("rb"))

    def image(self, offset: int) -> bytes:
        """The image file in the record at an offset.

        Raises:
            ValueError: If no readable record begins there.
        """
        payload, _ = read_payload(self.file.read, offset)
        return unpack(payload)[1]


open_records = per_file(RecordFile)
"""The :class:`RecordFile` at a path, kept open; raises OSError where it can't be opened."""
