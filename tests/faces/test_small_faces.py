from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest

from halfsmile.data.preprocess import Image
from halfsmile.faces.detect import Detection, Detector
from halfsmile.faces.mtcnn import Mtcnn
from halfsmile.faces.small_faces import PATCH, hints, patches, tiles
from halfsmile.faces.yunet import YuNet
from halfsmile.faces.yunet_network import MODEL, YuNetNetwork

Scenes = list[tuple[Image, npt.NDArray[np.float32]]]


def face(left: float, top: float, side: float, score: float = 0.3) -> Detection:
    return Detection(np.array([left, top, left + side, top + side], np.float32), None, score)


@pytest.fixture(scope="module")
def panorama(scenes: Scenes) -> tuple[Image, npt.NDArray[np.float64]]:
    """A picture of 4,000 x 700 pixels with faces 70 to 130 pixels high, and their centers (N, 2)."""
    picture = np.full((700, 4000, 3), 128, np.uint8)
    centers: list[npt.NDArray[np.float64]] = []
    for index, (scene, truth) in enumerate(scenes[:8]):
        x, y = 100 + 480 * index, 20 + 50 * index
        picture[y : y + 300, x : x + 420] = scene
        centers.extend(points.mean(0) + np.array([x, y]) for points in truth)
    return picture, np.array(centers)


@pytest.mark.parametrize("make", [YuNet, Mtcnn])
def test_every_small_face_of_a_large_picture_is_found_once(
    make: type[YuNet] | type[Mtcnn], panorama: tuple[Image, npt.NDArray[np.float64]]
) -> None:
    picture, centers = panorama
    few: Detector = make(small_faces=False, threads=1)
    every: Detector = make(threads=1)
    found = every.detect([picture])[0]
    assert len(few.detect([picture])[0]) < len(centers)
    places = np.array([np.asarray(found_face.landmarks).mean(0) for found_face in found])
    away = np.linalg.norm(places[:, None] - centers, axis=2)
    assert len(found) == len(centers)
    assert (away.min(0) < 20).all()
    assert sorted(away.argmin(1)) == list(range(len(centers)))


def test_hints_tell_where_to_look(panorama: tuple[Image, npt.NDArray[np.float64]]) -> None:
    picture, centers = panorama
    found = hints(YuNetNetwork(MODEL), picture)
    for x, y in centers:
        assert any((hint.box[:2] < (x, y)).all() and (hint.box[2:] > (x, y)).all() for hint in found)
    assert not hints(YuNetNetwork(MODEL), np.full((900, 1500, 3), 128, np.uint8))


@pytest.mark.parametrize(("width", "height"), [(100, 100), (1280, 1280), (1281, 40), (9000, 3000), (1, 1)])
def test_tiles_cover_a_picture_and_share_a_strip(width: int, height: int) -> None:
    made = list(tiles(width, height, 1280, 96))
    seen = np.zeros((height, width), bool)
    for left, top, right, bottom in made:
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        assert max(right - left, bottom - top) <= 1280
        seen[top:bottom, left:right] = True
    assert seen.all()
    columns = sorted({(left, right) for left, _, right, _ in made})
    assert all(right - left >= 96 for (_, right), (left, _) in itertools.pairwise(columns))


def test_a_patch_holds_all_hints_beside_each_other_and_none_of_what_is_found() -> None:
    picture = np.zeros((1000, 2000, 3), np.uint8)
    beside = [face(500, 500, 40, 0.5), face(545, 510, 40, 0.4)]
    made = patches(picture, [face(1500, 400, 60)], [*beside, face(1505, 405, 50), face(10, 10, 40)])
    assert len(made) == 2
    first = made[0]
    assert first.pixels.shape == (PATCH, PATCH, 3)
    moved = first.placed(face(10, 20, 40))
    np.testing.assert_allclose(moved.box, face(10 + first.corner[0], 20 + first.corner[1], 40).box)
    assert first.cuts(face(-3, 20, 40), picture)
    assert not made[1].cuts(face(-3, -5, 40), picture)  # the picture itself ends there


def test_a_large_hint_is_shrunk() -> None:
    (patch,) = patches(np.zeros((3000, 3000, 3), np.uint8), [], [face(1000, 1000, 500)])
    assert max(patch.pixels.shape) <= PATCH + 1
    assert patch.scale == pytest.approx(500 / (0.4 * PATCH))
