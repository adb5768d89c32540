from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from halfsmile.methods.facemix import (
    FALLBACK_BOX,
    FineTuneTask,
    beta_sample,
    box_iou,
    mix_cut,
    mix_linear,
    smooth_targets,
    with_fallback,
)
from halfsmile.methods.task import Batch
from halfsmile.transforms.augment import NONE, WEAK


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Linear(nn.Module):
    """Logits that are linear in the pixels."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(8 * 8, classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images.flatten(1))  # type: ignore[no-any-return]


def batch(count: int = 6, classes: int = 3) -> Batch:
    images = torch.randint(0, 256, (count, 1, 8, 8), generator=generator(1)).to(torch.uint8)
    corners = torch.rand(count, 2, 2, generator=generator(2)).sort(dim=1).values * 8
    return Batch(
        images=images, targets=torch.eye(classes)[torch.arange(count) % classes], boxes=corners.flatten(1)
    )


boxes = st.tuples(*[st.floats(0, 100) for _ in range(4)]).map(
    lambda v: torch.tensor([[min(v[0], v[2]), min(v[1], v[3]), max(v[0], v[2]), max(v[1], v[3])]])
)


@given(boxes, boxes)
def test_iou_is_symmetric_and_a_share(first: Tensor, second: Tensor) -> None:
    value = float(box_iou(first, second))
    assert 0.0 <= value <= 1.0 + 1e-6
    assert value == pytest.approx(float(box_iou(second, first)))


def test_iou_of_equal_disjoint_and_half_covered_boxes() -> None:
    box = torch.tensor([[0.0, 0.0, 4.0, 4.0]])
    assert float(box_iou(box, box)) == pytest.approx(1.0)
    assert float(box_iou(box, box + 10)) == 0.0
    assert float(box_iou(box, torch.tensor([[0.0, 0.0, 4.0, 2.0]]))) == pytest.approx(0.5)


def test_mixing_all_of_an_image_is_the_identity() -> None:
    data = batch()
    assert data.targets is not None
    assert data.boxes is not None
    images = data.images.float()
    mixed = mix_linear(images, data.targets, data.boxes, torch.tensor(1.0))
    assert torch.equal(mixed.images, images)
    assert torch.equal(mixed.targets, data.targets)


def test_partners_are_mutual() -> None:
    data = batch()
    assert data.targets is not None
    assert data.boxes is not None
    images = data.images.float()
    mixed = mix_linear(images, data.targets, data.boxes, torch.tensor(0.3))
    other = mix_linear(images, data.targets, data.boxes, torch.tensor(0.7))
    torch.testing.assert_close(mixed.images, other.images.flip(0))
    torch.testing.assert_close(mixed.iou, mixed.iou.flip(0))


@pytest.mark.parametrize("count", [5, 6])
def test_loss_is_the_published_sum_over_pairs(count: int) -> None:
    data = batch(count)
    model = Linear()
    task = FineTuneTask(model, augment=NONE, mixing="facemix", alpha=1.0, smoothing=0.1)
    loss = task.step(data, generator(7)).loss

    assert data.targets is not None
    assert data.boxes is not None
    images, targets = data.images.float() / 255, data.targets
    source = generator(7)
    NONE(data.images, boxes=data.boxes, generator=source)
    amount = float(beta_sample(1.0, source))
    smoothed = 0.9 * targets + 0.1 / 3
    expected = torch.zeros(())
    for i in range(count):
        j = count - 1 - i
        virtual = model((amount * images[i] + (1 - amount) * images[j])[None])
        target = amount * smoothed[i] + (1 - amount) * smoothed[j]
        overlap = float(box_iou(data.boxes[i : i + 1], data.boxes[j : j + 1]))
        real = sum(F.cross_entropy(model(images[k][None]), targets[k][None]) for k in (i, j))
        expected = expected + F.cross_entropy(virtual, target[None]) + (1 - overlap) * real
    torch.testing.assert_close(loss, expected / count)


def test_real_images_stay_real() -> None:
    data = batch()
    before = data.images.clone()
    seen: list[Tensor] = []

    class Spy(Linear):
        def forward(self, images: Tensor) -> Tensor:
            seen.append(images.detach().clone())
            return super().forward(images)

    FineTuneTask(Spy(), augment=NONE, mixing="facemix").step(data, generator())
    assert torch.equal(data.images, before)
    torch.testing.assert_close(seen[0][6:], before.float() / 255)


def test_facemix_of_faces_in_one_place_is_mixup() -> None:
    data = batch()
    same = Batch(images=data.images, targets=data.targets, boxes=torch.tensor([[1.0, 1, 7, 7]]).repeat(6, 1))
    losses = [
        float(FineTuneTask(Linear(), augment=NONE, mixing=mixing).step(same, generator(3)).loss.detach())
        for mixing in ("facemix", "mixup")
    ]
    assert losses[0] == pytest.approx(losses[1])


def test_boxes_follow_the_augmented_pixels() -> None:
    data = batch()
    task = FineTuneTask(Linear(), augment=WEAK, mixing="facemix")
    iou = task.step(data, generator(5)).logs["iou"]
    moved = WEAK(data.images, boxes=data.boxes, generator=generator(5)).boxes
    assert moved is not None
    assert float(iou) == pytest.approx(float(box_iou(moved, moved.flip(0)).mean()), abs=1e-5)


def test_cutmix_targets_are_shares_of_pixels() -> None:
    images = torch.cat([torch.zeros(1, 1, 32, 32), torch.ones(1, 1, 32, 32)])
    targets = torch.eye(2)
    mixed = mix_cut(images, targets, torch.zeros(2, 4), torch.tensor(0.4), generator(1))
    torch.testing.assert_close(mixed.images[0].mean(), mixed.targets[0, 1])
    assert 0 < float(mixed.targets[0, 1]) < 1


def test_unknown_boxes_fall_back_to_the_papers_box() -> None:
    known = torch.tensor([[1.0, 2, 30, 40], [float("nan")] * 4])
    filled = with_fallback(known, batch=2, size=224, device=known.device)
    assert torch.equal(filled[0], known[0])
    torch.testing.assert_close(filled[1], torch.tensor([25.0, 25, 220, 220]))
    torch.testing.assert_close(
        with_fallback(None, batch=1, size=48, device=known.device)[0], torch.tensor(FALLBACK_BOX) * 48
    )


def test_cutmix_pastes_the_partner_over_the_share_that_was_drawn() -> None:
    images = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 1, 32, 32)
    kept = []
    for seed in range(200):
        mixed = mix_cut(images, torch.eye(4), torch.zeros(4, 4), torch.tensor(0.75), generator(seed))
        for i in range(4):
            assert set(mixed.images[i].flatten().tolist()) <= {float(i), float(3 - i)}
            pasted = (mixed.images[i] == 3 - i).float().mean()
            torch.testing.assert_close(mixed.targets[i, [i, 3 - i]], torch.stack([1 - pasted, pasted]))
        kept.append(float(mixed.targets[0, 0]))
    assert min(kept) == pytest.approx(0.75, abs=0.03)  # where the rectangle lies within the picture


@pytest.mark.parametrize("alpha", [0.2, 3.0])
def test_the_share_of_a_batch_is_drawn_with_the_alpha_that_was_given(alpha: float) -> None:
    data = batch()
    assert data.targets is not None
    images = data.images.float()
    task = FineTuneTask(Linear(), augment=NONE, mixing="mixup", alpha=alpha)
    mixed = task.mix(images, data.targets, torch.zeros(6, 4), generator(3))
    amount = beta_sample(alpha, generator(3))
    torch.testing.assert_close(mixed.images, amount * images + (1 - amount) * images.flip(0))


def test_unmixed_faces_learn_their_smoothed_labels() -> None:
    data, model = batch(), Linear()
    assert data.targets is not None
    task = FineTuneTask(model, augment=NONE, mixing="none", smoothing=0.3)
    expected = F.cross_entropy(model(data.images.float() / 255), data.targets, label_smoothing=0.3)
    torch.testing.assert_close(task.step(data, generator()).loss, expected)


def test_loss_of_cutmix_is_that_of_the_cut_faces_alone() -> None:
    data, model, source = batch(), Linear(), generator(2)
    assert data.targets is not None
    images = NONE(data.images, generator=source).images
    amount = beta_sample(1.0, source)
    mixed = mix_cut(images, smooth_targets(data.targets, 0.1), torch.zeros(6, 4), amount, source)
    expected = F.cross_entropy(model(mixed.images), mixed.targets)
    task = FineTuneTask(model, augment=NONE, mixing="cutmix", smoothing=0.1)
    torch.testing.assert_close(task.step(data, generator(2)).loss, expected)


@pytest.mark.parametrize("alpha", [0.4, 1.0, 4.0])
def test_beta_draws_have_the_moments_of_beta(alpha: float) -> None:
    source = generator()
    draws = torch.stack([beta_sample(alpha, source) for _ in range(4000)])
    assert float(draws.mean()) == pytest.approx(0.5, abs=0.02)
    assert float(draws.var()) == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.08)


def test_smoothed_targets_stay_distributions() -> None:
    smoothed = smooth_targets(torch.eye(4), 0.1)
    torch.testing.assert_close(smoothed.sum(dim=1), torch.ones(4))
    assert float(smoothed[0, 0]) == pytest.approx(0.925)


@pytest.mark.parametrize("mixing", ["none", "mixup", "facemix"])
def test_losses_of_half_precision_logits_are_whole(mixing: Any) -> None:
    class Half(Linear):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(images).bfloat16()

    losses = [
        FineTuneTask(model(), augment=NONE, mixing=mixing).step(batch(), generator()).loss
        for model in (Linear, Half)
    ]
    assert losses[1].dtype == torch.float32
    torch.testing.assert_close(*losses, atol=0.02, rtol=0)


def test_unknown_mixing_and_missing_targets_are_refused() -> None:
    with pytest.raises(ValueError, match="facemix"):
        FineTuneTask(Linear(), augment=NONE, mixing="blend")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="targets"):
        FineTuneTask(Linear(), augment=NONE).step(Batch(images=batch().images), generator())
