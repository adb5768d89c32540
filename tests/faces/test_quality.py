from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfsmile.data.preprocess import Image
from halfsmile.data.synthetic import generate
from halfsmile.faces.align import align, template
from halfsmile.faces.detect import Detection
from halfsmile.faces.quality import (
    Pose,
    average_head,
    exposure,
    frontal,
    pose,
    quality,
    sharpness,
    size_score,
)


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Axes right, down, away: the nose, at -z, goes right with yaw and down with pitch."""
    y, p, r = np.radians((yaw, pitch, roll))
    about_y = [[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]]
    about_x = [[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]]
    about_z = [[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]]
    return np.asarray(np.array(about_z) @ about_x @ about_y)


def levels(values: np.ndarray) -> Image:
    return np.asarray(np.clip(values, 0, 255), np.uint8)


@pytest.fixture(scope="module")
def faces() -> list[Image]:
    """Aligned, gray, 112 x 112."""
    images = generate(6, size=112, seed=3, people=6, difficulty=0.3).images
    return [np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8) for image in images]


@given(st.floats(-75, 75), st.floats(-75, 75), st.floats(-170, 170), st.floats(0.1, 50))
def test_pose_of_the_average_head_is_exact(yaw: float, pitch: float, roll: float, zoom: float) -> None:
    seen = (average_head() @ rotation(yaw, pitch, roll).T)[:, :2] * zoom + 300
    found = pose(seen)
    assert (found.yaw, found.pitch, found.roll) == pytest.approx((yaw, pitch, roll), abs=1e-3)


def test_pose_has_the_signs_that_it_says() -> None:
    straight = template()
    right, low = straight.copy(), straight.copy()
    right[2, 0] += 8
    low[2, 1] += 5
    turn = np.radians(10)
    tilted = straight @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    assert tilted[1, 1] > tilted[0, 1]
    assert pose(right).yaw > 15
    assert pose(low).pitch > 5
    assert pose(tilted).roll == pytest.approx(10, abs=1e-3)


def test_frontal_falls_with_yaw_and_pitch() -> None:
    for sign in (-1, 1):
        yaws = [frontal(Pose(sign * angle, 0, 0)) for angle in range(0, 181, 15)]
        pitches = [frontal(Pose(0, sign * angle, 0)) for angle in range(0, 91, 15)]
        assert yaws == sorted(yaws, reverse=True)
        assert pitches == sorted(pitches, reverse=True)
    assert frontal(Pose(0, 0, 77)) == 1
    assert frontal(Pose(90, 0, 0)) == pytest.approx(0, abs=1e-9)


def test_sharpness_falls_with_blur(faces: list[Image]) -> None:
    for gray in faces:
        scores = [sharpness(gray)]
        scores += [sharpness(np.asarray(cv2.GaussianBlur(gray, (0, 0), s), np.uint8)) for s in (1, 2, 4, 8)]
        assert all(0 <= score <= 1 for score in scores)
        assert scores == sorted(scores, reverse=True)
        assert scores[2] < 0.5 * scores[0]
        assert scores[4] < 0.15


def test_sharpness_falls_with_enlargement(faces: list[Image]) -> None:
    def enlarged(gray: Image, side: int) -> float:
        small = cv2.resize(gray, (side, side), interpolation=cv2.INTER_AREA)
        return sharpness(np.asarray(cv2.resize(small, (112, 112), interpolation=cv2.INTER_CUBIC), np.uint8))

    for gray in faces:
        scores = [enlarged(gray, side) for side in (112, 56, 28, 14)]
        assert scores == sorted(scores, reverse=True)


def test_sharpness_does_not_depend_on_contrast(faces: list[Image]) -> None:
    pale = np.asarray(faces[0] // 2 + 60, np.uint8)
    assert sharpness(pale) == pytest.approx(sharpness(faces[0]), rel=0.1)
    assert sharpness(np.full((112, 112), 90, np.uint8)) == 0
    assert sharpness(np.zeros((1, 1), np.uint8)) == 0


def test_exposure_falls_towards_black_white_and_fog(faces: list[Image]) -> None:
    for gray in faces:
        values = gray.astype(float)
        darker = [exposure(levels(values * gain)) for gain in (1, 0.5, 0.25, 0.1, 0.02)]
        whiter = [exposure(levels(values * gain)) for gain in (1, 2, 4, 8, 200)]
        paler = [exposure(levels(128 + (values - 128) * gain)) for gain in (1, 0.5, 0.2, 0.05, 0)]
        for scores in (darker, whiter, paler):
            assert all(0 <= score <= 1 for score in scores)
            assert all(after <= before + 0.02 for before, after in pairwise(scores))
            assert scores[-1] < 0.2


def test_exposure_asks_for_shading_not_for_light_skin() -> None:
    shading = np.tile(np.linspace(-52, 52, 112), (112, 1))
    assert exposure(levels(60 + shading)) == exposure(levels(190 + shading)) == 1


def test_size_is_the_resolution_in_the_picture() -> None:
    def scored(pixels: float) -> float:
        points = template() * (pixels / 112) + 7
        return size_score(Detection(np.array([0, 0, 200, 200], np.float32), points))

    assert scored(56) == pytest.approx(0.5, abs=1e-4)
    assert scored(112) == pytest.approx(1, abs=1e-4)
    assert scored(300) == 1
    assert [scored(s) for s in (10, 30, 90)] == sorted(scored(s) for s in (10, 30, 90))


def test_a_face_is_scored_from_detection_and_pixels() -> None:
    made = generate(1, size=224, seed=1, people=1, difficulty=0)
    face = Detection(np.array([20, 20, 200, 200], np.float32), made.landmarks[0])
    scores = quality(face, align(made.images[0], face))
    assert scores.pose is not None
    assert scores.frontal is not None
    assert scores.worst == min(scores.size, scores.sharpness, scores.exposure, scores.frontal)
    alone = quality(Detection(face.box), align(made.images[0], face))
    assert alone.pose is None
    assert alone.frontal is None
    assert 0 < alone.worst <= 1
    assert alone.exposure == scores.exposure


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="5 finite landmarks"):
        pose(np.zeros((4, 2)))
    with pytest.raises(ValueError, match="All landmarks coincide"):
        pose(np.ones((5, 2)))
    with pytest.raises(ValueError, match="Picture 0 is empty"):
        quality(Detection(np.array([0, 0, 2, 2], np.float32)), np.zeros((0, 3, 3), np.uint8))


@pytest.mark.parametrize("limit", [15.0, 45.0])
def test_other_heads_near_the_camera_are_off_by_some_degrees(limit: float) -> None:
    """Points 5 % of the eye distance off the average head's, the nose's depth 15 %, landmarks 2 %."""
    rng = np.random.default_rng(0)
    average = average_head()
    eyes = float(np.linalg.norm(average[0] - average[1]))
    errors = []
    for _ in range(1000):
        truth = rng.uniform(-1, 1, 3) * (limit, limit * 2 / 3, 30)
        head = average + rng.normal(0, 0.05 * eyes, (5, 3)) * (0.6, 0.8, 0.5)
        head[2, 2] *= 1 + rng.normal(0, 0.15)
        distance = eyes * rng.uniform(6, 20)
        x, y, z = rotation(*truth) @ head.T
        seen = np.stack([x, y], 1) * (distance / (distance + z))[:, None]
        found = pose(seen + rng.normal(0, 0.02 * eyes, (5, 2)))
        errors.append(np.abs(np.array([found.yaw, found.pitch, found.roll]) - truth))
    assert (np.mean(errors, 0) < (6, 7, 2.5)).all()
    assert (np.quantile(errors, 0.9, 0) < (11, 12.5, 5)).all()
