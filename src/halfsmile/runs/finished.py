"""Reading all of a finished run: recipe, environment, data, stages, predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from halfsmile.runs.calibration import CalibrationFile, read_calibration
from halfsmile.runs.folder import RunFolder
from halfsmile.runs.predictions import Predictions, read_predictions
from halfsmile.runs.records import RECORDS
from halfsmile.runs.stages import STAGE_BY_NAME
from halfsmile.taxonomy import Taxonomy


@dataclass(frozen=True, eq=False)
class FinishedStage:
    """One stage of a finished run.

    Args:
        name: Name of its folder, as a rule that of a :class:`~halfsmile.runs.stages.Stage`.
        path: The folder.
        result: Content of result.json.
        records: Lines of metrics.jsonl, in order of step.
        predictions: Predictions on the test split, where the stage makes any.
        note: What of metrics.jsonl could not be read, for people; None if all was.
    """

    name: str
    path: Path
    result: Mapping[str, Any]
    records: tuple[Mapping[str, Any], ...]
    predictions: Predictions | None
    note: str | None = None

    @property
    def title(self) -> str:
        """Name for readers."""
        return STAGE_BY_NAME[self.name].title if self.name in STAGE_BY_NAME else self.name.capitalize()

    @property
    def purpose(self) -> str:
        """One sentence on what it does; empty for a stage that is not in the list."""
        return STAGE_BY_NAME[self.name].purpose if self.name in STAGE_BY_NAME else ""

    def has(self, name: str) -> bool:
        """Whether a quantity was logged."""
        return any(name in record for record in self.records)

    def series(self, name: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Epochs and values of one logged quantity, both (lines that have it,); null counts as NaN."""
        rows = [(r["epoch"], r[name]) for r in self.records if name in r]
        epochs = np.array([epoch for epoch, _ in rows], dtype=np.float64)
        values = np.array([np.nan if value is None else value for _, value in rows], dtype=np.float64)
        return epochs, values


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """A run that was trained and evaluated.

    Args:
        path: The run folder.
        recipe: Content of recipe.json.
        environment: Content of environment.json.
        data: Content of data.json.
        taxonomy: The classes.
        stages: In the order in which they ran.
        predictions: The last stage's predictions on the test split.
        calibration: Content of calibration.json, where the run was exported.
    """

    path: Path
    recipe: Mapping[str, Any]
    environment: Mapping[str, Any]
    data: Mapping[str, Any]
    taxonomy: Taxonomy
    stages: tuple[FinishedStage, ...]
    predictions: Predictions
    calibration: CalibrationFile | None

    @property
    def name(self) -> str:
        """The recipe's name, or the folder's where the recipe has none."""
        return str(self.recipe.get("name") or self.path.resolve().name)

    def stage(self, name: str) -> FinishedStage | None:
        """The stage of that name, or None where the run has none."""
        return next((stage for stage in self.stages if stage.name == name), None)

    def validation(self) -> dict[str, float]:
        """Score of each stage that classifies on the held-out faces at its end; empty where none watched.

        The first metric of the run's protocol.
        """
        protocol = self.recipe.get("protocol") or {}
        name = f"held_out/{protocol.get('metric', 'accuracy')}"
        last = {stage.name: stage.series(name)[1] for stage in self.stages if stage.has(name)}
        return {stage: float(values[-1]) for stage, values in last.items()}

    def counts(self, part: str) -> dict[str, int]:
        """Images per label of ``labeled``, ``held_out`` or ``test``, as recorded in data.json."""
        return dict(self.data.get(part) or {})

    @property
    def num_unlabeled(self) -> int:
        """Number of images whose labels training may not see."""
        return int(self.data.get("unlabeled") or 0)

    @property
    def pretrain_images(self) -> dict[str, int]:
        """Number of pretraining images per source."""
        return dict(self.data.get("pretrain_images") or {})

    def picture(self, *candidates: str) -> Path | None:
        """The first of these paths below the folder that exists."""
        return next((self.path / c for c in candidates if (self.path / c).is_file()), None)


def read_run(path: Path) -> FinishedRun:
    """Read a finished run.

    Args:
        path: The run folder.

    Raises:
        ValueError: If the folder is not a run, is unfinished, or a file in it is broken; the message says
            what is missing and what to do.
    """
    folder = RunFolder.existing(path)
    stages = _stages(folder)
    missing = [
        name
        for name in ("data.json", "metrics.json", "predictions.parquet")
        if not (folder.path / name).is_file()
    ]
    missing += [f"{stage}/result.json" for stage in stages if not folder.finished(stage)]
    if not stages:
        missing.append("a stage folder such as finetune/")
    if missing:
        raise ValueError(
            f"The run in {path} is unfinished: {', '.join(missing)} missing. "
            "Start the same training command with the same folder again; it resumes at its last checkpoint."
        )
    taxonomy = folder.taxonomy()
    predictions = read_predictions(folder.path / "predictions.parquet")
    taxonomy.require_same(predictions.taxonomy)
    return FinishedRun(
        path=folder.path,
        recipe=folder.recipe_json(),
        environment=folder.environment(),
        data=folder.data(),
        taxonomy=taxonomy,
        stages=tuple(_read_stage(folder, stage) for stage in stages),
        predictions=predictions,
        calibration=read_calibration(folder.path / "calibration.json"),
    )


def _stages(folder: RunFolder) -> list[str]:
    """Names of the stages that were begun: those of the list in its order, then others."""
    found = [
        path.name
        for path in folder.path.iterdir()
        if (path / RECORDS).is_file() or folder.finished(path.name)
    ]
    order = {name: i for i, name in enumerate(STAGE_BY_NAME)}
    return sorted(found, key=lambda name: (order.get(name, len(order)), name))


def _read_stage(folder: RunFolder, name: str) -> FinishedStage:
    predictions, records = folder.stage(name) / "predictions.parquet", folder.records(name)
    return FinishedStage(
        name=name,
        path=folder.stage(name),
        result=folder.result(name),
        records=records.lines,
        predictions=read_predictions(predictions) if predictions.is_file() else None,
        note=records.note,
    )
