"""Soft targets without a threshold: all that the averaged teacher says is learned, as it says it.

The teacher's answer p is the mean of its probabilities over the weak view of a face and its mirror image. As
in ReMixMatch (arXiv 1911.09785, equation 2 and section 3.1) it is aligned, so that over time it names each
class as often as the labels do, and then sharpened:

    q ∝ p · (π / p̄)^a,    then q ∝ q^(1/T),    L_u = mean CE(f(strong), q)

with π the shares of the labels in the budget and p̄ the running mean of p. No face is refused: an unsure
answer says little, but what it says is not wrong. A teacher that was taught with votes, smoothing and mixed
faces is less sure than it is right, so T < 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halfsmile.methods.noisy_student import sharpen
from halfsmile.methods.semi import PseudoLabels, SemiSettings, SemiTask, num_classes, over_processes
from halfsmile.utils.ranges import require_positive, require_shares


@dataclass(frozen=True, kw_only=True)
class SoftTargets:
    """Hyper-parameters.

    Args:
        temperature: T of the sharpening, above 0; lower values make targets surer.
        alignment: a in [0, 1]; 0 leaves the classes as the teacher names them.
        momentum: Of the running mean p̄, in [0, 1): higher values remember more batches.
        mirror: The teacher sees the mirror image, too, at the cost of another look.
    """

    name: Literal["soft-targets"] = "soft-targets"
    temperature: float = 0.6
    alignment: float = 1.0
    momentum: float = 0.99
    mirror: bool = True

    def __post_init__(self) -> None:
        require_positive(temperature=self.temperature)
        require_shares(alignment=self.alignment, momentum=self.momentum)

    def task(self, model: nn.Module, **settings: Unpack[SemiSettings]) -> SoftTargetsTask:
        """The task that trains a classifier so."""
        return SoftTargetsTask(model, self, **settings)


class SoftTargetsTask(SemiTask):
    """Semi-supervised step with soft targets.

    Args:
        model: Student, a classifier that knows its taxonomy; its average is the teacher.
        method: Hyper-parameters.
        settings: See :class:`SemiSettings`.
    """

    shares: Tensor
    predicted: Tensor

    def __init__(self, model: nn.Module, method: SoftTargets, **settings: Unpack[SemiSettings]) -> None:
        super().__init__(model, **settings)
        self.method = method
        count = num_classes(model)
        self.register_buffer("shares", torch.full((count,), 1 / count), persistent=False)
        self.register_buffer("predicted", self.shares.clone())

    def learn_shares(self, shares: Tensor) -> None:
        """What is aligned to, (classes,); the running mean begins there, so nothing is moved yet."""
        self.shares.copy_(shares)
        self.predicted.copy_(shares)

    def teacher_logits(self, images: Tensor) -> Tensor:
        """Logarithms (M, classes) of the teacher's mean probabilities of faces and their mirror images."""
        if not self.method.mirror:
            return super().teacher_logits(images)
        logits = self.labeling_network(torch.cat([images, images.flip(-1)])).float()
        said: Tensor = logits.softmax(dim=1).view(2, len(images), -1).mean(dim=0)
        return said.clamp(min=1e-12).log()

    def observe(self, logits: Tensor) -> None:
        """Move the running mean of the teacher's probabilities."""
        mean = over_processes(logits.softmax(dim=1)).mean(dim=0)
        self.predicted.lerp_(mean, 1 - self.method.momentum)

    def pseudo_label(self, logits: Tensor) -> PseudoLabels:
        """Aligned and sharpened probabilities, all of full weight; the labels serve the log only."""
        ratio = (self.shares / self.predicted.clamp(min=1e-6)) ** self.method.alignment
        aligned = logits.float().softmax(dim=1) * ratio
        found = sharpen(aligned / aligned.sum(dim=1, keepdim=True), self.method.temperature)
        return PseudoLabels(found, found.argmax(dim=1), torch.ones_like(found[:, 0]))

    def taught(self, named: PseudoLabels) -> Tensor:
        """All of the probabilities."""
        return named.probabilities

    def unlabeled_loss(self, logits: Tensor, named: PseudoLabels) -> Tensor:
        """Mean cross-entropy with the soft targets."""
        return F.cross_entropy(logits.float(), named.probabilities)
