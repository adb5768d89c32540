"""What all semi-supervised methods share, so that runs of two of them differ in nothing but the method.

Each step sees labeled faces x_l with targets y_l and unlabeled faces x_u. The teacher, an exponential moving
average of the student, sees the weak view of x_u; a method makes of its logits pseudo-labels ŷ with
weights w in [0, 1]; the student is taught them on the strong view of the same faces:

    L = CE(f(x_l), y_l) + λ · ( mean( w · CE(f(strong), ŷ) ) + η · L_mix )

The mean runs over all unlabeled faces of the batch, accepted or not; L_mix is of mixtures of them, if asked
for (:mod:`halfsmile.methods.regmixup`). A method overrides what it changes: :meth:`SemiTask.pseudo_label`
(which labels, which weights), :meth:`SemiTask.observe` (statistics that this needs),
:meth:`SemiTask.teacher_logits` and :meth:`SemiTask.unlabeled_loss`.

Where a step is computed in parts (``accumulate``), each part is observed by itself: what a method remembers
(momentum, period) then counts parts, not steps, so its memory is that many times shorter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NotRequired, Protocol, TypedDict, Unpack, runtime_checkable

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F

from halfsmile.methods.facemix import smooth_targets
from halfsmile.methods.regmixup import mix_names
from halfsmile.methods.task import Batch, StepResult, Task
from halfsmile.taxonomy import Taxonomy
from halfsmile.transforms.augment import Augment


@dataclass(frozen=True)
class PseudoLabels:
    """What is said of M unlabeled faces.

    Args:
        probabilities: (M, classes) that the labels are read from, each row summing to 1.
        labels: (M,) int64 class indices.
        weights: (M,) in [0, 1] in the unlabeled loss; 1 is accepted, 0 is refused.
    """

    probabilities: Tensor
    labels: Tensor
    weights: Tensor

    @property
    def confidence(self) -> Tensor:
        """(M,) the largest probability."""
        return self.probabilities.amax(dim=1)


@runtime_checkable
class PseudoLabeler(Protocol):
    """A task that can say what it would make of unlabeled faces, without learning from being asked."""

    @property
    def labeling_network(self) -> nn.Module:
        """The network whose logits are judged."""
        ...

    def pseudo_label(self, logits: Tensor) -> PseudoLabels:
        """Pseudo-labels from the labeling_network's logits (M, classes)."""
        ...


class SemiSettings(TypedDict):
    """What every semi-supervised task is given beside its own hyper-parameters.

    Attributes:
        weak: View of labeled faces and of what the teacher sees.
        strong: View of what the student must name.
        weight: λ of the unlabeled loss, at least 0.
        smoothing: Label smoothing of the labeled loss, in [0, 1).
        ema_decay: Decay of the teacher, in [0, 1); higher values average over more steps. None
            for no average: the student is its own teacher.
        regmixup: η of the loss of mixed faces, at least 0; 0 mixes none. Only for methods with the shared
            step.
        regmixup_alpha: α of it, above 0.
    """

    weak: Augment
    strong: Augment
    weight: NotRequired[float]
    smoothing: NotRequired[float]
    ema_decay: NotRequired[float | None]
    regmixup: NotRequired[float]
    regmixup_alpha: NotRequired[float]


class Method(Protocol):
    """Hyper-parameters of a semi-supervised method: a frozen dataclass that makes its task.

    One of your own has a name of its own and is given to :func:`halfsmile.recipes.semi` as an object;
    ``examples/new_method.py`` is a whole one. Where its task makes a step of its own, a class variable
    ``own_step = True`` lets recipes refuse at once what that step would leave out.
    """

    @property
    def name(self) -> str:
        """Its name in recipes; of the package's own, the key in :data:`halfsmile.methods.family.FAMILY`."""
        ...

    def task(self, model: nn.Module, **settings: Unpack[SemiSettings]) -> Task:
        """The task that trains a classifier by this method; see :class:`SemiSettings`."""
        ...


class SemiTask(Task):
    """Base of the semi-supervised tasks.

    Args:
        model: Student: images (B, C, H, W) in [0, 1] to logits (B, classes). Its average is the teacher.
        weak: See :class:`SemiSettings`, as for all that follow.
        strong: View of what the student must name.
        weight: λ of the unlabeled loss.
        smoothing: Label smoothing of the labeled loss.
        ema_decay: Decay of the teacher.
        regmixup: η of the loss of mixed faces.
        regmixup_alpha: α of it.

    Raises:
        ValueError: If mixed faces are asked of a method with a step of its own.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        weak: Augment,
        strong: Augment,
        weight: float = 5.0,
        smoothing: float = 0.0,
        ema_decay: float | None = 0.999,
        regmixup: float = 0.0,
        regmixup_alpha: float = 10.0,
    ) -> None:
        super().__init__(model, ema_decay=ema_decay)
        if regmixup and type(self).step is not SemiTask.step:
            raise ValueError(
                f"{type(self).__name__} makes a step of its own, which has no place for regmixup. Set "
                "semi.regmixup=0, or take a method with the shared step."
            )
        self.weak = weak
        self.strong = strong
        self.weight = weight
        self.smoothing = smoothing
        self.regmixup = regmixup
        self.regmixup_alpha = regmixup_alpha

    @property
    def labeling_network(self) -> nn.Module:
        """The network that names unlabeled faces: the teacher."""
        return self.averaged

    def learn_shares(self, shares: Tensor) -> None:
        """Hear the shares (classes,) of the labels in the budget, once before training; few methods care."""

    def teacher_logits(self, images: Tensor) -> Tensor:
        """Logits (M, classes), float32, that weak views (M, C, H, W) of unlabeled faces are named from."""
        return self.labeling_network(images).float()  # type: ignore[no-any-return]

    def pseudo_label(self, logits: Tensor) -> PseudoLabels:
        """Pseudo-labels from teacher logits (M, classes), by the statistics as they are.

        The logits are float32 and carry no gradient.
        """
        raise NotImplementedError

    def observe(self, logits: Tensor) -> None:
        """Move the statistics of the method by the teacher logits (M, classes) of a training batch."""

    def label_batch(self, logits: Tensor) -> PseudoLabels:
        """Pseudo-labels of a training batch from teacher logits (M, classes): observe, then label."""
        self.observe(logits)
        return self.pseudo_label(logits)

    def labeled_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of labeled faces, a scalar, from logits and targets (B, classes)."""
        return F.cross_entropy(logits.float(), smooth_targets(targets, self.smoothing))

    def taught(self, named: PseudoLabels) -> Tensor:
        """What the student is taught of the faces, (M, classes), each row a distribution: the labels."""
        return F.one_hot(named.labels, named.probabilities.shape[1]).float()

    def unlabeled_loss(self, logits: Tensor, named: PseudoLabels) -> Tensor:
        """Weighted cross-entropy of student logits (M, classes) on strong views, a scalar without λ."""
        each = F.cross_entropy(logits.float(), named.labels, reduction="none")
        return (each * named.weights).mean()

    def step(self, batch: Batch, generator: torch.Generator) -> StepResult:
        """Loss of ``batch.images`` (B) with ``batch.targets`` and of ``batch.unlabeled`` (M).

        The views are made here: pictures come as they are stored, uint8.

        Raises:
            ValueError: If the batch lacks targets or unlabeled faces.
        """
        targets, unlabeled = both_kinds(batch)
        weak = self.weak(torch.cat([batch.images, unlabeled]), generator=generator).images
        labeled, weak_unlabeled = weak[: len(targets)], weak[len(targets) :]
        strong = self.strong(unlabeled, generator=generator).images
        with torch.no_grad():
            named = self.label_batch(self.teacher_logits(weak_unlabeled))
        mixed = None
        if self.regmixup:
            taught, alpha = self.taught(named), self.regmixup_alpha
            mixed = mix_names(strong, taught, named.weights, alpha=alpha, generator=generator)
        seen = [labeled, strong] if mixed is None else [labeled, strong, mixed.images]
        of_labeled, of_strong, *of_mixed = self.model(torch.cat(seen)).split([len(part) for part in seen])
        labeled_loss = self.labeled_loss(of_labeled, targets)
        unlabeled_loss = self.unlabeled_loss(of_strong, named)
        if mixed is not None:
            unlabeled_loss = unlabeled_loss + self.regmixup * mixed.loss(of_mixed[0])
        return self.result(labeled_loss, unlabeled_loss, named)

    def result(self, labeled_loss: Tensor, unlabeled_loss: Tensor, named: PseudoLabels) -> StepResult:
        """The sum of both losses; both are logged, and :meth:`name_logs`."""
        logs = {"labeled": labeled_loss.detach(), "unlabeled": unlabeled_loss.detach()}
        return StepResult(labeled_loss + self.weight * unlabeled_loss, logs | self.name_logs(named))

    def name_logs(self, named: PseudoLabels) -> dict[str, Tensor]:
        """What the metrics file says of the pseudo-labels of a batch.

        ``acceptance``, the mean weight; and per class the shares of the batch's faces that are
        ``named/<label>`` and ``accepted/<label>`` (named so, by weight). The latter sum to the acceptance.
        """
        chosen = F.one_hot(named.labels, named.probabilities.shape[1]).float()
        shares, accepted = chosen.mean(dim=0), (chosen * named.weights[:, None]).mean(dim=0)
        logs = {"acceptance": named.weights.mean()}
        for index, label in enumerate(class_names(self.model, len(shares))):
            logs[f"named/{label}"] = shares[index]
            logs[f"accepted/{label}"] = accepted[index]
        return logs


def both_kinds(batch: Batch) -> tuple[Tensor, Tensor]:
    """Targets and unlabeled faces of a batch.

    Raises:
        ValueError: If either is missing.
    """
    if batch.targets is None or batch.unlabeled is None:
        raise ValueError(
            "Semi-supervised training needs labeled faces with targets and unlabeled faces in each batch; "
            f"targets are {'missing' if batch.targets is None else 'there'}, unlabeled faces are "
            f"{'missing' if batch.unlabeled is None else 'there'}."
        )
    return batch.targets, batch.unlabeled


def hard_labels(probabilities: Tensor, thresholds: float | Tensor) -> PseudoLabels:
    """The most probable class of each row, accepted where its probability reaches the threshold.

    Args:
        probabilities: (M, classes), each row summing to 1.
        thresholds: In [0, 1]: one for all classes, or (classes,) one for each label that may be given.

    Example:
        >>> named = hard_labels(torch.tensor([[0.6, 0.4], [0.1, 0.9]]), 0.7)
        >>> named.labels.tolist(), named.weights.tolist()
        ([0, 1], [0.0, 1.0])
    """
    confidence, labels = probabilities.max(dim=1)
    least = thresholds[labels] if isinstance(thresholds, Tensor) else thresholds
    return PseudoLabels(probabilities, labels, (confidence >= least).float())


def num_classes(model: nn.Module) -> int:
    """Number of classes of a classifier that knows its taxonomy.

    Raises:
        ValueError: If it does not know it.
    """
    taxonomy = getattr(model, "taxonomy", None)
    if not isinstance(taxonomy, Taxonomy):
        raise ValueError(
            f"{type(model).__name__} has no taxonomy, so its number of classes is unknown. Give a Classifier."
        )
    return len(taxonomy)


def class_names(model: nn.Module, count: int) -> tuple[str, ...]:
    """Names of the classes, or their numbers for a model without a taxonomy."""
    taxonomy = getattr(model, "taxonomy", None)
    return taxonomy.labels if isinstance(taxonomy, Taxonomy) else tuple(map(str, range(count)))


def over_processes(rows: Tensor) -> Tensor:
    """The rows (M, …) of all processes joined, so that statistics are those of the whole batch."""
    if not dist.is_available() or not dist.is_initialized():
        return rows
    parts = [torch.empty_like(rows) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, rows.contiguous())
    return torch.cat(parts)
