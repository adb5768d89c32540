"""What a model sees of each face of a picture, and which faces can't be cut out."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from halfsmile.data.preprocess import Image
from halfsmile.faces.align import align, alignment
from halfsmile.faces.detect import Detection
from halfsmile.predict.face import ODD_FACE
from halfsmile.predict.model import Crops
from halfsmile.predict.model_facts import Preprocessing


def cut_out(image: Image, faces: Sequence[Detection], wanted: Preprocessing) -> Crops:
    """Aligned faces (N, S, S, C) uint8 of an RGB picture (H, W, 3).

    Args:
        image: The picture.
        faces: Where they are; see :func:`split_odd`.
        wanted: The model's size, scale and channels.
    """
    cut = np.zeros((len(faces), wanted.size, wanted.size, wanted.channels), np.uint8)
    for i, face in enumerate(faces):
        pixels = align(image, face, size=wanted.size, scale=wanted.scale)
        if wanted.channels == 1:
            pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)[:, :, None]
        cut[i] = pixels
    return cut


def split_odd(faces: Sequence[Detection]) -> tuple[list[Detection], list[str]]:
    """Faces that can be cut out, and a reason for each other one."""
    good, reasons = [], []
    for face in faces:
        try:
            alignment(face)
        except ValueError:
            left, top, right, bottom = (round(float(edge)) for edge in face.box)
            reasons.append(
                f"{ODD_FACE}: its landmarks fix no place (box from {left}, {top} to {right}, {bottom})"
            )
        else:
            good.append(face)
    return good, reasons
