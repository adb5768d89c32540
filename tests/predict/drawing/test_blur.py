from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfsmile.data.preprocess import Image
from halfsmile.data.synthetic import generate
from halfsmile.predict.drawing.blur import CELLS, LEVELS, SECONDS, Box, VideoBlur, blur_faces, grown

RNG = np.random.default_rng(0)


def noise(height: int = 90, width: int = 120) -> Image:
    return RNG.integers(0, 256, (height, width, 3), np.uint8)


def test_only_the_grown_box_changes_and_little_is_left_in_it() -> None:
    picture = noise()
    box = (40.0, 30.0, 70.0, 60.0)
    hidden = blur_faces(picture, [box])
    left, top, right, bottom = grown(box, 120, 90)
    assert (left, top, right, bottom) == (29, 19, 81, 71)
    outside = np.ones((90, 120), bool)
    outside[top:bottom, left:right] = False
    assert (hidden[outside] == picture[outside]).all()
    cells = cv2.resize(hidden[top:bottom, left:right], (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    again = cv2.resize(cells, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
    assert np.abs(again.astype(int) - hidden[top:bottom, left:right]).max() < 40  # no detail but the cells


def test_faces_that_differ_in_detail_alone_look_the_same() -> None:
    faces = generate(6, size=120, seed=3, people=6, difficulty=0.3).images
    for face in faces:
        detail = RNG.normal(0, 20, face.shape)
        size = 120 // CELLS
        cells = detail.reshape(CELLS, size, CELLS, size, 3).mean((1, 3))
        detail -= np.repeat(np.repeat(cells, size, 0), size, 1)
        other = np.clip(face + detail, 0, 255).astype(np.uint8)
        both = [blur_faces(image, [(30.0, 30.0, 90.0, 90.0)]).astype(int) for image in (face, other)]
        step = 256 // LEVELS
        assert np.abs(both[0] - both[1]).mean() < step / 2
        assert np.abs(face.astype(int) - other).mean() > 10


@given(
    st.tuples(*[st.floats(-200, 200)] * 2),
    st.tuples(*[st.floats(0.5, 300)] * 2),
    st.sampled_from([1, 3]),
)
def test_every_box_can_be_hidden(
    corner: tuple[float, float], size: tuple[float, float], channels: int
) -> None:
    picture = np.full((50, 60, channels), 77, np.uint8)
    box = (corner[0], corner[1], corner[0] + size[0], corner[1] + size[1])
    hidden = blur_faces(picture, [box, box])
    left, top, right, bottom = grown(box, 60, 50)
    if left < right and top < bottom:
        assert (hidden[top:bottom, left:right] == 72).all()  # the middle of 77's level, 64 to 79
    assert hidden.shape == picture.shape
    assert (picture == 77).all()


def watched(boxes: list[list[Box]], rate: float = 10) -> list[tuple[Image, float]]:
    blur = VideoBlur()
    found: list[tuple[Image, float]] = []
    for index, places in enumerate(boxes):
        found += blur.push(noise(), index / rate, places)
        assert all(index / rate - time >= SECONDS for _, time in found)
    return [*found, *blur.flush()]


def test_a_face_is_hidden_before_it_is_found_and_after_it_is_lost() -> None:
    box = (40.0, 30.0, 70.0, 60.0)
    left, top, right, bottom = grown(box, 120, 90)
    found = watched([[box] if 10 <= i < 13 else [] for i in range(25)])
    assert [time for _, time in found] == [i / 10 for i in range(25)]
    detail = [float(cv2.Laplacian(image[top:bottom, left:right], cv2.CV_64F).std()) for image, _ in found]
    hidden = [i for i, value in enumerate(detail) if value < 20]
    assert hidden == list(range(6, 17))  # 0.4 s earlier and later


@pytest.mark.parametrize("count", [0, 1, 3])
def test_short_videos_come_out_whole(count: int) -> None:
    assert len(watched([[] for _ in range(count)])) == count
