"""What the loop trains: a task owns a model and a loss, and knows nothing of files, schedules or devices."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace

import torch
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Faces of one step; what a task does not need is None.

    Args:
        images: (B, C, H, W) uint8; labeled where ``targets`` is given.
        targets: (B, classes) float, each row a distribution.
        boxes: (B, 4) float, xyxy in pixels of ``images``; NaN where unknown.
        unlabeled: (M, C, H, W) uint8.
        unlabeled_targets: (M, classes) float, where unlabeled faces were named before; each row a
            distribution.
        features: (B, F) float, what a teacher says of ``images``.
    """

    images: Tensor
    targets: Tensor | None = None
    boxes: Tensor | None = None
    unlabeled: Tensor | None = None
    unlabeled_targets: Tensor | None = None
    features: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device."""
        moved = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(
            self, **{k: v.to(device, non_blocking=True) for k, v in moved.items() if v is not None}
        )

    @property
    def size(self) -> int:
        """Number of pictures in the batch, labeled and not."""
        return len(self.images) + (len(self.unlabeled) if self.unlabeled is not None else 0)


@dataclass(frozen=True)
class StepResult:
    """Outcome of a step.

    Args:
        loss: Scalar, to be differentiated.
        logs: Scalars without gradient, by the name that they are logged under.
    """

    loss: Tensor
    logs: dict[str, Tensor] = field(default_factory=dict)


Phase = Callable[[Batch, torch.Generator], StepResult]
"""Loss of a batch; every random number comes from the generator."""


class Task(nn.Module):
    """Model and loss; every parameter of the task that requires a gradient is trained.

    It needs no trainer. In a loop of one's own a step is: ``task.step(batch, generator).loss.backward()``,
    the optimizer's step, ``task.after_update()``; at the end, :attr:`averaged` is the network to keep. Of
    tasks with several :attr:`phases` each one takes the place of ``step``, with an optimizer step of its own.

    Args:
        model: The network that is trained.
        ema_decay: Decay of an exponential moving average of the model's weights and statistics (its whole
            state, as SSFER's code does); None for no average.
            Higher values average over more steps. The average is the teacher of semi-supervised tasks, and
            what is evaluated and kept. Early on the decay is (1 + t) / (10 + t), so that the average
            forgets the initial weights.
    """

    updates: Tensor

    def __init__(self, model: nn.Module, *, ema_decay: float | None = None) -> None:
        super().__init__()
        self.model = model
        self.ema_decay = ema_decay
        self.teacher: nn.Module | None = None
        if ema_decay is not None:
            self.teacher = copy.deepcopy(model).requires_grad_(False).eval()
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))
        self._count: int | None = None  # of updates, without waiting for a GPU
        self.register_load_state_dict_post_hook(_forget_count)  # type: ignore[no-untyped-call]

    def step(self, batch: Batch, generator: torch.Generator) -> StepResult:
        """Loss of a batch; every random number comes from the generator.

        Args:
            batch: What the task needs of it is said by each; on the device of the model.
            generator: On that device too.
        """
        raise NotImplementedError

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The losses of a step, one after another, each followed by an optimizer step of its own.

        Most tasks have one. In a phase the optimizer leaves alone what the phase's loss does not depend on.
        """
        return (self.step,)

    def forward(
        self, batch: Batch, generator: torch.Generator, phase: int = 0
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """One of the :attr:`phases` in the form that ``DistributedDataParallel`` can wrap."""
        result = self.phases[phase](batch, generator)
        return result.loss, result.logs

    @property
    def averaged(self) -> nn.Module:
        """The network to evaluate: the average if there is one, else the model."""
        return self.teacher if self.teacher is not None else self.model

    def train(self, mode: bool = True) -> Task:
        """Switch between training and evaluation; the teacher always stays in evaluation."""
        super().train(mode)
        if self.teacher is not None:
            self.teacher.eval()
        return self

    @torch.no_grad()
    def after_update(self) -> None:
        """Move the average towards the model; the loop calls this after the last phase of each step."""
        self.updates += 1
        if self.teacher is None or self.ema_decay is None:
            return
        t = int(self.updates) if self._count is None else self._count + 1
        self._count = t
        decay = min(self.ema_decay, (1 + t) / (10 + t))
        state, target = self.teacher.state_dict(), self.model.state_dict()
        averaged = [name for name, value in state.items() if value.is_floating_point()]
        torch._foreach_lerp_([state[n] for n in averaged], [target[n] for n in averaged], 1.0 - decay)
        for name in state.keys() - set(averaged):
            state[name].copy_(target[name])


def _forget_count(task: Task, _: object) -> None:
    task._count = None
