"""The picture behind a locator: from a file, an archive, a record or a table to RGB or gray uint8.

A locator is relative to the manifest's root and has one of these forms:

==========================  ============================================================================
``folder/name.jpg``         a file below the root; or a member of the archive when the root is one
``faces.zip!in/name.jpg``   a member of a zip or tar archive below the root (also .tar.gz, .tar.bz2, .tar.xz),
                            unless a file has this very name
``fer2013.csv#123``         column ``pixels`` of data row 123 (from 0): square, gray, numbers 0 to 255
``faces.tar#512+2048``      2,048 bytes at byte 512 of an uncompressed tar archive, see data/store/shards.py
``train.parquet#123``       the image file in row 123 (from 0) of a Parquet table
``train.rec@4096``          the image file in the RecordIO record that begins at byte 4096
==========================  ============================================================================

JPEG, PNG, WebP, GIF, BMP, TIFF, PNM and JPEG 2000 are read, whatever the suffix says. EXIF orientation is
applied; gray files give (H, W, 1), all others RGB (H, W, 3); 16-bit samples are scaled to 8; transparency is
dropped, the color beneath it kept; of an animation or a TIFF of several pages the first picture is taken.
Pictures of high dynamic range (PNG, HEIC and AVIF in HLG or PQ) are tone-mapped.
Pictures of more than :data:`MAX_PIXELS` are refused by their header, before memory is taken for them, and so
are PNG files that inflate to more than their header asks for. HEIC and AVIF are read where the package
pillow-heif is (the extra ``heif``).
"""

from __future__ import annotations

import hashlib
import math
import mmap
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from halfsmile.data.containers.archive import open_archive, split_locator
from halfsmile.data.containers.open_file import per_file
from halfsmile.data.containers.recordio import open_records
from halfsmile.data.image_formats.cut_jpeg import FLAGS, decode_cut, is_cut
from halfsmile.data.image_formats.hdr import hdr_curve
from halfsmile.data.image_formats.heif import decode_heif
from halfsmile.data.image_formats.others import other_than_picture
from halfsmile.data.image_formats.png import inflates_too_far
from halfsmile.data.image_header import heif_kind, image_size, tiff_pages
from halfsmile.data.preprocess import Image
from halfsmile.data.store.shards import LOCATOR, Shard
from halfsmile.data.tone import tone_mapped

MAX_PIXELS = 1 << 27
MAX_FILE_BYTES = 1 << 29
_ROW = re.compile(r"(.*\.(csv|parquet))#(\d{1,18})", re.IGNORECASE | re.DOTALL)
_RECORD = re.compile(r"(.*\.rec)@(\d{1,18})", re.IGNORECASE | re.DOTALL)


class BadImageError(ValueError):
    """Pixels that can't be had: the message says of which locator and why."""


def read_image(root: Path, locator: str, *, problems: list[str] | None = None) -> Image:
    """Read one picture.

    Args:
        root: Folder or archive that the locator is relative to.
        locator: See the top of this module.
        problems: A JPEG whose end is missing is read as far as it goes, and this gets a sentence that says
            so; if None, it is refused. It also gets one where a TIFF has more pages than the first.

    Returns:
        RGB (H, W, 3) or gray (H, W, 1), uint8.

    Raises:
        BadImageError: If the file, the member or the row is missing, empty, cut short, too large or no image.
    """
    root = Path(root)
    if (row := _ROW.fullmatch(locator)) and row[2].lower() == "csv" and not _is_its_own_file(root, locator):
        with _named(root, locator):
            return _pixel_table(root / row[1]).image(int(row[3]))
    return decode(read_bytes(root, locator), locator, problems=problems)


def decode(data: bytes, name: str, *, problems: list[str] | None = None) -> Image:
    """Decode the bytes of an image file, as :func:`read_image` does; ``name`` is for the message.

    Raises:
        BadImageError: If the bytes are empty, cut short, no image, or one of more than :data:`MAX_PIXELS`.
    """
    if not data:
        raise BadImageError(f"{name}: the file is empty.")
    size = image_size(data)
    if size and size[0] * size[1] > MAX_PIXELS:
        raise BadImageError(
            f"{name}: the picture claims {size[0]:,} × {size[1]:,} pixels; "
            f"at most {MAX_PIXELS:,} are decoded."
        )
    curve = hdr_curve(data)
    if curve and problems is not None:
        problems.append(f"{name}: high dynamic range ({curve}, HDR) was tone-mapped to the standard range.")
    if heif_kind(data):
        try:
            image = decode_heif(data, MAX_PIXELS)
        except ValueError as error:
            raise BadImageError(f"{name}: {error}") from error
        return tone_mapped(image.astype(np.uint16) * 257, curve) if curve else image
    if size is None:
        known = other_than_picture(data)
        unknown = f"damaged, cut short, or not an image ({len(data)} bytes)"
        raise BadImageError(f"{name}: {f'not an image, but {known}' if known else unknown}.")
    if inflates_too_far(data):
        raise BadImageError(f"{name}: the PNG inflates to more than {size[0]:,} × {size[1]:,} pixels take.")
    try:
        read: npt.NDArray[Any] | None
        if is_cut(data):
            read, said = decode_cut(data, is_wanted=problems is not None)
            if problems is not None:
                problems.append(f"{name}: {said}")
        else:
            read = cv2.imdecode(np.frombuffer(data, np.uint8), FLAGS)
    except cv2.error as error:
        raise BadImageError(f"{name}: OpenCV can't decode it ({error.err}).") from error
    except ValueError as error:
        raise BadImageError(f"{name}: {error}") from error
    if read is None:
        raise BadImageError(f"{name}: damaged, cut short, or not an image ({len(data)} bytes).")
    if problems is not None and (pages := tiff_pages(data)) > 1:
        problems.append(f"{name}: it has {pages:,} pages; the first was taken.")
    pixels: npt.NDArray[Any] = read
    if curve and pixels.dtype in (np.uint8, np.uint16):
        signal = pixels if pixels.dtype == np.uint16 else pixels.astype(np.uint16) * 257
        rgb = np.repeat(signal[:, :, None], 3, axis=2) if signal.ndim == 2 else signal[:, :, ::-1]
        return tone_mapped(rgb, curve)[:, :, : 1 if signal.ndim == 2 else 3]
    if pixels.dtype == np.uint16:
        pixels = cv2.convertScaleAbs(pixels, alpha=1 / 257)
    if pixels.dtype != np.uint8:
        raise BadImageError(f"{name}: samples are {pixels.dtype}; only 8-bit and 16-bit images are read.")
    if pixels.ndim == 2:
        return np.asarray(pixels[:, :, None], np.uint8)
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)


def pixel_sha256(image: Image) -> str:
    """SHA-256 over shape and pixels: equal for equal pictures, whatever file format they were stored in."""
    digest = hashlib.sha256(repr(image.shape).encode())
    digest.update(image.tobytes())
    return digest.hexdigest()


def read_bytes(root: Path, locator: str) -> bytes:
    """The bytes of the image file behind a locator, any but a row of a pixel table.

    Raises:
        BadImageError: If they can't be had.
    """
    root = Path(root)
    with _named(root, locator):
        if _is_its_own_file(root, locator):
            return _read_file(root / locator)
        if place := LOCATOR.fullmatch(locator):
            return _shard(root / place["shard"]).read(int(place["offset"]), int(place["length"]))
        if row := _ROW.fullmatch(locator):
            from halfsmile.data.containers.parquet import open_image_table  # takes half a second

            return open_image_table(root / row[1]).image(int(row[3]))
        if record := _RECORD.fullmatch(locator):
            return open_records(root / record[1]).image(int(record[2]))
        if root.is_file():
            return open_archive(root).read(locator)
        if (member := split_locator(locator)) and not (root / locator).is_file():
            return open_archive(root / member[0]).read(member[1])
        return _read_file(root / locator)


def _is_its_own_file(root: Path, locator: str) -> bool:
    """Whether a name that looks like a place in another file is that of a file, and there is no other one."""
    match = LOCATOR.fullmatch(locator) or _ROW.fullmatch(locator) or _RECORD.fullmatch(locator)
    return match is not None and not (root / match[1]).is_file() and (root / locator).is_file()


def _read_file(path: Path) -> bytes:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is not a regular file.")
    if status.st_size > MAX_FILE_BYTES:
        raise ValueError(f"the file has {status.st_size:,} bytes; at most {MAX_FILE_BYTES:,} are read.")
    return path.read_bytes()


@contextmanager
def _named(root: Path, locator: str) -> Iterator[None]:
    """Turn what goes wrong below into a BadImageError that names the locator."""
    try:
        yield
    except OSError as error:
        raise BadImageError(f"{locator}: can't be read below {root} ({error.strerror or error}).") from error
    except ValueError as error:
        raise BadImageError(f"{locator}: {error}") from error


def pixel_columns(header: bytes) -> tuple[list[str], bytes]:
    """Names of the columns of a pixel table, without capitals, and the mark between cells.

    Example:
        >>> pixel_columns(b"Emotion;Pixels")
        (['emotion', 'pixels'], b';')
    """
    mark = max((b",", b";", b"\t", b"|"), key=header.count)
    names = header.decode("utf-8-sig", "replace").split(mark.decode())
    return [name.strip().strip('"').strip().casefold() for name in names], mark


class _PixelTable:
    """A CSV file with a column ``pixels``, mapped into memory, with the place of every row."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise ValueError(f"{path} can't be read ({error}).") from error
        header = self.data.readline()
        names, self.mark = pixel_columns(header)
        if "pixels" not in names:
            raise ValueError(f"{path} has no column 'pixels'; its columns are {names}.")
        self.column = names.index("pixels")
        starts = [len(header)]
        while (end := self.data.find(b"\n", starts[-1])) >= 0:
            starts.append(end + 1)
        if starts[-1] < len(self.data):
            starts.append(len(self.data))
        self.starts = starts

    def image(self, row: int) -> Image:
        if row + 1 >= len(self.starts):
            raise ValueError(f"{self.path} has only {len(self.starts) - 1} rows.")
        parts = self.data[self.starts[row] : self.starts[row + 1]].split(b'"')
        parts[1::2] = [
            part.translate(_BLANKS) for part in parts[1::2]
        ]  # within quotes, marks separate numbers
        fields = b"".join(parts).split(self.mark)
        if self.column >= len(fields):
            raise ValueError(f"the row has {len(fields)} columns and none for 'pixels'.")
        text = fields[self.column].translate(_BLANKS).strip()
        if text.translate(None, b"0123456789 "):
            raise ValueError(f"pixels are whole numbers from 0 to 255, found {text[:40]!r}.")
        pixels = np.fromstring(text, np.int64, sep=" ")
        if pixels.size and pixels.max() > 255:
            raise ValueError(f"pixels are whole numbers from 0 to 255, found {pixels.max()}.")
        side = math.isqrt(pixels.size)
        if not side or side * side != pixels.size:
            raise ValueError(f"{pixels.size} pixels do not make a square.")
        return pixels.astype(np.uint8).reshape(side, side, 1)


_BLANKS = bytes.maketrans(b",;|[]()\t\r\n", b" " * 10)
_shard = per_file(Shard, maxsize=128)
_pixel_table = per_file(_PixelTable, maxsize=4)
