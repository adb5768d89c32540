"""Faces made unrecognizable in what is shown to others.

Within the box, grown on all sides, at most :data:`CELLS` cells a side are left of the face, rounded to
:data:`LEVELS` levels, and smoothed only to please the eye: what was averaged away is in no pixel of the
result.
A face that the detector does not find is not hidden. So in a video the detector runs on every frame, what it
finds counts from the first time on, and a place stays hidden for :data:`SECONDS` before and after.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from halfsmile.data.preprocess import Image

Box = tuple[float, float, float, float]

CELLS = 6
LEVELS = 16
GROWTH = 0.35  # of the box's sides, added on every side: hair, ears and chin are inside
SECONDS = 0.4
_ROUNDING = 1e-6


def blur_faces(image: Image, boxes: Iterable[Box]) -> Image:
    """Hide everything in some boxes.

    Args:
        image: (H, W, 1) or (H, W, 3), uint8; it is not changed.
        boxes: Left, top, right, bottom in pixels.

    Returns:
        The same shape.
    """
    result = image.copy()
    for box in boxes:
        left, top, right, bottom = grown(box, image.shape[1], image.shape[0])
        if left >= right or top >= bottom:
            continue
        part = image[top:bottom, left:right]
        cells = min(CELLS, part.shape[1]), min(CELLS, part.shape[0])
        small = np.asarray(cv2.resize(part, cells, interpolation=cv2.INTER_AREA), np.uint8)
        step = 256 // LEVELS
        small = (small // step * step + step // 2).astype(np.uint8)
        smooth = cv2.resize(small, part.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        result[top:bottom, left:right] = np.asarray(smooth, np.uint8).reshape(part.shape)
    return result


def grown(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """A box with its margin, in whole pixels, cut to the picture."""
    x, y = GROWTH * (box[2] - box[0]), GROWTH * (box[3] - box[1])
    left, top = max(0, int(np.floor(box[0] - x))), max(0, int(np.floor(box[1] - y)))
    return left, top, min(width, int(np.ceil(box[2] + x))), min(height, int(np.ceil(box[3] + y)))


@dataclass(eq=False)
class _Shot:
    image: Image
    time: float
    boxes: list[Box]


class VideoBlur:
    """Hides the faces of a video, each place a little longer than it was seen.

    Frames are given out :data:`SECONDS` late, and held in memory so long.
    """

    def __init__(self) -> None:
        self._past: deque[tuple[float, list[Box]]] = deque()
        self._waiting: deque[_Shot] = deque()

    def push(self, image: Image, time: float, boxes: Sequence[Box]) -> Iterator[tuple[Image, float]]:
        """Take a frame with the places of its faces; give those that are decided, in order.

        Args:
            image: (H, W, 3), uint8.
            time: Seconds, rising.
            boxes: All that may be a face.
        """
        self._waiting.append(_Shot(image, time, list(boxes)))
        while self._waiting and time - self._waiting[0].time > SECONDS + _ROUNDING:
            yield self._next()

    def flush(self) -> Iterator[tuple[Image, float]]:
        """Give the frames that are still held."""
        while self._waiting:
            yield self._next()

    def _next(self) -> tuple[Image, float]:
        shot = self._waiting.popleft()
        while self._past and shot.time - self._past[0][0] > SECONDS + _ROUNDING:
            self._past.popleft()
        before = [box for _, boxes in self._past for box in boxes]
        after = [box for s in self._waiting if s.time - shot.time <= SECONDS + _ROUNDING for box in s.boxes]
        boxes = [*before, *shot.boxes, *after]
        self._past.append((shot.time, shot.boxes))
        return blur_faces(shot.image, boxes), shot.time
