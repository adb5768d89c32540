"""Pseudo-labels above a fixed threshold, from an averaged teacher.

SSFER's Stage III (arXiv 2410.17622), after FixMatch (arXiv 2001.07685) and Mean Teacher (arXiv 1703.01780):
the teacher, an exponential moving average of the student, names the weakly augmented face; where it is sure,
the student must give the same name to the strongly augmented one:

    L = CE(f(x_l), y_l) + λ · mean( 1[max p_T(weak) ≥ τ] · CE(f(strong), argmax p_T(weak)) )

The mean runs over all unlabeled faces of the batch, accepted or not. SSFER: λ = 5, τ = 0.7, decay 0.999.
FixMatch itself has τ = 0.95 and lets the student name the faces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Unpack

from torch import Tensor, nn

from halfsmile.methods.semi import PseudoLabels, SemiSettings, SemiTask, hard_labels


@dataclass(frozen=True, kw_only=True)
class FixMatch:
    """Hyper-parameters.

    Args:
        threshold: τ in [0, 1]; higher values accept fewer but purer pseudo-labels.
    """

    name: Literal["fixmatch"] = "fixmatch"
    threshold: float = 0.7

    def task(self, model: nn.Module, **settings: Unpack[SemiSettings]) -> PseudoLabelTask:
        """The task that trains a classifier so."""
        return PseudoLabelTask(model, threshold=self.threshold, **settings)


class PseudoLabelTask(SemiTask):
    """Semi-supervised step with a fixed threshold.

    Args:
        model: Student; its average is the teacher.
        threshold: τ in [0, 1].
        settings: See :class:`SemiSettings`.
    """

    def __init__(self, model: nn.Module, *, threshold: float = 0.7, **settings: Unpack[SemiSettings]) -> None:
        super().__init__(model, **settings)
        self.threshold = threshold

    def pseudo_label(self, logits: Tensor) -> PseudoLabels:
        """The most probable class, accepted from the threshold on."""
        return hard_labels(logits.float().softmax(dim=1), self.threshold)
