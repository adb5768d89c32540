"""Folders of numbered pictures that are the frames of a recording."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from halfsmile.data.decode import BadImageError
from halfsmile.faces.sources import MediaSource

if TYPE_CHECKING:
    from halfsmile.faces.video.frames import VideoFrame

FEWEST = 10  # pictures of a folder that looks like a recording
_DIGITS = re.compile(r"(\d+)")


def natural_order(name: str) -> tuple[tuple[int, int, str], ...]:
    """A key that sorts numbers within names by their value.

    Example:
        >>> sorted(["f10.jpg", "f9.jpg", "f1.jpg"], key=natural_order)
        ['f1.jpg', 'f9.jpg', 'f10.jpg']
    """
    parts = _DIGITS.split(name)
    return tuple((1, int(part), "") if i % 2 else (0, 0, part) for i, part in enumerate(parts))


def as_recordings(items: Iterable[MediaSource]) -> tuple[MediaSource, ...]:
    """The same sources with the pictures of each folder as one video, where the first of them was."""
    found: dict[str, list[MediaSource]] = defaultdict(list)
    for item in items:
        found[f"folder {_folder(item)}" if item.kind == "picture" else item.key].append(item)
    return tuple(_recording(group) if group[0].kind == "picture" else group[0] for group in found.values())


def look_like_frames(items: Iterable[MediaSource]) -> list[str]:
    """A question for each folder whose pictures are numbered without a gap and named alike."""
    folders: dict[str, list[MediaSource]] = defaultdict(list)
    for item in items:
        if item.kind == "picture":
            folders[_folder(item)].append(item)
    notes = []
    for folder, pictures in folders.items():
        parts = [_DIGITS.split(PurePosixPath(picture.locator).name) for picture in pictures]
        if (
            len(parts) < FEWEST
            or len({tuple(part[:-2] + part[-1:]) for part in parts}) > 1
            or len(parts[0]) < 3
        ):
            continue
        numbers = sorted(int(part[-2]) for part in parts)
        if (np.diff(numbers) == 1).all():
            notes.append(
                f"{folder}: {len(pictures):,} pictures are numbered {numbers[0]} to {numbers[-1]}. If they "
                "are the frames of a recording, --as-video --fps 30 (or its rate) follows people in them."
            )
    return notes


def recorded_frames(
    recording: MediaSource,
    *,
    fps: float,
    every: int = 1,
    every_seconds: float = 0.0,
    start: float = 0.0,
    end: float | None = None,
    problems: list[str] | None = None,
) -> Iterator[VideoFrame]:
    """The pictures of a recording as the frames of a video.

    Args:
        recording: Of :func:`as_recordings`.
        fps: Frames per second.
        every: Give the frames whose index is a multiple of this.
        every_seconds: Of those, the first at or after each multiple of this time; 0 gives all.
        start: Give no frame before this time in seconds.
        end: Give no frame at or after this time in seconds.
        problems: Gets a sentence if some can't be read.
    """
    from halfsmile.faces.video.frames import EverySeconds, VideoFrame  # PyAV takes long to import

    failures = []
    chosen = EverySeconds(every_seconds, start)
    for index, picture in enumerate(recording.pictures):
        time = index / fps
        if end is not None and time >= end:
            break
        if time < start or index % every or not chosen.takes(time):
            continue
        try:
            image = picture.read()
        except BadImageError as error:
            failures.append(str(error))
            continue
        color = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image
        yield VideoFrame(index, time, color)
    if failures and problems is not None:
        problems.append(f"{len(failures)} of {len(recording.pictures)} frames can't be read ({failures[0]})")


def _folder(picture: MediaSource) -> str:
    parent = PurePosixPath(picture.locator).parent
    if picture.root.is_file():
        return str(picture.root) if parent == PurePosixPath() else f"{picture.root}!{parent}"
    return str(picture.root / parent)


def _recording(pictures: Sequence[MediaSource]) -> MediaSource:
    first = pictures[0]
    name, place = _folder(first), first.place.parent
    if place == PurePosixPath():
        place = PurePosixPath(PurePosixPath(name).name or "frames")
    ordered = sorted(pictures, key=lambda picture: natural_order(picture.locator))
    return MediaSource("video", name, place, pictures=tuple(ordered))
