"""The face in a picture that was cut out about one before, however tightly.

Detectors were trained on faces with surroundings, of certain sizes, and miss many in tight or small crops. So
a crop is first brought to the size and given the border with which a detector finds most of them, measured on
FERPlus (docs/experiments.md, 2026-11-29); what is found is moved back to the pixels of the crop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from halfsmile.data.preprocess import Image, placement, preprocess
from halfsmile.faces.align import alignment
from halfsmile.faces.boxes import side
from halfsmile.faces.detect import Detection, Detector, require_pictures

LEAST_SHARE, MOST_SHARE = 1 / 3, 1.5  # side of the face's box over the longer side of its crop
MOST_OFFSET = 0.3  # from the crop's center to the box's, over the longer side
MOST_ROLL = 60.0  # degrees


@dataclass(frozen=True)
class Enlargement:
    """How crops are shown to a detector.

    Args:
        side: Pixels of the crop's longer side; the shorter one is filled up with copies of the edge.
        border: More copies of the edge all around, as a share of ``side``.

    Raises:
        ValueError: If the side is not positive or the border is negative.
    """

    side: int
    border: float = 0.0

    def __post_init__(self) -> None:
        if self.side < 1 or not 0 <= self.border < math.inf:
            raise ValueError(
                "Crops are enlarged to a positive side with a border of 0 or more, found "
                f"{self.side} and {self.border}."
            )


ENLARGEMENTS = {"yunet": Enlargement(240), "mtcnn": Enlargement(96, 0.25)}
"""What finds most faces of FERPlus, by the name of the detector."""


@dataclass(frozen=True)
class CropDetector:
    """A detector for pictures that are crops of one face each, behind the protocol of the detectors.

    It finds at most one face in a picture: of those that are :func:`plausible`, the one nearest the center.

    Args:
        detector: Who looks for faces. All enlarged crops have one size, so that they share its batches.
        enlargement: What it is shown.
    """

    detector: Detector
    enlargement: Enlargement

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """Find the face of each crop; see :class:`halfsmile.faces.detect.Detector`."""
        require_pictures(images)
        size = self.enlargement.side
        margin = round(size * self.enlargement.border)
        edges = (margin,) * 4
        shown = [
            np.asarray(cv2.copyMakeBorder(preprocess(image, size, 3), *edges, cv2.BORDER_REPLICATE), np.uint8)
            for image in images
        ]
        found = self.detector.detect(shown)
        return [self._best(image, faces, margin) for image, faces in zip(images, found, strict=True)]

    def _best(self, image: Image, faces: Sequence[Detection], margin: int) -> list[Detection]:
        height, width = image.shape[:2]
        place = placement(height, width, self.enlargement.side)
        scale = np.array([place.scale_x, place.scale_y], np.float32)
        corner = np.array([place.left, place.top], np.float32) + margin
        moved = [
            Detection(
                ((face.box.reshape(2, 2) - corner) / scale).ravel(),
                None if face.landmarks is None else (face.landmarks - corner) / scale,
                face.score,
            )
            for face in faces
        ]
        near = [face for face in moved if plausible(face, height, width)]
        return [min(near, key=lambda face: _offset(face, height, width))] if near else []


def plausible(face: Detection, height: int, width: int) -> bool:
    """Whether a face is what a picture was cut out about, and where it lies can be told.

    It has landmarks that fix a place; its box measures a third to one and a half times the picture's longer
    side, and their centers are at most 0.3 of that side apart; it is turned by at most 60 degrees.

    Args:
        face: In pixels of the picture.
        height: Of the picture in pixels.
        width: Of the picture in pixels.
    """
    if face.landmarks is None or _offset(face, height, width) > MOST_OFFSET:
        return False
    if not LEAST_SHARE <= side(face.box) / max(height, width) <= MOST_SHARE:
        return False
    try:
        matrix = alignment(face)
    except ValueError:
        return False
    return abs(math.degrees(math.atan2(matrix[1, 0], matrix[0, 0]))) <= MOST_ROLL


def _offset(face: Detection, height: int, width: int) -> float:
    """From the picture's center to the box's, over the picture's longer side."""
    center = (face.box[:2] + face.box[2:]) / 2
    return float(np.hypot(center[0] - width / 2, center[1] - height / 2)) / max(height, width)
