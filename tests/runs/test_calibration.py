from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from halfsmile.runs.calibration import read_calibration

CURVE = {"threshold": [0.9, 0.4], "coverage": [0.5, 1.0], "risk": [0.1, 0.2]}
NONE = {"ece": 0.2, "adaptive": 0.2, "classwise": 0.05, "nll": 0.7}
ERRORS = {"before": NONE, "temperature": {**NONE, "ece": 0.1}}
OLDEST = {
    "stage": "finetune",
    "source": "valid",
    "count": 300,
    "target_error": 0.1,
    "threshold": 0.8,
    "test": {"metrics": {"accuracy": 0.8}, "certain": {"share": 0.6, "error": 0.05}},
}


def written(folder: Path, value: Any) -> Path:
    path = folder / "calibration.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def test_everything_is_read(tmp_path: Path) -> None:
    test = {**OLDEST["test"], "curve": CURVE, "errors": ERRORS}  # type: ignore[dict-item]
    value = OLDEST | {"temperature": 0.5, "assurance": 0.9, "curve": CURVE, "test": test}
    found = read_calibration(written(tmp_path, value))
    assert found is not None
    assert (found.stage, found.source, found.count) == ("finetune", "valid", 300)
    assert (found.temperature, found.target_error, found.assurance, found.threshold) == (0.5, 0.1, 0.9, 0.8)
    assert (found.accuracy, found.certain, found.certain_error) == (0.8, 0.6, 0.05)
    assert found.errors == ERRORS
    assert found.curve is not None
    assert found.test_curve is not None
    assert found.test_curve.risk.tolist() == [0.1, 0.2]


def test_files_of_older_exports_lack_curves_and_errors(tmp_path: Path) -> None:
    found = read_calibration(written(tmp_path, OLDEST))
    assert found is not None
    assert (found.curve, found.test_curve, found.errors, found.assurance) == (None, None, {}, None)


def test_a_run_without_faces_to_choose_on_has_no_threshold(tmp_path: Path) -> None:
    value = OLDEST | {"source": None, "threshold": None, "test": {"metrics": {"accuracy": 0.8}}}
    found = read_calibration(written(tmp_path, value))
    assert found is not None
    assert (found.source, found.threshold, found.certain, found.certain_error) == (None, None, None, None)


def test_a_run_that_was_not_exported_has_none(tmp_path: Path) -> None:
    assert read_calibration(tmp_path / "calibration.json") is None


@pytest.mark.parametrize(
    "value",
    [
        OLDEST | {"test": {"metrics": {"accuracy": 0.8}, "errors": {"before": {"ece": 0.1}}}},
        [],
        "text",
        {},
        {"threshold": 0.5},
        OLDEST | {"threshold": "high"},
        OLDEST | {"test": []},
        OLDEST | {"curve": {"threshold": [0.5]}},
        OLDEST | {"curve": CURVE | {"risk": [0.1]}},
        OLDEST | {"curve": [1, 2]},
    ],
)
def test_what_no_export_wrote_is_refused(tmp_path: Path, value: Any) -> None:
    path = written(tmp_path, value)
    with pytest.raises(ValueError, match=r"calibration\.json is not what `halfsmile export` writes .*again"):
        read_calibration(path)
