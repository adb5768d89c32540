"""The whole augmentation: exact where nothing is random, reproducible, one sample at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Generator, Tensor

from halfsmile.transforms.augment import NONE, STRONG, WEAK, Augment, normalize

EVERYTHING = replace(
    STRONG, rotation=10.0, translation=0.1, shear=5.0, gray=0.3, blur=0.5, erase=0.5, erase_noise=True
)


def generator(seed: int = 0) -> Generator:
    return torch.Generator().manual_seed(seed)


def faces(batch: int = 16, channels: int = 3, size: int = 32) -> Tensor:
    return torch.randint(0, 256, (batch, channels, size, size), dtype=torch.uint8, generator=generator(5))


@pytest.mark.parametrize("size", [(32, 32), (33, 47)])
def test_none_is_exact(size: tuple[int, int]) -> None:
    images = torch.randint(0, 256, (4, 3, *size), dtype=torch.uint8, generator=generator())
    boxes = torch.tensor([[3.0, 4, 20, 21]]).repeat(4, 1)
    landmarks = torch.rand(4, 5, 2, generator=generator()) * 30
    result = NONE(images, boxes=boxes, landmarks=landmarks, generator=generator())
    assert torch.equal(result.images.mul(255).round().to(torch.uint8), images)
    assert torch.allclose(result.images, images / 255, atol=1e-7)
    assert result.boxes is not None
    assert torch.equal(result.boxes, boxes)
    assert result.landmarks is not None
    assert torch.equal(result.landmarks, landmarks)


@pytest.mark.parametrize("augment", [WEAK, EVERYTHING, replace(WEAK, interpolation="bicubic")])
def test_autocast_changes_no_bit(augment: Augment) -> None:
    boxes = torch.tensor([[3.0, 4, 20, 21]]).repeat(16, 1)
    landmarks = torch.rand(16, 5, 2, generator=generator()) * 30
    plain = augment(faces(), boxes=boxes, landmarks=landmarks, generator=generator())
    with torch.autocast("cpu", torch.bfloat16):
        halved = augment(faces(), boxes=boxes, landmarks=landmarks, generator=generator())
    for name in ("images", "boxes", "landmarks", "matrices"):
        assert torch.equal(getattr(plain, name), getattr(halved, name)), name


def test_boxes_and_landmarks_follow_only_when_given() -> None:
    result = WEAK(faces(), generator=generator())
    assert result.boxes is None
    assert result.landmarks is None


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("augment", [NONE, WEAK, STRONG, EVERYTHING, replace(WEAK, interpolation="bicubic")])
def test_results_are_pictures_of_the_asked_size(augment: Augment, channels: int) -> None:
    images = faces(channels=channels)
    before = images.clone()
    result = augment(images, out_size=(24, 20), generator=generator())
    assert result.images.shape == (16, channels, 24, 20)
    assert result.images.dtype == torch.float32
    assert result.images.min() >= 0
    assert result.images.max() <= 1
    assert torch.equal(images, before)


def test_the_generator_decides() -> None:
    images = faces()
    first = EVERYTHING(images, generator=generator(3))
    again = EVERYTHING(images, generator=generator(3))
    other = EVERYTHING(images, generator=generator(4))
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.matrices, again.matrices)
    assert not torch.equal(first.matrices, other.matrices)


def test_a_sample_does_not_depend_on_the_others() -> None:
    images = faces()
    other = images.clone()
    other[1:] = 255 - other[1:]
    first = EVERYTHING(images, generator=generator()).images
    second = EVERYTHING(other, generator=generator()).images
    assert torch.equal(first[0], second[0])
    assert not torch.equal(first[1:], second[1:])


def test_weak_and_strong_share_their_geometry_ranges_but_strong_adds_operations() -> None:
    images = faces(batch=256)
    weak = WEAK(images, generator=generator())
    strong = STRONG(images, generator=generator())
    same_matrix = (weak.matrices == strong.matrices).flatten(1).all(1)
    assert 0.55 < same_matrix.float().mean() < 0.85  # (1 - 0.5 * 5/15)^2 = 0.69 have no geometric operation
    same = ((weak.images - strong.images).abs() < 1e-6).flatten(1).all(1)
    assert 0.15 < same.float().mean() < 0.35  # a quarter has no operation at all


def test_the_mirrored_share_is_the_flip_probability() -> None:
    matrices = WEAK(faces(batch=400, size=8), generator=generator()).matrices
    mirrored = torch.linalg.det(matrices[:, :, :2]) < 0
    assert 0.42 < mirrored.float().mean() < 0.58


def test_blurred_pictures_are_erased_too() -> None:
    images = torch.full((16, 1, 32, 32), 255, dtype=torch.uint8)
    found = Augment(blur=1.0, erase=1.0)(images, generator=generator()).images
    assert (found == 0).flatten(1).any(1).float().mean() > 0.9


def test_outside_is_gray() -> None:
    far = Augment(translation=1.0)
    images = torch.zeros(64, 1, 16, 16, dtype=torch.uint8)
    values = far(images, generator=generator()).images
    assert {round(value, 5) for value in values.flatten().tolist()} == {0.0, 0.5}


@pytest.mark.parametrize("images", [torch.zeros(2, 3, 8, 8), torch.zeros(2, 4, 8, 8, dtype=torch.uint8)])
def test_other_tensors_are_refused(images: Tensor) -> None:
    with pytest.raises(ValueError, match="must be uint8"):
        WEAK(images, generator=generator())


@pytest.mark.parametrize(
    "field", ["num_operations", "magnitude", "magnitude_std", "gray", "blur", "erase", "fill", "flip"]
)
def test_negative_settings_are_refused(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        Augment(**{field: -1})  # type: ignore[arg-type]


def test_impossible_rectangles_and_blurs_are_refused() -> None:
    with pytest.raises(ValueError, match="erase_area"):
        Augment(erase_area=(0.5, 0.2))
    with pytest.raises(ValueError, match="blur_sigmas"):
        Augment(blur_sigmas=())


def test_normalize_standardizes_each_channel() -> None:
    images = torch.rand(8, 3, 6, 6, generator=generator())
    mean, std = images.mean((0, 2, 3)), images.std((0, 2, 3))
    standard = normalize(images, mean.tolist(), std.tolist())
    assert torch.allclose(standard.mean((0, 2, 3)), torch.zeros(3), atol=1e-5)
    assert torch.allclose(standard.std((0, 2, 3)), torch.ones(3), atol=1e-5)
    assert torch.equal(normalize(images, (0, 0, 0), (1, 1, 1)), images)
    with pytest.raises(ValueError, match="one per channel"):
        normalize(images, (0.5,), (0.2,))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("augment", [NONE, WEAK, STRONG, EVERYTHING])
def test_a_cpu_generator_gives_the_same_on_a_gpu(augment: Augment) -> None:
    images = faces()
    boxes = torch.tensor([[3.0, 4, 20, 21]]).repeat(16, 1)
    here = augment(images, boxes=boxes, generator=generator())
    there = augment(images.cuda(), boxes=boxes.cuda(), generator=generator())
    assert there.images.is_cuda
    difference = (here.images - there.images.cpu()).abs()
    assert (difference > 1e-2).float().mean() < 0.01
    assert here.boxes is not None
    assert there.boxes is not None
    assert torch.allclose(here.boxes, there.boxes.cpu(), atol=1e-3)
