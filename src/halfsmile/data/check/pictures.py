"""Measures of every picture of a manifest, read once: its size, its light, and what it is compared by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from halfsmile.data.check.duplicates import Signatures, readable, signatures_of
from halfsmile.data.manifest import Manifest
from halfsmile.data.preprocess import Image
from halfsmile.utils.parallel.threads import map_in_threads
from halfsmile.utils.progress import Progress

_CHUNK = 256


@dataclass(frozen=True)
class Pictures:
    """What was seen, one entry per picture that could be read.

    Args:
        signatures: For finding duplicates; its ``rows`` and ``bad`` are those of all of this.
        sizes: (N, 2) width and height in pixels.
        brightness: (N,) mean gray level, 0 to 255.
        contrast: (N,) standard deviation of the gray levels.
        is_gray: (N,) whether the file has one channel.
    """

    signatures: Signatures
    sizes: npt.NDArray[np.int64]
    brightness: npt.NDArray[np.float64]
    contrast: npt.NDArray[np.float64]
    is_gray: npt.NDArray[np.bool_]

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """Row of the manifest that each picture belongs to."""
        return self.signatures.rows

    @property
    def bad(self) -> tuple[tuple[int, str], ...]:
        """(row, reason) of the pictures that could not be read."""
        return self.signatures.bad


def measure_pictures(manifest: Manifest, *, progress: bool = True) -> Pictures:
    """Read every picture of a manifest once, in threads.

    Args:
        manifest: Its rows; what can't be read is listed in ``bad``.
        progress: Show progress on standard error when it takes more than two seconds.
    """
    locators, root = manifest.column("image"), Path(manifest.root)

    def measure(start: int) -> Pictures:
        rows, measures = [], []
        bad: list[tuple[int, str]] = []

        def images() -> Iterator[Image]:
            for row, image in readable(root, locators, range(start, start + _CHUNK), bad):
                height, width, channels = image.shape
                gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if channels == 3 else image[:, :, 0]
                mean, deviation = cv2.meanStdDev(gray)
                measures.append((width, height, mean.item(), deviation.item(), channels))
                rows.append(row)
                yield image

        found = signatures_of(images(), rows)
        numbers = np.array(measures, np.float64).reshape(-1, 5)
        signatures = Signatures(found.pixels, found.hashes, found.thumbnails, found.rows, tuple(bad))
        sizes = numbers[:, :2].astype(np.int64)
        return Pictures(signatures, sizes, numbers[:, 2], numbers[:, 3], numbers[:, 4] == 1)

    starts = range(0, max(1, len(locators)), _CHUNK)
    parts = []
    with Progress("reading pictures", total=len(locators), active=progress) as shown:
        for start, part in zip(starts, map_in_threads(measure, starts), strict=True):
            parts.append(part)
            shown.advance(min(_CHUNK, len(locators) - start))
    return _joined(parts)


def _joined(parts: list[Pictures]) -> Pictures:
    signatures = Signatures(
        np.concatenate([part.signatures.pixels for part in parts]),
        np.concatenate([part.signatures.hashes for part in parts]),
        np.concatenate([part.signatures.thumbnails for part in parts]),
        np.concatenate([part.signatures.rows for part in parts]),
        tuple(bad for part in parts for bad in part.bad),
    )
    return Pictures(
        signatures,
        np.concatenate([part.sizes for part in parts]),
        np.concatenate([part.brightness for part in parts]),
        np.concatenate([part.contrast for part in parts]),
        np.concatenate([part.is_gray for part in parts]),
    )
