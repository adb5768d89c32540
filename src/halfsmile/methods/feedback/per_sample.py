"""Feedback per sample: which of the pseudo-labels helped the student, to first order, by its last layer.

Debiased feedback gives one number for a whole batch. For one gradient step of rate η on the mean pseudo-label
loss that number is h ≈ η · mean g_x · gᵢ, with g_x the gradient of the labeled loss and gᵢ that of face i's
pseudo-label loss, so each face has a share of its own. Neither the option nor its form is from the sources.
Gradients of the last layer alone are taken, because they need no further pass through the network: for logits
W f + b the gradient of a cross-entropy is (p − y) [f, 1]ᵀ.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class HeadGradient:
    """Factors of the gradient of a cross-entropy by the weights and biases of the last, linear layer.

    Args:
        errors: (B, classes) gradient of each face's loss by its logits.
        features: (B, D + 1) what the layer was given, and 1 for the bias.
    """

    errors: Tensor
    features: Tensor

    def mean(self) -> Tensor:
        """Gradient of the mean loss, (classes, D + 1)."""
        with torch.autocast(self.errors.device.type, enabled=False):
            return self.errors.T @ self.features / len(self.errors)

    def dot(self, other: Tensor) -> Tensor:
        """Each face's gradient times another gradient (classes, D + 1), summed: (B,)."""
        with torch.autocast(self.errors.device.type, enabled=False):
            return ((self.errors @ other) * self.features).sum(dim=1)


def head_gradient(
    logits: Tensor, features: Tensor, targets: Tensor, factors: Tensor | None = None
) -> HeadGradient:
    """Gradient factors of each face's CE(logits, targets).

    Args:
        logits: (B, classes).
        features: (B, D) input of the layer that gave the logits.
        targets: (B, classes), each row a distribution.
        factors: (B,) of the losses; None for 1.
    """
    errors = logits.detach().float().softmax(dim=1) - targets
    if factors is not None:
        errors = errors * factors.unsqueeze(1)
    return HeadGradient(errors, F.pad(features.detach().float(), (0, 1), value=1.0))


def sample_feedback(feedback: Tensor, alignment: Tensor, mean_alignment: Tensor) -> Tensor:
    """Feedback per face: hᵢ = |h| · aᵢ / mean |a|, aᵢ = g_x · gᵢ by the student's last layer only.

    The mean size is that of h, the sign is each face's own.

    Args:
        feedback: Scalar h.
        alignment: (M,) aᵢ.
        mean_alignment: Scalar mean |a| over the whole batch.
    """
    return feedback.abs() * alignment / mean_alignment.clamp(min=torch.finfo(alignment.dtype).tiny)


def with_features(model: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (B, classes) of images, and what the layer ``model.head`` was given for them, (B, D)."""
    kept: list[Tensor] = []
    head: nn.Module = model.get_submodule("head")
    handle = head.register_forward_pre_hook(lambda _, given: kept.append(given[0]))
    try:
        return model(images), kept[0]
    finally:
        handle.remove()
