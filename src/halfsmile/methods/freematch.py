"""FreeMatch: thresholds that rise with the model's confidence, lower for classes that it finds hard.

Wang et al. 2023 (arXiv 2205.07246). With p the teacher's probabilities of the weak views, m the momentum and
C classes, each batch first moves

    τ_t ← m τ_t + (1 − m) mean(max p)        overall confidence, from 1/C
    p̃   ← m p̃   + (1 − m) mean(p)            expected prediction, from uniform
    h̃   ← m h̃   + (1 − m) hist(argmax p)     histogram of pseudo-labels, from uniform

and then accepts a face named c where max p ≥ τ_c = τ_t · p̃_c / max p̃. Over the accepted faces, with p̄ and h̄
the mean prediction and the histogram of the student on the strong views, a fairness term is added:

    L_u = mean( 1[max p ≥ τ_ŷ] · CE(f(strong), ŷ) ) + β · Σ_c Norm(p̃ / h̃)_c · log Norm(p̄ / h̄)_c

Norm divides by the sum; a class that is absent from a histogram has the ratio 0. Published: m = 0.999,
β = 0.01, λ = 1. A schedule of fewer than some thousand steps needs a shorter memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halfsmile.methods.semi import (
    PseudoLabels,
    SemiSettings,
    SemiTask,
    hard_labels,
    num_classes,
    over_processes,
)


@dataclass(frozen=True, kw_only=True)
class FreeMatch:
    """Hyper-parameters.

    Args:
        momentum: m of the statistics, in [0, 1); higher values remember longer.
        fairness: β of the fairness term, at least 0; higher values push harder against a lopsided student.
    """

    name: Literal["freematch"] = "freematch"
    momentum: float = 0.999
    fairness: float = 0.01

    def task(self, model: nn.Module, **settings: Unpack[SemiSettings]) -> FreeMatchTask:
        """The task that trains a classifier so."""
        return FreeMatchTask(model, self, **settings)


class FreeMatchTask(SemiTask):
    """Semi-supervised step with self-adaptive thresholds and fairness.

    Args:
        model: Classifier with a taxonomy.
        method: Hyper-parameters.
        settings: See :class:`SemiSettings`.
    """

    confidence: Tensor
    expected: Tensor
    histogram: Tensor

    def __init__(self, model: nn.Module, method: FreeMatch, **settings: Unpack[SemiSettings]) -> None:
        super().__init__(model, **settings)
        self.method = method
        count = num_classes(model)
        self.register_buffer("confidence", torch.tensor(1.0 / count))
        self.register_buffer("expected", torch.full((count,), 1.0 / count))
        self.register_buffer("histogram", torch.full((count,), 1.0 / count))

    @property
    def thresholds(self) -> Tensor:
        """(classes,) least confidence of an accepted label."""
        return self.confidence * self.expected / self.expected.max()

    def observe(self, logits: Tensor) -> None:
        """Move τ_t, p̃ and h̃."""
        probabilities = over_processes(logits.float().softmax(dim=1))
        share = 1.0 - self.method.momentum
        self.confidence.lerp_(probabilities.amax(dim=1).mean(), share)
        self.expected.lerp_(probabilities.mean(dim=0), share)
        self.histogram.lerp_(label_histogram(probabilities), share)

    def pseudo_label(self, logits: Tensor) -> PseudoLabels:
        """The most probable class, accepted from the threshold of that class on."""
        return hard_labels(logits.float().softmax(dim=1), self.thresholds)

    def unlabeled_loss(self, logits: Tensor, named: PseudoLabels) -> Tensor:
        """Cross-entropy of the accepted faces, and fairness among them."""
        loss = super().unlabeled_loss(logits, named)
        accepted = named.weights > 0
        if not accepted.any():
            return loss
        probabilities = logits[accepted].float().softmax(dim=1)
        expected = ratio(self.expected, self.histogram)
        student = ratio(probabilities.mean(dim=0), label_histogram(probabilities.detach()))
        return loss + self.method.fairness * (expected * (student + 1e-12).log()).sum()


def label_histogram(probabilities: Tensor) -> Tensor:
    """Share of the rows (M, classes) whose largest probability is each class, (classes,)."""
    return F.one_hot(probabilities.argmax(dim=1), probabilities.shape[1]).float().mean(dim=0)


def ratio(values: Tensor, histogram: Tensor) -> Tensor:
    """Norm(values / histogram), both (classes,): non-negative, sums to 1, 0 where the histogram is."""
    quotient = torch.where(histogram > 0, values / histogram.clamp(min=1e-12), 0.0)
    return quotient / quotient.sum()
