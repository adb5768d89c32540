"""DebiasPL: pseudo-labels without the classes that the model is biased to.

Wang et al. 2022, "Debiased Learning from Naturally Imbalanced Pseudo-Labels" (arXiv 2201.01490). A prior over
the classes, one number for each, follows what the teacher says of the weak views z_w:

    q̂ ← m q̂ + (1 − m) mean softmax(z_w)       from uniform

Labels come from the counterfactual without it, and the student has to win against it by a margin:

    p = softmax(z_w − t log q̂),  accepted where max p ≥ τ
    L_u = mean( 1[max p ≥ τ] · CE(z_s + t log q̂, argmax p) )

Labels are given by the prior before the batch, the margin by the one after it. With a uniform prior this is
FixMatch. Published: t = 0.4, τ = 0.8, m = 0.999 (0.99 with 0.2 % labels), λ = 10.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Unpack

import torch
from torch import Tensor, nn

from halfsmile.methods.semi import (
    PseudoLabels,
    SemiSettings,
    SemiTask,
    hard_labels,
    num_classes,
    over_processes,
)


@dataclass(frozen=True, kw_only=True)
class DebiasPL:
    """Hyper-parameters.

    Args:
        threshold: τ in [0, 1]; higher values accept fewer but purer pseudo-labels.
        strength: t, at least 0; higher values take more of the prior out of labels and demand a larger
            margin. 0 is FixMatch.
        momentum: m of the prior, in [0, 1); higher values remember longer.
    """

    name: Literal["debias"] = "debias"
    threshold: float = 0.8
    strength: float = 0.4
    momentum: float = 0.999

    def task(self, model: nn.Module, **settings: Unpack[SemiSettings]) -> DebiasTask:
        """The task that trains a classifier so."""
        return DebiasTask(model, self, **settings)


class DebiasTask(SemiTask):
    """Semi-supervised step with a debiased teacher and an adaptive margin.

    Args:
        model: Classifier with a taxonomy.
        method: Hyper-parameters.
        settings: See :class:`SemiSettings`.
    """

    prior: Tensor

    def __init__(self, model: nn.Module, method: DebiasPL, **settings: Unpack[SemiSettings]) -> None:
        super().__init__(model, **settings)
        self.method = method
        count = num_classes(model)
        self.register_buffer("prior", torch.full((count,), 1.0 / count))

    @property
    def bias(self) -> Tensor:
        """(classes,) t log q̂."""
        return self.method.strength * self.prior.log()

    def observe(self, logits: Tensor) -> None:
        """Move the prior."""
        probabilities = over_processes(logits.float().softmax(dim=1))
        self.prior.lerp_(probabilities.mean(dim=0), 1.0 - self.method.momentum)

    def pseudo_label(self, logits: Tensor) -> PseudoLabels:
        """The most probable class without the prior, accepted from the threshold on."""
        return hard_labels((logits.float() - self.bias).softmax(dim=1), self.method.threshold)

    def label_batch(self, logits: Tensor) -> PseudoLabels:
        """Judge by the prior as it was, then move it for the margin."""
        named = self.pseudo_label(logits)
        self.observe(logits)
        return named

    def unlabeled_loss(self, logits: Tensor, named: PseudoLabels) -> Tensor:
        """Cross-entropy of the accepted faces against the margin."""
        return super().unlabeled_loss(logits.float() + self.bias, named)
