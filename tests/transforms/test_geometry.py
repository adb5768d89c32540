"""One matrix moves pixels, boxes and landmarks: checked against torchvision, timm and the pixels."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torchvision.transforms.v2.functional as TF
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from timm.data import auto_augment
from torch import Generator, Tensor

from halfsmile.transforms import geometry as G
from halfsmile.transforms.photometric import OPERATIONS, Choices

TIMM: Any = auto_augment
SIZE = (48, 40)
IDENTITY = torch.eye(3)[None, :2]
ANY = G.Geometry(
    crop_scale=(0.4, 1.0), crop_ratio=(0.8, 1.25), flip=0.5, rotation=25, translation=0.1, shear=8
)


def generator(seed: int = 0) -> Generator:
    return torch.Generator().manual_seed(seed)


def smooth_pictures(batch: int = 4, channels: int = 3, size: tuple[int, int] = SIZE) -> Tensor:
    coarse = torch.rand(batch, channels, 6, 6, generator=generator(7)) * 255
    return torch.nn.functional.interpolate(coarse, size, mode="bilinear")


def draw(geometry: G.Geometry, batch: int = 4, seed: int = 0) -> Tensor:
    return G.draw_geometry(batch, geometry, SIZE, SIZE, generator(seed))


def test_without_ranges_every_matrix_is_the_identity() -> None:
    assert torch.equal(draw(G.Geometry()), IDENTITY.repeat(4, 1, 1))
    assert G.Geometry().is_identity
    assert not ANY.is_identity


def test_identity_and_double_flip_give_the_picture_back() -> None:
    images = smooth_pictures()
    flip = draw(G.Geometry(flip=1.0))
    assert torch.allclose(G.warp(images, IDENTITY.repeat(4, 1, 1), SIZE), images, atol=1e-2)
    once = G.warp(images, flip, SIZE)
    assert torch.allclose(once, TF.horizontal_flip(images), atol=1e-2)
    assert torch.allclose(G.warp(once, flip, SIZE), images, atol=1e-2)
    assert torch.allclose(G.compose(flip, flip), IDENTITY.repeat(4, 1, 1), atol=1e-6)


def test_crops_equal_torchvisions_resized_crop() -> None:
    images = smooth_pictures(1)
    top, left, height, width = 5, 8, 30, 20
    matrix = torch.tensor([[[width / 36, 0, left], [0, height / 36, top]]])
    found = G.warp(images, matrix, (36, 36))
    expected = TF.resized_crop(images, top, left, height, width, [36, 36], antialias=False)
    # torchvision cuts before it interpolates, so only the outermost pixels know another neighbor
    assert torch.allclose(found[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1], atol=1e-2)


def test_crops_keep_the_drawn_area_and_aspect_and_stay_inside() -> None:
    geometry = G.Geometry(crop_scale=(0.2, 0.9), crop_ratio=(3 / 4, 4 / 3))
    matrices = draw(geometry, batch=2000)
    wide, tall = matrices[:, 0, 0], matrices[:, 1, 1]
    assert ((wide * tall > 0.2 - 1e-4) & (wide * tall < 0.9 + 1e-4)).all()
    assert ((wide / tall > 0.75 - 1e-4) & (wide / tall < 4 / 3 + 1e-4)).all()
    assert (wide * tall).mean() == pytest.approx(0.55, abs=0.03)
    corner = torch.tensor([[SIZE[1], SIZE[0]]], dtype=torch.float32)
    assert (matrices[:, :, 2] >= 0).all()
    assert (torch.stack((wide, tall), 1) * corner + matrices[:, :, 2] <= corner + 1e-3).all()


def test_the_ratio_of_a_crop_is_its_width_over_its_height() -> None:
    matrices = draw(G.Geometry(crop_scale=(0.2, 0.4), crop_ratio=(1.2, 2.0)), batch=500)
    ratio = matrices[:, 0, 0] / matrices[:, 1, 1]
    assert ratio.min() > 1.2 - 1e-4
    assert ratio.max() < 2.0 + 1e-4


def test_crops_beyond_the_picture_hold_all_of_it_along_a_side_that_is_larger() -> None:
    matrices = draw(G.Geometry(crop_scale=(0.6, 1.4), crop_ratio=(4 / 5, 5 / 4)), batch=2000)
    wide, tall = matrices[:, 0, 0], matrices[:, 1, 1]
    assert (wide * tall).mean() == pytest.approx(1.0, abs=0.03)
    for side, size, start in ((wide, SIZE[1], matrices[:, 0, 2]), (tall, SIZE[0], matrices[:, 1, 2])):
        end = side * size + start
        larger = side > 1
        assert 0.3 < larger.float().mean() < 0.7
        assert (start[larger] <= 1e-3).all()
        assert (end[larger] >= size - 1e-3).all()
        assert (start[~larger] >= -1e-3).all()
        assert (end[~larger] <= size + 1e-3).all()


def test_crops_that_cannot_fit_fall_back_to_the_largest_central_one() -> None:
    matrix = draw(G.Geometry(crop_scale=(1.0, 1.0), crop_ratio=(2.0, 2.0)), batch=1)[0]
    assert torch.allclose(matrix.diagonal(), torch.tensor([1.0, 0.5]))
    assert 0 <= matrix[1, 2] <= SIZE[0] / 2


@pytest.mark.parametrize("seed", range(3))
def test_rotation_equals_torchvision(seed: int) -> None:
    images = smooth_pictures(1)
    matrix = draw(G.Geometry(rotation=30), batch=1, seed=seed)
    degrees = torch.rad2deg(torch.atan2(matrix[0, 1, 0], matrix[0, 0, 0])).item()
    assert 1 < abs(degrees) <= 30
    found = G.warp(images, matrix, SIZE, fill=0)
    expected = TF.rotate(images, degrees, TF.InterpolationMode.BILINEAR)
    assert torch.allclose(found[..., 8:-8, 8:-8], expected[..., 8:-8, 8:-8], atol=0.05)


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(
    ("name", "reference", "argument"),
    [
        ("rotate", "Rotate", 27.0),
        ("shear_x", "ShearX", 0.27),
        ("shear_y", "ShearY", 0.27),
        ("translate_x", "TranslateXRel", 0.405),
        ("translate_y", "TranslateYRel", 0.405),
    ],
)
def test_folded_choices_equal_timm(name: str, reference: str, argument: float, sign: int) -> None:
    image = smooth_pictures(1, size=(48, 48)).round().byte()[0]
    choices = Choices(torch.tensor([[OPERATIONS.index(name)]]), torch.tensor([[9.0 * sign]]))
    matrix = G.fold_choices(IDENTITY.clone(), choices, (48, 48))
    found = G.warp(image[None], matrix, (48, 48), fill=128)[0].round()
    picture = TF.to_pil_image(image)
    moved = TIMM.NAME_TO_OP[reference](
        picture, argument * sign, resample=Image.Resampling.BILINEAR, fillcolor=(128, 128, 128)
    )
    difference = (found - TF.pil_to_tensor(moved).float()).abs().amax(0)
    assert (difference > 2).float().mean() < 0.03  # Pillow blends the outermost row differently


def test_two_folded_choices_are_applied_in_order() -> None:
    first, second = (OPERATIONS.index(name) for name in ("translate_x", "rotate"))
    both = Choices(torch.tensor([[first, second]]), torch.tensor([[6.0, 8.0]]))
    one = G.fold_choices(IDENTITY, Choices(both.operation[:, :1], both.level[:, :1]), SIZE)
    two = G.fold_choices(IDENTITY, Choices(both.operation[:, 1:], both.level[:, 1:]), SIZE)
    assert torch.allclose(G.fold_choices(IDENTITY, both, SIZE), G.compose(one, two), atol=1e-5)
    images = smooth_pictures(1)
    twice = G.warp(G.warp(images, one, SIZE), two, SIZE)
    once = G.warp(images, G.fold_choices(IDENTITY, both, SIZE), SIZE)
    assert (twice - once)[..., 12:-12, 12:-12].abs().mean() < 2


def test_outside_is_filled_and_the_border_is_not_darkened() -> None:
    images = torch.full((2, 1, 10, 10), 200, dtype=torch.uint8)
    shifted = torch.tensor([[[1.0, 0, 4], [0, 1, 0]], [[0.5, 0, 0], [0, 0.5, 0]]])
    found = G.warp(images, shifted, (10, 10), fill=7.0)
    assert torch.allclose(found[0, 0, :, :6], torch.tensor(200.0))
    assert (found[0, 0, :, 6:] == 7).all()
    assert torch.allclose(found[1], torch.tensor(200.0))


def test_shrinking_averages_instead_of_picking() -> None:
    stripes = torch.zeros(2, 1, 64, 64, dtype=torch.uint8)
    stripes[..., ::4] = 200
    whole = torch.tensor([[4.0, 0, 0], [0, 4.0, 0]])
    detail = torch.tensor([[1.0, 0, 3], [0, 1.0, 5]])
    found = G.warp(stripes, torch.stack((whole, detail)), (16, 16))
    assert torch.allclose(found[0], torch.tensor(50.0), atol=1e-3)
    assert torch.allclose(found[1], stripes[1, :, 5:21, 3:19].float(), atol=1e-2)


@given(seed=st.integers(0, 10**6), where=st.lists(st.integers(0, 9), min_size=4, max_size=4))
@settings(max_examples=100, deadline=None)
def test_boxes_enclose_the_moved_pixels(seed: int, where: list[int]) -> None:
    left, top, wide, tall = where
    box = torch.tensor([[left + 6, top + 8, left + wide + 16, top + tall + 18]])
    images = torch.zeros(1, 1, *SIZE)
    images[0, 0, box[0, 1] : box[0, 3], box[0, 0] : box[0, 2]] = 1
    matrix = draw(ANY, batch=1, seed=seed)
    bright = G.warp(images, matrix, SIZE)[0, 0] > 0.25
    moved = G.move_boxes(box.float(), matrix, SIZE)[0]
    assume((moved[2:] - moved[:2] > 4).all() and bright.any())
    rows, columns = bright.any(1).nonzero()[:, 0], bright.any(0).nonzero()[:, 0]
    found = torch.stack((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)).float()
    assert (found[:2] >= moved[:2] - 1).all()
    assert (found[2:] <= moved[2:] + 1).all()
    if (moved[:2] > 0).all() and (moved[2:] < torch.tensor([SIZE[1], SIZE[0]])).all():
        assert ((found - moved).abs() <= 1).all()


@given(seed=st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_moved_points_map_back_through_the_matrix(seed: int) -> None:
    matrices = draw(ANY, seed=seed)
    points = torch.rand(4, 7, 2, generator=generator(seed)) * 40
    moved = G.move_points(points, matrices)
    back = torch.einsum("bij,bnj->bni", matrices[:, :, :2], moved) + matrices[:, None, :, 2]
    assert torch.allclose(back, points, atol=1e-3)


def test_unknown_boxes_and_landmarks_stay_unknown_and_boxes_are_clipped() -> None:
    matrices = draw(ANY, batch=3)
    matrices[2] = IDENTITY
    boxes = torch.tensor([[float("nan")] * 4, [2.0, 3, 30, 40], [-5.0, -5, 100, 100]])
    moved = G.move_boxes(boxes, matrices, SIZE)
    assert moved[0].isnan().all()
    assert not moved[1:].isnan().any()
    assert moved[2].tolist() == [0, 0, SIZE[1], SIZE[0]]
    beyond = G.move_boxes(torch.tensor([[60.0, 5, 70, 9]]), IDENTITY, SIZE)
    assert beyond.tolist() == [[40, 5, 40, 9]]
    landmarks = torch.full((3, 5, 2), float("nan"))
    assert G.move_landmarks(landmarks, matrices).isnan().all()


def test_mirrored_landmarks_swap_left_and_right() -> None:
    face = torch.tensor([[[12.0, 15], [28, 14], [20, 25], [14, 35], [26, 36]]]).repeat(2, 1, 1)
    matrices = torch.cat((draw(G.Geometry(flip=1.0), batch=1), IDENTITY))
    moved = G.move_landmarks(face, matrices)
    assert moved[0].tolist() == [[12, 14], [28, 15], [20, 25], [14, 36], [26, 35]]
    assert torch.equal(moved[1], face[1])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("crop_scale", (0.0, 1.0)),
        ("crop_scale", (0.9, 0.5)),
        ("crop_ratio", (0.0, 1.0)),
        ("flip", 1.5),
        ("rotation", -1.0),
        ("shear", 90.0),
    ],
)
def test_impossible_ranges_are_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field):
        G.Geometry(**{field: value})  # type: ignore[arg-type]
