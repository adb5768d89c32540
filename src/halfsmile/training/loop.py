"""The loop: trains any task, knows nothing of faces.

A step is one optimizer step for each phase of the task, all on the same batch; most tasks have one phase.
Every random number of step k comes from (seed, k, rank), and batches are a function of k, so a run that was
killed anywhere and resumed from its last checkpoint ends in the bits of an unbroken one (on a CPU, with as
many threads).
"""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from halfsmile.methods.task import Batch, Task
from halfsmile.models.precision import Precision
from halfsmile.recipes.optim import OptimConfig
from halfsmile.training.checkpoint import find_checkpoint, save_checkpoint
from halfsmile.training.distributed import Processes
from halfsmile.training.optim import make_optimizer, scheduled_rate, set_rate
from halfsmile.training.record_writer import RecordWriter
from halfsmile.utils.errors import StopRequestedError
from halfsmile.utils.progress import Progress


class DivergedError(ValueError):
    """The loss or its gradient is not a finite number."""


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """How long, how often, how large.

    Args:
        steps: Steps, each of as many optimizer steps as the task has phases.
        batch_size: Samples of a step, over all processes and accumulated parts.
        epoch_steps: Steps of one pass over the data, for display.
        accumulate: Parts that a batch is computed in; each part's gradient is added.
        optim: Optimizer and schedule.
        seed: Of every random number.
        precision: Number format.
        log_seconds: Least time between two lines of metrics.
        checkpoint_seconds: Least time between two checkpoints.
        evaluations: How many times ``evaluate`` is called, at equal distances, the last at the end.
    """

    steps: int
    batch_size: int
    epoch_steps: float
    accumulate: int = 1
    optim: OptimConfig
    seed: int = 0
    precision: Precision = "float32"
    log_seconds: float = 2.0
    checkpoint_seconds: float = 120.0
    evaluations: int = 10


def step_seed(seed: int, *parts: int) -> int:
    """One 63-bit seed from several numbers."""
    value = seed & 0xFFFFFFFF
    for part in parts:
        value = (value * 6364136223846793005 + part + 1442695040888963407) & 0x7FFFFFFFFFFFFFFF
    return value


class StopRequest:
    """Turns the first Ctrl-C or termination signal into a flag; the second one stops at once."""

    def __init__(self) -> None:
        self.asked = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


@dataclass(frozen=True)
class Update:
    """Outcome of an optimizer step: its loss (NaN where it was not read) and what to log."""

    loss: float
    logs: dict[str, Tensor]


def _accumulation(module: nn.Module, last: bool) -> contextlib.AbstractContextManager[Any]:
    if isinstance(module, DistributedDataParallel) and not last:
        return module.no_sync()
    return contextlib.nullcontext()


def split_batch(batch: Batch, parts: int) -> Iterator[Batch]:
    """Equal parts of a batch, in order.

    Raises:
        ValueError: If the number does not divide it.
    """
    if parts == 1:
        yield batch
        return
    given = {field.name: getattr(batch, field.name) for field in fields(batch)}
    given = {name: tensor for name, tensor in given.items() if tensor is not None}
    uneven = {name: len(tensor) for name, tensor in given.items() if len(tensor) % parts}
    if uneven:
        raise ValueError(
            f"accumulate {parts} does not divide the batch of a process ({uneven}): parts of unequal size "
            "would weigh faces unequally. Choose batch sizes that are multiples of it."
        )
    chunks = {name: tensor.chunk(parts) for name, tensor in given.items()}
    for i in range(parts):
        yield Batch(**{name: chunks[name][i] for name in given})


def train(
    task: Task,
    batches: Callable[[int], Batch],
    config: LoopConfig,
    folder: Path,
    *,
    where: Processes,
    evaluate: Callable[[Task], dict[str, float]] | None = None,
    title: str = "training",
    tensorboard: bool = False,
) -> None:
    """Train a task to its last step, from its newest checkpoint if there is one.

    Args:
        task: What to train; holds the trained weights afterwards.
        batches: Samples of this process in a step, counted from 0; a pure function of the step.
        config: Schedule.
        folder: Stage folder; gets ``metrics.jsonl`` and ``checkpoint/``.
        where: This process.
        evaluate: Called on the task now and then; its numbers are logged and select nothing.
        title: Shown with the progress.
        tensorboard: Also write TensorBoard events.

    Raises:
        StopRequestedError: After Ctrl-C or a termination signal; the state is saved.
        DivergedError: If the loss or its gradient is not finite; the last good checkpoint stays.
        ValueError: If the checkpoints do not fit the task or are all damaged, or ``accumulate`` does not
            divide the batch.
        OSError: If the folder can't be written.
    """
    device = where.device
    task.to(device).to(memory_format=torch.channels_last).train()
    optimizer = make_optimizer(task, config.optim)
    checkpoints = folder / "checkpoint"
    start = 0
    if (found := find_checkpoint(checkpoints)) is not None:
        found.restore(task, optimizer)
        start = found.step
    module: nn.Module = task
    if where.world_size > 1:
        module = DistributedDataParallel(
            task,
            device_ids=[device.index] if device.type == "cuda" else None,
            find_unused_parameters=len(task.phases) > 1,
        )
    evaluation_steps = {round(config.steps * (i + 1) / config.evaluations) for i in range(config.evaluations)}
    parameters = [p for p in task.parameters() if p.requires_grad]
    generator = torch.Generator(device=device)

    def save(step: int) -> None:
        if where.is_main:
            save_checkpoint(
                checkpoints, step=step, task=task, optimizer=optimizer, state={"precision": config.precision}
            )
        where.barrier()

    def update(step: int, phase: int, parts: list[Batch], *, saving: bool, reading: bool) -> Update:
        """One optimizer step; the loss is read (which waits for a GPU) and checked only when asked."""
        loss, logs, value = torch.zeros((), device=device), dict[str, Tensor](), math.nan
        for i, part in enumerate(parts):
            with (
                _accumulation(module, last=i == config.accumulate - 1),
                torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bfloat16"),
            ):
                part_loss, logs = module(part, generator, phase)
                (part_loss / config.accumulate).backward()
            loss += part_loss.detach() / config.accumulate
        norm = torch.zeros(())
        if config.optim.clip is not None or saving:
            limit = math.inf if config.optim.clip is None else config.optim.clip
            norm = nn.utils.clip_grad_norm_(parameters, limit)
        if reading:
            value = float(loss)
            if any(where.agree(not math.isfinite(value) or not math.isfinite(norm))):
                raise DivergedError(
                    f"Step {step + 1} has the loss {value} and the gradient norm {float(norm)}. Training "
                    f"stopped; the last good checkpoint is in {checkpoints}. Lower the learning rate "
                    f"({config.optim.learning_rate:g}), clip gradients, or train in float32, in a new "
                    "run folder."
                )
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return Update(value, logs)

    with (
        StopRequest() as stop,
        RecordWriter(folder, start=start, active=where.is_main, tensorboard=tensorboard) as record,
        Progress(title, total=config.steps, done=start, active=where.is_main) as progress,
    ):
        for dropped in record.notes:
            progress.console.print(dropped, soft_wrap=True)
        logged = saved = time.monotonic()
        logged_step, pictures = start, 0
        for step in range(start, config.steps):
            rate = scheduled_rate(step, steps=config.steps, config=config.optim)
            set_rate(optimizer, rate)
            torch.manual_seed(step_seed(config.seed, step, where.rank))
            generator.manual_seed(step_seed(config.seed, step, where.rank, 1))
            batch = batches(step).to(device)
            last = step + 1 == config.steps
            now = time.monotonic()
            logging, saving, stopping = where.agree(
                now - logged >= config.log_seconds, now - saved >= config.checkpoint_seconds, stop.asked
            )
            evaluating = step + 1 in evaluation_steps
            logging |= evaluating
            saving |= last or stopping
            reading = device.type == "cpu" or logging or saving
            parts = list(split_batch(batch, config.accumulate))
            updates = [
                update(step, phase, parts, saving=saving, reading=reading)
                for phase in range(len(task.phases))
            ]
            task.after_update()
            pictures += batch.size * where.world_size
            epoch = (step + 1) / config.epoch_steps
            if logging:
                speed = pictures / max(1e-9, time.monotonic() - logged)
                value = sum(done.loss for done in updates)
                values = {name: float(log) for done in updates for name, log in done.logs.items()}
                record.write(
                    step + 1, epoch=epoch, loss=value, learning_rate=rate, images_per_second=speed, **values
                )
                progress.advance(step + 1 - logged_step, note=f"loss {value:.3f}  {speed:,.0f} images/s")
                logged, logged_step, pictures = time.monotonic(), step + 1, 0
            if evaluating and evaluate is not None:
                task.eval()
                if where.is_main:
                    record.write(step + 1, epoch=epoch, **evaluate(task))
                where.barrier()
                task.train()
                logged = time.monotonic()
            if saving:
                save(step + 1)
                saved = time.monotonic()
            if stopping and not last:
                raise StopRequestedError(f"Stopped after step {step + 1} of {config.steps}.")
        if any(where.agree(stop.asked)):
            raise StopRequestedError(f"Stopped after the last of {config.steps} steps.")
