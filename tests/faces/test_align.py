from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfsmile.data.synthetic import generate
from halfsmile.faces.align import (
    TEMPLATE,
    TEMPLATE_BOX,
    align,
    alignment,
    move,
    similarity,
    template,
    tilt,
    warp,
)
from halfsmile.faces.detect import Detection

Doubles = npt.NDArray[np.float64]
angles = st.floats(-180, 180)
zooms = st.floats(0.05, 20)
shifts = st.floats(-500, 500)


def transform(angle: float, zoom: float, dx: float, dy: float) -> Doubles:
    turn = zoom * np.exp(1j * np.radians(angle))
    return np.array([[turn.real, -turn.imag, dx], [turn.imag, turn.real, dy]])


def umeyama(points: Doubles, targets: Doubles) -> Doubles:
    """The formulas of the paper: eqs. 34 to 43."""
    source, target = points - points.mean(0), targets - targets.mean(0)
    left, sizes, right = np.linalg.svd(target.T @ source / len(points))
    signs = np.array([1, np.sign(np.linalg.det(left) * np.linalg.det(right))])
    rotation = left @ np.diag(signs) @ right
    scale = (sizes * signs).sum() / source.var(0).sum()
    return np.column_stack((scale * rotation, targets.mean(0) - scale * rotation @ points.mean(0)))


@given(angles, zooms, shifts, shifts)
def test_a_similarity_is_recovered(angle: float, zoom: float, dx: float, dy: float) -> None:
    points = np.array(TEMPLATE)
    matrix = transform(angle, zoom, dx, dy)
    np.testing.assert_allclose(similarity(points, move(points, matrix)), matrix, atol=1e-3)


@given(st.integers(0, 10_000), angles, st.floats(0, 30))
def test_the_closest_similarity_is_that_of_the_paper(seed: int, angle: float, noise: float) -> None:
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 100, (5, 2))
    targets = move(points, transform(angle, 1.3, 4, 5)) + rng.normal(0, noise, (5, 2))
    np.testing.assert_allclose(similarity(points, targets), umeyama(points, targets), atol=1e-6)


def test_opencv_finds_the_same_similarity() -> None:
    rng = np.random.default_rng(0)
    points = np.array(TEMPLATE) + rng.normal(0, 0.3, (5, 2))
    targets = move(points, transform(20, 0.6, 3, 9)) + rng.normal(0, 0.3, (5, 2))
    matrix, _ = cv2.estimateAffinePartial2D(points, targets, ransacReprojThreshold=100)
    np.testing.assert_allclose(similarity(points, targets), matrix, atol=5e-3)


def test_a_mirrored_face_is_not_mirrored_back() -> None:
    points = np.array(TEMPLATE) * (-1, 1) + (112, 0)
    assert np.linalg.det(similarity(points, template())[:, :2]) > 0


@pytest.mark.parametrize(
    ("points", "targets", "message"),
    [
        (np.zeros((5, 2)), TEMPLATE, "fix no scale"),
        (np.full((5, 2), np.nan), TEMPLATE, "finite"),
        (np.zeros((4, 2)), TEMPLATE, "equally long"),
        (np.zeros((1, 2)), np.zeros((1, 2)), "at least 2"),
    ],
)
def test_points_that_fix_nothing_are_refused(points: Doubles, targets: Doubles, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        similarity(points, targets)


def test_the_template_scales_about_its_center() -> None:
    np.testing.assert_allclose(template(224), 2 * template(112), atol=1e-5)
    np.testing.assert_allclose(template(112, 0.5) - 56, (template() - 56) / 2, atol=1e-5)
    for wrong in ((0, 1.0), (112, 0.0), (112, float("nan"))):
        with pytest.raises(ValueError, match="positive size and scale"):
            template(*wrong)


@given(angles, st.floats(0.2, 8), st.integers(8, 300), st.floats(0.5, 1.5))
def test_landmarks_land_on_the_template(angle: float, zoom: float, size: int, scale: float) -> None:
    points = move(TEMPLATE, transform(angle, zoom, 30, 40))
    box = np.concatenate((points.min(0), points.max(0)))
    matrix = alignment(Detection(box, points), size, scale)
    np.testing.assert_allclose(move(points, matrix), template(size, scale), atol=0.02)


@given(st.integers(0, 10_000), angles, zooms, st.floats(0, 8))
def test_the_tilt_is_the_angle_of_the_alignment(seed: int, angle: float, zoom: float, noise: float) -> None:
    points = template() + np.random.default_rng(seed).normal(0, noise, (5, 2))
    face = Detection(np.array([0, 0, 9, 9]), move(points, transform(angle, zoom, 40, -7)))
    matrix = alignment(face)
    away = tilt(face) - np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0]))
    assert abs((away + 180) % 360 - 180) < 1e-2


def test_what_cannot_be_aligned_has_no_tilt() -> None:
    box = np.array([0, 0, 9, 9], np.float32)
    assert tilt(Detection(box, np.full((5, 2), 4, np.float32))) == np.inf
    assert tilt(Detection(box)) == 0


def test_without_landmarks_the_box_gives_place_and_scale() -> None:
    box = np.array(TEMPLATE_BOX, np.float32)
    np.testing.assert_allclose(alignment(Detection(box)), [[1, 0, 0], [0, 1, 0]], atol=1e-5)
    moved = Detection(box * 3 + np.array([10, 20, 10, 20]))
    np.testing.assert_allclose(
        move([[10, 20], [346, 356]], alignment(moved)), [[0, 0], [112, 112]], atol=1e-3
    )


def checkerboard(size: int, cell: int) -> npt.NDArray[np.uint8]:
    cells = np.add.outer(np.arange(size) // cell, np.arange(size) // cell) % 2
    return np.repeat((cells * 255).astype(np.uint8)[:, :, None], 3, 2)


@pytest.mark.parametrize("angle", [0, 7, 45])
@pytest.mark.parametrize(("zoom", "tolerance"), [(1 / 8, 2), (1 / 5.3, 6), (0.4, 24)])
def test_shrinking_a_checkerboard_gives_gray(angle: float, zoom: float, tolerance: int) -> None:
    image = checkerboard(900, 1)
    size = 64
    center = transform(angle, zoom, 0, 0)
    center[:, 2] = size / 2 - center[:, :2] @ (450, 450)
    result = warp(image, center, size)
    assert np.abs(result.astype(int) - 127).max() <= tolerance
    naive = cv2.warpAffine(image, center, (size, size), flags=cv2.INTER_LINEAR)
    if angle == 7:
        assert np.abs(naive.astype(int) - 127).max() > 60


def test_shrinking_by_a_whole_factor_averages_areas() -> None:
    rng = np.random.default_rng(0)
    image = cv2.GaussianBlur(rng.integers(0, 256, (384, 384, 3), np.uint8), (0, 0), 3)
    result = warp(np.asarray(image, np.uint8), np.array([[1 / 8, 0, 0], [0, 1 / 8, 0]]), 48)
    expected = image.reshape(48, 8, 48, 8, 3).mean((1, 3))
    assert np.abs(result - expected).max() <= 1


@pytest.mark.parametrize("fine", [True, False])
@given(angle=angles, zoom=st.floats(0.11, 3))
def test_a_spot_lands_where_the_matrix_says(fine: bool, angle: float, zoom: float) -> None:
    y, x = np.mgrid[:240, :240] + 0.5
    spot = np.exp(-((x - 100) ** 2 + (y - 130) ** 2) / (2 * 14.0**2))
    image = np.repeat((255 * spot).astype(np.uint8)[:, :, None], 3, 2)
    matrix = transform(angle, zoom, 0, 0)
    matrix[:, 2] = (60, 52) - matrix[:, :2] @ (100, 130)
    result = warp(image, matrix, 112, border="black", fine=fine)[:, :, 0].astype(float)
    result[result < 60] = 0  # where it is cut by a border it is faint
    rows, columns = np.mgrid[:112, :112] + 0.5
    center = np.array([(result * columns).sum(), (result * rows).sum()]) / result.sum()
    if 14 * zoom * 2 < 50:
        np.testing.assert_allclose(center, (60, 52), atol=0.3)


def test_identity_leaves_every_pixel() -> None:
    image = generate(1, size=64, seed=1, people=1).images[0]
    np.testing.assert_array_equal(warp(image, np.array([[1.0, 0, 0], [0, 1, 0]]), 64), image)


def test_turning_by_a_right_angle_is_exact() -> None:
    image = generate(1, size=64, seed=1, people=1).images[0]
    np.testing.assert_array_equal(warp(image, np.array([[0.0, -1, 64], [1, 0, 0]]), 64), np.rot90(image, -1))


def test_beyond_the_picture_its_edge_is_repeated_or_black() -> None:
    image = np.full((40, 40, 3), 90, np.uint8)
    image[0] = 200
    for zoom in (2.0, 0.7, 0.2):
        matrix = np.array([[zoom, 0, 20], [0, zoom, 20.0]])
        assert (warp(image, matrix, 60)[:10] >= 120).all() or zoom == 0.2
        assert (warp(image, matrix, 60, border="black")[:15] == 0).all()
        assert (warp(image, matrix, 60, border="black")[:, :15] == 0).all()
    far = np.array([[1.0, 0, 5000], [0, 1, 5000]])
    assert (warp(image, far, 8) == 200).all()
    assert (warp(image, far, 8, border="black") == 0).all()


def test_huge_and_tiny_pictures_are_taken() -> None:
    wide = np.zeros((3, 70_000, 3), np.uint8)
    wide[:, 40_000:] = 255
    matrix = np.array([[1.0, 0, -39_990], [0, 1, 0]])
    strip = warp(wide, matrix, 20)
    assert (strip[:, :10] == 0).all()
    assert (strip[:, 10:] == 255).all()
    assert (warp(np.full((1, 1, 3), 7, np.uint8), np.array([[9.0, 0, 0], [0, 9, 0]]), 9) == 7).all()


GOLDEN = [
    [113, 124, 136, 146, 158, 169, 180, 191],
    [107, 118, 129, 141, 151, 163, 174, 185],
    [101, 112, 122, 134, 145, 156, 168, 178],
    [94, 106, 116, 128, 139, 149, 161, 172],
    [87, 99, 110, 121, 133, 143, 154, 166],
    [81, 92, 104, 114, 126, 137, 148, 159],
    [75, 86, 97, 109, 119, 131, 142, 152],
    [68, 80, 90, 102, 113, 124, 136, 146],
]


def test_golden_pixels() -> None:
    """A turned, shrunk ramp in three colors, aligned to 8 x 8."""
    y, x = np.mgrid[:120, :160]
    image = np.stack((x * 255 // 159, y * 255 // 119, (x + y) * 255 // 278), 2).astype(np.uint8)
    points = move(template(64), transform(30, 1.0, 70, 12))
    result = align(image, Detection(np.array([40, 20, 110, 100], np.float32), points), size=8)
    matrix = alignment(Detection(np.array([40, 20, 110, 100], np.float32), points), 8)
    rows, columns = np.mgrid[:8, :8] + 0.5
    places = move(np.stack((columns, rows), 2), np.asarray(cv2.invertAffineTransform(matrix), np.float64))
    for channel, ramp in enumerate((places[..., 0] / 159, places[..., 1] / 119, places.sum(2) / 278)):
        np.testing.assert_allclose(result[..., channel], np.clip(ramp, 0, 1) * 255, atol=3)
    assert np.abs(result[:, :, 0].astype(int) - GOLDEN).max() <= 1  # OpenCV's rounding differs a little


def test_a_generated_face_is_aligned_upright() -> None:
    faces = generate(4, size=200, seed=8, people=4)
    for image, landmarks in zip(faces.images, faces.landmarks, strict=True):
        turned = transform(25, 1.0, 60, -20)
        canvas = cv2.warpAffine(image, turned, (300, 300), borderMode=cv2.BORDER_REPLICATE)
        box = np.array([0, 0, 300, 300], np.float32)
        straight = align(image, Detection(box, landmarks)).astype(int)
        tilted = align(np.asarray(canvas, np.uint8), Detection(box, move(landmarks, turned))).astype(int)
        assert np.abs(straight - tilted)[20:-20, 20:-20].mean() < 6


def test_bad_input_is_refused() -> None:
    image = np.zeros((10, 10, 3), np.uint8)
    with pytest.raises(ValueError, match="Picture 0 is empty"):
        warp(image[:0], np.eye(2, 3), 8)
    with pytest.raises(ValueError, match="invertible"):
        warp(image, np.zeros((2, 3)), 8)
    with pytest.raises(ValueError, match="invertible"):
        warp(image, np.full((2, 3), np.nan), 8)
    with pytest.raises(ValueError, match="fix no scale"):
        align(image, Detection(np.array([0, 0, 5, 5], np.float32), np.ones((5, 2), np.float32)))
