from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halfsmile.data.augment import NONE
from halfsmile.methods.pseudo_label import PseudoLabelTask, pseudo_labels
from halfsmile.methods.task import Batch


class Linear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(8 * 8, 3)
        nn.init.normal_(self.layer.weight, std=0.3)

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images.flatten(1))  # type: ignore[no-any-return]


def batch() -> Batch:
    source = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (4, 1, 8, 8), generator=source).to(torch.uint8)
    unlabeled = torch.randint(0, 256, (10, 1, 8, 8), generator=source).to(torch.uint8)
    return Batch(images=images, targets=torch.eye(3)[[0, 1, 2, 0]], unlabeled=unlabeled)


def task(threshold: float, weight: float = 5.0) -> PseudoLabelTask:
    return PseudoLabelTask(
        Linear(), weak=NONE, strong=NONE, threshold=threshold, weight=weight, ema_decay=0.9
    )


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_acceptance_is_confidence_at_or_above_the_threshold() -> None:
    logits = torch.log(torch.tensor([[0.7, 0.2, 0.1], [0.4, 0.35, 0.25], [0.05, 0.05, 0.9]]))
    named = pseudo_labels(logits, 0.7 - 1e-6)
    assert named.labels.tolist() == [0, 0, 2]
    assert named.accepted.tolist() == [True, False, True]


def test_nothing_accepted_leaves_the_labeled_loss() -> None:
    data, model = batch(), Linear()
    assert data.targets is not None
    result = task(1.01).step(data, generator())
    expected = F.cross_entropy(model(data.images.float() / 255), data.targets)
    torch.testing.assert_close(result.loss, expected)
    assert float(result.logs["acceptance"]) == 0.0


@pytest.mark.parametrize("threshold", [0.0, 0.5, 0.7])
def test_loss_equals_the_formula(threshold: float) -> None:
    data, model = batch(), Linear()
    assert data.targets is not None
    assert data.unlabeled is not None
    result = task(threshold, weight=3.0).step(data, generator())

    expected = float(F.cross_entropy(model(data.images.float() / 255), data.targets))
    total, accepted = 0.0, 0
    for face in data.unlabeled.float() / 255:
        logits = model(face[None])
        confidence, label = logits.softmax(dim=1).max(dim=1)
        if float(confidence) >= threshold:
            total += float(F.cross_entropy(logits, label))
            accepted += 1
    assert float(result.loss) == pytest.approx(expected + 3.0 * total / 10, rel=1e-5)
    assert float(result.logs["acceptance"]) == pytest.approx(accepted / 10)


def test_the_teacher_names_and_gets_no_gradient() -> None:
    semi = task(0.0)
    assert semi.teacher is not None
    with torch.no_grad():
        for parameter in semi.teacher.parameters():
            parameter.neg_()
    result = semi.step(batch(), generator())
    result.loss.backward()  # type: ignore[no-untyped-call]
    data = batch()
    assert data.unlabeled is not None
    named = semi.teacher(data.unlabeled.float() / 255).argmax(dim=1)
    student = F.cross_entropy(semi.model(data.unlabeled.float() / 255), named)
    torch.testing.assert_close(result.logs["unlabeled"], student.detach())
    assert all(parameter.grad is None for parameter in semi.teacher.parameters())
    assert all(parameter.grad is not None for parameter in semi.model.parameters())


def test_batches_without_labels_or_unlabeled_faces_are_refused() -> None:
    with pytest.raises(ValueError, match="unlabeled faces"):
        task(0.5).step(Batch(images=batch().images, targets=batch().targets), generator())
