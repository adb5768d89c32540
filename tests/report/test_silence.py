from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from halfsmile.metrics.selective import risk_coverage, threshold_for_error
from halfsmile.report.silence import silence_figure
from halfsmile.runs.finished import read_run
from halfsmile.runs.predictions import Predictions, read_predictions
from halfsmile.utils.files import write_json

MakeRun = Callable[..., Path]


def calibration(predictions: Predictions, target: float, **changes: Any) -> dict[str, Any]:
    """What the export of a run writes, with one half of the faces as validation, the other as test faces."""
    half = len(predictions) // 2
    parts = [
        risk_coverage(predictions.probabilities[part], predictions.targets[part])
        for part in (slice(half), slice(half, None))
    ]
    threshold = threshold_for_error(parts[0], target, assurance=0.9)
    certain = predictions.confidence[half:] >= (1.0 if threshold is None else threshold)
    wrong = (predictions.predicted != predictions.targets)[half:]
    return {
        "stage": "finetune",
        "source": "valid",
        "count": half,
        "target_error": target,
        "assurance": 0.9,
        "temperature": 0.5,
        "threshold": 1.0 if threshold is None else threshold,
        "curve": parts[0].points(),
        "test": {
            "curve": parts[1].points(),
            "certain": {
                "share": float(certain.mean()),
                "error": float(wrong[certain].mean()) if certain.any() else None,
            },
            "metrics": {"accuracy": float(1 - wrong.mean())},
        },
    } | changes


def shown(run: Path) -> str:
    found = read_run(run)
    return silence_figure(found.predictions, found.calibration, last_stage=found.stages[-1].name)


@pytest.fixture
def run(make_run: MakeRun) -> Path:
    return make_run(stages=["finetune"])


def test_threshold_target_and_what_they_mean_are_shown(run: Path) -> None:
    predictions = read_predictions(run / "predictions.parquet")
    facts = calibration(predictions, 0.1)
    assert 0 < facts["threshold"] < 1
    write_json(run / "calibration.json", facts)
    page = shown(run)
    certain = facts["test"]["certain"]
    for text in (
        ">validation<",
        ">test<",
        ">target, 10 %<",
        "at most 10 % wrong among the certain answers, with 90 % assurance for each threshold, 300 "
        "validation faces chose the threshold. It is the lowest of many",
        f"From a confidence of {100 * facts['threshold']:.0f} % on",
        f"certain of {100 * certain['share']:.1f} %, and {100 * certain['error']:.1f} % of these answers",
        f"all answers together {100 * (1 - facts['test']['metrics']['accuracy']):.1f} % are",
        "Dots: where the confidence reaches the threshold",
    ):
        assert text in page
    assert "of stage" not in page


def test_dots_lie_on_their_curves(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = calibration(read_predictions(run / "predictions.parquet"), 0.1)
    write_json(run / "calibration.json", facts)
    drawn: dict[str, Any] = {}

    def note(lines: Any, **options: Any) -> str:
        drawn.update(options, lines=lines)
        return ""

    monkeypatch.setattr("halfsmile.report.silence.charts.risk_coverage_chart", note)
    shown(run)
    assert drawn["target"] == 0.1
    assert set(drawn["chosen"]) == set(drawn["lines"]) == {"validation", "test"}
    for name, (share, error) in drawn["chosen"].items():
        coverage, risk = drawn["lines"][name]
        assert error == pytest.approx(np.interp(share, coverage, risk), abs=0.01)
    assert drawn["chosen"]["validation"][1] < 0.1  # the upper bound of the error meets the target


def test_without_an_export_the_page_says_how_to_get_a_threshold(run: Path) -> None:
    page = shown(run)
    assert "No threshold was chosen yet" in page
    assert "target" not in page
    assert ">validation<" not in page


def test_a_target_that_can_not_be_met_is_said(run: Path) -> None:
    facts = calibration(read_predictions(run / "predictions.parquet"), 1e-6)
    assert facts["test"]["certain"]["error"] is None
    write_json(run / "calibration.json", facts)
    assert "every answer is called uncertain" in shown(run)


def test_files_without_curves_and_of_another_stage_are_read(run: Path) -> None:
    facts = calibration(read_predictions(run / "predictions.parquet"), 0.1, stage="semi")
    del facts["curve"], facts["test"]["curve"]
    write_json(run / "calibration.json", facts)
    page = shown(run)
    assert ">validation<" not in page
    assert "model of stage semi" in page
    assert re.search(r"certain of \d+\.\d %", page)
