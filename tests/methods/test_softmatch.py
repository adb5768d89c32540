"""SoftMatch by hand: alignment, the Gaussian's moments, and weights."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from halfsmile.methods.semi import SemiSettings
from halfsmile.methods.softmatch import SoftMatch, SoftMatchTask

PROBABILITIES = torch.tensor([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.1, 0.5, 0.4], [0.5, 0.3, 0.2]])


@pytest.fixture
def task(model: nn.Module, settings: SemiSettings) -> SoftMatchTask:
    return SoftMatch(momentum=0.5).task(model, **settings)


def test_moments_by_hand(task: SoftMatchTask) -> None:
    task.observe(PROBABILITIES.log())
    expected = (1 / 3 + PROBABILITIES.mean(dim=0)) / 2
    torch.testing.assert_close(task.expected, expected)
    quotient = PROBABILITIES / expected
    confidence = (quotient / quotient.sum(dim=1, keepdim=True)).amax(dim=1)
    assert float(task.mean) == pytest.approx((1 / 3 + float(confidence.mean())) / 2)
    assert float(task.variance) == pytest.approx((1.0 + float(confidence.var(unbiased=True))) / 2)


def test_one_face_alone_has_no_variance(task: SoftMatchTask) -> None:
    task.observe(PROBABILITIES[:1].log())
    assert float(task.variance) == 1.0


def test_weights_are_full_above_the_mean_and_gaussian_below(task: SoftMatchTask) -> None:
    task.mean.fill_(0.6)
    task.variance.fill_(0.04)
    named = task.pseudo_label(PROBABILITIES.log())
    below = [0.0, 0.0, -0.1, -0.1]
    expected = [math.exp(-(b**2) / (2 * 0.04 / 4)) for b in below]
    assert named.weights.tolist() == pytest.approx(expected, abs=1e-5)
    assert named.weights.tolist()[:2] == pytest.approx([1.0, 1.0], abs=1e-5)


def test_a_frequent_class_weighs_less_but_keeps_its_label(task: SoftMatchTask) -> None:
    """Weights come from aligned probabilities, labels from those as they are."""
    task.mean.fill_(0.9)
    task.variance.fill_(0.04)
    task.expected.copy_(torch.tensor([0.8, 0.1, 0.1]))
    named = task.pseudo_label(torch.tensor([[0.6, 0.3, 0.1], [0.1, 0.6, 0.3]]).log())
    assert named.labels.tolist() == [0, 1]
    aligned = torch.tensor([[0.75, 3.0, 1.0], [0.125, 6.0, 3.0]])
    confidence = (aligned / aligned.sum(dim=1, keepdim=True)).amax(dim=1)
    expected = torch.exp(-(confidence - 0.9).clamp(max=0).square() / 0.02)
    torch.testing.assert_close(named.weights, expected)
    assert float(named.weights[0]) < float(named.weights[1])


def test_alignment_makes_a_batch_of_its_own_mean_uniform(task: SoftMatchTask) -> None:
    task.expected.copy_(torch.tensor([0.5, 0.3, 0.2]))
    torch.testing.assert_close(task.aligned(torch.tensor([[0.5, 0.3, 0.2]])), torch.full((1, 3), 1 / 3))
