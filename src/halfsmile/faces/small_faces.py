"""Faces that are too small in a picture as a detector works on it: looked for where something hints at one.

A look costs as much as it has pixels, and a large photograph holds mostly none of them. YuNet's score is a
hint long before it is an answer: of faces of 24 pixels it gives 97 % a score of 0.1 or more, of what is no
face hardly anything (docs/experiments.md, 2026-11-30). So the whole picture is looked at in a size at which
faces of 40 pixels have 24, in tiles, and only what lies around a hint is cut out in full resolution.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from halfsmile.data.preprocess import Image
from halfsmile.faces.boxes import overlaps, suppress
from halfsmile.faces.detect import Detection
from halfsmile.faces.yunet_network import OVERLAP, YuNetNetwork

HINT = 0.05  # score from which on something may be a face
LIKELY = 0.07  # the same in a first look at a picture that is hardly shrunk
SHARE = 0.6  # of the picture's size in which hints are looked for
TILE, LAP = 1280, 96  # pixels of a side of a tile there, and of what neighbors share
PATCH = 192  # pixels of the side of what is cut out around a hint
FILL = 0.4  # of a patch that a face may fill; what is larger is shrunk to that
SEEN = 40  # pixels of a patch from which on a face is found for sure
PATCHES = 400  # at most, in a picture


@dataclass(frozen=True, eq=False)
class Patch:
    """A piece of a picture.

    Attributes:
        pixels: (H, W, 3) uint8, at most ``PATCH`` each way.
        corner: (2,) left and top in the picture.
        scale: Pixels of the picture per pixel of the patch.
    """

    pixels: Image
    corner: npt.NDArray[np.float32]
    scale: float

    def placed(self, face: Detection) -> Detection:
        """A face of the patch in pixels of the picture."""
        return moved(face, self.scale, self.corner)

    def cuts(self, face: Detection, image: Image) -> bool:
        """Whether the patch's edge cuts a face of it, where the picture goes on."""
        height, width = image.shape[:2]
        right, bottom = self.corner + np.array(self.pixels.shape[1::-1]) * self.scale
        box = self.placed(face).box
        return bool(
            (box[0] < self.corner[0] > 0)
            or (box[1] < self.corner[1] > 0)
            or (box[2] > right < width - 1)
            or (box[3] > bottom < height - 1)
        )


def moved(face: Detection, scale: float, corner: npt.ArrayLike) -> Detection:
    """A face of a picture that was cut out at a corner and then shrunk, in pixels of the whole one."""
    shift = np.asarray(corner, np.float32)
    points = None if face.landmarks is None else face.landmarks * scale + shift
    return Detection(face.box * scale + np.tile(shift, 2), points, face.score)


def hints(network: YuNetNetwork, image: Image) -> list[Detection]:
    """What may be a small face in a large picture, in its pixels, whatever its score.

    Args:
        network: Is shown the picture in tiles, at ``SHARE`` of its size.
        image: RGB (H, W, 3), uint8.
    """
    found: list[Detection] = []
    for left, top, right, bottom in tiles(
        image.shape[1], image.shape[0], round(TILE / SHARE), round(LAP / SHARE)
    ):
        part = image[top:bottom, left:right]
        size = max(1, round((right - left) * SHARE)), max(1, round((bottom - top) * SHARE))
        pixels = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
        found += [moved(face, 1 / SHARE, (left, top)) for face in network.look(pixels, HINT)]
    return distinct(found)


def tiles(width: int, height: int, size: int, lap: int) -> Iterator[tuple[int, int, int, int]]:
    """Left, top, right and bottom of equal tiles that cover a picture, row by row.

    Args:
        width: Of the picture.
        height: Likewise.
        size: Largest side of a tile.
        lap: What neighbors share at least.

    Example:
        >>> list(tiles(250, 100, 150, 20))
        [(0, 0, 135, 100), (115, 0, 250, 100)]
    """
    for top, bottom in _parts(height, size, lap):
        for left, right in _parts(width, size, lap):
            yield left, top, right, bottom


def patches(image: Image, found: Sequence[Detection], maybe: Sequence[Detection]) -> list[Patch]:
    """What to look at closely: pieces about all hints that are no faces yet, each in one of them.

    Args:
        image: RGB (H, W, 3), uint8.
        found: Faces that are sure; hints that overlap them are done with.
        maybe: Hints, the most likely first.
    """
    height, width = image.shape[:2]
    left = list(apart(maybe, found))
    made: list[Patch] = []
    while left and len(made) < PATCHES:
        face = left[0]
        scale = max(1.0, max(face.width, face.height) / (FILL * PATCH))
        half = PATCH * scale / 2
        center = (face.box[:2] + face.box[2:]) / 2
        low = np.clip(np.floor(center - half), 0, (width - 1, height - 1)).astype(int)
        high = np.clip(np.ceil(center + half), low + 1, (width, height)).astype(int)
        pixels = image[low[1] : high[1], low[0] : high[0]]
        if scale > 1:
            shape = np.maximum(1, np.round((high - low) / scale)).astype(int)
            pixels = np.asarray(
                cv2.resize(pixels, (int(shape[0]), int(shape[1])), interpolation=cv2.INTER_AREA), np.uint8
            )
        made.append(Patch(np.ascontiguousarray(pixels), low.astype(np.float32), scale))
        margin = (high - low) * 0.1
        left = [
            other
            for other in left[1:]
            if (other.box[:2] < low + margin).any()
            or (other.box[2:] > high - margin).any()
            or (scale > 1 and max(other.width, other.height) < SEEN * scale)
        ]
    return made


def apart(faces: Sequence[Detection], others: Sequence[Detection]) -> list[Detection]:
    """Those that overlap none of the others by more than ``OVERLAP`` of the smaller."""
    if not faces or not others:
        return list(faces)
    shares = overlaps(
        np.stack([face.box for face in faces]), np.stack([face.box for face in others]), of_smaller=True
    )
    return [face for face, share in zip(faces, shares.max(1), strict=True) if share <= OVERLAP]


def distinct(faces: Sequence[Detection]) -> list[Detection]:
    """Each face once, the highest score first."""
    if len(faces) < 2:
        return list(faces)
    boxes, scores = np.stack([face.box for face in faces]), np.array([face.score for face in faces])
    return [faces[row] for row in suppress(boxes, scores, OVERLAP)]


def _parts(length: int, size: int, lap: int) -> list[tuple[int, int]]:
    count = max(1, math.ceil((length - lap) / (size - lap)))
    each = min(length, math.ceil((length + (count - 1) * lap) / count))
    starts = (min(i * (each - lap), length - each) for i in range(count))
    return [(start, start + each) for start in starts]
