"""The faces to label: what is known of each, its picture, the picture that it was cut from."""

from __future__ import annotations

import functools
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from halfsmile.data.containers.archive import split_locator
from halfsmile.data.decode import BadImageError, read_bytes, read_image
from halfsmile.data.manifest import Manifest
from halfsmile.data.preprocess import Image
from halfsmile.data.readers.registry import read_any
from halfsmile.data.store.read import is_store, read_index

CONTEXT_SIDE = 900
"""Longest side in pixels of a picture shown as context."""
SLACK = 1e-3
"""Seconds that the time of a frame may be off."""
NEIGHBOR_FRAMES = 15
"""Faces of one person in one video that are fewer frames apart are asked once."""
_BROWSERS = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG": "image/png",
    b"RIFF": "image/webp",
    b"GIF8": "image/gif",
}


@dataclass(frozen=True, eq=False)
class Pool:
    """All faces by row.

    Args:
        manifest: The faces.
        sources: Path of the picture or video that each was cut from, None where it isn't known; empty where
            no face was cut from anything.
        tracks: Number of the track of each in its video, None where there is none; may be empty.
        times: Seconds of each from the beginning of its video, None where there is none; may be empty.
    """

    manifest: Manifest
    sources: Sequence[str | None] = ()
    tracks: Sequence[int | None] = ()
    times: Sequence[float | None] = ()
    people: Sequence[str | None] = field(init=False)
    locators: Sequence[str] = field(init=False)
    _videos: Sequence[str | None] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "people", self.manifest.column("person"))
        object.__setattr__(self, "locators", self.manifest.column("image"))
        object.__setattr__(self, "_videos", self.manifest.column("video"))

    def __len__(self) -> int:
        return len(self.manifest)

    @property
    def root(self) -> Path:
        """What the locators are relative to."""
        return Path(self.manifest.root)

    @classmethod
    def open(cls, path: Path) -> Pool:
        """The faces of a store, or of any layout whose pictures are faces already.

        Raises:
            ValueError: If there are none, or the data can't be read.
        """
        path = Path(path)
        manifest = read_any(path)
        if not len(manifest):
            raise ValueError(f"{path} holds no face to label.")
        if not is_store(path):
            return cls(manifest)
        table, _ = read_index(path, ["source", "track", "time"])
        if table.num_rows != len(manifest):
            return cls(manifest)
        return cls(manifest, *(table[name].to_pylist() for name in ("source", "track", "time")))

    def image(self, row: int) -> Image:
        """The pixels of a face.

        Raises:
            BadImageError: If the picture is gone or damaged.
        """
        return read_image(self.root, self.locators[row])

    def picture(self, row: int) -> tuple[bytes, str]:
        """The picture of a face as bytes that a browser shows, and their media type.

        Raises:
            BadImageError: If the picture is gone or damaged.
        """
        locator = self.locators[row]
        if ".csv#" not in locator.lower():
            data = read_bytes(self.root, locator)
            for start, kind in _BROWSERS.items():
                if data.startswith(start):
                    return data, kind
        return encode(self.image(row), ".png"), "image/png"

    def missing_context(self, row: int) -> str | None:
        """Why there is no picture that a face was cut from, in a sentence; None where there is one."""
        source = self.sources[row] if self.sources else None
        if source is None:
            return "This face was not cut from a picture."
        if _place(source) is None:
            kind = "video" if self._moment(row) is not None else "picture"
            return f"The {kind} that this face was cut from is no longer at {source}."
        return None

    def context(self, row: int) -> bytes:
        """The picture or frame that a face was cut from, at most 900 px wide or high, as JPEG.

        Raises:
            BadImageError: If it is gone, damaged, or was never there.
        """
        missing = self.missing_context(row)
        source = self.sources[row] if self.sources else None
        place = None if source is None else _place(source)
        if missing is not None or place is None or source is None:
            raise BadImageError(f"{self.locators[row]}: {missing}")
        moment = self._moment(row)
        image = read_image(*place) if moment is None else read_frame(Path(source), moment)
        scale = min(1.0, CONTEXT_SIDE / max(image.shape[:2]))
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1)
        return encode(np.asarray(small, np.uint8), ".jpg")

    def _moment(self, row: int) -> float | None:
        """Seconds from the beginning of the video that a face was cut from; None where it is a picture's."""
        is_video = self._videos[row] is not None and bool(self.times)
        return self.times[row] if is_video else None

    def neighbors(self) -> npt.NDArray[np.int64]:
        """A number for each row, (N,): equal for one person in neighboring frames of a video."""
        groups = np.arange(len(self), dtype=np.int64)
        videos, frames = self._videos, self.manifest.column("frame")
        tracks: Sequence[Any] = self.tracks or (None,) * len(self)
        open_groups: dict[Any, tuple[int, int]] = {}
        order = [row for row in range(len(self)) if videos[row] is not None and frames[row] is not None]
        for row in sorted(order, key=lambda row: (videos[row], frames[row])):
            who = self.people[row] if self.people[row] is not None else tracks[row]
            if who is None:
                continue
            key = videos[row], who
            first, group = open_groups.get(key, (-(2**60), row))
            if frames[row] - first >= NEIGHBOR_FRAMES:
                first, group = frames[row], row
                open_groups[key] = first, group
            groups[row] = group
        return groups

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the locators in their order."""
        digest = hashlib.sha256()
        for locator in self.locators:
            digest.update(locator.encode(errors="surrogateescape") + b"\0")
        return digest.hexdigest()

    @functools.cached_property
    def persons(self) -> list[tuple[str, int]]:
        """People by name and number of faces, most first."""
        return Counter(person for person in self.people if person is not None).most_common()


def encode(image: Image, suffix: str) -> bytes:
    """RGB (H, W, 3) or gray (H, W, 1) pixels as the bytes of an image file."""
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.shape[2] == 3 else image
    return bytes(cv2.imencode(suffix, pixels)[1])


def read_frame(path: Path, seconds: float) -> Image:
    """The frame of a video that is shown at a time.

    Raises:
        BadImageError: If the video can't be read or has no such frame.
    """
    from halfsmile.faces.video.frames import BadVideoError, frames

    try:
        found = next(frames(path, start=max(0.0, seconds - SLACK), problems=[]), None)
    except (BadVideoError, OSError) as error:
        raise BadImageError(f"{path}: can't be read: {error}") from error
    if found is None or found.time - seconds > SLACK:
        raise BadImageError(f"{path}: there is no frame at {seconds:.3f} s; has the video been changed?")
    return found.image


def _place(source: str) -> tuple[Path, str] | None:
    """Root and locator of a file by the name that a store has for it; None where it is none any more."""
    path = Path(source)
    if path.is_file():
        return path.parent, path.name
    member = split_locator(source)
    if member is None or not Path(member[0]).is_file():
        return None
    return Path(member[0]), member[1]
