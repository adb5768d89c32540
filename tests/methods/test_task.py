from __future__ import annotations

import pytest
import torch
from torch import nn

from halfsmile.methods.task import Batch, Task


def test_the_average_follows_the_weights_by_hand() -> None:
    model = nn.Linear(2, 1, bias=False)
    nn.init.zeros_(model.weight)
    task = Task(model, ema_decay=0.5)
    expected = 0.0
    for t in range(1, 12):
        with torch.no_grad():
            model.weight.fill_(float(t))
        task.after_update()
        decay = min(0.5, (1 + t) / (10 + t))
        expected = decay * expected + (1 - decay) * t
        assert isinstance(task.averaged, nn.Linear)
        assert float(task.averaged.weight[0, 0].detach()) == pytest.approx(expected, rel=1e-6)
    assert int(task.updates) == 11


def test_without_an_average_the_model_itself_is_evaluated() -> None:
    model = nn.Linear(2, 1)
    task = Task(model)
    task.after_update()
    assert task.averaged is model


def test_the_teacher_stays_in_evaluation_and_is_not_trained() -> None:
    task = Task(nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)), ema_decay=0.9).train()
    assert task.teacher is not None
    assert task.model.training
    assert not any(module.training for module in task.teacher.modules())
    assert not any(parameter.requires_grad for parameter in task.teacher.parameters())


def test_statistics_are_averaged_and_counters_copied() -> None:
    model = nn.BatchNorm1d(2)
    task = Task(model, ema_decay=0.9)
    model(torch.randn(8, 2) + 3)
    task.after_update()
    assert isinstance(task.teacher, nn.BatchNorm1d)
    assert task.teacher.running_mean is not None
    assert model.running_mean is not None
    torch.testing.assert_close(task.teacher.running_mean, model.running_mean * (1 - 2 / 11))
    assert int(task.teacher.num_batches_tracked or 0) == 1


def test_a_batch_counts_and_moves_all_its_pictures() -> None:
    batch = Batch(images=torch.zeros(3, 1, 2, 2), unlabeled=torch.zeros(5, 1, 2, 2))
    assert batch.size == 8
    moved = batch.to(torch.device("meta"))
    assert moved.unlabeled is not None
    assert moved.unlabeled.device.type == "meta"
    assert moved.targets is None
