"""Checkpoints: safetensors and JSON in a folder that appears whole, verified when read.

``checkpoint/step-00001200/`` holds ``task.safetensors`` (model, average, counters), ``optimizer.safetensors``
and ``state.json`` (step, precision, sizes and SHA-256 of the two files). The newest two are kept; one that
was cut short is passed over with a warning.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from halfsmile.utils.files import read_json, write_json

KEPT = 2


@dataclass(frozen=True)
class Checkpoint:
    """A verified checkpoint on disk.

    Args:
        folder: Where it is.
        step: Number of optimizer steps done.
        state: What ``state.json`` holds.
    """

    folder: Path
    step: int
    state: dict[str, Any]

    def restore(self, task: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Load weights, counters and the optimizer's moments in place, bit by bit.

        Raises:
            ValueError: If they are of another model.
        """
        try:
            task.load_state_dict(load_file(self.folder / "task.safetensors"))
        except RuntimeError as error:
            raise ValueError(f"{self.folder} is a checkpoint of another model: {error}") from error
        load_optimizer(optimizer, load_file(self.folder / "optimizer.safetensors"))


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's state as a flat dictionary: ``<parameter number>.<name>``."""
    return {
        f"{index}.{name}": value.detach().contiguous()
        for index, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put back what :func:`optimizer_tensors` took."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    for parameter, moments in optimizer.state.items():
        for name, value in moments.items():
            if value.shape == parameter.shape:  # torch's fused kernel takes memory order for granted
                moments[name] = torch.empty_like(parameter).copy_(value)


def file_digest(path: Path) -> dict[str, Any]:
    """Size and SHA-256 of a file."""
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def save_checkpoint(
    folder: Path, *, step: int, task: nn.Module, optimizer: torch.optim.Optimizer, state: dict[str, Any]
) -> Path:
    """Write a checkpoint after ``step`` optimizer steps; of the others, keep the newest one before it.

    Args:
        folder: The stage's ``checkpoint`` folder.
        step: Steps done.
        task: Its whole state dict is kept.
        optimizer: Its moments are kept.
        state: Further JSON values to read back.

    Raises:
        OSError: If the disk is full or read-only; earlier checkpoints stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / f"step-{step:08d}"
    temporary = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder))
    try:
        tensors = {name: value.detach().contiguous().clone() for name, value in task.state_dict().items()}
        save_file(tensors, temporary / "task.safetensors")
        save_file(optimizer_tensors(optimizer), temporary / "optimizer.safetensors")
        files = {
            f"{name}.safetensors": file_digest(temporary / f"{name}.safetensors")
            for name in ("task", "optimizer")
        }
        write_json(temporary / "state.json", {**state, "step": step, "files": files})
        if final.exists():
            shutil.rmtree(final)
        os.replace(temporary, final)
    except SafetensorError as error:
        raise OSError(f"Can't write a checkpoint into {folder}: {error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    kept = sorted(path for path in folder.glob("step-*") if path <= final)[-KEPT:]
    for other in [*folder.glob("step-*"), *folder.glob(".unfinished-*")]:
        if other not in kept:
            shutil.rmtree(other, ignore_errors=True)
    return final


def find_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest whole checkpoint of a stage, or None if there is none at all.

    A damaged one is passed over with a warning.

    Raises:
        ValueError: If there are checkpoints and every one is damaged.
    """
    damaged = []
    for candidate in sorted(folder.glob("step-*"), reverse=True):
        problem = check_files(candidate)
        if problem is None:
            state = read_json(candidate / "state.json")
            return Checkpoint(candidate, int(state["step"]), state)
        damaged.append(problem)
        warnings.warn(f"Passing over a damaged checkpoint: {problem}", stacklevel=2)
    if damaged:
        raise ValueError(
            f"Every checkpoint in {folder} is damaged ({'; '.join(damaged)}). Remove the folder to train "
            "this stage from its start, or bring the files back."
        )
    return None


def check_files(folder: Path) -> str | None:
    """What is wrong with a checkpoint folder, or None if its files are as they were written."""
    try:
        state = read_json(folder / "state.json")
        for name, expected in state["files"].items():
            if not (folder / name).exists():
                return f"{folder / name} is missing"
            found = file_digest(folder / name)
            if found != expected:
                sizes = f"{found['bytes']} bytes, {expected['bytes']} were written"
                return f"{folder / name} is not what was written ({sizes})"
    except (ValueError, KeyError) as error:
        return f"{folder / 'state.json'} can't be read ({error})"
    return None
