"""Stage III: pseudo-labels on the unlabeled many, from an averaged teacher.

SSFER (arXiv 2410.17622), after FixMatch (arXiv 2001.07685) and Mean Teacher (arXiv 1703.01780): the teacher,
an exponential moving average of the student, names the weakly augmented face; where it is sure, the student
must give the same name to the strongly augmented one:

    L = CE(f(x_l), y_l) + λ · mean( 1[max p_T(weak) ≥ τ] · CE(f(strong), argmax p_T(weak)) )

The mean runs over all unlabeled faces of the batch, accepted or not. Published: λ = 5, τ = 0.7, decay 0.999.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halfsmile.data.augment import Augment
from halfsmile.methods.facemix import smooth_targets
from halfsmile.methods.task import Batch, StepResult, Task


@dataclass(frozen=True)
class PseudoLabels:
    """What the teacher says of unlabeled faces.

    Args:
        labels: (M,) class indices.
        confidence: (M,) its largest probability.
        accepted: (M,) bool, confidence at or above the threshold.
    """

    labels: Tensor
    confidence: Tensor
    accepted: Tensor


def pseudo_labels(logits: Tensor, threshold: float) -> PseudoLabels:
    """Hard labels and their acceptance from teacher logits (M, classes)."""
    confidence, labels = logits.float().softmax(dim=1).max(dim=1)
    return PseudoLabels(labels, confidence, confidence >= threshold)


class PseudoLabelTask(Task):
    """Semi-supervised step.

    Args:
        model: Student; its average is the teacher.
        weak: View of labeled faces and of what the teacher sees.
        strong: View of what the student must name.
        threshold: τ; higher values accept fewer but purer pseudo-labels.
        weight: λ of the unlabeled loss.
        smoothing: Label smoothing of the labeled loss (0 in the paper).
        ema_decay: Decay of the teacher.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        weak: Augment,
        strong: Augment,
        threshold: float = 0.7,
        weight: float = 5.0,
        smoothing: float = 0.0,
        ema_decay: float = 0.999,
    ) -> None:
        super().__init__(model, ema_decay=ema_decay)
        self.weak = weak
        self.strong = strong
        self.threshold = threshold
        self.weight = weight
        self.smoothing = smoothing

    def step(self, batch: Batch, generator: torch.Generator) -> StepResult:
        """Loss of ``batch.images`` with ``batch.targets`` and of ``batch.unlabeled``."""
        if batch.targets is None or batch.unlabeled is None:
            raise ValueError(
                "Pseudo-labeling needs labeled faces with targets and unlabeled faces in each batch."
            )
        weak = self.weak(torch.cat([batch.images, batch.unlabeled]), generator=generator).images
        labeled, weak_unlabeled = weak[: len(batch.images)], weak[len(batch.images) :]
        strong = self.strong(batch.unlabeled, generator=generator).images
        with torch.no_grad():
            named = pseudo_labels(self.averaged(weak_unlabeled), self.threshold)
        logits = self.model(torch.cat([labeled, strong]))
        labeled_loss = F.cross_entropy(logits[: len(labeled)], smooth_targets(batch.targets, self.smoothing))
        each = F.cross_entropy(logits[len(labeled) :], named.labels, reduction="none")
        unlabeled_loss = (each * named.accepted).mean()
        logs = {
            "labeled": labeled_loss.detach(),
            "unlabeled": unlabeled_loss.detach(),
            "acceptance": named.accepted.float().mean(),
        }
        return StepResult(labeled_loss + self.weight * unlabeled_loss, logs)
