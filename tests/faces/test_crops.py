"""The one face of a crop: which, where in the crop's own pixels, and when there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest

from halfsmile.data.preprocess import Image
from halfsmile.data.synthetic import generate
from halfsmile.faces.align import TEMPLATE_BOX, alignment, move, template
from halfsmile.faces.crops import ENLARGEMENTS, CropDetector, Enlargement, plausible
from halfsmile.faces.detect import Detection
from halfsmile.faces.mtcnn import Mtcnn

UPRIGHT = Detection(np.array(TEMPLATE_BOX, np.float32), template())


@dataclass
class Told:
    """Gives the same faces for every picture, and keeps the pictures."""

    faces: list[Detection]
    seen: list[Image] = field(default_factory=list)

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        self.seen += images
        return [self.faces for _ in images]


def turned(face: Detection, degrees: float = 0.0, scale: float = 1.0, shift: float = 0.0) -> Detection:
    """The face turned and scaled about (56, 56), then shifted to the right."""
    angle = np.radians(degrees)
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = (np.asarray(face.landmarks) - 56) @ matrix.T + 56 + (shift, 0)
    box = (face.box - 56) * scale + 56 + np.array([shift, 0, shift, 0])
    return Detection(box, points.astype(np.float32), face.score)


@pytest.mark.parametrize("shape", [(48, 48), (30, 60), (60, 30), (300, 200), (1, 1)])
def test_what_is_found_is_moved_back(shape: tuple[int, int]) -> None:
    """The center and the corners of the crop in the enlarged picture are those of the crop."""
    height, width = shape
    x, y = (120 * side / max(shape) for side in (width, height))
    corner = np.array([30 + (120 - x) / 2, 30 + (120 - y) / 2])
    points = corner + np.array([[0, 0], [x, 0], [x / 2, y / 2], [0, y], [x, y]])
    told = Told([Detection(np.concatenate([corner, corner + np.array([x, y])]), points, 0.7)])
    image = np.zeros((height, width, 3), np.uint8)
    ((face,),) = CropDetector(told, Enlargement(120, 0.25)).detect([image])
    np.testing.assert_allclose(face.box, [0, 0, width, height], atol=1e-4)
    expected = np.array([[0, 0], [width, 0], [width / 2, height / 2], [0, height], [width, height]])
    np.testing.assert_allclose(np.asarray(face.landmarks), expected, atol=1e-4)
    assert face.score == pytest.approx(0.7)
    assert told.seen[0].shape == (180, 180, 3), "all crops have one size, whatever theirs is"


def test_the_border_repeats_the_edge() -> None:
    image = np.full((40, 40, 3), 50, np.uint8)
    image[:, -1] = 200
    told = Told([])
    assert CropDetector(told, Enlargement(40, 0.5)).detect([image]) == [[]]
    assert (told.seen[0][:, :59] == 50).all()
    assert (told.seen[0][:, 59:] == 200).all()


@pytest.mark.parametrize(
    ("face", "expected"),
    [
        (UPRIGHT, True),
        (turned(UPRIGHT, degrees=59), True),
        (turned(UPRIGHT, degrees=-61), False),
        (turned(UPRIGHT, degrees=180), False),
        (turned(UPRIGHT, scale=0.45), True),
        (turned(UPRIGHT, scale=0.40), False),
        (turned(UPRIGHT, scale=1.8), True),
        (turned(UPRIGHT, scale=2.0), False),
        (turned(UPRIGHT, shift=30), True),
        (turned(UPRIGHT, shift=40), False),
        (Detection(UPRIGHT.box), False),
        (Detection(UPRIGHT.box, np.full((5, 2), 56)), False),
    ],
)
def test_what_a_crop_was_cut_out_about(face: Detection, expected: bool) -> None:
    assert plausible(face, 112, 112) is expected


def test_the_face_nearest_the_center_counts() -> None:
    surer = Detection(turned(UPRIGHT, shift=25).box, turned(UPRIGHT, shift=25).landmarks, 0.99)
    nearer = Detection(UPRIGHT.box, UPRIGHT.landmarks, 0.7)
    small = turned(UPRIGHT, scale=0.3)
    told = Told([surer, small, nearer])
    ((face,),) = CropDetector(told, Enlargement(112)).detect([np.zeros((112, 112, 3), np.uint8)])
    assert face.score == pytest.approx(0.7)
    np.testing.assert_allclose(face.box, UPRIGHT.box, atol=1e-4)


def test_generated_faces_are_found_and_aligned() -> None:
    """Gray crops of 48 pixels like FERPlus's: landmarks within 2 pixels, so that aligned ones lie alike."""
    faces = generate(40, size=48, seed=3, people=20, difficulty=0.5)
    images = [np.repeat(cv2.cvtColor(i, cv2.COLOR_RGB2GRAY)[..., None], 3, 2) for i in faces.images]
    images = [np.asarray(image, np.uint8) for image in images]
    found = CropDetector(Mtcnn(threads=1), ENLARGEMENTS["mtcnn"]).detect(images)
    seen = [row for row, each in enumerate(found) if each]
    assert len(seen) >= 36
    for row in seen:
        (face,) = found[row]
        apart = np.linalg.norm(np.asarray(face.landmarks) - faces.landmarks[row], axis=1).mean()
        assert apart < 2.5, row
        matrix = alignment(face, 48)
        assert np.linalg.norm(move(faces.landmarks[row], matrix) - template(48), axis=1).mean() < 2.5, row


def test_a_picture_without_a_face_has_none() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3), np.uint8)
    crops = CropDetector(Mtcnn(threads=1), ENLARGEMENTS["mtcnn"])
    assert crops.detect([*noise, np.full((48, 48, 3), 128, np.uint8)]) == [[], [], [], []]
    assert crops.detect([]) == []


def test_bad_settings_and_bad_pictures_are_refused() -> None:
    for side, border in ((0, 0.0), (48, -0.1), (48, float("nan")), (48, float("inf"))):
        with pytest.raises(ValueError, match="positive side"):
            Enlargement(side, border)
    with pytest.raises(ValueError, match="Picture 1"):
        CropDetector(Told([]), Enlargement(48)).detect(
            [np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9), np.uint8)]
        )
