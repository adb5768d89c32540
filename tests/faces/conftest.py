"""Pictures with generated faces at known places."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from halfsmile.data.preprocess import Image
from halfsmile.data.synthetic import generate

Scene = tuple[Image, npt.NDArray[np.float32]]


@pytest.fixture(scope="session")
def scenes() -> list[Scene]:
    """Eight pictures with two faces of 150 and 100 pixels, one with none; and landmarks (N, 5, 2)."""
    large = generate(8, size=150, seed=5, people=8, difficulty=0.5)
    small = generate(8, size=100, seed=6, people=8, first_person=8, difficulty=0.5)
    made: list[Scene] = []
    for index in range(8):
        image = np.full((300, 420, 3), 128, np.uint8)
        image[60:210, 40:190] = large.images[index]
        image[120:220, 270:370] = small.images[index]
        points = np.stack((large.landmarks[index] + (40, 60), small.landmarks[index] + (270, 120)))
        made.append((np.asarray(cv2.GaussianBlur(image, (0, 0), 0.7), np.uint8), points))
    return [*made, (np.full((300, 420, 3), 128, np.uint8), np.empty((0, 5, 2), np.float32))]
