"""Features of all faces, computed once, in the background, and kept: the head learns on them in seconds.

Faces come in an order drawn by chance, so that those that are asked by chance at the beginning are among the
first to have features. They are written in parts of 1,024; killed at any point, the next start computes the
missing parts. When all are there, they become one file that is mapped into memory::

    features/part-00000.npz …    features, thumbnails and hashes for near copies, faces that can't be read
    features/features.npy        (N, D) float16, in the order of the rows, when all parts are there
    features/reduced.npz         the same along the directions in which the pool varies most
    features/signatures.npz      what near copies are found by

"""

from __future__ import annotations

import json
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from halfsmile.data.check.duplicates import Signatures, signatures_of
from halfsmile.data.decode import BadImageError
from halfsmile.data.preprocess import Image, preprocess
from halfsmile.label.learn.reduction import Reduction
from halfsmile.utils.files import atomic_write, read_json, write_json

PART = 1024
BATCH = 64

Floats = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]


class Extractor(Protocol):
    """Turns faces into features."""

    @property
    def name(self) -> str:
        """Tells it from others, in words."""
        ...

    @property
    def shape(self) -> tuple[int, int]:
        """Side in pixels and channels of the faces that it takes."""
        ...

    @property
    def width(self) -> int:
        """Dimension of a feature."""
        ...

    def __call__(self, images: Image) -> Floats:
        """Features (B, D) of faces (B, S, S, C), uint8."""
        ...


@dataclass(frozen=True, eq=False)
class Features:
    """Features of the faces that have some so far.

    Args:
        values: (N, D), float16; rows that have none are 0.
        reduced: (N, R), float16, the same along fewer directions; 0 where there are none.
        reduction: What made them.
        known: (N,), whether a row has features.
        bad: Reason by row of the faces that can't be read.
        groups: (N,), equal for faces that show nearly the same; None until all faces were looked at.
    """

    values: Halves
    reduced: Halves
    reduction: Reduction
    known: npt.NDArray[np.bool_]
    bad: dict[int, str]
    groups: npt.NDArray[np.int64] | None = None

    @property
    def is_complete(self) -> bool:
        """Whether all faces were looked at."""
        return int(self.known.sum()) + len(self.bad) >= len(self.known)


class FeatureFile:
    """The features of a pool on the disk.

    Args:
        folder: Made if missing. What lies there of other faces or another extractor is replaced.
        image: Reads the face of a row.
        rows: Number of faces.
        fingerprint: Tells these faces from others.
        order: All rows in the order in which they are computed.
        extractor: Makes the features.
    """

    def __init__(
        self,
        folder: Path,
        image: Callable[[int], Image],
        rows: int,
        fingerprint: str,
        order: npt.NDArray[np.int64],
        extractor: Extractor,
    ) -> None:
        self.folder = Path(folder)
        self._image, self._rows, self._order, self._extractor = image, rows, order, extractor
        self._about = {
            "faces": fingerprint,
            "rows": rows,
            "extractor": extractor.name,
            "width": extractor.width,
            "part": PART,
        }

    @property
    def total(self) -> int:
        """Number of faces."""
        return self._rows

    def load(self) -> Features | None:
        """All features, mapped from the finished file; None where it is not finished."""
        path = self.folder / "features.npy"
        if not self._is_ours() or not path.is_file():
            return None
        try:
            with np.load(self.folder / "signatures.npz") as saved:
                bad = dict(zip(saved["bad"].tolist(), saved["reasons"].tolist(), strict=True))
                groups = np.array(saved["groups"])
            values = np.load(path, mmap_mode="r")
            with np.load(self.folder / "reduced.npz") as saved:
                reduced, reduction = saved["reduced"], Reduction(saved["mean"], saved["matrix"])
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            return None
        if values.shape != (self._rows, self._extractor.width) or len(reduced) != self._rows:
            return None
        known = np.ones(self._rows, np.bool_)
        known[list(bad)] = False
        return Features(values, reduced, reduction, known, bad, groups)

    def compute(
        self, group: Callable[[Signatures], npt.NDArray[np.int64]], stop: threading.Event
    ) -> Iterator[Features]:
        """Compute what is missing; yields what there is after each part, and at last all of it.

        Args:
            group: Numbers of groups (N,) from the signatures of all faces that could be read.
            stop: Ends the work after the present batch.
        """
        if (finished := self.load()) is not None:
            yield finished
            return
        self._begin()
        values = np.zeros((self._rows, self._extractor.width), np.float16)
        known, bad = np.zeros(self._rows, np.bool_), dict[int, str]()
        signatures: list[Signatures] = []
        reduced, reduction = np.zeros((self._rows, 0), np.float16), None
        for number, start in enumerate(range(0, self._rows, PART)):
            rows = self._order[start : start + PART]
            part = self._load_part(number, rows) or self._make_part(number, rows, stop)
            if part is None:
                return
            found, looks, reasons = part
            values[looks.rows] = found
            known[looks.rows] = True
            bad.update(reasons)
            signatures.append(looks)
            if reduction is None:
                reduction = Reduction.fit(found)
                reduced = np.zeros((self._rows, reduction.matrix.shape[1]), np.float16)
            reduced[looks.rows] = reduction(found)
            yield Features(values, reduced, reduction, known.copy(), dict(bad))
        groups = group(_joined(signatures))
        reduction = Reduction.fit(values[known])
        reduced = reduction(values).astype(np.float16)
        reduced[~known] = 0
        with atomic_write(self.folder / "signatures.npz") as path:
            np.savez(
                path,
                groups=groups,
                bad=np.array(list(bad), np.int64),
                reasons=np.array(list(bad.values()), str),
            )
        with atomic_write(self.folder / "reduced.npz") as path:
            np.savez(path, reduced=reduced, mean=reduction.mean, matrix=reduction.matrix)
        with atomic_write(self.folder / "features.npy") as path:
            np.save(path, values)
        for part_path in self.folder.glob("part-*.npz"):
            part_path.unlink(missing_ok=True)
        complete = self.load()
        yield complete or Features(values, reduced, reduction, known, bad, groups)

    def _is_ours(self) -> bool:
        try:
            return bool(read_json(self.folder / "features.json") == self._about)
        except ValueError:
            return False

    def _begin(self) -> None:
        if not self._is_ours():
            for path in [*self.folder.glob("part-*.npz"), self.folder / "features.npy"]:
                path.unlink(missing_ok=True)
            write_json(self.folder / "features.json", json.loads(json.dumps(self._about)))

    def _part_path(self, number: int) -> Path:
        return self.folder / f"part-{number:05d}.npz"

    def _load_part(self, number: int, rows: npt.NDArray[np.int64]) -> _Part | None:
        try:
            with np.load(self._part_path(number)) as saved:
                looks = Signatures(saved["pixels"], saved["hashes"], saved["thumbnails"], saved["rows"])
                reasons = dict(zip(saved["bad"].tolist(), saved["reasons"].tolist(), strict=True))
                if {*looks.rows.tolist(), *reasons} != {*rows.tolist()}:
                    return None
                return saved["features"], looks, reasons
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            return None

    def _make_part(self, number: int, rows: npt.NDArray[np.int64], stop: threading.Event) -> _Part | None:
        size, channels = self._extractor.shape
        features, looks, reasons = [np.zeros((0, self._extractor.width), np.float16)], [], dict[int, str]()
        for start in range(0, len(rows), BATCH):
            if stop.is_set():
                return None
            images, read = [], []
            for row in rows[start : start + BATCH].tolist():
                try:
                    images.append(self._image(row))
                    read.append(row)
                except BadImageError as error:
                    reasons[row] = str(error)
            if images:
                batch = np.stack([preprocess(image, size, channels) for image in images])
                features.append(self._extractor(batch).astype(np.float16))
                looks.append(signatures_of(images, read))
        part = np.concatenate(features), _joined(looks), reasons
        with atomic_write(self._part_path(number)) as path:
            np.savez(
                path,
                features=part[0],
                pixels=part[1].pixels,
                hashes=part[1].hashes,
                thumbnails=part[1].thumbnails,
                rows=part[1].rows,
                bad=np.array(list(reasons), np.int64),
                reasons=np.array(list(reasons.values()), str),
            )
        return part


_Part = tuple[Halves, Signatures, dict[int, str]]


def _joined(parts: Sequence[Signatures]) -> Signatures:
    parts = [signatures_of([]), *parts]
    return Signatures(
        np.concatenate([part.pixels for part in parts]),
        np.concatenate([part.hashes for part in parts]),
        np.concatenate([part.thumbnails for part in parts]),
        np.concatenate([part.rows for part in parts]),
    )
