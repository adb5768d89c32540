"""Faces that stand on their head, lie on a side or overfill the picture, as a detector of its own.

A detector is made for upright faces with surroundings. Of others it finds some, and sets the landmarks of
many as if they were upright. So each face is asked whether it stands upright once it is aligned
(:mod:`halfsmile.faces.upright`), which costs hardly anything. Only where one does not, or none was found, the
detector sees the picture turned by quarters, too; and where there is still none, as from a distance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from halfsmile.data.preprocess import Image
from halfsmile.faces.align import Doubles, alignment, move, warp
from halfsmile.faces.boxes import suppress
from halfsmile.faces.detect import Detection, Detector, Floats, require_pictures
from halfsmile.faces.upright import Upright

DOUBTFUL = 0.7  # how likely a face stands upright, below which the picture is turned
UNLIKELY, WEAK = 0.4, 0.7  # chance and score below which what no turned picture confirms is no face
STANDS = 0.5  # from which on a face of a turned picture is taken
OVERLAP = 0.5  # of two boxes of one face, as a share of the smaller
TILTED = 25.0  # degrees from which on a face is looked at once more, turned upright
_PATCH, _ZOOM = 256, 0.45  # pixels of that look, and how much of it the face fills
_SMALL = 256  # pixels of the longer side of a picture in the distance

Judged = tuple[Detection, float]
"""A face, and how likely it stands upright once it is aligned."""


@dataclass(frozen=True)
class AnyAngle:
    """A detector that finds faces at any angle.

    Args:
        detector: Finds upright faces.
        upright: Tells which are.
    """

    detector: Detector
    upright: Upright = field(default_factory=Upright)

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """Find all faces; see :class:`halfsmile.faces.detect.Detector`."""
        require_pictures(images)
        return [
            self._at_any_angle(image, faces)
            for image, faces in zip(images, self.detector.detect(images), strict=True)
        ]

    def _at_any_angle(self, image: Image, faces: list[Detection]) -> list[Detection]:
        chances = self.upright.faces(image, faces)
        if faces and chances.min() >= DOUBTFUL:
            return [self._straightened(image, face) for face in faces]
        found = list(zip(faces, map(float, chances), strict=True))
        for quarters, turned in _turned(image):
            seen = self.detector.detect([turned])[0]
            stands = self.upright.faces(turned, seen)
            found += [
                (turned_back(face, quarters, image), float(chance))
                for face, chance in zip(seen, stands, strict=True)
                if chance >= STANDS
            ]
            found = _best(found)
            if found and min(chance for _, chance in found) >= DOUBTFUL:
                break
        found = [(face, chance) for face, chance in found if chance >= UNLIKELY or face.score >= WEAK]
        found = found or self._in_the_distance(image)
        straight = [self._straightened(image, face) for face, _ in found]
        return sorted(straight, key=lambda face: -face.score)

    def _in_the_distance(self, image: Image) -> list[Judged]:
        """Faces of a picture that is shown small, with a border, upright and turned by odd eighths."""
        height, width = image.shape[:2]
        for angle in (0, 45, 135, 225, 315):
            matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, _SMALL / max(height, width))
            matrix[:, 2] += _SMALL - width / 2, _SMALL - height / 2
            seen = self._through(image, np.asarray(matrix, np.float64), 2 * _SMALL)
            if found := _best([(face, chance) for face, chance in seen if chance >= STANDS]):
                return found
        return []

    def _straightened(self, image: Image, face: Detection) -> Detection:
        """A face that is tilted much, with the landmarks that it has when it is shown upright."""
        if face.landmarks is None or not TILTED < abs(_roll(face)) < math.inf:
            return face
        middle = (face.box[:2] + face.box[2:]) / 2
        for other, chance in self._through(image, alignment(face, _PATCH, _ZOOM), _PATCH):
            if chance >= DOUBTFUL and (other.box[:2] < middle).all() and (middle < other.box[2:]).all():
                return replace(other, score=face.score)
        return face

    def _through(self, image: Image, matrix: Doubles, size: int) -> list[Judged]:
        """Faces that are found in what a matrix makes of a picture, in pixels of the picture."""
        shown = warp(image, matrix, size)
        seen = self.detector.detect([shown])[0]
        back = np.asarray(cv2.invertAffineTransform(matrix), np.float64)
        found: list[Judged] = []
        for face, chance in zip(seen, self.upright.faces(shown, seen), strict=True):
            center = move((face.box[:2] + face.box[2:]) / 2, back)
            half = (face.box[2:] - face.box[:2]) / 2 * math.hypot(back[0, 0], back[1, 0])
            points = None if face.landmarks is None else move(face.landmarks, back)
            box = np.concatenate((center - half, center + half)).astype(np.float32)
            found.append((Detection(box, points, face.score), float(chance)))
        return found


def turned_back(face: Detection, quarters: int, image: Image) -> Detection:
    """A face of a picture that was turned counterclockwise by some quarters, in pixels of the picture.

    Args:
        face: In the turned picture.
        quarters: 0 to 3.
        image: The picture as it is, (H, W, 3).
    """
    height, width = image.shape[:2]

    def back(points: Floats) -> Floats:
        x, y = points.reshape(-1, 2).T
        places = {0: (x, y), 1: (width - y, x), 2: (width - x, height - y), 3: (y, height - x)}
        return np.stack(places[quarters], 1)

    corners = back(face.box)
    box = np.concatenate((corners.min(0), corners.max(0)))
    return Detection(box, None if face.landmarks is None else back(face.landmarks), face.score)


def _roll(face: Detection) -> float:
    """Degrees by which alignment turns a face; infinite where it can't be aligned."""
    try:
        matrix = alignment(face)
    except ValueError:
        return math.inf
    return math.degrees(math.atan2(matrix[1, 0], matrix[0, 0]))


def _turned(image: Image) -> Iterator[tuple[int, Image]]:
    for quarters in (2, 1, 3):
        yield quarters, np.ascontiguousarray(np.rot90(image, quarters))


def _best(found: list[Judged]) -> list[Judged]:
    """Each face once, in the view in which it stands upright."""
    if len(found) < 2:
        return found
    boxes = np.stack([face.box for face, _ in found])
    worth = np.array([face.score * chance for face, chance in found])
    return [found[row] for row in suppress(boxes, worth, OVERLAP, of_smaller=True)]
