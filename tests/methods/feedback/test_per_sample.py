from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from halfsmile.methods.feedback.per_sample import head_gradient, sample_feedback, with_features


class Small(nn.Module):
    """Two layers, the last one named as a classifier names it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.hidden = nn.Linear(5, 4)
        self.head = nn.Linear(4, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.hidden(images).tanh())  # type: ignore[no-any-return]


IMAGES = torch.randn(6, 5, generator=torch.Generator().manual_seed(1))
TARGETS = torch.eye(3)[[0, 1, 2, 2, 1, 0]]


def autograd(model: Small, rows: slice) -> torch.Tensor:
    """Gradient of the mean loss of some rows by the last layer, (3, 5)."""
    loss = F.cross_entropy(model(IMAGES[rows]), TARGETS[rows])
    weight, bias = torch.autograd.grad(loss, [model.head.weight, model.head.bias])
    return torch.cat([weight, bias.unsqueeze(1)], dim=1)


def test_gradients_and_dot_products_equal_autograds() -> None:
    model = Small()
    found = head_gradient(*with_features(model, IMAGES), TARGETS)
    torch.testing.assert_close(found.mean(), autograd(model, slice(None)))
    other = torch.randn(3, 5)
    expected = [(autograd(model, slice(i, i + 1)) * other).sum() for i in range(6)]
    torch.testing.assert_close(found.dot(other), torch.stack(expected))


def test_sums_are_exact_under_autocast() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, features = torch.randn(6, 3, generator=generator), torch.randn(6, 8, generator=generator)
    gradient = head_gradient(logits, features, F.one_hot(torch.arange(6) % 3, 3))
    whole = gradient.mean(), gradient.dot(gradient.mean())
    with torch.autocast("cpu", torch.bfloat16):
        half = gradient.mean(), gradient.dot(gradient.mean())
    assert all(torch.equal(one, other) for one, other in zip(whole, half, strict=True))


def test_a_rejected_face_has_no_gradient() -> None:
    model = Small()
    accepted = torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0, 1.0])
    found = head_gradient(*with_features(model, IMAGES), TARGETS, accepted)
    dots = found.dot(torch.ones(3, 5) + autograd(model, slice(None)))
    assert (dots[[1, 4]] == 0).all()
    assert (dots[[0, 2, 3, 5]] != 0).all()


def test_features_are_those_of_the_head_and_nothing_stays_behind() -> None:
    model = Small()
    logits, features = with_features(model, IMAGES)
    torch.testing.assert_close(features, model.hidden(IMAGES).tanh())
    torch.testing.assert_close(logits, model(IMAGES))
    assert not model.head._forward_pre_hooks


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_faces_that_agree_get_the_feedback_of_the_batch(sign: float) -> None:
    alignment = sign * torch.full((5,), 0.3)
    found = sample_feedback(torch.tensor(0.02 * sign), alignment, alignment.abs().mean())
    torch.testing.assert_close(found, torch.full((5,), 0.02 * sign))


def test_each_face_has_its_own_sign_and_the_mean_size_is_the_batchs() -> None:
    alignment = torch.tensor([2.0, -1.0, 0.0, 1.0])
    found = sample_feedback(torch.tensor(-0.1), alignment, alignment.abs().mean())
    torch.testing.assert_close(found, torch.tensor([0.2, -0.1, 0.0, 0.1]))
    assert sample_feedback(torch.tensor(0.1), torch.zeros(3), torch.tensor(0.0)).tolist() == [0.0] * 3
