"""One process or many: what ``torchrun`` says, and nothing else."""

from __future__ import annotations

import gc
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist

from halfsmile.utils.errors import StopRequestedError

_LONGEST_WAIT = timedelta(hours=6)
"""While the main process decodes a data set or evaluates; the launcher sees by itself who has died."""


@dataclass(frozen=True)
class Processes:
    """This process among all.

    Args:
        rank: Number of this process, from 0.
        world_size: Number of processes.
        device: Where this one computes.
    """

    rank: int
    world_size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    def barrier(self) -> None:
        """Wait for all processes."""
        if self.world_size > 1:
            dist.barrier()

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """A block that the other processes enter when the main one has left it, and find its files."""
        if not self.is_main:
            self.barrier()
        yield
        if self.is_main:
            self.barrier()

    def agree(self, *flags: bool) -> tuple[bool, ...]:
        """Each flag, set if any process sets it; what depends on clocks or signals must be asked here."""
        if self.world_size == 1:
            return flags
        values = torch.tensor([float(flag) for flag in flags], device=self.device)
        dist.all_reduce(values, op=dist.ReduceOp.MAX)
        return tuple(bool(value) for value in values.tolist())


@contextmanager
def processes(device: str | None = None) -> Iterator[Processes]:
    """Join the group that ``torchrun`` announces in the environment, if any, and leave it at the end.

    Args:
        device: ``cpu``, ``cuda`` or ``mps`` (GPUs of Macs, one process); None takes CUDA where there is any.

    Raises:
        ValueError: If there is no GPU for this process.
    """
    kind = device or ("cuda" if torch.cuda.is_available() else "cpu")
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    rank = int(os.environ.get("RANK", "0"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if kind == "cuda" and local >= torch.cuda.device_count():
        raise ValueError(
            f"The device cuda:{local} was asked for, and torch sees {torch.cuda.device_count()} GPUs here. "
            "Choose the device cpu, install a torch for CUDA, or start one process per GPU."
        )
    if kind == "mps" and not torch.backends.mps.is_available():
        raise ValueError(
            "The device mps was asked for, which Macs with Apple silicon have. Choose the device cpu or cuda."
        )
    if kind == "mps" and world_size > 1:
        raise ValueError("A Mac has one GPU: start one process for the device mps, or choose the device cpu.")
    place = torch.device(kind, local) if kind == "cuda" else torch.device(kind)
    if kind == "cuda":
        torch.cuda.set_device(place)
    if world_size == 1:
        yield Processes(0, 1, place)
        return
    dist.init_process_group("nccl" if kind == "cuda" else "gloo", timeout=_LONGEST_WAIT)
    ends_together = False
    try:
        yield Processes(rank, world_size, place)
        ends_together = True
    except BaseException as error:
        ends_together = isinstance(error, StopRequestedError)  # raised by all processes after the same step
        traceback.clear_frames(error.__traceback__)
        raise
    finally:
        # DDP's wrappers lie in reference cycles and in the frames of an error. One that outlives the group
        # keeps its threads, which abort the interpreter when it exits. NCCL waits for all processes here, so
        # one that fails alone must go without: the launcher then ends the others.
        gc.collect()
        if ends_together or kind == "cpu":
            dist.destroy_process_group()
