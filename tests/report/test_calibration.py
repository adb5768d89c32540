"""One scale of confidences: where a run was exported, the page says whose confidences it shows."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from halfsmile.metrics.calibration import Temperature, calibration_errors
from halfsmile.metrics.selective import risk_coverage
from halfsmile.report.calibration import calibration_of, silent_table
from halfsmile.report.report import write_report
from halfsmile.runs.finished import read_run
from halfsmile.runs.predictions import read_predictions
from halfsmile.utils.files import write_json

MakeRun = Callable[..., Path]
TEMPERATURE = 0.4


@pytest.fixture
def run(make_run: MakeRun) -> Path:
    run = make_run(stages=["finetune"])
    (run / "finetune/metrics.jsonl").unlink()  # curves take time
    return run


def calibration(run: Path, **changes: Any) -> dict[str, Any]:
    """What an export writes that chose the temperature 0.4."""
    found = read_predictions(run / "predictions.parquet")
    logits = np.log(found.probabilities)
    scaled = {"before": Temperature(1.0)(logits), "temperature": Temperature(TEMPERATURE)(logits)}
    return {
        "stage": "finetune",
        "source": "valid",
        "count": 300,
        "temperature": TEMPERATURE,
        "target_error": 0.1,
        "threshold": 0.9,
        "test": {
            "metrics": {"accuracy": 0.8},
            "curve": risk_coverage(scaled["temperature"], found.targets).points(),
            "errors": {name: asdict(calibration_errors(p, found.targets)) for name, p in scaled.items()},
        },
    } | changes


def rows(html: str) -> list[list[str]]:
    """Text of the cells of a page's tables, row by row."""
    lines = re.findall(r"<tr>(<td>.*?)</tr>", html)
    return [[re.sub("<.*?>", "", cell) for cell in re.findall(r"<td>(.*?)</td>", line)] for line in lines]


def silent(run: Path) -> str:
    found = read_run(run)
    return silent_table(found.predictions, calibration_of(found))


def by_hand(confidence: Any, right: Any, share: float) -> list[str]:
    order = np.argsort(-confidence, kind="stable")
    kept = round(share * len(order))
    return [
        f"{100 * share:.0f} %",
        f"{confidence[order][kept - 1]:.2f}",
        f"{100 * right[order][:kept].mean():.1f} %",
    ]


def test_the_silent_table_has_the_confidences_of_the_exported_model(run: Path) -> None:
    found = read_predictions(run / "predictions.parquet")
    right = found.predicted == found.targets
    exported = Temperature(TEMPERATURE)(np.log(found.probabilities)).max(axis=1)
    shares = (1.0, 0.9, 0.75, 0.5, 0.25)
    plain = silent(run)
    assert rows(plain) == [by_hand(found.confidence, right, share) for share in shares]
    write_json(run / "calibration.json", calibration(run))
    table = silent(run)
    assert rows(table) == [by_hand(exported, right, share) for share in shares]
    assert rows(table) != rows(plain)
    assert "of the exported model, after temperature" in table


def test_an_older_export_without_a_curve_says_that_its_scale_is_another(run: Path) -> None:
    facts = calibration(run)
    del facts["test"]["curve"], facts["test"]["errors"]
    write_json(run / "calibration.json", facts)
    assert "as trained, before temperature" in silent(run)
    assert "Calibration errors" not in write_report(run).read_text(encoding="utf-8")


def test_errors_before_and_after_stand_side_by_side(run: Path) -> None:
    facts = calibration(run)
    write_json(run / "calibration.json", facts)
    page = write_report(run).read_text(encoding="utf-8")
    titles = {"before": "before temperature", "temperature": "temperature (exported)"}
    for name, title in titles.items():
        errors = facts["test"]["errors"][name]
        shares = [f"{100 * errors[error]:.1f} %" for error in ("ece", "adaptive", "classwise")]
        assert [title, *shares, f"{errors['nll']:.3f}"] in rows(page)
    after = f"{100 * facts['test']['errors']['temperature']['ece']:.1f} %"
    for text in (
        "ECE as trained, before temperature",
        f"of the exported model {after}",
        "Reliability as trained, before temperature",
        "As trained, the network is ",
        f"a temperature of 0.400, chosen on faces that trained nothing; its error is {after}",
    ):
        assert text in page


@pytest.mark.parametrize("changes", [{"stage": "semi"}, {"source": None, "threshold": None}, None])
def test_a_model_without_temperature_has_one_scale(run: Path, changes: dict[str, Any] | None) -> None:
    """Never exported, nothing chosen, or the calibration of another stage than the one that is shown."""
    if changes is not None:
        write_json(run / "calibration.json", calibration(run, **changes))
    page = write_report(run).read_text(encoding="utf-8")
    assert "before temperature" not in page
    assert "Calibration errors" not in page
    assert "On average the model is " in page
