"""FreeMatch by hand: statistics, thresholds per class, fairness."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from halfsmile.methods.freematch import FreeMatch, FreeMatchTask, label_histogram, ratio
from halfsmile.methods.semi import PseudoLabels, SemiSettings

PROBABILITIES = torch.tensor([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.1, 0.5, 0.4], [0.5, 0.3, 0.2]])


@pytest.fixture
def task(model: nn.Module, settings: SemiSettings) -> FreeMatchTask:
    return FreeMatch(momentum=0.5).task(model, **settings)


def test_statistics_start_uniform_and_move_by_the_momentum(task: FreeMatchTask) -> None:
    assert float(task.confidence) == pytest.approx(1 / 3)
    assert task.expected.tolist() == task.histogram.tolist() == pytest.approx([1 / 3] * 3)
    task.observe(PROBABILITIES.log())
    assert float(task.confidence) == pytest.approx((1 / 3 + 0.6) / 2)
    assert task.expected.tolist() == pytest.approx([(1 / 3 + x) / 2 for x in (0.5, 0.3, 0.2)])
    assert task.histogram.tolist() == pytest.approx([(1 / 3 + x) / 2 for x in (0.75, 0.25, 0.0)])


def test_thresholds_are_relative_to_the_most_expected_class(task: FreeMatchTask) -> None:
    task.confidence.fill_(0.6)
    task.expected.copy_(torch.tensor([0.5, 0.3, 0.2]))
    assert task.thresholds.tolist() == pytest.approx([0.6, 0.36, 0.24])
    named = task.pseudo_label(torch.tensor([[0.59, 0.21, 0.2], [0.2, 0.45, 0.35], [0.33, 0.32, 0.35]]).log())
    assert named.labels.tolist() == [0, 1, 2]
    assert named.weights.tolist() == [0.0, 1.0, 1.0]


def test_the_batch_moves_the_thresholds_before_it_is_judged(task: FreeMatchTask) -> None:
    named = task.label_batch(PROBABILITIES.log())
    expected = ((1 / 3 + 0.6) / 2) * (task.expected / task.expected.max())
    assert task.thresholds.tolist() == pytest.approx(expected.tolist())
    assert named.weights.tolist() == [1.0, 1.0, 1.0, 1.0]


def test_fairness_by_hand(task: FreeMatchTask) -> None:
    """Two accepted faces of three; the student names both calm, so glad and sad have the ratio 0."""
    task.expected.copy_(torch.tensor([0.5, 0.3, 0.2]))
    task.histogram.copy_(torch.tensor([0.5, 0.25, 0.25]))
    strong = torch.tensor([[0.7, 0.2, 0.1], [0.6, 0.2, 0.2], [0.1, 0.1, 0.8]]).log()
    named = PseudoLabels(torch.zeros(3, 3), torch.tensor([0, 1, 2]), torch.tensor([1.0, 1.0, 0.0]))
    expected = [1.0 / 3.0, 1.2 / 3.0, 0.8 / 3.0]
    student = [1.0, 0.0, 0.0]
    fairness = sum(e * math.log(s + 1e-12) for e, s in zip(expected, student, strict=True))
    cross_entropy = -(math.log(0.7) + math.log(0.2)) / 3
    assert float(task.unlabeled_loss(strong, named)) == pytest.approx(
        cross_entropy + 0.01 * fairness, rel=1e-5
    )


def test_fairness_moves_a_lopsided_student(task: FreeMatchTask) -> None:
    strong = torch.tensor([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 1.0]], requires_grad=True)
    named = PseudoLabels(torch.zeros(3, 3), torch.tensor([0, 1, 2]), torch.ones(3))
    task.unlabeled_loss(strong, named).backward()  # type: ignore[no-untyped-call]
    plain = strong.detach().clone().requires_grad_()
    F.cross_entropy(plain, named.labels).backward()  # type: ignore[no-untyped-call]
    assert strong.grad is not None
    assert plain.grad is not None
    assert not torch.allclose(strong.grad, plain.grad)
    assert torch.allclose(strong.grad, plain.grad, atol=0.02)


def test_nothing_accepted_is_no_loss(task: FreeMatchTask) -> None:
    named = PseudoLabels(torch.zeros(2, 3), torch.tensor([0, 1]), torch.zeros(2))
    assert float(task.unlabeled_loss(torch.randn(2, 3), named)) == 0.0


def test_histograms_and_ratios() -> None:
    assert label_histogram(PROBABILITIES).tolist() == [0.75, 0.25, 0.0]
    values = ratio(torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.75, 0.25, 0.0]))
    assert values.tolist() == pytest.approx([(2 / 3) / (2 / 3 + 1.2), 1.2 / (2 / 3 + 1.2), 0.0])
