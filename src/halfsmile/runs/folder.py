"""The run folder: everything that a run leaves behind, readable without halfsmile."""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from halfsmile.recipes.config import Recipe
from halfsmile.recipes.serialize import differences, from_json, to_json
from halfsmile.utils.cpu import processors
from halfsmile.utils.files import atomic_write, read_json, write_json

STAGES: tuple[str, ...] = ("pretrain", "finetune", "semi", "tune", "temporal")
CLASSIFYING: tuple[str, ...] = ("finetune", "semi", "tune")
"""Stages that end in a classifier of single faces."""

DATA = (
    "data_set",
    "taxonomy",
    "path",
    "test_splits",
    "labeled",
    "unlabeled",
    "pretrain_images",
    "notes",
    "test_fingerprint",
)
"""Entries of data.json without which a run can be neither judged nor exported."""


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run.

    Args:
        path: The folder.
    """

    path: Path

    @classmethod
    def open(cls, path: Path, recipe: Recipe) -> RunFolder:
        """Make a run folder for a recipe, or go on in one that was made for the same recipe.

        Raises:
            ValueError: If the folder belongs to another recipe or holds other files.
            OSError: If it can't be written.
        """
        folder = cls(Path(path))
        if folder.recipe_path.exists():
            there = read_json(folder.recipe_path)
            with contextlib.suppress(ValueError):  # a recipe of another version is named as different
                there = to_json(from_json(there))
            found = differences(there, to_json(recipe))
            if found:
                raise ValueError(
                    f"{path} holds a run of another recipe; it differs in {', '.join(found)} (there / asked "
                    "for). Use a new folder for --out, or the old settings to go on."
                )
            return folder
        if folder.path.exists() and (not folder.path.is_dir() or any(folder.path.iterdir())):
            raise ValueError(f"{path} is not a run folder and is not empty. Use a new folder for --out.")
        write_json(folder.recipe_path, to_json(recipe))
        return folder

    @classmethod
    def existing(cls, path: Path) -> RunFolder:
        """A folder that holds a run.

        Raises:
            ValueError: If it does not.
        """
        folder = cls(Path(path))
        if not folder.recipe_path.exists():
            raise ValueError(
                f"{path} is not a run folder: it has no recipe.json. `halfsmile train` makes one."
            )
        return folder

    @property
    def recipe_path(self) -> Path:
        """Where the resolved recipe is."""
        return self.path / "recipe.json"

    @property
    def budget_path(self) -> Path:
        """Where the label budget is."""
        return self.path / "labels.parquet"

    def recipe(self) -> Recipe:
        """The resolved recipe."""
        return from_json(read_json(self.recipe_path))

    def data(self) -> dict[str, Any]:
        """What data.json says of the faces that the run was trained and tested on.

        Raises:
            ValueError: If it is missing or lacks an entry.
        """
        path = self.path / "data.json"
        value = read_json(path)
        missing = [name for name in DATA if name not in value] if isinstance(value, dict) else list(DATA)
        if missing:
            raise ValueError(
                f"{path} is damaged: it lacks {', '.join(missing)}. Bring back the file that training wrote, "
                "or train in a new folder."
            )
        return dict(value)

    def stage(self, name: str) -> Path:
        """Folder of a stage."""
        return self.path / name

    def finished(self, stage: str) -> bool:
        """Whether a stage has been trained to its end."""
        return (self.stage(stage) / "result.json").exists()

    def finish(self, stage: str, model: nn.Module, result: dict[str, Any]) -> None:
        """Keep the weights of a stage and mark it as finished.

        Raises:
            OSError: If they can't be written; the stage then is not finished.
        """
        tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
        path = self.stage(stage) / "model.safetensors"
        try:
            with atomic_write(path) as temporary:
                save_file(tensors, temporary)
        except SafetensorError as error:
            raise OSError(f"Can't write {path}: {error}") from error
        self.mark_finished(stage, result)

    def mark_finished(self, stage: str, result: dict[str, Any]) -> None:
        """Mark a stage as finished that has kept its weights by itself.

        Raises:
            OSError: If it can't be written.
        """
        write_json(self.stage(stage) / "result.json", {"stage": stage, **result})

    def load(self, stage: str, model: nn.Module) -> None:
        """Load the weights that a finished stage kept.

        Raises:
            ValueError: If they are missing, damaged or of another shape.
        """
        path = self.stage(stage) / "model.safetensors"
        if not self.finished(stage):
            raise ValueError(
                f"Stage {stage} of {self.path} is not finished: run the same `halfsmile train` again."
            )
        try:
            model.load_state_dict(load_file(path))
        except (OSError, SafetensorError, RuntimeError) as error:
            raise ValueError(f"{path} can't be loaded: {error}") from error

    def last_stage(self) -> str:
        """The last finished stage that classifies single faces.

        Raises:
            ValueError: If there is none yet.
        """
        for stage in reversed(CLASSIFYING):
            if self.finished(stage):
                return stage
        raise ValueError(f"{self.path} has no trained classifier yet: run the same `halfsmile train` again.")


def environment(device: torch.device, **more: Any) -> dict[str, Any]:
    """Versions and machine, for reproducing a run."""
    packages = ("halfsmile", "torch", "torchvision", "numpy", "opencv-python-headless", "safetensors")
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor_name(),
        "cores": processors(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": torch.get_num_threads(),
        "packages": {name: importlib.metadata.version(name) for name in packages},
        **more,
    }


def processor_name() -> str:
    """Model and capability of the processor, as far as the system tells."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
                break
    return f"{name} ({torch.backends.cpu.get_cpu_capability()})"


def peak_memory() -> int:
    """Largest memory that this process has held so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
