"""Mean Teacher: the student agrees with its own average; nothing is named or refused.

Tarvainen and Valpola 2017 (arXiv 1703.01780). The squared distance between the student's probabilities of the
strong view and the teacher's of the weak view, over all unlabeled faces:

    L_u = r(k) · mean ‖ softmax(f(strong)) − softmax(f_T(weak)) ‖²,   r(k) = exp(−5 (1 − min(1, k / K))²)

r rises from nearly 0 to 1 over the first K updates, as published for training from scratch; after Stage II
the teacher is good from the start and K = 0 leaves r = 1. The paper has the same random crops and noise for
both views; here, as for the whole family, the student's view is the strong one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Unpack

import torch
from torch import Tensor, nn

from halfsmile.methods.semi import PseudoLabels, SemiSettings, SemiTask


@dataclass(frozen=True, kw_only=True)
class MeanTeacher:
    """Hyper-parameters.

    Args:
        ramp: K, updates until the unlabeled loss has its full weight.
    """

    name: Literal["mean-teacher"] = "mean-teacher"
    ramp: int = 0

    def task(self, model: nn.Module, **settings: Unpack[SemiSettings]) -> MeanTeacherTask:
        """The task that trains a classifier so."""
        return MeanTeacherTask(model, self, **settings)


class MeanTeacherTask(SemiTask):
    """Semi-supervised step by consistency.

    Args:
        model: Student; its average is the teacher.
        method: Hyper-parameters.
        settings: See :class:`SemiSettings`.
    """

    def __init__(self, model: nn.Module, method: MeanTeacher, **settings: Unpack[SemiSettings]) -> None:
        super().__init__(model, **settings)
        self.method = method

    def pseudo_label(self, logits: Tensor) -> PseudoLabels:
        """The teacher's probabilities, all of full weight; the labels serve the log only."""
        probabilities = logits.float().softmax(dim=1)
        labels = probabilities.argmax(dim=1)
        return PseudoLabels(probabilities, labels, torch.ones_like(probabilities[:, 0]))

    def taught(self, named: PseudoLabels) -> Tensor:
        """All of the probabilities."""
        return named.probabilities

    def unlabeled_loss(self, logits: Tensor, named: PseudoLabels) -> Tensor:
        """Squared distance of the probabilities, ramped up."""
        distance = (logits.float().softmax(dim=1) - named.probabilities).square().sum(dim=1).mean()
        if not self.method.ramp:
            return distance
        progress = (self.updates / self.method.ramp).clamp(max=1.0)
        return distance * torch.exp(-5.0 * (1.0 - progress).square())
