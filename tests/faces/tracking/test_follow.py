"""Films of patches in front of walls, with a detector that knows where they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
import pytest
from tests.faces.tracking.test_track import RATE, center, face, ids, picture

from halfsmile.data.preprocess import Image
from halfsmile.faces.detect import Detection
from halfsmile.faces.tracking.follow import FollowedFrame, follow
from halfsmile.faces.video.frames import VideoFrame

NOISE = np.random.default_rng(0)


class KnownFaces:
    """Finds the faces that were put into a frame."""

    def __init__(self) -> None:
        self.faces: dict[int, list[Detection]] = {}
        self.frames: list[VideoFrame] = []
        self.looked: list[int] = []

    def add(self, image: Image, faces: Sequence[Detection]) -> None:
        self.frames.append(VideoFrame(len(self.frames), len(self.frames) / RATE, image))
        self.faces[id(image)] = list(faces)

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """Notes in which frames it looks."""
        self.looked += [frame.index for frame in self.frames for image in images if frame.image is image]
        return [self.faces[id(image)] for image in images]


def wall(number: int, *people: int, caption: bool = False) -> Image:
    """People side by side in front of a wall, with noise."""
    width = 200 * max(2, len(people)) + 50
    rng = np.random.default_rng(number)
    stones = np.kron(rng.integers(40, 220, (5, 7, 3)), np.ones((40, 100, 1)))[:, :width]
    image = picture(*people)[:, :width].astype(np.float64)
    ground = np.all(image == 128, axis=2)
    image[ground] = stones[ground]
    if caption:
        image[150:190, 20:400] = (250, 250, 120)
    return np.clip(image + NOISE.normal(0, 1, image.shape), 0, 255).astype(np.uint8)


def followed(detector: KnownFaces, detect_every: int = 1) -> list[FollowedFrame]:
    return list(chain.from_iterable(follow(detector.frames, detector, detect_every=detect_every)))


def numbers(frames: Sequence[FollowedFrame]) -> list[list[int]]:
    return [ids(frame.people) for frame in frames]


@pytest.mark.parametrize("detect_every", [1, 2, 3, 5])
def test_the_detector_looks_now_and_then_and_between_faces_move_on_straight_lines(detect_every: int) -> None:
    detector = KnownFaces()
    for i in range(21):
        detector.add(wall(0), [face(100 + 3 * i, 100), face(400, 100 + i)])
    found = followed(detector, detect_every)
    assert detector.looked == list(range(0, 21, detect_every))
    assert [seen.frame for seen in found] == detector.frames
    assert numbers(found) == [[1, 2]] * 21
    for i, seen in enumerate(found):
        assert center(seen.people[0]) == pytest.approx((100 + 3 * i, 100), abs=1)
        assert len(seen.detections) == (2 if i % detect_every == 0 else 0)


def test_what_one_detection_decides_comes_together_and_no_more_is_held() -> None:
    detector = KnownFaces()
    for _ in range(11):
        detector.add(wall(0), [face(100, 100)])
    given: list[int] = []

    def frames() -> Iterator[VideoFrame]:
        for frame in detector.frames:
            given.append(frame.index)
            yield frame

    groups = []
    for together in follow(frames(), detector, detect_every=4):
        groups.append([seen.frame.index for seen in together])
        assert given[-1] - groups[-1][0] <= 4
    assert groups == [[0], [1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]


def test_at_a_cut_the_detector_looks_and_nobody_moves_from_one_shot_into_the_next() -> None:
    detector = KnownFaces()
    for i in range(9):
        detector.add(wall(0, 1), [face(100 + i, 100)])
    for _ in range(5):
        detector.add(wall(1, 0, 0, 2), [face(500, 100)])
    found = followed(detector, 5)
    assert detector.looked == [0, 5, 9]
    assert [seen.shot for seen in found] == [0] * 9 + [1] * 5
    assert numbers(found) == [[1]] * 9 + [[2]] * 5
    assert all(center(seen.people[0])[0] == pytest.approx(100 + i, abs=2) for i, seen in enumerate(found[:9]))


def test_where_frames_change_their_size_everybody_is_looked_for_and_known_again() -> None:
    """As in a recording that goes on in another resolution."""
    detector = KnownFaces()
    faces = [face(100, 100), face(300, 100)]
    large = [face(200, 200, side=120), face(600, 200, side=120)]
    for i in range(14):
        if i < 5:
            detector.add(wall(0, 1, 2), faces)
        else:
            detector.add(wall(0, 1, 2).repeat(2, 0).repeat(2, 1), large)
    found = followed(detector, 3)
    assert detector.looked == [0, 3, 5, 8, 11]
    assert numbers(found) == [[1, 2]] * 14
    assert [round(float(center(seen.people[0])[0]), -1) for seen in found] == [100] * 5 + [200] * 9


def test_at_a_cut_a_place_says_nothing_and_a_face_everything() -> None:
    detector = KnownFaces()
    for shot, people in enumerate([(1, 2), (2, 1), (3, 4), (1, 3)]):
        for _ in range(8):
            detector.add(wall(shot, *people), [face(100, 100), face(300, 100)])
    found = followed(detector, 3)
    placed = [{p.id: int(center(p)[0]) for p in found[8 * shot + 4].people} for shot in range(4)]
    assert placed == [{1: 100, 2: 300}, {2: 100, 1: 300}, {3: 100, 4: 300}, {1: 100, 3: 300}]
    assert [found[8 * shot].shot for shot in range(4)] == [0, 1, 2, 3]


def test_another_face_in_front_of_the_same_wall_is_another_person() -> None:
    detector = KnownFaces()
    for i in range(20):
        detector.add(wall(0, 1 if i < 10 else 2, 3), [face(100, 100), face(300, 100)])
    found = followed(detector, 4)
    assert numbers(found) == [[1, 2]] * 10 + [[2, 3]] * 10
    assert {seen.shot for seen in found} == {0}


def test_a_caption_changes_nobody() -> None:
    detector = KnownFaces()
    for i in range(20):
        detector.add(wall(0, 1, 2, caption=i >= 10), [face(100, 100), face(300, 100)])
    assert numbers(followed(detector, 4)) == [[1, 2]] * 20


def test_who_leaves_and_comes_back_much_later_keeps_their_number() -> None:
    detector = KnownFaces()
    for i in range(120):
        is_there = not 20 <= i < 100
        detector.add(wall(0, *[1] * is_there), [face(100, 100)] * is_there)
    found = followed(detector, 3)
    assert numbers(found[:20:5]) == [[1]] * 4
    assert numbers(found[25:98:10]) == [[]] * 8
    assert numbers(found[110:]) == [[1]] * 10


def test_nothing_comes_of_nothing() -> None:
    assert followed(KnownFaces()) == []
