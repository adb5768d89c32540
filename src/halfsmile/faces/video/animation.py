"""Frames of an animated WebP, which FFmpeg can't decode; GIF and PNG are left to it."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from halfsmile.data.image_header import image_size
from halfsmile.data.preprocess import Image
from halfsmile.faces.video.source import BadVideoError

HELD_PIXELS = 1 << 26  # of the frames that are decoded together
SHORTEST = 0.011  # seconds; what asks for less is shown for a tenth of a second, as browsers do
_TENTH = 0.1

Picture = tuple[int, float, functools.partial[Image]]


def is_webp(source: str | Path) -> bool:
    """Whether a source is a file in this format."""
    path = Path(source)
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(12)
    return head[:4] == b"RIFF" and head[8:] == b"WEBP"


class WebpDecoder:
    """One pass over the frames of a WebP file, as :class:`halfsmile.faces.video.decoder.VideoDecoder`.

    Args:
        source: The file.
        max_pixels: Larger frames are refused.
    """

    def __init__(self, source: str | Path, *, max_pixels: int) -> None:
        self.source = Path(source)
        with self.source.open("rb") as file:
            size = image_size(file.read(64))
        if size is None:
            raise BadVideoError(f"{source}: damaged or cut short.")
        self.width, self.height = size
        if self.width * self.height > max_pixels:
            raise BadVideoError(
                f"{source}: frames of {self.width} x {self.height} pixels are larger than the {max_pixels} "
                "pixels allowed."
            )

    def pictures(self) -> Iterator[Picture]:
        """Index, time in seconds, and a function that gives the pixels of each frame.

        Raises:
            BadVideoError: If nothing in it can be decoded.
        """
        together = max(1, HELD_PIXELS // (self.width * self.height))
        time = 0.0
        for first in itertools.count(0, together):
            is_read, animation = cv2.imreadanimation(str(self.source), first, together)
            frames = animation.frames if is_read else ()
            if not first and not len(frames):
                raise BadVideoError(f"{self.source}: no frame could be decoded; damaged or cut short.")
            for number, (frame, duration) in enumerate(zip(frames, animation.durations, strict=False)):
                yield first + number, time, functools.partial(_rgb, np.asarray(frame, np.uint8))
                seconds = float(duration) / 1e3
                time += seconds if seconds >= SHORTEST else _TENTH
            if len(frames) < together:
                return

    def problems(self) -> list[str]:
        """None: what can't be decoded ends the frames."""
        return []

    def missing_end(self) -> list[str]:
        """None, since the file does not say how long it lasts."""
        return []


def _rgb(image: Image) -> Image:
    code = cv2.COLOR_BGRA2RGB if image.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(image, code), np.uint8)
