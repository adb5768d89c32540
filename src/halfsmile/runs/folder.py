"""The run folder: where everything is that a run leaves behind, readable without halfsmile."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from halfsmile.runs.records import RECORDS, Records, read_records
from halfsmile.runs.stages import CLASSIFYING, StageName
from halfsmile.taxonomy import Taxonomy, from_labels
from halfsmile.utils.files import read_json, write_json
from halfsmile.utils.lock import lock, unlock

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
    """Paths of a run, and what its small files say.

    Args:
        path: The folder.
    """

    path: Path

    @classmethod
    def existing(cls, path: Path) -> RunFolder:
        """A folder that holds a run.

        Raises:
            ValueError: If it does not.
        """
        folder = cls(Path(path))
        if not folder.recipe_path.is_file():
            raise ValueError(
                f"{path} is not a run folder: it has no recipe.json. `halfsmile train` makes one."
                if folder.path.is_dir()
                else f"{path} is not a folder. Give the run folder that `halfsmile train` wrote into."
            )
        return folder

    @property
    def recipe_path(self) -> Path:
        """Where the resolved recipe is; ``recipes.serialize.read_recipe`` reads it."""
        return self.path / "recipe.json"

    @property
    def budget_path(self) -> Path:
        """Where the label budget is."""
        return self.path / "labels.parquet"

    @property
    def data_path(self) -> Path:
        """Where it is said what the run was trained and tested on."""
        return self.path / "data.json"

    @property
    def environment_path(self) -> Path:
        """Where versions and machine are."""
        return self.path / "environment.json"

    @contextlib.contextmanager
    def only_trainer(self) -> Iterator[None]:
        """Keep other processes from training in the folder, which must be there.

        Two would remove each other's checkpoints and write into one another's records.

        Raises:
            ValueError: If another process trains in it.
            OSError: If it can't be written.
        """
        path = self.path / "training.lock"
        held = lock(path, f"the run {self.path}")
        try:
            yield
        finally:
            unlock(held, path)

    def stage(self, name: str) -> Path:
        """Folder of a stage."""
        return self.path / name

    def weights_path(self, stage: StageName) -> Path:
        """Where the weights of a stage are, or shall be."""
        return self.stage(stage) / "model.safetensors"

    def result_path(self, stage: str) -> Path:
        """Where the length and cost of a finished stage are, or shall be."""
        return self.stage(stage) / "result.json"

    def recipe_json(self) -> dict[str, Any]:
        """The resolved recipe as plain JSON values.

        Raises:
            ValueError: If the file is missing or broken.
        """
        return read_object(self.recipe_path)

    def environment(self) -> dict[str, Any]:
        """Versions and machine; empty where they were not kept.

        Raises:
            ValueError: If the file is broken.
        """
        return read_object(self.environment_path) if self.environment_path.is_file() else {}

    def data(self) -> dict[str, Any]:
        """What data.json says of the faces that the run was trained and tested on.

        Raises:
            ValueError: If it is missing or lacks an entry.
        """
        value = read_json(self.data_path)
        missing = [name for name in DATA if name not in value] if isinstance(value, dict) else list(DATA)
        if missing:
            raise ValueError(
                f"{self.data_path} is damaged: it lacks {', '.join(missing)}. Bring back the file that "
                "training wrote, or train in a new folder."
            )
        return dict(value)

    def taxonomy(self) -> Taxonomy:
        """The classes, in the order of the logits.

        Raises:
            ValueError: If data.json is damaged.
        """
        return from_labels(self.data()["taxonomy"])

    def finished(self, stage: str) -> bool:
        """Whether a stage has been trained to its end."""
        return self.result_path(stage).is_file()

    def mark_finished(self, stage: StageName, result: dict[str, Any]) -> None:
        """Mark a stage as finished, after its weights were kept.

        Raises:
            OSError: If it can't be written; the stage then is not finished.
        """
        write_json(self.result_path(stage), {"stage": stage, **result})

    def result(self, stage: str) -> dict[str, Any]:
        """What a finished stage says of its length and cost.

        Raises:
            ValueError: If the file is missing or broken.
        """
        return read_object(self.result_path(stage))

    def records(self, stage: str) -> Records:
        """What a stage logged.

        Raises:
            ValueError: If a line is broken.
        """
        return read_records(self.stage(stage) / RECORDS)

    def trained_weights(self, stage: StageName) -> Path:
        """Where the weights of a finished stage are.

        Raises:
            ValueError: If it is not finished.
        """
        if not self.finished(stage):
            raise ValueError(
                f"Stage {stage} of {self.path} is not finished: run the same `halfsmile train` again."
            )
        return self.weights_path(stage)

    def last_stage(self) -> StageName:
        """The last finished stage that classifies single faces.

        Raises:
            ValueError: If there is none yet.
        """
        for stage in reversed(CLASSIFYING):
            if self.finished(stage):
                return stage
        raise ValueError(f"{self.path} has no trained classifier yet: run the same `halfsmile train` again.")


def require_free_or_run(path: Path) -> None:
    """Refuse a place where no run can begin or go on.

    Raises:
        ValueError: If it is a file, lies below one, or is a folder with other files than those of a run.
    """
    path = Path(path)
    if (path / "recipe.json").is_file():
        return
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ValueError(f"{path} is not a run folder and is not empty. Use a new folder for --out.")
    above = next((folder for folder in path.parents if folder.exists()), None)
    if above is not None and not above.is_dir():
        raise ValueError(f"{path} can't be made a folder: {above} is a file. Use another place for --out.")


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ValueError: If the file is missing or holds something else; the message names it.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise ValueError(f"{path}: expected a JSON object, found {type(value).__name__}.")
    return value
