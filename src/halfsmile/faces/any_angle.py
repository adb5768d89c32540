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
from itertools import islice

import cv2
import numpy as np

from halfsmile.data.preprocess import Image
from halfsmile.faces.align import Doubles, alignment, move, tilt, warp
from halfsmile.faces.boxes import side, suppress
from halfsmile.faces.detect import Detection, Detector, Floats, require_pictures
from halfsmile.faces.upright import NOTHING, Upright, cut_out

DOUBTFUL = 0.7  # how likely a face stands upright, below which the picture is turned
UNLIKELY, WEAK = 0.4, 0.7  # chance and score below which what no turned picture confirms is no face
STANDS = 0.5  # from which on a face of a turned picture is taken
OVERLAP = 0.5  # of two boxes of one face, as a share of the smaller
TILTED = 15.0  # degrees from which on a face is looked at again, turned upright
LOOKS, STEADY = 5, 5.0  # how often at most, and degrees of the last turn from which on once more
SIDE = 45.0  # degrees to which a face is turned to both sides where none is found upright
LARGE = 128.0  # pixels of a face from which on its landmarks tell whether it is tilted
_PATCH, _WHOLE = 256, 640  # least and most pixels of such a look
_ZOOM, _SPACE = 0.45, 2.8  # how much of it a face fills, and so its side over the face's
_SMALL = 256  # pixels of the longer side of a picture in the distance


@dataclass(frozen=True, eq=False)
class Judged:
    """A face of a picture.

    Attributes:
        face: In pixels of the picture.
        chance: How likely it stands upright once it is aligned.
        tilt: Degrees by which it was tilted in the view in which it was found.
        is_leaning: Whether it is tilted further than its landmarks say.
    """

    face: Detection
    chance: float
    tilt: float
    is_leaning: bool

    @property
    def is_straight(self) -> bool:
        """Whether the detector saw it hardly tilted, so that its landmarks are right."""
        return not self.is_leaning and abs(self.tilt) < TILTED

    @property
    def worth(self) -> float:
        """Of one of several views of a face: the largest is the one in which it stands upright."""
        return float(self.face.score * self.chance * (0.5 if self.is_leaning else 1.0))


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
        judged = self._judged(images, self.detector.detect(images))
        return [self._at_any_angle(image, found) for image, found in zip(images, judged, strict=True)]

    def _at_any_angle(self, image: Image, found: list[Judged]) -> list[Detection]:
        if not found or min(one.chance for one in found) < DOUBTFUL:
            found = self._turning(image, found) or self._in_the_distance(image)
        return sorted((self._straightened(image, one) for one in found), key=lambda face: -face.score)

    def _judged(self, images: Sequence[Image], found: Sequence[list[Detection]]) -> list[list[Judged]]:
        """The faces of pictures, judged all at once: the network is so small that asking costs the most."""
        everyone = [(image, face) for image, faces in zip(images, found, strict=True) for face in faces]
        tilts = [tilt(face) for _, face in everyone]
        asked = [
            row
            for row, (image, face) in enumerate(everyone)
            if abs(tilts[row]) >= STEADY or _seen_size(face, image) < LARGE
        ]
        crops = [cut_out(image, faces) for image, faces in zip(images, found, strict=True)]
        chances, leans = self.upright.judged(np.concatenate([NOTHING, *crops]), asked)
        rows = map(Judged, (face for _, face in everyone), chances.tolist(), tilts, leans.tolist())
        return [list(islice(rows, len(faces))) for faces in found]

    def _turning(self, image: Image, found: list[Judged]) -> list[Judged]:
        """Each face in the view in which it stands upright: the picture as it is, or turned by quarters."""
        for quarters, turned in _turned(image):
            seen = self._judged([turned], self.detector.detect([turned]))[0]
            found = _best(
                found
                + [
                    replace(one, face=turned_back(one.face, quarters, image))
                    for one in seen
                    if one.chance >= STANDS
                ]
            )
            if found and min(one.chance for one in found) >= DOUBTFUL:
                break
        return [one for one in found if one.chance >= UNLIKELY or one.face.score >= WEAK]

    def _in_the_distance(self, image: Image) -> list[Judged]:
        """Faces of a picture that is shown small, with a border, upright and turned by odd eighths."""
        height, width = image.shape[:2]
        for angle in (0, 45, 135, 225, 315):
            matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, _SMALL / max(height, width))
            matrix[:, 2] += _SMALL - width / 2, _SMALL - height / 2
            seen = self._through(image, np.asarray(matrix, np.float64), 2 * _SMALL)
            if found := _best([one for one in seen if one.chance >= STANDS]):
                return found
        return []

    def _straightened(self, image: Image, found: Judged) -> Detection:
        """A face that was tilted much where it was found, with the landmarks that it has when shown upright.

        A detector sets the landmarks of a tilted face too upright: they give a part of its angle only, and
        of a small face hardly any. So it is turned by that and looked at again until it stands upright, fast
        at first, at last in the size in which the detector sees the whole picture, for landmarks differ a
        little with it.
        """
        face, last = found.face, found
        if face.landmarks is None or last.is_straight or not math.isfinite(last.tilt):
            return replace(face, upright=last.chance)
        for size in [_PATCH] * LOOKS + [int(np.clip(_SPACE * _seen_size(face, image), _PATCH, _WHOLE))]:
            if size == _PATCH and last is not found and abs(last.tilt) < STEADY:
                continue
            seen = self._middle(image, face, size) or self._middle(image, face, size, (-SIDE, SIDE))
            if seen is None:
                break
            if last is found and max(abs(found.tilt) / TILTED, abs(seen.tilt) / STEADY) < 1:
                break  # seen large it does not lean
            face, last = replace(seen.face, score=face.score), seen
        return replace(face, upright=last.chance)

    def _middle(
        self, image: Image, face: Detection, size: int, turns: Sequence[float] = (0,)
    ) -> Judged | None:
        """What is found at the place of a face when it is shown upright, or turned further by some angle."""
        middle = (face.box[:2] + face.box[2:]) / 2
        seen = []
        for degrees in turns:
            turn = cv2.getRotationMatrix2D((size / 2, size / 2), degrees, 1)
            matrix = turn[:, :2] @ alignment(face, size, _ZOOM)
            matrix[:, 2] += turn[:, 2]
            seen += self._through(image, np.asarray(matrix, np.float64), size)
        around = [
            one
            for one in seen
            if one.chance >= DOUBTFUL
            and (one.face.box[:2] < middle).all()
            and (middle < one.face.box[2:]).all()
        ]
        return _best(around)[0] if around else None

    def _through(self, image: Image, matrix: Doubles, size: int) -> list[Judged]:
        """Faces that are found in what a matrix makes of a picture, in pixels of the picture."""
        shown = warp(image, matrix, size, fine=False)
        back = np.asarray(cv2.invertAffineTransform(matrix), np.float64)
        found: list[Judged] = []
        for one in self._judged([shown], self.detector.detect([shown]))[0]:
            face = one.face
            center = move((face.box[:2] + face.box[2:]) / 2, back)
            half = (face.box[2:] - face.box[:2]) / 2 * math.hypot(back[0, 0], back[1, 0])
            points = None if face.landmarks is None else move(face.landmarks, back)
            box = np.concatenate((center - half, center + half)).astype(np.float32)
            found.append(replace(one, face=Detection(box, points, face.score)))
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


def is_tilted(face: Detection) -> bool:
    """Whether a face is turned in its picture by so much that its landmarks are less exact."""
    return TILTED < abs(tilt(face)) < math.inf


def _seen_size(face: Detection, image: Image) -> float:
    """Pixels along a face as the detector sees it in a whole picture."""
    return side(face.box) * min(1.0, _WHOLE / float(max(image.shape[:2])))


def _turned(image: Image) -> Iterator[tuple[int, Image]]:
    for quarters in (2, 1, 3):
        yield quarters, np.ascontiguousarray(np.rot90(image, quarters))


def _best(found: list[Judged]) -> list[Judged]:
    """Each face once, in the view in which it stands upright, the best first."""
    if len(found) < 2:
        return found
    boxes = np.stack([one.face.box for one in found])
    worth = np.array([one.worth for one in found])
    return [found[row] for row in suppress(boxes, worth, OVERLAP, of_smaller=True)]
