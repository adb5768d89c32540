"""Faces that are known already, behind the protocol of the detectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from halfsmile.data.preprocess import Image, placement
from halfsmile.faces.align import template
from halfsmile.faces.detect import Detection, require_pictures

LARGEST = 8
"""A face's box is at most so many times as wide and high as the longer side of its picture."""
SMALLEST = 2
"""Pixels that the longer side of a face's box has at least; in shares of the picture none has."""


@dataclass(frozen=True)
class GivenFaces:
    """Boxes and landmarks from a table or an earlier run.

    Args:
        faces: For every picture of the one call to come, in its order, the faces that are in it.
    """

    faces: Sequence[Sequence[Detection]]

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """The given faces, the highest score first.

        Raises:
            ValueError: If there are more or fewer pictures than lists of faces, a face lies wholly outside
                its picture, is many times as large or smaller than two pixels, or a picture is empty or not
                RGB uint8.
        """
        require_pictures(images)
        if len(images) != len(self.faces):
            raise ValueError(f"Faces were given for {len(self.faces)} pictures, but there are {len(images)}.")
        for index, (image, faces) in enumerate(zip(images, self.faces, strict=True)):
            height, width = image.shape[:2]
            for face in faces:
                if (face.box[:2] >= (width, height)).any() or (face.box[2:] <= 0).any():
                    raise ValueError(
                        f"Picture {index} is {width} x {height} pixels, but a given box is "
                        f"{face.box.tolist()}, wholly outside: do the boxes belong to this picture?"
                    )
                if (face.box[2:] - face.box[:2] > LARGEST * max(width, height)).any():
                    raise ValueError(
                        f"Picture {index} is {width} x {height} pixels, but a given box is "
                        f"{face.box.tolist()}, many times as large: do the boxes belong to this picture?"
                    )
                if (face.box[2:] - face.box[:2] < SMALLEST).all():
                    raise ValueError(
                        f"Picture {index} is {width} x {height} pixels, and a given box, "
                        f"{face.box.tolist()}, is smaller than two: boxes and "
                        "landmarks are in pixels. If these are shares of the picture, multiply them by its "
                        "width and height."
                    )
        return [sorted(faces, key=lambda face: -face.score) for faces in self.faces]


class AlignedFaces:
    """Every picture is one face that is aligned already.

    Box and landmarks are those of the template in a square about the picture, so that alignment leaves the
    face as it is and only changes its size. A predictor with this detector takes faces that were cut out
    before: ``Predictor(detector=AlignedFaces())``.

    Example:
        >>> ((face,),) = AlignedFaces().detect([np.zeros((112, 112, 3), np.uint8)])
        >>> face.box.tolist()
        [0.0, 0.0, 112.0, 112.0]
    """

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """One face per picture: all of it.

        Raises:
            ValueError: If a picture is empty or not RGB uint8; the message says which.
        """
        require_pictures(images)
        return [[self._whole(image)] for image in images]

    @staticmethod
    def _whole(image: Image) -> Detection:
        height, width = image.shape[:2]
        longer = max(height, width)
        place = placement(height, width, longer)
        corner = np.array([place.left, place.top], np.float32)
        return Detection(np.array([0, 0, width, height], np.float32), template(longer) - corner)
