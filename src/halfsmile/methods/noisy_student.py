"""Noisy Student: each unlabeled face is named once, by a network that has finished; all names are kept, soft.

Xie et al. 2020, "Self-training with Noisy Student improves ImageNet classification" (arXiv 1911.04252). The
teacher, the network of the stage before (or several, of other runs), names every unlabeled face without
noise, before the stage begins: the mean of its probabilities over the face, its mirror image, and closer
looks at both. From these p a target q for each face is made, with the shares π of the labels in the budget:

    q ∝ p^(1/T)                                    sharpening (MixMatch, arXiv 1905.02249, equation 7)
    q ∝ q · π / mean q, until mean q = π           distribution alignment (ReMixMatch, arXiv 1911.09785,
                                                   equation 2), repeated as in Sinkhorn's algorithm

A teacher that was taught with votes, smoothing and mixed faces is less sure than it is right, so T < 1. The
student then learns labeled and pseudo-labeled faces together, all in strong views and mixed with each other
(mixup, arXiv 1710.09412), where a pseudo-labeled face counts λ times a labeled one:

    L = − Σᵢ Σ_c t̃ᵢ_c log f(x̃ᵢ)_c / Σᵢ Σ_c t̃ᵢ_c,    t = y of labeled faces, λ q of the others

No face is refused by a threshold: an unsure name says little, but what it says is not wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halfsmile.methods.facemix import beta_sample, smooth_targets
from halfsmile.methods.semi import PseudoLabels, SemiSettings, SemiTask, both_kinds
from halfsmile.methods.task import Batch, StepResult
from halfsmile.utils.ranges import require_positive, require_shares

_ROUNDS = 50


@dataclass(frozen=True, kw_only=True)
class Naming:
    """How a network that has finished names unlabeled faces, and what is made of its names.

    Args:
        temperature: T of the sharpening, above 0; lower values make names surer.
        alignment: How far the names' mean is brought to the labels' shares, from 0 (left as it is) to 1.
        zoom: The teacher also looks at faces so many times closer; 1 for no closer look.
        teachers: Run folders whose last classifiers name the faces, on the mean, instead of the network of
            the stage before. Their labels must lie in this run's budget.
    """

    temperature: float = 0.6
    alignment: float = 1.0
    zoom: float = 1.15
    teachers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_positive(temperature=self.temperature)
        require_shares(alignment=self.alignment)
        if not 1 <= self.zoom <= 2:
            raise ValueError(f"zoom must lie in [1, 2], found {self.zoom}.")

    def targets(self, probabilities: Tensor, shares: Tensor) -> Tensor:
        """What the student is taught of unlabeled faces.

        Args:
            probabilities: (N, classes) of the teacher, each row summing to 1.
            shares: (classes,) of the labels, summing to 1.

        Returns:
            (N, classes), each row summing to 1.

        Example:
            >>> naming = Naming(temperature=0.5, alignment=0.0)
            >>> naming.targets(torch.tensor([[0.8, 0.2]]), torch.tensor([0.5, 0.5]))
            tensor([[0.9412, 0.0588]])
        """
        return align(sharpen(probabilities, self.temperature), shares, self.alignment)


@dataclass(frozen=True, kw_only=True)
class NoisyStudent(Naming):
    """Hyper-parameters, and those of :class:`Naming`.

    Args:
        alpha: λ of the mixing is drawn from Beta(alpha, alpha) for each step; 0 does not mix.
        start: Weights that the student starts from: those that Stage II started from (``fresh``, as
            published), or those that Stage II ended with (``finetuned``).
    """

    own_step: ClassVar[bool] = True
    name: Literal["noisy-student"] = "noisy-student"
    alpha: float = 0.4
    start: Literal["fresh", "finetuned"] = "fresh"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.alpha < 0:
            raise ValueError(f"alpha must be at least 0, found {self.alpha}.")

    def task(self, model: nn.Module, **settings: Unpack[SemiSettings]) -> NoisyStudentTask:
        """The task that trains a classifier so."""
        return NoisyStudentTask(model, self, **settings)


def sharpen(probabilities: Tensor, temperature: float) -> Tensor:
    """Rows (N, classes) to the power 1 / T, scaled to sum to 1 again; T below 1 makes them surer."""
    return (probabilities.clamp(min=1e-12).log() / temperature).softmax(dim=1)


def align(probabilities: Tensor, shares: Tensor, amount: float = 1.0) -> Tensor:
    """Rows (N, classes) whose mean is brought to the shares (classes,).

    Args:
        probabilities: Each row sums to 1, before and after.
        shares: Sum to 1.
        amount: From 0 (no change) to 1 (the mean equals the shares); between, each correction is to that
            power.
    """
    if not amount:
        return probabilities
    target = (
        probabilities.mean(dim=0).clamp(min=1e-12).log() * (1 - amount)
        + shares.clamp(min=1e-12).log() * amount
    )
    wanted = target.softmax(dim=0)
    for _ in range(_ROUNDS):
        probabilities = probabilities * (wanted / probabilities.mean(dim=0).clamp(min=1e-12))
        probabilities = probabilities / probabilities.sum(dim=1, keepdim=True)
    return probabilities


class NoisyStudentTask(SemiTask):
    """Step on labeled faces and on unlabeled ones that were named before.

    Args:
        model: Classifier; its average is kept, and teaches nobody.
        method: Hyper-parameters.
        settings: See :class:`SemiSettings`; all faces are seen in the strong view, and λ is what a
            pseudo-labeled face counts against a labeled one.
    """

    def __init__(self, model: nn.Module, method: NoisyStudent, **settings: Unpack[SemiSettings]) -> None:
        super().__init__(model, **settings)
        self.method = method

    def pseudo_label(self, logits: Tensor) -> PseudoLabels:
        """Sharpened names of full weight, as a stage that followed would learn them but for the alignment."""
        return _soft(sharpen(logits.float().softmax(dim=1), self.method.temperature))

    def step(self, batch: Batch, generator: torch.Generator) -> StepResult:
        """Loss of ``batch.images`` with ``batch.targets`` and of ``batch.unlabeled`` with their names.

        Raises:
            ValueError: If the batch lacks targets, unlabeled faces or the targets of those.
        """
        targets, unlabeled = both_kinds(batch)
        if batch.unlabeled_targets is None:
            raise ValueError("Noisy Student needs unlabeled faces with targets in each batch.")
        images = self.strong(torch.cat([batch.images, unlabeled]), generator=generator).images
        wanted = torch.cat([smooth_targets(targets, self.smoothing), self.weight * batch.unlabeled_targets])
        if self.method.alpha:
            amount = beta_sample(self.method.alpha, generator).to(images.device)
            order = torch.randperm(len(images), generator=generator, device=generator.device)
            order = order.to(images.device)
            images = amount * images + (1 - amount) * images[order]
            wanted = amount * wanted + (1 - amount) * wanted[order]
        each = F.cross_entropy(self.model(images).float(), wanted, reduction="none")
        return StepResult(each.sum() / wanted.sum(), self.name_logs(_soft(batch.unlabeled_targets)))


def _soft(probabilities: Tensor) -> PseudoLabels:
    """Names that are all learned; the labels serve the log only."""
    return PseudoLabels(probabilities, probabilities.argmax(dim=1), torch.ones_like(probabilities[:, 0]))
