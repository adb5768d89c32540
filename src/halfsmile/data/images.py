"""Whole data sets in memory: every face of a manifest decoded once into one uint8 array, in threads."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from halfsmile.data.decode import BadImageError, decode, pixel_sha256, read_image
from halfsmile.data.manifest import Manifest
from halfsmile.data.preprocess import Image, placement, preprocess
from halfsmile.utils.files import atomic_write
from halfsmile.utils.mapped import new_mapped_array
from halfsmile.utils.parallel.threads import map_in_threads
from halfsmile.utils.progress import Progress

__all__ = [
    "BadImageError",
    "DecodedFaces",
    "decode",
    "hash_faces",
    "hash_images",
    "load_faces",
    "pixel_sha256",
    "read_image",
]

MEMORY_LIMIT = 4 * 2**30
_CHUNK = 64
_MARK = re.compile("[!#@]")  # after the file in a locator; file names may hold them too


@dataclass(frozen=True)
class DecodedFaces:
    """Decoded faces, one per row of ``manifest``.

    Args:
        images: (N, size, size, channels), uint8; memory-mapped from a file where it is large.
        boxes: (N, 4), float32, xyxy in pixels of ``images``; NaN where unknown.
        landmarks: (N, 5, 2), float32, pixels of ``images``; NaN where unknown.
        manifest: The rows that could be read; its own boxes and landmarks still are in stored pixels.
        bad: (locator, reason) of the rows that could not.
    """

    images: Image
    boxes: npt.NDArray[np.float32]
    landmarks: npt.NDArray[np.float32]
    manifest: Manifest
    bad: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: npt.NDArray[np.int64]) -> DecodedFaces:
        """Some of the faces, in the given order."""
        manifest = self.manifest.take(rows)
        return DecodedFaces(self.images[rows], self.boxes[rows], self.landmarks[rows], manifest, self.bad)


def load_faces(
    manifest: Manifest,
    *,
    size: int,
    channels: int,
    cache: Path | None = None,
    progress: bool = True,
    memory_limit: int = MEMORY_LIMIT,
) -> DecodedFaces:
    """Decode every face of a manifest once, in threads, to ``preprocess(image, size, channels)``.

    Args:
        manifest: Rows to read.
        size: Side of the square faces in pixels.
        channels: 1 for gray, 3 for RGB.
        cache: Folder for the memory-mapped file that holds the array when it exceeds ``memory_limit``; later
            calls take what is there.
        progress: Show progress on standard error when it takes more than two seconds.
        memory_limit: Bytes of pixels that may be held in memory.

    Returns:
        The faces in the manifest's order. A bad image is listed in ``bad`` and its row left out.

    Raises:
        ValueError: If no image could be read, or the array is too large for memory and ``cache`` is None.
    """
    shape = (len(manifest), size, size, channels)
    path = _cache_path(shape, cache, memory_limit, manifest)
    decoded = _cached(path, manifest) if path is not None else None
    if decoded is None:
        decoded = _decode_all(manifest, shape, path, progress)
    kept = np.flatnonzero(decoded.sizes[:, 0])
    if not len(kept):
        first = next(iter(decoded.reasons.values()), "the manifest has no rows")
        raise ValueError(
            f"None of {len(manifest)} images below {manifest.root} could be read; first: {first}"
        )
    readable = manifest if not decoded.reasons else manifest.take(kept.tolist())
    boxes, landmarks = _placed(readable, decoded.sizes[kept], size)
    locators = manifest.column("image")
    bad = tuple((locators[row], decoded.reasons[row]) for row in sorted(decoded.reasons))
    return DecodedFaces(decoded.images[: len(kept)], boxes, landmarks, readable, bad)


@dataclass(frozen=True)
class _Decoded:
    """``images`` of the readable rows first; ``sizes`` (rows, 2), height and width, 0 where unreadable."""

    images: Image
    sizes: npt.NDArray[np.int32]
    reasons: dict[int, str]


def _decode_all(manifest: Manifest, shape: tuple[int, ...], path: Path | None, progress: bool) -> _Decoded:
    locators = manifest.column("image")
    sizes = np.zeros((shape[0], 2), np.int32)
    reasons: dict[int, str] = {}
    with _array(shape, path) as images:

        def load(chunk: range) -> int:
            for row in chunk:
                try:
                    image = read_image(manifest.root, locators[row])
                except BadImageError as error:
                    reasons[row] = str(error)
                    continue
                images[row] = preprocess(image, shape[1], shape[3])
                sizes[row] = image.shape[:2]
            return len(chunk)

        _run(load, shape[0], progress)
        for new, old in enumerate(np.flatnonzero(sizes[:, 0])):
            if new != old:
                images[new] = images[old]
    if path is not None:
        with atomic_write(_sizes_path(path)) as temporary:
            np.save(temporary, sizes)
    return _Decoded(images, sizes, reasons)


def _cached(path: Path, manifest: Manifest) -> _Decoded | None:
    """What an earlier call has decoded, unless a file has changed since, or one that was bad is mended."""
    if not (path.exists() and _sizes_path(path).exists()):
        return None
    if _last_change(manifest) > _sizes_path(path).stat().st_mtime:
        return None
    sizes, locators = np.load(_sizes_path(path)), manifest.column("image")
    reasons = {}
    for row in np.flatnonzero(sizes[:, 0] == 0).tolist():
        try:
            read_image(manifest.root, locators[row])
        except BadImageError as error:
            reasons[row] = str(error)
        else:
            return None
    return _Decoded(np.load(path, mmap_mode="c"), sizes, reasons)


def _last_change(manifest: Manifest) -> float:
    """When one of the files that hold the pictures was last changed; those that are not there don't count."""
    root = Path(manifest.root)
    holds: dict[str, bool] = {}  # whether the part before a mark is a file, as an archive with many pictures
    names = set()
    for locator in manifest.column("image"):
        part = _MARK.split(locator, maxsplit=1)[0]
        if part != locator and part not in holds:
            holds[part] = (root / part).is_file()
        names.add(part if holds.get(part) else locator)
    files = [root, *(root / name for name in names)]
    states = [file.stat() for file in files if file.is_file()]
    return max((max(state.st_mtime, state.st_ctime) for state in states), default=0.0)


def _placed(
    manifest: Manifest, sizes: npt.NDArray[np.int32], side: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Boxes (N, 4) and landmarks (N, 5, 2) in pixels of the squares that pictures of these sizes became."""
    boxes = np.full((len(sizes), 4), np.nan, np.float32)
    landmarks = np.full((len(sizes), 5, 2), np.nan, np.float32)
    stored = zip(manifest.column("box"), manifest.column("landmarks"), strict=True)
    for row, (box, points) in enumerate(stored):
        place = placement(int(sizes[row, 0]), int(sizes[row, 1]), side)
        if box is not None:
            boxes[row] = place.points(np.reshape(box, (2, 2))).ravel()
        if points is not None:
            landmarks[row] = place.points(np.reshape(points, (5, 2)))
    return boxes, landmarks


def hash_images(root: Path, locators: Sequence[str], *, progress: bool = True) -> list[str | None]:
    """Pixel hash of every picture, for the manifest's column ``sha256``; see :func:`pixel_sha256`.

    A picture that can't be read has None.
    """
    hashes: list[str | None] = [None] * len(locators)

    def load(chunk: range) -> int:
        for row in chunk:
            with suppress(BadImageError):
                hashes[row] = pixel_sha256(read_image(root, locators[row]))
        return len(chunk)

    _run(load, len(locators), progress)
    return hashes


def hash_faces(manifest: Manifest, *, size: int, channels: int, until: float) -> list[str | None] | None:
    """Pixel hash of every face as ``preprocess(image, size, channels)`` gives it, without keeping pixels.

    Args:
        manifest: Rows to read.
        size: Side of the square faces in pixels.
        channels: 1 for gray, 3 for RGB.
        until: When to give up, by ``time.monotonic()``.

    Returns:
        None for a picture that can't be read; None instead of the list where time is up.
    """
    locators = manifest.column("image")
    hashes: list[str | None] = [None] * len(locators)

    def load(chunk: range) -> int:
        for row in chunk:
            if time.monotonic() >= until:
                return 0
            with suppress(BadImageError):
                image = read_image(manifest.root, locators[row])
                hashes[row] = pixel_sha256(preprocess(image, size, channels))
        return len(chunk)

    _run(load, len(locators), progress=True)
    return hashes if time.monotonic() < until else None


def _cache_path(shape: tuple[int, ...], cache: Path | None, limit: int, manifest: Manifest) -> Path | None:
    """The file that holds the array, None where memory does."""
    needed = int(np.prod(shape))
    if needed <= limit:
        return None
    if cache is None:
        raise ValueError(
            f"{shape[0]} images of {shape[1:]} need {needed / 2**30:.1f} GiB, more than the "
            f"{limit / 2**30:.1f} GiB allowed in memory: give a cache folder, or a smaller size."
        )
    what = f"{Path(manifest.root).resolve()} {manifest.fingerprint()}"  # equal names may lie in two folders
    name = hashlib.sha256(what.encode(errors="surrogateescape")).hexdigest()[:16]
    return Path(cache) / f"faces-{name}-{shape[1]}x{shape[3]}.npy"


def _sizes_path(path: Path) -> Path:
    """Beside the array, and written after it: where it is, the array is whole."""
    return path.with_suffix(".sizes.npy")


@contextmanager
def _array(shape: tuple[int, ...], path: Path | None) -> Iterator[Image]:
    """An uninitialized array in memory, or mapped from a file that appears when it is filled."""
    if path is None:
        yield np.empty(shape, np.uint8)
        return
    _sizes_path(path).unlink(missing_ok=True)
    with atomic_write(path) as temporary:
        yield new_mapped_array(temporary, dtype=np.uint8, shape=shape)


def _run(load: Callable[[range], int], rows: int, progress: bool) -> None:
    """Call ``load`` on chunks of the rows in threads, and show how far it is."""
    chunks = [range(start, min(start + _CHUNK, rows)) for start in range(0, rows, _CHUNK)]
    begin, done = time.monotonic(), 0
    with Progress("reading images", total=rows, active=progress) as shown:
        for count in map_in_threads(load, chunks):
            done += count
            shown.advance(count, note=f"{done / max(time.monotonic() - begin, 1e-9):,.0f} images/s")
