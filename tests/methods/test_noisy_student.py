"""Noisy Student by hand: what becomes of the teacher's names, and the loss of a mixed batch."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from halfsmile.methods.noisy_student import NoisyStudent, align, sharpen
from halfsmile.methods.semi import SemiSettings
from halfsmile.methods.task import Batch

SHARES = torch.tensor([0.5, 0.3, 0.2])


def names(count: int = 200, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (2 * torch.randn(count, 3, generator=generator)).softmax(dim=1)


def test_sharpening_by_hand() -> None:
    found = sharpen(torch.tensor([[0.8, 0.2], [0.5, 0.5]]), 0.5)
    torch.testing.assert_close(found, torch.tensor([[0.64 / 0.68, 0.04 / 0.68], [0.5, 0.5]]))
    torch.testing.assert_close(sharpen(names(), 1.0), names())
    assert sharpen(torch.tensor([[1.0, 0.0]]), 0.1).tolist() == [[1.0, 0.0]]


@given(st.integers(0, 20), st.floats(0.3, 2.0))
def test_aligned_names_have_the_shares_of_the_labels(seed: int, temperature: float) -> None:
    found = align(sharpen(names(seed=seed), temperature), SHARES)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(200))
    torch.testing.assert_close(found.mean(dim=0), SHARES, atol=1e-4, rtol=0)


def test_alignment_keeps_the_order_of_faces_within_a_class() -> None:
    before = names()
    odds = (before[:, 0] / before[:, 1]).argsort()
    after = align(before, SHARES)
    assert (after[:, 0] / after[:, 1]).argsort().equal(odds)


def test_half_an_alignment_goes_half_the_way() -> None:
    before = names()
    half = align(before, SHARES, 0.5).mean(dim=0)
    expected = (before.mean(dim=0).log() / 2 + SHARES.log() / 2).softmax(dim=0)
    torch.testing.assert_close(half, expected, atol=1e-4, rtol=0)
    assert align(before, SHARES, 0.0).equal(before)


def test_a_class_that_nobody_was_given_stays_out() -> None:
    found = align(names(), torch.tensor([0.6, 0.4, 0.0]))
    assert float(found[:, 2].max()) < 1e-3


def test_without_mixing_the_loss_is_the_weighted_mean(
    model: nn.Module, both: Batch, settings: SemiSettings
) -> None:
    targets = names(len(both.unlabeled))  # type: ignore[arg-type]
    batch = replace(both, unlabeled_targets=targets)
    settings |= {"weight": 0.5, "smoothing": 0.1}
    task = NoisyStudent(alpha=0.0).task(model, **settings).eval()
    result = task.step(batch, torch.Generator().manual_seed(0))

    views = task.strong(
        torch.cat([both.images, both.unlabeled]),  # type: ignore[list-item]
        generator=torch.Generator().manual_seed(0),
    ).images
    logs = model(views).log_softmax(dim=1)
    labeled = -((0.9 * both.targets + 0.1 / 3) * logs[: len(both.images)]).sum()  # type: ignore[operator]
    unlabeled = -(targets * logs[len(both.images) :]).sum()
    total = len(both.images) + 0.5 * len(targets)
    torch.testing.assert_close(result.loss, (labeled + 0.5 * unlabeled) / total)
    shares = [float(result.logs[f"accepted/{name}"]) for name in ("calm", "glad", "sad")]
    assert shares == pytest.approx(F.one_hot(targets.argmax(dim=1), 3).float().mean(dim=0).tolist())


def test_mixing_one_face_with_itself_changes_nothing(settings: SemiSettings) -> None:
    class Bright(nn.Module):
        """Logits of a picture's brightness, so that mixing equal pictures leaves them."""

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            mean = images.mean(dim=(1, 2, 3))
            return torch.stack([mean, -mean, 0 * mean], dim=1)

    face = torch.full((1, 1, 8, 8), 100, dtype=torch.uint8)
    target = torch.tensor([[0.2, 0.5, 0.3]])
    batch = Batch(
        images=face.repeat(3, 1, 1, 1),
        targets=target.repeat(3, 1),
        unlabeled=face.repeat(5, 1, 1, 1),
        unlabeled_targets=target.repeat(5, 1),
    )
    settings |= {"weight": 1.0}
    task = NoisyStudent(alpha=1.0).task(Bright(), **settings)
    expected = F.cross_entropy(Bright()(face / 255), target)
    for seed in range(3):
        found = task.step(batch, torch.Generator().manual_seed(seed)).loss
        assert float(found) == pytest.approx(float(expected), abs=1e-5)


def test_faces_without_names_are_refused(model: nn.Module, both: Batch, settings: SemiSettings) -> None:
    task = NoisyStudent().task(model, **settings)
    with pytest.raises(ValueError, match="with targets in each batch"):
        task.step(both, torch.Generator())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"temperature": 0.0}, "temperature"),
        ({"temperature": math.nan}, "temperature"),
        ({"alignment": 1.5}, "alignment"),
        ({"zoom": 0.9}, "zoom"),
        ({"alpha": -1.0}, "alpha"),
    ],
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NoisyStudent(**wrong)  # type: ignore[arg-type]
