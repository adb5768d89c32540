from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

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


def test_the_average_goes_on_as_before_after_a_restore() -> None:
    def trained(updates: int, state: dict[str, Tensor] | None = None) -> Task:
        torch.manual_seed(0)
        task = Task(nn.Linear(2, 2), ema_decay=0.999)
        if state is not None:
            task.load_state_dict(state)
        for _ in range(updates):
            with torch.no_grad():
                task.model.weight.add_(1)  # type: ignore[operator]
            task.after_update()
        return task

    whole, half = trained(6), trained(3)
    again = trained(3, half.state_dict())
    assert all(
        torch.equal(a, b)
        for a, b in zip(whole.state_dict().values(), again.state_dict().values(), strict=True)
    )
    half.load_state_dict(trained(0).state_dict())
    half.after_update()
    assert int(half.updates) == half._count == 1


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
