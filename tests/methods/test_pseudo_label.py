"""A fixed threshold: what is accepted, the loss by the formula, and SSFER's numbers."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from halfsmile.methods.pseudo_label import FixMatch, PseudoLabelTask
from halfsmile.methods.semi import SemiSettings
from halfsmile.methods.task import Batch
from halfsmile.transforms.augment import NONE


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_acceptance_is_confidence_at_or_above_the_threshold(model: nn.Module) -> None:
    logits = torch.log(torch.tensor([[0.7, 0.2, 0.1], [0.4, 0.35, 0.25], [0.05, 0.05, 0.9]]))
    task = PseudoLabelTask(model, weak=NONE, strong=NONE, threshold=0.7 - 1e-6)
    named = task.pseudo_label(logits)
    assert named.labels.tolist() == [0, 0, 2]
    assert named.weights.tolist() == [1.0, 0.0, 1.0]
    torch.testing.assert_close(named.confidence, torch.tensor([0.7, 0.4, 0.9]))


@pytest.mark.parametrize("threshold", [0.0, 0.5, 0.7, 1.01])
def test_loss_equals_the_formula(
    model: nn.Module, both: Batch, settings: SemiSettings, threshold: float
) -> None:
    assert both.targets is not None
    assert both.unlabeled is not None
    result = FixMatch(threshold=threshold).task(model, **settings).step(both, generator())

    expected = float(F.cross_entropy(model(both.images.float() / 255), both.targets).detach())
    total, accepted = 0.0, 0
    for face in both.unlabeled.float() / 255:
        logits = model(face[None])
        confidence, label = logits.softmax(dim=1).max(dim=1)
        if float(confidence.detach()) >= threshold:
            total += float(F.cross_entropy(logits, label).detach())
            accepted += 1
    assert float(result.loss.detach()) == pytest.approx(expected + 3.0 * total / 10, rel=1e-5)
    assert float(result.logs["acceptance"]) == pytest.approx(accepted / 10)


def test_the_published_numbers_are_the_defaults(model: nn.Module) -> None:
    task = PseudoLabelTask(model, weak=NONE, strong=NONE)
    assert (task.threshold, task.weight, task.smoothing, task.ema_decay) == (0.7, 5.0, 0.0, 0.999)
    assert FixMatch().threshold == 0.7
