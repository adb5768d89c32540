"""DebiasPL by hand: a prior for each class, labels without it, a margin for it."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from halfsmile.methods.debias import DebiasPL, DebiasTask
from halfsmile.methods.pseudo_label import FixMatch
from halfsmile.methods.semi import SemiSettings
from halfsmile.methods.task import Batch

PROBABILITIES = torch.tensor([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.1, 0.5, 0.4], [0.5, 0.3, 0.2]])


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def task(model: nn.Module, settings: SemiSettings) -> DebiasTask:
    return DebiasPL(threshold=0.5, strength=0.4, momentum=0.9).task(model, **settings)


def test_the_prior_is_a_distribution_over_the_classes(task: DebiasTask) -> None:
    task.observe(PROBABILITIES.log())
    expected = 0.9 / 3 + 0.1 * PROBABILITIES.mean(dim=0)
    torch.testing.assert_close(task.prior, expected)
    assert float(task.prior.sum()) == pytest.approx(1.0)
    assert len(set(task.prior.tolist())) == 3


def test_a_uniform_prior_is_fixmatch(model: nn.Module, both: Batch, settings: SemiSettings) -> None:
    debias = DebiasPL(threshold=0.5, momentum=1.0).task(model, **settings).step(both, generator())
    plain = FixMatch(threshold=0.5).task(model, **settings).step(both, generator())
    torch.testing.assert_close(debias.loss, plain.loss)
    assert float(debias.logs["acceptance"]) == float(plain.logs["acceptance"]) > 0


def test_labels_are_named_without_the_prior(task: DebiasTask) -> None:
    task.prior.copy_(torch.tensor([0.9, 0.09, 0.01]))
    task.method = DebiasPL(threshold=0.5, strength=1.0)
    named = task.pseudo_label(torch.tensor([[0.8, 0.15, 0.05], [0.98, 0.01, 0.01]]).log())
    quotient = torch.tensor([[0.8 / 0.9, 0.15 / 0.09, 0.05 / 0.01], [0.98 / 0.9, 0.01 / 0.09, 1.0]])
    torch.testing.assert_close(named.probabilities, quotient / quotient.sum(dim=1, keepdim=True))
    assert named.labels.tolist() == [2, 0]
    assert named.weights.tolist() == [1.0, 0.0]


def test_labels_use_the_old_prior_and_the_margin_the_new(
    task: DebiasTask, both: Batch, model: nn.Module
) -> None:
    assert both.unlabeled is not None
    assert both.targets is not None
    task.prior.copy_(torch.tensor([0.6, 0.3, 0.1]))
    old = task.prior.clone()
    result = task.step(both, generator())

    logits = model(both.unlabeled.float() / 255).detach()
    new = 0.9 * old + 0.1 * logits.softmax(dim=1).mean(dim=0)
    torch.testing.assert_close(task.prior, new)
    confidence, labels = (logits - 0.4 * old.log()).softmax(dim=1).max(dim=1)
    each = F.cross_entropy(logits + 0.4 * new.log(), labels, reduction="none")
    expected = (each * (confidence >= 0.5)).mean()
    torch.testing.assert_close(result.logs["unlabeled"], expected)


def test_a_class_that_is_rarely_said_gets_a_larger_gradient(task: DebiasTask) -> None:
    """The margin asks more of the student where the label is rare."""
    task.prior.copy_(torch.tensor([0.9, 0.05, 0.05]))
    norms = []
    for label in (0, 1):
        strong = torch.zeros(1, 3, requires_grad=True)
        named = task.pseudo_label(F.one_hot(torch.tensor([label]), 3).float() * 20)
        assert named.labels.tolist() == [label]
        task.unlabeled_loss(strong, named).backward()  # type: ignore[no-untyped-call]
        assert strong.grad is not None
        norms.append(float(strong.grad.norm()))
    assert norms[1] > 1.5 * norms[0]
