from __future__ import annotations

import numpy as np
import pytest

from halfsmile.data.preprocess import placement, preprocess
from halfsmile.data.synthetic import generate
from halfsmile.faces.align import align, alignment, template
from halfsmile.faces.detect import Detection, Detector
from halfsmile.faces.given_faces import AlignedFaces, GivenFaces


def face(*box: float, score: float = 1.0) -> Detection:
    return Detection(np.array(box, np.float32), None, score)


def picture(height: int, width: int) -> np.ndarray:
    return np.zeros((height, width, 3), np.uint8)


def test_given_faces_come_back_the_best_first() -> None:
    low, high, only = face(0, 0, 5, 5, score=0.4), face(3, 3, 9, 9, score=0.8), face(-2, -2, 3, 3)
    detector: Detector = GivenFaces([[low, high], [], [only]])
    assert detector.detect([picture(10, 10)] * 3) == [[high, low], [], [only]]
    assert GivenFaces([]).detect([]) == []


def test_faces_of_other_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="Faces were given for 1 pictures, but there are 2"):
        GivenFaces([[]]).detect([picture(4, 4)] * 2)
    for box in ((20, 0, 30, 10), (0, 10, 5, 12), (-5, 0, 0, 5)):
        with pytest.raises(ValueError, match=r"Picture 0 is 20 x 10 pixels.*wholly outside"):
            GivenFaces([[face(*box)]]).detect([picture(10, 20)])
    with pytest.raises(ValueError, match="Picture 0 is empty"):
        GivenFaces([[]]).detect([picture(0, 4)])


def test_faces_many_times_as_large_as_their_picture_are_refused() -> None:
    near = face(-30, -20, 50, 60)
    assert GivenFaces([[near]]).detect([picture(20, 10)]) == [[near]]  # a face that overfills its picture
    with pytest.raises(ValueError, match=r"Picture 0 is 10 x 20 pixels.*many times as large"):
        GivenFaces([[face(-1e6, -1e6, 1e6, 1e6)]]).detect([picture(20, 10)])


def test_faces_in_shares_of_their_picture_are_refused() -> None:
    assert GivenFaces([[face(3, 3, 5, 5)]]).detect([picture(10, 10)])
    with pytest.raises(ValueError, match=r"Picture 0 is 20 x 10 pixels.*shares of the picture, multiply"):
        GivenFaces([[face(0.25, 0.25, 0.75, 1)]]).detect([picture(10, 20)])


def test_aligned_faces_stay_as_they_are() -> None:
    images = generate(3, size=112, seed=2, people=3).images
    for image, (found,) in zip(images, AlignedFaces().detect(list(images)), strict=True):
        assert found.box.tolist() == [0, 0, 112, 112]
        np.testing.assert_allclose(np.array(found.landmarks), template(), atol=1e-5)
        np.testing.assert_allclose(alignment(found), [[1, 0, 0], [0, 1, 0]], atol=1e-5)
        np.testing.assert_array_equal(align(image, found), image)


@pytest.mark.parametrize("shape", [(100, 100), (100, 60), (60, 100)])
@pytest.mark.parametrize("size", [20, 50, 200])
def test_aligning_an_aligned_face_is_preprocessing(shape: tuple[int, int], size: int) -> None:
    image = np.ascontiguousarray(generate(1, size=120, seed=4, people=1).images[0][: shape[0], : shape[1]])
    ((found,),) = AlignedFaces().detect([image])
    off = align(image, found, size=size).astype(int) - preprocess(image, size, 3)
    place = placement(*shape, size)
    inside = off[place.top :, place.left :][: place.height, : place.width]
    assert np.abs(inside).mean() < 1


def test_an_empty_picture_is_no_aligned_face() -> None:
    with pytest.raises(ValueError, match="Picture 1 is empty"):
        AlignedFaces().detect([picture(4, 4), picture(4, 0)])
    ((found,),) = AlignedFaces().detect([picture(1, 1)])
    assert align(picture(1, 1), found, size=8).shape == (8, 8, 3)
