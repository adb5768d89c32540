"""Debiased feedback: a teacher that learns from how well its pseudo-labels served the student.

The method of the ABAW6 entry arXiv 2403.11942 is **inferred**: its abstract names class-balanced labeled
batches and a "debiased feedback learning strategy"; ingredients and wording are those of Face2Exp's circuit
feedback (Zeng et al., CVPR 2022), which is Meta Pseudo Labels (arXiv 2003.10580) with class-balanced labeled
faces, and whose public code has the step below. Teacher T and student S have separate weights, both trained.
Labeled faces x (balanced) with labels y; unlabeled faces in a weak view w and a strong view s:

    q = softmax(T(w) / τ),  ŷ = argmax q                      pseudo-labels; no gradient
    student   L_S = mean CE(S(s), ŷ)                          one optimizer step, S becomes S′
    feedback  h = CE(S(x), y) − CE(S′(x), y)                  no gradient; above 0: the pseudo-labels helped
    teacher   L_T = CE(T(x), y) + λ · mean −Σ q log T(s) + mean h · CE(T(s), argmax T(s))

By first-order Taylor expansion h ≈ η g_x · g_s for a gradient step of rate η, g being the student's
gradients of the labeled and of the pseudo-label loss: the teacher is confirmed where both point the same way.
The labeled faces are balanced, so what helps frequent classes alone earns little.

Chosen here, and not known from the sources:

* S is measured as it will be used: in evaluation mode, without dropout and stochastic depth, whose noise
  would hide a difference of the order of η, and in float32. Batch norm uses its running statistics there and
  does not update them; both measurements take them as they are after the pass over the strong views that
  does, so h depends on weights alone. The student's running statistics are therefore those of strong views of
  unlabeled faces.
* T names faces in evaluation mode, as an averaged teacher does.
* Faces that a guard rejects get no loss; means run over all unlabeled faces, rejected or not.
* A feedback per face (off by default), see ``methods/feedback/per_sample``.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Literal, Unpack

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from halfsmile.methods.feedback.guard import ACCEPT_ALL, GuardConfig, OutOfDistributionGuard
from halfsmile.methods.feedback.per_sample import HeadGradient, head_gradient, sample_feedback, with_features
from halfsmile.methods.semi import PseudoLabels, SemiSettings, SemiTask, both_kinds, over_processes
from halfsmile.methods.task import Batch, Phase, StepResult


@dataclass(frozen=True, kw_only=True)
class Feedback:
    """Debiased feedback's hyper-parameters.

    Args:
        temperature: τ of the teacher's soft labels, above 0; lower values sharpen them.
        consistency: λ of the teacher's consistency loss, at least 0.
        feedback: Factor on h; 0 leaves a separate teacher that is never told how its pseudo-labels did.
        per_sample: Weigh each unlabeled face by its own first-order share in h.
        guard: Which unlabeled faces are used.
    """

    own_step: ClassVar[bool] = True
    name: Literal["feedback"] = "feedback"
    temperature: float = 1.0
    consistency: float = 1.0
    feedback: float = 1.0
    per_sample: bool = False
    guard: GuardConfig = ACCEPT_ALL

    def task(self, model: nn.Module, **settings: Unpack[SemiSettings]) -> FeedbackTask:
        """The task that trains a student from a classifier's weights, and a teacher from the same."""
        return FeedbackTask(model, self, **settings)


@dataclass(frozen=True)
class Views:
    """What the teacher's phase needs of the student's.

    Args:
        labeled: (B, C, H, W) weak views of labeled faces.
        targets: (B, classes) their labels.
        strong: (M, C, H, W) strong views of unlabeled faces.
        named: The teacher's soft and hard labels of the unlabeled faces, and which the guard accepts.
        before: Scalar labeled loss of the student before its update.
        statistics: The student's buffers of that moment; later parts of a batch and other processes change
            them.
        labeled_gradient: Of that loss, by the last layer; None without feedback per sample.
        sample_gradients: Of the pseudo-label loss, by the last layer; None without feedback per sample.
    """

    labeled: Tensor
    targets: Tensor
    strong: Tensor
    named: PseudoLabels
    before: Tensor
    statistics: dict[str, Tensor]
    labeled_gradient: HeadGradient | None = None
    sample_gradients: HeadGradient | None = None


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """A network in evaluation mode and without gradients, for a while."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


class FeedbackTask(SemiTask):
    """The student's step, then the teacher's, on the same views.

    With a batch in parts or on several processes the feedback is that of the whole batch.

    Args:
        model: Student; its average is evaluated and kept. The teacher begins as a copy.
        config: Hyper-parameters of the method.
        settings: See :class:`SemiSettings`. The weight is that of the student's loss, whose only term it
            scales; the labeled loss with its smoothing is the teacher's.

    Raises:
        ValueError: If feedback per sample is asked for of a model without a linear layer ``head``.
    """

    def __init__(self, model: nn.Module, config: Feedback, **settings: Unpack[SemiSettings]) -> None:
        super().__init__(model, **settings)
        if config.per_sample and not isinstance(getattr(model, "head", None), nn.Linear):
            raise ValueError(
                f"Feedback per sample needs a model whose last layer is a Linear named head; "
                f"{type(model).__name__} has none. Switch per_sample off."
            )
        self.config = config
        self.trained_teacher = copy.deepcopy(model)
        self.guard = OutOfDistributionGuard(config.guard)
        self._waiting: list[Views] = []
        self._judged: list[tuple[Views, Tensor]] = []

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Student, then teacher."""
        return (self.student_step, self.teacher_step)

    def step(self, batch: Batch, generator: torch.Generator) -> StepResult:
        """A step of feedback has no single loss: see :attr:`phases`."""
        raise NotImplementedError("Feedback has two losses a step, student_step and teacher_step.")

    def train(self, mode: bool = True) -> FeedbackTask:
        """Switch between training and evaluation; a step that was broken off is forgotten."""
        super().train(mode)
        self._waiting, self._judged = [], []
        return self

    @property
    def labeling_network(self) -> nn.Module:
        """The network that names unlabeled faces: the trained teacher."""
        return self.trained_teacher

    def pseudo_label(self, logits: Tensor) -> PseudoLabels:
        """The most probable class, accepted by the guard; the probabilities are the soft labels q."""
        probabilities = (logits.float() / self.config.temperature).softmax(dim=1)
        return PseudoLabels(probabilities, logits.argmax(dim=1), self.guard.accept(logits).float())

    def observe(self, logits: Tensor) -> None:
        """Count what the guard rejects."""
        self.guard.count(logits)

    def student_step(self, batch: Batch, generator: torch.Generator) -> StepResult:
        """Loss of the student on the teacher's hard pseudo-labels of ``batch.unlabeled``."""
        targets, unlabeled = both_kinds(batch)
        weak = self.weak(torch.cat([batch.images, unlabeled]), generator=generator).images
        labeled, weak_unlabeled = weak[: len(targets)], weak[len(targets) :]
        strong = self.strong(unlabeled, generator=generator).images
        with evaluating(self.labeling_network):
            named = self.label_batch(self.labeling_network(weak_unlabeled).float())
        hard = F.one_hot(named.labels, targets.shape[1])
        logits, sample_gradients = self._classify(strong, hard, named.weights)
        with evaluating(self.model), torch.autocast(strong.device.type, enabled=False):
            measured, labeled_gradient = self._classify(labeled, targets)
            before = F.cross_entropy(measured, targets)
        statistics = {name: buffer.clone() for name, buffer in self.model.named_buffers()}
        self._waiting.append(
            Views(labeled, targets, strong, named, before, statistics, labeled_gradient, sample_gradients)
        )
        loss = self.unlabeled_loss(logits, named)
        logs = {"unlabeled": loss.detach(), "rejected": self.guard.rejected.clone(), **self.name_logs(named)}
        return StepResult(self.weight * loss, logs)

    def teacher_step(self, batch: Batch, generator: torch.Generator) -> StepResult:
        """Loss of the teacher on the views of :meth:`student_step`, after the student's update."""
        if self._waiting:
            self._judged, self._waiting = self._judge(self._waiting), []
        views, feedback = self._judged.pop(0)
        logits = self.trained_teacher(torch.cat([views.labeled, views.strong])).float()
        labeled, strong = logits[: len(views.labeled)], logits[len(views.labeled) :]
        self.guard.follow(labeled)
        supervised = self.labeled_loss(labeled, views.targets)
        accepted = views.named.weights
        consistency = F.cross_entropy(strong, views.named.probabilities, reduction="none")
        own = F.cross_entropy(strong, strong.argmax(dim=1), reduction="none")
        consistency, told = (consistency * accepted).mean(), (feedback * own * accepted).mean()
        logs = {
            "labeled": supervised.detach(),
            "consistency": consistency.detach(),
            "feedback": feedback.mean(),
            "student_labeled": views.before,
        }
        loss = supervised + self.config.consistency * consistency + self.config.feedback * told
        return StepResult(loss, logs)

    def _classify(
        self, images: Tensor, targets: Tensor, factors: Tensor | None = None
    ) -> tuple[Tensor, HeadGradient | None]:
        """The student's logits; with feedback per sample also the last layer's gradients, times factors."""
        if not self.config.per_sample:
            return self.model(images).float(), None
        logits, features = with_features(self.model, images)
        return logits.float(), head_gradient(logits, features, targets, factors)

    def _judge(self, parts: list[Views]) -> list[tuple[Views, Tensor]]:
        """All parts of a batch with their feedback: a scalar, or (M,) per face."""
        with evaluating(self.model), torch.autocast(parts[0].strong.device.type, enabled=False):
            after = [
                F.cross_entropy(functional_call(self.model, part.statistics, part.labeled), part.targets)
                for part in parts
            ]
        change = torch.stack([part.before for part in parts]) - torch.stack(after)
        feedback = over_processes(change).mean()
        labeled = [part.labeled_gradient for part in parts if part.labeled_gradient is not None]
        faces = [part.sample_gradients for part in parts if part.sample_gradients is not None]
        if not labeled:
            return [(part, feedback) for part in parts]
        gradient = over_processes(torch.stack([part.mean() for part in labeled])).mean(dim=0)
        alignments = [part.dot(gradient) for part in faces]
        size = over_processes(torch.cat(alignments)).abs().mean()
        return [
            (part, sample_feedback(feedback, alignment, size))
            for part, alignment in zip(parts, alignments, strict=True)
        ]
