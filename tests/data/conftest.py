"""A writer of RecordIO, written from the format's description, for the tests only."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

MAGIC = struct.pack("<I", 0xCED7230A)


def frame(payload: bytes) -> bytes:
    """A payload as a record: cut at every magic number that stands at a multiple of four."""
    cuts = [i for i in range(0, len(payload) - 3, 4) if payload[i : i + 4] == MAGIC]
    starts = [0, *(i + 4 for i in cuts)]
    ends = [*cuts, len(payload)]
    record = b""
    for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
        flag = 0 if not cuts else 1 if i == 0 else 3 if i == len(cuts) else 2
        part = payload[start:end]
        record += MAGIC + struct.pack("<I", flag << 29 | len(part)) + part + bytes(-len(part) % 4)
    return record


def face(labels: float | Iterable[float], image: bytes = b"", key: int = 0) -> bytes:
    """A payload: one label in the header, or an array of labels behind it."""
    if isinstance(labels, int | float):
        return struct.pack("<IfQQ", 0, labels, key, 0) + image
    numbers = list(labels)
    return struct.pack(f"<IfQQ{len(numbers)}f", len(numbers), 0.0, key, 0, *numbers) + image


def write(path: Path, payloads: dict[int, bytes]) -> list[int]:
    """Write ``.rec`` and ``.idx``; returns the offsets."""
    data, lines, offsets = b"", "", []
    for key, payload in payloads.items():
        offsets.append(len(data))
        lines += f"{key}\t{len(data)}\n"
        data += frame(payload)
    path.write_bytes(data)
    path.with_suffix(".idx").write_text(lines)
    return offsets


class RecordWriter:
    frame: Callable[[bytes], bytes] = staticmethod(frame)
    face: Callable[..., bytes] = staticmethod(face)
    write: Callable[[Path, dict[int, bytes]], list[int]] = staticmethod(write)


@pytest.fixture(scope="session")
def recordio() -> RecordWriter:
    """The functions above."""
    return RecordWriter()
