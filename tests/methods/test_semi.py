"""What all methods share: who names, who learns, what is logged, what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halfsmile.methods.pseudo_label import FixMatch, PseudoLabelTask
from halfsmile.methods.semi import PseudoLabeler, SemiSettings, hard_labels, num_classes, over_processes
from halfsmile.methods.task import Batch
from halfsmile.transforms.augment import STRONG, WEAK


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_the_teacher_names_and_gets_no_gradient(
    model: nn.Module, both: Batch, settings: SemiSettings
) -> None:
    assert both.unlabeled is not None
    semi = FixMatch(threshold=0.0).task(model, **settings)
    assert semi.teacher is not None
    with torch.no_grad():
        for parameter in semi.teacher.parameters():
            parameter.neg_()
    result = semi.step(both, generator())
    result.loss.backward()  # type: ignore[no-untyped-call]
    named = semi.teacher(both.unlabeled.float() / 255).argmax(dim=1)
    student = F.cross_entropy(model(both.unlabeled.float() / 255), named)
    torch.testing.assert_close(result.logs["unlabeled"], student.detach())
    assert all(parameter.grad is None for parameter in semi.teacher.parameters())
    assert all(parameter.grad is not None for parameter in semi.model.parameters())


def test_the_teacher_sees_weak_views_and_the_student_strong_ones_of_the_same_faces(
    model: nn.Module, both: Batch
) -> None:
    assert both.unlabeled is not None
    semi = FixMatch(threshold=0.0).task(model, weak=WEAK, strong=STRONG)
    assert semi.teacher is not None
    seen: dict[str, Tensor] = {}
    semi.model.register_forward_pre_hook(lambda _, given: seen.update(student=given[0]))
    semi.teacher.register_forward_pre_hook(lambda _, given: seen.update(teacher=given[0]))
    semi.step(both, generator())
    source = generator()
    weak = WEAK(torch.cat([both.images, both.unlabeled]), generator=source).images
    strong = STRONG(both.unlabeled, generator=source).images
    assert torch.equal(seen["teacher"], weak[4:])
    assert torch.equal(seen["student"], torch.cat([weak[:4], strong]))


def test_the_weight_is_a_factor_on_the_unlabeled_loss(
    model: nn.Module, both: Batch, settings: SemiSettings
) -> None:
    result = FixMatch(threshold=0.0).task(model, **settings).step(both, generator())
    torch.testing.assert_close(result.loss.detach(), result.logs["labeled"] + 3.0 * result.logs["unlabeled"])


def test_labels_are_smoothed_if_asked(model: nn.Module, both: Batch, settings: SemiSettings) -> None:
    assert both.targets is not None
    smoothed: SemiSettings = {**settings, "smoothing": 0.3}
    result = FixMatch(threshold=1.01).task(model, **smoothed).step(both, generator())
    expected = F.cross_entropy(model(both.images.float() / 255), both.targets, label_smoothing=0.3)
    torch.testing.assert_close(result.loss, expected)


def test_losses_of_half_precision_logits_are_whole(model: nn.Module, settings: SemiSettings) -> None:
    task = FixMatch().task(model, **settings)
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).bfloat16()
    targets = torch.eye(3)[[0, 1, 2, 0]]
    named = hard_labels(targets, 0.5)
    assert torch.equal(task.labeled_loss(logits, targets), task.labeled_loss(logits.float(), targets))
    assert torch.equal(task.unlabeled_loss(logits, named), task.unlabeled_loss(logits.float(), named))


def test_histograms_of_a_batch_by_hand(model: nn.Module, settings: SemiSettings) -> None:
    task = PseudoLabelTask(model, threshold=0.6, **settings)
    named = task.pseudo_label(
        torch.tensor([[0.9, 0.05, 0.05], [0.5, 0.4, 0.1], [0.0, 0.7, 0.3], [0.8, 0.2, 0]]).log()
    )
    logs = task.result(torch.tensor(1.0), torch.tensor(2.0), named).logs
    assert {name: round(float(value), 6) for name, value in logs.items()} == {
        "labeled": 1.0,
        "unlabeled": 2.0,
        "acceptance": 0.75,
        "named/calm": 0.75,
        "named/glad": 0.25,
        "named/sad": 0.0,
        "accepted/calm": 0.5,
        "accepted/glad": 0.25,
        "accepted/sad": 0.0,
    }


def test_a_semi_supervised_task_can_be_asked(model: nn.Module, settings: SemiSettings) -> None:
    task = FixMatch().task(model, **settings)
    assert isinstance(task, PseudoLabeler)
    assert task.labeling_network is task.teacher


def test_thresholds_may_differ_by_class() -> None:
    probabilities = torch.tensor([[0.6, 0.4, 0.0], [0.4, 0.6, 0.0], [0.1, 0.2, 0.7]])
    named = hard_labels(probabilities, torch.tensor([0.5, 0.7, 0.7]))
    assert named.weights.tolist() == [1.0, 0.0, 1.0]


def test_batches_without_labels_or_unlabeled_faces_are_refused(
    model: nn.Module, both: Batch, settings: SemiSettings
) -> None:
    task = FixMatch().task(model, **settings)
    with pytest.raises(ValueError, match="targets are there, unlabeled faces are missing"):
        task.step(replace(both, unlabeled=None), generator())
    with pytest.raises(ValueError, match="targets are missing, unlabeled faces are there"):
        task.step(replace(both, targets=None), generator())


def test_a_model_without_a_taxonomy_has_no_number_of_classes(model: nn.Module) -> None:
    assert num_classes(model) == 3
    with pytest.raises(ValueError, match="Flatten has no taxonomy"):
        num_classes(nn.Flatten())


def test_one_process_has_all_rows() -> None:
    rows = torch.rand(3, 2)
    assert over_processes(rows) is rows
