from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from halfsmile.data.preprocess import Image
from halfsmile.data.synthetic import generate
from halfsmile.faces.align import alignment, move
from halfsmile.faces.any_angle import AnyAngle, turned_back
from halfsmile.faces.detect import Detection, Detector
from halfsmile.faces.mtcnn import Mtcnn
from halfsmile.faces.yunet import YuNet

Scenes = list[tuple[Image, npt.NDArray[np.float32]]]


@dataclass
class Counting:
    """A detector that counts the pictures that it is shown."""

    detector: Detector = field(default_factory=lambda: YuNet(threads=1))
    pictures: int = 0

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        self.pictures += len(images)
        return self.detector.detect(images)


@pytest.mark.parametrize("make", [YuNet, Mtcnn])
def test_faces_are_found_as_upright_at_any_angle(make: type[YuNet] | type[Mtcnn]) -> None:
    """Aligned by what is found, they stand upright."""
    faces = generate(3, size=160, seed=3, people=3, first_person=700, difficulty=0.2)
    detector = AnyAngle(make(threads=1))
    off = []
    for image in faces.images:
        canvas = cv2.copyMakeBorder(image, 60, 60, 60, 60, cv2.BORDER_REPLICATE)
        for angle in (0, 45, 90, 135, 180, 270):
            matrix = cv2.getRotationMatrix2D((140, 140), -angle, 1)
            turned = np.asarray(cv2.warpAffine(canvas, matrix, (280, 280), borderMode=cv2.BORDER_REPLICATE))
            (seen,) = detector.detect([turned.astype(np.uint8)])
            for face in seen[:1]:
                aligned = alignment(face)
                roll = angle + np.degrees(np.arctan2(aligned[1, 0], aligned[0, 0]))
                off.append(abs((roll + 180) % 360 - 180))
    assert len(off) >= 17
    assert np.mean(np.array(off) < 30) > 0.8
    assert np.median(off) < 10


@pytest.mark.parametrize("make", [YuNet, Mtcnn])
def test_landmarks_of_tilted_faces_lie_where_they_lie_upright(make: type[YuNet] | type[Mtcnn]) -> None:
    """Off by a fraction of the distance of the eyes; as a detector sets them, by half of it and more."""
    faces = generate(2, size=320, seed=0, people=2, difficulty=0.2)
    detector = AnyAngle(make(threads=1))
    off = []
    for image in faces.images:
        canvas = cv2.copyMakeBorder(image, 140, 140, 140, 140, cv2.BORDER_REPLICATE)
        ((upright,),) = detector.detect([canvas])
        assert upright.landmarks is not None
        for angle in (60, 240):
            matrix = cv2.getRotationMatrix2D((300, 300), -angle, 1)
            turned = cv2.warpAffine(canvas, matrix, (600, 600), borderMode=cv2.BORDER_REPLICATE)
            ((face,),) = detector.detect([np.asarray(turned, np.uint8)])
            assert face.landmarks is not None
            away = face.landmarks - move(upright.landmarks, np.asarray(matrix, np.float64))
            off.append(np.hypot(*away.T).mean() / np.hypot(*(upright.landmarks[1] - upright.landmarks[0])))
    assert np.median(off) < 0.1
    assert max(off) < 0.25


def test_small_tilted_faces_are_aligned_upright() -> None:
    """YuNet sets their landmarks as if they hardly leaned, 40 degrees off."""
    detector, off = AnyAngle(YuNet(threads=1)), []
    for image in generate(8, size=90, seed=0, people=24, difficulty=0.2).images:
        canvas = cv2.copyMakeBorder(image, 60, 60, 60, 60, cv2.BORDER_REPLICATE)
        for angle in (-40, 40):
            matrix = cv2.getRotationMatrix2D((105, 105), -angle, 1)
            turned = cv2.warpAffine(canvas, matrix, (210, 210), borderMode=cv2.BORDER_REPLICATE)
            for face in detector.detect([np.asarray(turned, np.uint8)])[0][:1]:
                aligned = alignment(face)
                off.append(abs(angle + np.degrees(np.arctan2(aligned[1, 0], aligned[0, 0]))))
    assert len(off) >= 14
    assert np.median(off) < 15
    assert np.mean(np.array(off) < 25) > 0.7


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_what_is_upright_in_a_turned_view_is_taken_as_it_is_there(scenes: Scenes, quarters: int) -> None:
    image = scenes[0][0]
    ((upright, *_),) = YuNet(threads=1).detect([image])
    counting = Counting()
    (found,) = AnyAngle(counting).detect([np.ascontiguousarray(np.rot90(image, -quarters))])
    assert counting.pictures <= 4  # and no closer look
    points = [turned_back(face, 4 - quarters, image).landmarks for face in found]
    assert upright.landmarks is not None
    assert min(np.abs(one - upright.landmarks).max() for one in points if one is not None) < 1


def test_upright_pictures_are_looked_at_once(scenes: Scenes) -> None:
    counting = Counting()
    images = [image for image, _ in scenes[:8]]
    found = AnyAngle(counting).detect(images)
    assert counting.pictures == len(images)
    for faces, others in zip(found, counting.detector.detect(images), strict=True):
        for face, other in zip(faces, others, strict=True):
            np.testing.assert_allclose(face.box, other.box, rtol=1e-4)


def test_an_upright_face_beside_one_on_its_head_stays_as_it_is(scenes: Scenes) -> None:
    image = scenes[0][0].copy()
    (upright,) = YuNet(threads=1).detect([image])
    image[120:220, 270:370] = image[120:220, 270:370][::-1, ::-1]
    (found,) = AnyAngle(YuNet(threads=1)).detect([image])
    assert len(found) == 2
    left, right = sorted(found, key=lambda face: face.box[0])
    np.testing.assert_allclose(left.box, min(upright, key=lambda face: face.box[0]).box, atol=1)
    assert right.landmarks is not None
    assert right.landmarks[:2, 1].min() > right.landmarks[3:, 1].max()  # its eyes are below its mouth


def test_a_face_that_overfills_the_picture_is_found() -> None:
    faces = generate(6, size=480, seed=4, people=6, first_person=500, difficulty=0.1)
    cut = [image[110:390, 100:380].repeat(3, 0).repeat(3, 1) for image in faces.images]
    found = AnyAngle(YuNet(threads=1)).detect(cut)
    assert sum(len(faces) == 1 for faces in found) >= 5


def test_a_picture_without_faces_has_none() -> None:
    assert AnyAngle(YuNet(threads=1)).detect([np.full((300, 500, 3), 90, np.uint8)]) == [[]]
    assert AnyAngle(YuNet(threads=1)).detect([]) == []


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_points_are_turned_back_to_their_place(quarters: int) -> None:
    image = np.zeros((40, 70, 3), np.uint8)
    image[5:9, 50:60] = 255
    turned = np.rot90(image, quarters)
    rows, columns = np.nonzero(turned[:, :, 0])
    box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float32)
    face = turned_back(Detection(box, np.tile(box[:2], (5, 1))), quarters, image)
    assert face.box.tolist() == [50, 5, 60, 9]
