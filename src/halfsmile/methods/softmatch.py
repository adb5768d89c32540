"""SoftMatch: every pseudo-label counts, the less sure ones by the tail of a Gaussian.

Chen et al. 2023 (arXiv 2301.10921). The teacher's probabilities p of the weak views are first aligned to a
uniform distribution, p' = Norm(p / (C p̃)), where p̃ ← m p̃ + (1 − m) mean(p). Of their confidence a truncated
Gaussian is tracked, and a face counts fully above its mean, else as the Gaussian says:

    μ  ← m μ  + (1 − m) mean(max p')         from 1/C
    σ² ← m σ² + (1 − m) var(max p')          from 1, unbiased
    w  = exp( −min(max p' − μ, 0)² / (2 σ² / n²) )

The label is the argmax of the unaligned p. Published: m = 0.999, n = 2, λ = 1. A schedule of fewer than some
thousand steps needs a shorter memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Unpack

import torch
from torch import Tensor, nn

from halfsmile.methods.semi import PseudoLabels, SemiSettings, SemiTask, num_classes, over_processes


@dataclass(frozen=True, kw_only=True)
class SoftMatch:
    """Hyper-parameters.

    Args:
        momentum: m of the statistics, in [0, 1); higher values remember longer.
        deviations: n, above 0; higher values narrow the Gaussian, so that unsure labels count less.
    """

    name: Literal["softmatch"] = "softmatch"
    momentum: float = 0.999
    deviations: float = 2.0

    def task(self, model: nn.Module, **settings: Unpack[SemiSettings]) -> SoftMatchTask:
        """The task that trains a classifier so."""
        return SoftMatchTask(model, self, **settings)


class SoftMatchTask(SemiTask):
    """Semi-supervised step with soft weights.

    Args:
        model: Classifier with a taxonomy.
        method: Hyper-parameters.
        settings: See :class:`SemiSettings`.
    """

    expected: Tensor
    mean: Tensor
    variance: Tensor

    def __init__(self, model: nn.Module, method: SoftMatch, **settings: Unpack[SemiSettings]) -> None:
        super().__init__(model, **settings)
        self.method = method
        count = num_classes(model)
        self.register_buffer("expected", torch.full((count,), 1.0 / count))
        self.register_buffer("mean", torch.tensor(1.0 / count))
        self.register_buffer("variance", torch.tensor(1.0))

    def aligned(self, probabilities: Tensor) -> Tensor:
        """Probabilities (M, classes) as if all classes were expected equally often."""
        quotient = probabilities / self.expected
        return quotient / quotient.sum(dim=1, keepdim=True)

    def observe(self, logits: Tensor) -> None:
        """Move p̃, then μ and σ² by the confidence that it aligns; one face alone has no variance."""
        probabilities = over_processes(logits.float().softmax(dim=1))
        share = 1.0 - self.method.momentum
        self.expected.lerp_(probabilities.mean(dim=0), share)
        confidence = self.aligned(probabilities).amax(dim=1)
        self.mean.lerp_(confidence.mean(), share)
        if len(confidence) > 1:
            self.variance.lerp_(confidence.var(), share)

    def pseudo_label(self, logits: Tensor) -> PseudoLabels:
        """The most probable class, weighted by how far its aligned confidence lies below the mean."""
        probabilities = logits.float().softmax(dim=1)
        below = (self.aligned(probabilities).amax(dim=1) - self.mean).clamp(max=0.0)
        width = 2.0 * self.variance / self.method.deviations**2
        weights = torch.exp(-below.square() / width.clamp(min=1e-12))
        return PseudoLabels(probabilities, probabilities.argmax(dim=1), weights)
