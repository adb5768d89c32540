"""Mean Teacher by hand: squared distance of probabilities, ramped up by the number of updates."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from halfsmile.methods.mean_teacher import MeanTeacher
from halfsmile.methods.semi import SemiSettings
from halfsmile.methods.task import Batch

TEACHER = torch.tensor([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3]])
STUDENT = torch.tensor([[0.5, 0.4, 0.1], [0.2, 0.5, 0.3]])
DISTANCE = (0.2**2 + 0.2**2) / 2


def test_distance_by_hand(model: nn.Module, settings: SemiSettings) -> None:
    task = MeanTeacher().task(model, **settings)
    named = task.pseudo_label(TEACHER.log())
    assert named.weights.tolist() == [1.0, 1.0]
    assert float(task.unlabeled_loss(STUDENT.log(), named)) == pytest.approx(DISTANCE, rel=1e-5)


@pytest.mark.parametrize(("updates", "progress"), [(0, 0.0), (25, 0.25), (100, 1.0), (500, 1.0)])
def test_the_ramp_by_hand(model: nn.Module, settings: SemiSettings, updates: int, progress: float) -> None:
    task = MeanTeacher(ramp=100).task(model, **settings)
    task.updates.fill_(updates)
    loss = float(task.unlabeled_loss(STUDENT.log(), task.pseudo_label(TEACHER.log())))
    assert loss == pytest.approx(DISTANCE * math.exp(-5 * (1 - progress) ** 2), rel=1e-5)


def test_a_student_like_its_teacher_has_only_the_labeled_loss(
    model: nn.Module, both: Batch, settings: SemiSettings
) -> None:
    result = MeanTeacher().task(model, **settings).step(both, torch.Generator().manual_seed(0))
    assert float(result.logs["unlabeled"]) == pytest.approx(0.0, abs=1e-12)
    torch.testing.assert_close(result.loss.detach(), result.logs["labeled"])
