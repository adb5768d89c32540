"""Soft targets by hand: mirror images, alignment by the running mean, sharpening, and the loss."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from halfsmile.methods.semi import SemiSettings
from halfsmile.methods.soft_targets import SoftTargets
from halfsmile.methods.task import Batch

SAID = torch.tensor([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3]])
SHARES = torch.tensor([0.6, 0.3, 0.1])


def test_alignment_then_sharpening_by_hand(model: nn.Module, settings: SemiSettings) -> None:
    task = SoftTargets(temperature=0.5, momentum=0.75).task(model, **settings)
    task.learn_shares(SHARES)
    torch.testing.assert_close(task.pseudo_label(SAID.log()).probabilities[0], SAID[0] ** 2 / 0.54)
    task.observe(SAID.log())
    mean = 0.75 * SHARES + 0.25 * SAID.mean(dim=0)
    torch.testing.assert_close(task.predicted, mean)
    aligned = SAID * SHARES / mean
    aligned /= aligned.sum(dim=1, keepdim=True)
    named = task.pseudo_label(SAID.log())
    torch.testing.assert_close(
        named.probabilities, aligned.square() / aligned.square().sum(dim=1, keepdim=True)
    )
    assert named.weights.tolist() == [1.0, 1.0]
    assert named.labels.tolist() == [0, 1]


def test_half_an_alignment_and_none(model: nn.Module, settings: SemiSettings) -> None:
    for amount in (0.0, 0.5):
        task = SoftTargets(temperature=1.0, alignment=amount).task(model, **settings)
        task.learn_shares(SHARES)
        task.predicted.copy_(torch.tensor([0.3, 0.3, 0.4]))
        expected = SAID * torch.tensor([2.0, 1.0, 0.25]) ** amount
        expected /= expected.sum(dim=1, keepdim=True)
        torch.testing.assert_close(task.pseudo_label(SAID.log()).probabilities, expected)


def test_over_time_classes_are_named_as_often_as_the_labels_do(
    model: nn.Module, settings: SemiSettings
) -> None:
    task = SoftTargets(temperature=1.0, momentum=0.9).task(model, **settings)
    task.learn_shares(SHARES)
    source = torch.Generator().manual_seed(0)
    logits = 0.3 * torch.randn(4000, 3, generator=source)  # hardly sure, all classes alike
    for part in logits.view(40, 100, 3):
        task.observe(part)
    torch.testing.assert_close(task.pseudo_label(logits).probabilities.mean(dim=0), SHARES, atol=0.02, rtol=0)


def test_the_teacher_sees_mirror_images(model: nn.Module, both: Batch, settings: SemiSettings) -> None:
    assert both.unlabeled is not None
    faces = both.unlabeled.float() / 255
    task = SoftTargets().task(model, **settings)
    assert task.teacher is not None
    expected = (task.teacher(faces).softmax(dim=1) + task.teacher(faces.flip(-1)).softmax(dim=1)) / 2
    torch.testing.assert_close(task.teacher_logits(faces).exp(), expected)
    torch.testing.assert_close(task.teacher_logits(faces.flip(-1)), task.teacher_logits(faces))
    alone = SoftTargets(mirror=False).task(model, **settings)
    torch.testing.assert_close(alone.teacher_logits(faces), model(faces))


def test_the_loss_is_the_cross_entropy_with_all_of_them(
    model: nn.Module, both: Batch, settings: SemiSettings
) -> None:
    assert both.unlabeled is not None
    task = SoftTargets(momentum=0.5).task(model, **settings)
    result = task.step(both, torch.Generator().manual_seed(0))
    faces = both.unlabeled.float() / 255
    names = task.pseudo_label(task.teacher_logits(faces)).probabilities  # of statistics that have moved
    expected = -(names * model(faces).log_softmax(dim=1)).sum(dim=1).mean()
    torch.testing.assert_close(result.logs["unlabeled"], expected.detach())
    assert float(result.logs["acceptance"]) == 1.0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"temperature": 0.0}, "temperature"),
        ({"alignment": 2.0}, "alignment"),
        ({"momentum": -1}, "momentum"),
    ],
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SoftTargets(**wrong)  # type: ignore[arg-type]
