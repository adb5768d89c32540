"""Reading a finished run folder: recipe, environment, data, stages, predictions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from halfsmile.runs.calibration import CalibrationFile, read_calibration
from halfsmile.runs.predictions import Predictions, read_predictions
from halfsmile.taxonomy import Taxonomy, from_labels
from halfsmile.utils.files import read_json

STAGE_ORDER = ("pretrain", "finetune", "semi", "tune", "temporal")


@dataclass(frozen=True, eq=False)
class Stage:
    """One stage of a run.

    Args:
        name: Folder name.
        folder: The folder.
        result: Content of result.json.
        records: Lines of metrics.jsonl, in order of step.
        predictions: Predictions on the test split, where the stage makes any.
    """

    name: str
    folder: Path
    result: Mapping[str, Any]
    records: tuple[Mapping[str, Any], ...]
    predictions: Predictions | None

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
class RunFolder:
    """A finished run.

    Args:
        folder: The folder.
        recipe: Content of recipe.json.
        environment: Content of environment.json.
        data: Content of data.json.
        taxonomy: The classes.
        stages: In the order in which they ran.
        predictions: The last stage's predictions on the test split.
        calibration: Content of calibration.json, where the run was exported.
    """

    folder: Path
    recipe: Mapping[str, Any]
    environment: Mapping[str, Any]
    data: Mapping[str, Any]
    taxonomy: Taxonomy
    stages: tuple[Stage, ...]
    predictions: Predictions
    calibration: CalibrationFile | None

    @property
    def name(self) -> str:
        """The recipe's name, or the folder's where the recipe has none."""
        return str(self.recipe.get("name") or self.folder.resolve().name)

    def stage(self, name: str) -> Stage | None:
        """The stage of that name, or None where the run has none."""
        return next((stage for stage in self.stages if stage.name == name), None)

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
        return next((self.folder / c for c in candidates if (self.folder / c).is_file()), None)


def read_run(folder: Path) -> RunFolder:
    """Read a finished run folder.

    Raises:
        ValueError: If the folder is not a run, is unfinished, or a file in it is broken; the message says
            what is missing and what to do.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder.")
    if not (folder / "recipe.json").is_file():
        raise ValueError(
            f"{folder} is not a run folder: it has no recipe.json. Give the folder that training wrote into."
        )
    stage_folders = _stage_folders(folder)
    missing = [
        name for name in ("data.json", "metrics.json", "predictions.parquet") if not (folder / name).is_file()
    ]
    missing += [
        f"{stage.name}/result.json" for stage in stage_folders if not (stage / "result.json").is_file()
    ]
    if not stage_folders:
        missing.append("a stage folder such as finetune/")
    if missing:
        raise ValueError(
            f"The run in {folder} is unfinished: {', '.join(missing)} missing. "
            "Start the same training command with the same folder again; it resumes at its last checkpoint."
        )

    data = _mapping(folder / "data.json")
    taxonomy = from_labels(data.get("taxonomy") or ())
    predictions = read_predictions(folder / "predictions.parquet")
    taxonomy.require_same(predictions.taxonomy)
    environment = folder / "environment.json"
    return RunFolder(
        folder=folder,
        recipe=_mapping(folder / "recipe.json"),
        environment=_mapping(environment) if environment.is_file() else {},
        data=data,
        taxonomy=taxonomy,
        stages=tuple(_read_stage(path) for path in stage_folders),
        predictions=predictions,
        calibration=read_calibration(folder / "calibration.json"),
    )


def _stage_folders(folder: Path) -> list[Path]:
    found = [p for p in folder.iterdir() if (p / "metrics.jsonl").is_file() or (p / "result.json").is_file()]
    order = {name: i for i, name in enumerate(STAGE_ORDER)}
    return sorted(found, key=lambda p: (order.get(p.name, len(order)), p.name))


def _read_stage(folder: Path) -> Stage:
    predictions = folder / "predictions.parquet"
    records = folder / "metrics.jsonl"
    return Stage(
        name=folder.name,
        folder=folder,
        result=_mapping(folder / "result.json"),
        records=_read_records(records) if records.is_file() else (),
        predictions=read_predictions(predictions) if predictions.is_file() else None,
    )


def _read_records(path: Path) -> tuple[Mapping[str, Any], ...]:
    records = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}, line {number} is not valid JSON: {error}") from error
        if not isinstance(record, dict) or "step" not in record or "epoch" not in record:
            raise ValueError(
                f"{path}, line {number}: expected an object with 'step' and 'epoch', found {line[:80]}"
            )
        records.append(record)
    return tuple(sorted(records, key=lambda record: record["step"]))


def _mapping(path: Path) -> Mapping[str, Any]:
    value = read_json(path)
    if not isinstance(value, dict):
        raise ValueError(f"{path}: expected a JSON object, found {type(value).__name__}.")
    return value
