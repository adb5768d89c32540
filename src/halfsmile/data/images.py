"""Whole data sets in memory: every face of a manifest decoded once into one uint8 array, in threads."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from halfsmile.data.decode import BadImage, decode, pixel_sha256, read_image
from halfsmile.data.manifest import Manifest
from halfsmile.data.preprocess import Image, placement, preprocess
from halfsmile.files import atomic_write
from halfsmile.progress import Progress

__all__ = ["BadImage", "Faces", "decode", "hash_images", "load_faces", "pixel_sha256", "read_image"]

MEMORY_LIMIT = 4 * 2**30
_CHUNK = 64


@dataclass(frozen=True)
class Faces:
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


def load_faces(
    manifest: Manifest,
    *,
    size: int,
    channels: int,
    cache: Path | None = None,
    progress: bool = True,
    memory_limit: int = MEMORY_LIMIT,
) -> Faces:
    """Decode every face of a manifest once, in threads, to ``preprocess(image, size, channels)``.

    Args:
        manifest: Rows to read.
        size: Side of the square faces in pixels.
        channels: 1 for grey, 3 for RGB.
        cache: Folder for the memory-mapped file that holds the array when it exceeds ``memory_limit``.
        progress: Show progress on standard error when it takes more than two seconds.
        memory_limit: Bytes of pixels that may be held in memory.

    Returns:
        The faces in the manifest's order. A bad image is listed in ``bad`` and its row left out.

    Raises:
        ValueError: If no image could be read, or the array is too large for memory and ``cache`` is None.
    """
    rows = len(manifest)
    locators = manifest.column("image")
    shape = (rows, size, size, channels)
    with _array(shape, cache, memory_limit, manifest.fingerprint) as images:
        boxes = np.full((rows, 4), np.nan, np.float32)
        landmarks = np.full((rows, 5, 2), np.nan, np.float32)
        stored_boxes, stored_landmarks = manifest.column("box"), manifest.column("landmarks")
        reasons: dict[int, str] = {}

        def load(chunk: range) -> int:
            for row in chunk:
                try:
                    image = read_image(manifest.root, locators[row])
                except BadImage as error:
                    reasons[row] = str(error)
                    continue
                images[row] = preprocess(image, size, channels)
                place = placement(image.shape[0], image.shape[1], size)
                if stored_boxes[row] is not None:
                    boxes[row] = place.points(np.reshape(stored_boxes[row], (2, 2))).ravel()
                if stored_landmarks[row] is not None:
                    landmarks[row] = place.points(np.reshape(stored_landmarks[row], (5, 2)))
            return len(chunk)

        _run(load, rows, progress)
        kept = [row for row in range(rows) if row not in reasons]
        if not kept:
            first = next(iter(reasons.values()), "the manifest has no rows")
            raise ValueError(f"None of {rows} images below {manifest.root} could be read; first: {first}")
        for new, old in enumerate(kept):
            if new != old:
                images[new] = images[old]
    return Faces(
        images[: len(kept)],
        boxes[kept],
        landmarks[kept],
        manifest if not reasons else manifest.take(kept),
        tuple((locators[row], reasons[row]) for row in sorted(reasons)),
    )


def hash_images(root: Path, locators: Sequence[str], *, progress: bool = True) -> list[str]:
    """Pixel hash of every picture, for the manifest's column ``sha256``; see :func:`pixel_sha256`.

    Raises:
        BadImage: For the first picture that can't be read.
    """
    hashes = [""] * len(locators)

    def load(chunk: range) -> int:
        for row in chunk:
            hashes[row] = pixel_sha256(read_image(root, locators[row]))
        return len(chunk)

    _run(load, len(locators), progress)
    return hashes


@contextmanager
def _array(
    shape: tuple[int, ...], cache: Path | None, limit: int, fingerprint: Callable[[], str]
) -> Iterator[Image]:
    """An uninitialized array in memory, or mapped from a file that appears in ``cache`` when it is filled."""
    needed = int(np.prod(shape))
    if needed <= limit:
        yield np.empty(shape, np.uint8)
        return
    if cache is None:
        raise ValueError(
            f"{shape[0]} images of {shape[1:]} need {needed / 2**30:.1f} GiB, more than the "
            f"{limit / 2**30:.1f} GiB allowed in memory: give a cache folder, or a smaller size."
        )
    path = Path(cache) / f"faces-{fingerprint()[:16]}-{shape[1]}x{shape[3]}.npy"
    with atomic_write(path) as temporary:
        yield np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)


def _run(load: Callable[[range], int], rows: int, progress: bool) -> None:
    """Call ``load`` on chunks of the rows in a thread pool, and show how far it is."""
    chunks = [range(start, min(start + _CHUNK, rows)) for start in range(0, rows, _CHUNK)]
    begin, done = time.monotonic(), 0
    with (
        ThreadPoolExecutor(_num_threads()) as pool,
        Progress("reading images", total=rows, active=progress) as shown,
    ):
        try:
            for finished in as_completed([pool.submit(load, chunk) for chunk in chunks]):
                count = finished.result()
                done += count
                shown.advance(count, note=f"{done / max(time.monotonic() - begin, 1e-9):,.0f} images/s")
        finally:
            pool.shutdown(cancel_futures=True)


def _num_threads() -> int:
    """The processors that this process may use, at most 16."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(16, usable)
