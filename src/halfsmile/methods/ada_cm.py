"""Ada-CM: a threshold for each class, learned from labeled faces; the unsure faces learn without labels.

Li et al. 2022, "Towards Semi-Supervised Deep Facial Expression Recognition with an Adaptive Confidence
Margin" (arXiv 2203.12341). The teacher's probabilities of two weak views are averaged to p, ŷ = argmax p.
Faces with p_ŷ ≥ T_ŷ are taught by cross-entropy on the strong view; of the others the student's features of
the two weak views are drawn together by SimCLR's loss (arXiv 2002.05709):

    L_u = mean( 1[p_ŷ ≥ T_ŷ] · CE(f(strong), ŷ) ) + γ · NTXent(features of the others, temperature 0.07)
    T_c = max( T_min, a · mean{ max p : labeled face of class c, named right } / (1 + e^{−k}) )

T_c starts at T_min and is set anew after each period k = 1, 2, …. The paper evaluates all labeled faces with
the averaged model after each epoch of 800 steps; here the means run over the weak views of the labeled
batches of the period, as the averaged model sees them when they come by, so no extra pass is needed. A class
of which nothing was named right keeps T_min. Published: T_min = 0.8, a = 0.97, and 0.5 L_l + L_u with
γ = 0.1, which is λ = 2 in the family's form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halfsmile.methods.semi import (
    PseudoLabels,
    SemiSettings,
    SemiTask,
    both_kinds,
    hard_labels,
    num_classes,
    over_processes,
)
from halfsmile.methods.task import Batch, StepResult
from halfsmile.models.classifier import Classifier


@dataclass(frozen=True, kw_only=True)
class AdaCM:
    """Hyper-parameters.

    Args:
        least: T_min in [0, 1]; higher values accept fewer but purer pseudo-labels.
        scale: a in [0, 1]; higher values ask more of the classes that are named surely.
        period: Steps between two settings of the thresholds; parts of steps where a step is computed in
            parts (``accumulate``).
        contrast: γ, at least 0; higher values let the unsure faces count more.
        temperature: Of the contrastive loss, above 0; lower values look more at the hardest pairs.
    """

    own_step: ClassVar[bool] = True
    name: Literal["ada-cm"] = "ada-cm"
    least: float = 0.8
    scale: float = 0.97
    period: int = 800
    contrast: float = 0.1
    temperature: float = 0.07

    def task(self, model: nn.Module, **settings: Unpack[SemiSettings]) -> AdaCMTask:
        """The task that trains a classifier so.

        Raises:
            ValueError: If the model is not a :class:`Classifier`, whose features are needed.
        """
        if not isinstance(model, Classifier):
            raise ValueError(f"Ada-CM compares features, and {type(model).__name__} shows none.")
        return AdaCMTask(model, self, **settings)


class AdaCMTask(SemiTask):
    """Semi-supervised step with adaptive confidence margins and a contrastive loss.

    Args:
        model: Student; its average is the teacher.
        method: Hyper-parameters.
        settings: See :class:`SemiSettings`.
    """

    model: Classifier
    thresholds: Tensor
    confidence_sum: Tensor
    right_count: Tensor
    observed: Tensor

    def __init__(self, model: Classifier, method: AdaCM, **settings: Unpack[SemiSettings]) -> None:
        super().__init__(model, **settings)
        self.method = method
        count = num_classes(model)
        self.register_buffer("thresholds", torch.full((count,), method.least))
        self.register_buffer("confidence_sum", torch.zeros(count))
        self.register_buffer("right_count", torch.zeros(count))
        self.register_buffer("observed", torch.zeros((), dtype=torch.int64))

    def observe_labeled(self, logits: Tensor, targets: Tensor) -> None:
        """Gather the confidence of labeled faces that are named right; at a period's end set thresholds.

        Args:
            logits: (B, classes) of the teacher.
            targets: (B, classes).
        """
        confidence, labels = over_processes(logits.float().softmax(dim=1)).max(dim=1)
        right = labels == over_processes(targets).argmax(dim=1)
        self.confidence_sum.index_add_(0, labels, confidence * right)
        self.right_count.index_add_(0, labels, right.float())
        self.observed += 1
        if int(self.observed) % self.method.period:
            return
        means = self.confidence_sum / self.right_count.clamp(min=1.0)
        warmth = torch.sigmoid(self.observed / self.method.period)
        self.thresholds.copy_((self.method.scale * means * warmth).clamp(min=self.method.least))
        self.confidence_sum.zero_()
        self.right_count.zero_()

    def pseudo_label(self, logits: Tensor) -> PseudoLabels:
        """The most probable class, accepted from the threshold of that class on."""
        return hard_labels(logits.float().softmax(dim=1), self.thresholds)

    def step(self, batch: Batch, generator: torch.Generator) -> StepResult:
        """Loss of ``batch.images`` with ``batch.targets`` and of three views of ``batch.unlabeled``."""
        targets, unlabeled = both_kinds(batch)
        weak = self.weak(torch.cat([batch.images, unlabeled, unlabeled]), generator=generator).images
        labeled, (first, second) = weak[: len(targets)], weak[len(targets) :].chunk(2)
        strong = self.strong(unlabeled, generator=generator).images
        with torch.no_grad():
            logits = self.labeling_network(weak).float()
            self.observe_labeled(logits[: len(targets)], targets)
            views = logits[len(targets) :].softmax(dim=1).chunk(2)
            named = self.pseudo_label(torch.stack(views).mean(dim=0).log())
        unsure = named.weights == 0
        features = self.model.features(torch.cat([labeled, strong, first[unsure], second[unsure]]))
        sure = len(labeled) + len(strong)
        logits = self.model.classify(features[:sure])
        labeled_loss = self.labeled_loss(logits[: len(labeled)], targets)
        unlabeled_loss = self.unlabeled_loss(logits[len(labeled) :], named)
        if int(unsure.sum()) > 1:
            pair = features[sure:].float().chunk(2)
            unlabeled_loss = unlabeled_loss + self.method.contrast * contrastive_loss(
                *pair, temperature=self.method.temperature
            )
        return self.result(labeled_loss, unlabeled_loss, named)


def contrastive_loss(first: Tensor, second: Tensor, *, temperature: float) -> Tensor:
    """SimCLR's NT-Xent, a scalar: each view finds its partner among all other views, by cosine similarity.

    Args:
        first: (M, width) features of one view, M ≥ 2.
        second: (M, width) of the other view of the same faces.
        temperature: Divides the similarities; above 0.
    """
    with torch.autocast(first.device.type, enabled=False):  # similarities are divided by a small number
        features = F.normalize(torch.cat([first, second]).float(), dim=1)
        similarity = (features @ features.T / temperature).fill_diagonal_(-torch.inf)
        partner = torch.arange(len(features), device=features.device).roll(len(first))
        return F.cross_entropy(similarity, partner)
