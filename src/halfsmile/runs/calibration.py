"""Reading ``calibration.json``, which an export leaves in the run: how sure one may be of its model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from halfsmile.metrics.selective import Curve
from halfsmile.utils.files import read_json

ERRORS = ("ece", "adaptive", "classwise", "nll")


@dataclass(frozen=True, eq=False)
class CalibrationFile:
    """What the report needs of the file.

    Args:
        stage: Stage whose model was exported.
        source: Where the faces that chose are from; None where the run had none, so that nothing was chosen.
        count: Number of these faces.
        temperature: Logits are divided by it; None in files of older exports.
        target_error: Share of wrong ones that certain answers may have.
        assurance: With which they meet it; None in files of older exports.
        threshold: Confidence from which answers are certain; None where nothing was chosen.
        curve: On the faces that chose; None where there were none, and in files of older exports.
        test_curve: On the test faces; None in files of older exports.
        accuracy: On the test faces.
        certain: Share of certain answers on the test faces; None without threshold.
        certain_error: Share of wrong ones among them; None where no answer is certain.
        errors: Each of :data:`ERRORS` on the test faces, by scaling: ``before``, ``temperature``,
            ``vector``; empty in files of older exports.
    """

    stage: str
    source: str | None
    count: int
    temperature: float | None
    target_error: float
    assurance: float | None
    threshold: float | None
    curve: Curve | None
    test_curve: Curve | None
    accuracy: float
    certain: float | None
    certain_error: float | None
    errors: Mapping[str, Mapping[str, float]]


def read_calibration(path: Path) -> CalibrationFile | None:
    """Read the file; None where there is none.

    Raises:
        ValueError: If it is not what an export writes.
    """
    if not path.is_file():
        return None
    value = read_json(path)
    try:
        return _parse(value)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is not what `halfsmile export` writes ({type(error).__name__}: {error}). Export the run "
            "again, or move the file away."
        ) from error


def _parse(value: Mapping[str, Any]) -> CalibrationFile:
    test = value["test"]
    certain = test.get("certain") or {"share": None, "error": None}
    return CalibrationFile(
        stage=str(value["stage"]),
        source=None if value["source"] is None else str(value["source"]),
        count=int(value["count"]),
        temperature=_number(value.get("temperature")),
        target_error=float(value["target_error"]),
        assurance=_number(value.get("assurance")),
        threshold=_number(value["threshold"]),
        curve=_curve(value.get("curve")),
        test_curve=_curve(test.get("curve")),
        accuracy=float(test["metrics"]["accuracy"]),
        certain=_number(certain["share"]),
        certain_error=_number(certain["error"]),
        errors={
            str(scaling): {name: float(errors[name]) for name in ERRORS}
            for scaling, errors in (test.get("errors") or {}).items()
        },
    )


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _curve(value: Mapping[str, Any] | None) -> Curve | None:
    if not value:
        return None
    columns = [np.array(value[name], np.float64) for name in ("threshold", "coverage", "risk")]
    if columns[0].ndim != 1 or not len(columns[0]) or len({column.shape for column in columns}) > 1:
        raise ValueError(f"columns of a curve have the shapes {[column.shape for column in columns]}")
    return Curve(*columns)
