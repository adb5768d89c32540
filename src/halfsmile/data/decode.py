"""The picture behind a locator: from a file, a zip archive or a table of pixels to RGB or grey uint8.

A locator is relative to the manifest's root and has one of three forms:

=========================  =============================================================================
``folder/name.jpg``        a file below the root; or a member of the archive when the root is a zip file
``faces.zip!in/name.jpg``  a member of a zip archive below the root
``fer2013.csv#123``        column ``pixels`` of data row 123 (from 0): square, grey, numbers 0 to 255
=========================  =============================================================================

Anything that OpenCV decodes is read. EXIF orientation is applied; grey files give (H, W, 1), all others
RGB (H, W, 3); 16-bit samples are scaled to 8; transparency is dropped, the color beneath it kept; of an
animation or a TIFF of several pages the first picture is taken.
"""

from __future__ import annotations

import functools
import hashlib
import math
import mmap
import os
import threading
import zipfile
from pathlib import Path

import cv2
import numpy as np

from halfsmile.data.preprocess import Image


class BadImage(ValueError):  # noqa: N818
    """Pixels that can't be had: the message says of which locator and why."""


def read_image(root: Path, locator: str) -> Image:
    """Read one picture.

    Args:
        root: Folder or zip archive that the locator is relative to.
        locator: See the top of this module.

    Returns:
        RGB (H, W, 3) or grey (H, W, 1), uint8.

    Raises:
        BadImage: If the file, the member or the row is missing, empty, cut short or no image.
    """
    root = Path(root)
    path, separator, row = locator.rpartition("#")
    if separator and row.isdecimal() and path.lower().endswith(".csv"):
        return _pixel_table(*_stamp(root / path, locator)).image(int(row), locator)
    return decode(_read_bytes(root, locator), locator)


def decode(data: bytes, name: str) -> Image:
    """Decode the bytes of an image file, as :func:`read_image` does; ``name`` is for the message.

    Raises:
        BadImage: If the bytes are empty, cut short or no image.
    """
    if not data:
        raise BadImage(f"{name}: the file is empty.")
    if data.startswith(b"\xff\xd8") and b"\xff\xd9" not in data[_first_scan(data) :]:
        raise BadImage(f"{name}: the JPEG is cut short (it has no end marker).")
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH)
    except cv2.error as error:
        raise BadImage(f"{name}: OpenCV can't decode it ({error.err}).") from error
    if pixels is None:
        raise BadImage(f"{name}: damaged, cut short, or not an image ({len(data)} bytes).")
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if pixels.dtype != np.uint8:
        raise BadImage(f"{name}: samples are {pixels.dtype}; only 8-bit and 16-bit images are read.")
    if pixels.ndim == 2:
        return np.asarray(pixels[:, :, None], np.uint8)
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)


def pixel_sha256(image: Image) -> str:
    """SHA-256 over shape and pixels: equal for equal pictures, whatever file format they were stored in."""
    digest = hashlib.sha256(repr(image.shape).encode())
    digest.update(image.tobytes())
    return digest.hexdigest()


def _first_scan(data: bytes) -> int:
    """Position of a JPEG's first start-of-scan marker: an end marker before it is an embedded thumbnail's."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF and data[position + 1] != 0xDA:
        if data[position + 1] == 0xFF:
            position += 1
        else:
            position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return position


def _read_bytes(root: Path, locator: str) -> bytes:
    archive, separator, member = locator.partition(".zip!")
    if separator:
        return _archive(*_stamp(root / f"{archive}.zip", locator)).read(member, locator)
    if root.is_file():
        return _archive(*_stamp(root, locator)).read(locator, locator)
    try:
        return (root / locator).read_bytes()
    except OSError as error:
        raise BadImage(f"{locator}: can't be read below {root} ({error.strerror}).") from error


def _stamp(path: Path, locator: str) -> tuple[Path, int, int, int]:
    """Key of an open handle: a changed file, or a forked process, gets a new one."""
    try:
        status = path.stat()
    except OSError as error:
        raise BadImage(f"{locator}: {path} can't be read ({error.strerror}).") from error
    return path, status.st_mtime_ns, status.st_size, os.getpid()


class _Archive:
    """A zip archive that stays open and may be read from many threads."""

    def __init__(self, path: Path) -> None:
        self.lock = threading.Lock()
        try:
            self.file = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise BadImage(f"{path} is not a readable zip archive ({error}).") from error

    def read(self, member: str, locator: str) -> bytes:
        try:
            with self.lock:
                return self.file.read(member)
        except KeyError as error:
            raise BadImage(f"{locator}: {self.file.filename} has no member {member!r}.") from error
        except (OSError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
            raise BadImage(f"{locator}: can't be read from {self.file.filename} ({error}).") from error


class _PixelTable:
    """A CSV file with a column ``pixels``, mapped into memory, with the place of every row."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise BadImage(f"{path} can't be read ({error}).") from error
        header = self.data.readline()
        names = [name.strip().strip('"') for name in header.decode("utf-8-sig", "replace").split(",")]
        if "pixels" not in names:
            raise BadImage(f"{path} has no column 'pixels'; its columns are {names}.")
        self.column = names.index("pixels")
        starts = [len(header)]
        while (end := self.data.find(b"\n", starts[-1])) >= 0:
            starts.append(end + 1)
        if starts[-1] < len(self.data):
            starts.append(len(self.data))
        self.starts = starts

    def image(self, row: int, locator: str) -> Image:
        if row + 1 >= len(self.starts):
            raise BadImage(f"{locator}: {self.path} has only {len(self.starts) - 1} rows.")
        fields = self.data[self.starts[row] : self.starts[row + 1]].split(b",")
        if self.column >= len(fields):
            raise BadImage(f"{locator}: the row has {len(fields)} columns and none for 'pixels'.")
        text = fields[self.column].strip(b' "\r\n')
        if text.translate(None, b"0123456789 "):
            raise BadImage(f"{locator}: pixels are whole numbers from 0 to 255, found {text[:40]!r}.")
        pixels = np.fromstring(text, np.int64, sep=" ")
        if pixels.size and pixels.max() > 255:
            raise BadImage(f"{locator}: pixels are whole numbers from 0 to 255, found {pixels.max()}.")
        side = math.isqrt(pixels.size)
        if not side or side * side != pixels.size:
            raise BadImage(f"{locator}: {pixels.size} pixels do not make a square.")
        return pixels.astype(np.uint8).reshape(side, side, 1)


@functools.lru_cache(maxsize=8)
def _archive(path: Path, mtime: int, size: int, process: int) -> _Archive:
    return _Archive(path)


@functools.lru_cache(maxsize=4)
def _pixel_table(path: Path, mtime: int, size: int, process: int) -> _PixelTable:
    return _PixelTable(path)
