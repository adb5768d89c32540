"""What a file holds, by its content: a picture, moving pictures, or neither."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, Literal

from halfsmile.data.image_header import heif_kind, image_size

FileKind = Literal["picture", "animation", "video"]

VIDEO_SUFFIXES = frozenset(
    (
        ".3g2", ".3gp", ".asf", ".avi", ".flv", ".ivf", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg",
        ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".webm", ".wmv",
    )
)  # fmt: skip
"""What videos are named."""
_HEADER = 1 << 16
_VIDEO_MAGIC = (
    b"\x1a\x45\xdf\xa3", b"FLV", b"OggS", b"\0\0\x01\xba", b"\0\0\x01\xb3", b"\x30\x26\xb2\x75", b"DKIF",
    b"\x06\x0e\x2b\x34", b".RMF",
)  # fmt: skip
_MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide")
_TRANSPORT_PACKETS = (188, 192)  # bytes, the longer ones with 4 before each that tell the time


def has_video_suffix(name: str) -> bool:
    """Whether a file is named as a video."""
    return os.path.splitext(name)[1].lower() in VIDEO_SUFFIXES


def file_kind(path: Path) -> FileKind | None:
    """What a file seems to hold; None for everything else, also for what can't be opened.

    A still picture of a known format is a ``picture``, whatever its name; GIF, PNG and WebP files of two
    frames or more are an ``animation``; what begins as the containers of videos do is a ``video``, though it
    may turn out to hold sound alone.
    """
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            head = file.read(_HEADER)
            if heif_kind(head) == "still":
                return "picture"
            if image_size(head) is not None:
                return "animation" if is_animated(file) else "picture"
    except OSError:
        return None
    return "video" if begins_as_video(head) else None


def is_animated(file: BinaryIO) -> bool:
    """Whether a GIF, PNG or WebP file says that it has two frames or more; of others never."""
    file.seek(0)
    head = file.read(30)
    if len(head) < 30:
        return False
    if head.startswith(b"GIF8"):
        return _gif_has_two(file, head)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png_has_two(file)
    if head[8:16] == b"WEBPVP8X" and head[20] & 2:
        return _webp_has_two(file)
    return False


def _gif_has_two(file: BinaryIO, head: bytes) -> bool:
    file.seek(13 + _color_table(head[10]))
    frames = 0
    while True:
        kind = file.read(1)
        if kind == b"\x2c":
            frames += 1
            if frames == 2:
                return True
            descriptor = file.read(9)
            if len(descriptor) < 9:
                return False
            file.seek(_color_table(descriptor[8]) + 1, os.SEEK_CUR)
        elif kind == b"\x21":
            file.seek(1, os.SEEK_CUR)
        else:
            return False
        while length := file.read(1):
            if length == b"\0":
                break
            file.seek(length[0], os.SEEK_CUR)


def _color_table(flags: int) -> int:
    """Bytes of the color table that a GIF's flags tell of."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _png_has_two(file: BinaryIO) -> bool:
    file.seek(8)
    while len(chunk := file.read(8)) == 8 and chunk[4:] != b"IDAT":
        if chunk[4:] == b"acTL":
            return int.from_bytes(file.read(4), "big") > 1
        file.seek(int.from_bytes(chunk[:4], "big") + 4, os.SEEK_CUR)
    return False


def _webp_has_two(file: BinaryIO) -> bool:
    file.seek(12)
    frames = 0
    while len(chunk := file.read(8)) == 8:
        frames += chunk[:4] == b"ANMF"
        if frames == 2:
            return True
        length = int.from_bytes(chunk[4:], "little")
        file.seek(length + length % 2, os.SEEK_CUR)
    return False


def begins_as_video(head: bytes) -> bool:
    """Whether a file begins as the containers of videos do; some of them hold sound alone.

    Args:
        head: Its first bytes, best some hundreds.
    """
    if head.startswith(_VIDEO_MAGIC) or head[4:8] in _MP4_BOXES:
        return True
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return True
    return any(
        len(head) > 2 * size + shift and head[shift] == head[shift + size] == head[shift + 2 * size] == 0x47
        for size in _TRANSPORT_PACKETS
        for shift in (0, 4)
    )
