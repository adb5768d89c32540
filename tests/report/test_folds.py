"""The report of a cross-validation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from halfsmile.metrics.scores import Metrics, evaluate_predictions
from halfsmile.report.folds import mean_and_deviation, summary, write_folds_report
from halfsmile.taxonomy import Taxonomy


def metrics(right: int, of: int = 10) -> Metrics:
    truth = np.arange(of) % 2
    answers = np.where(np.arange(of) < right, truth, 1 - truth)
    probabilities = np.where(answers[:, None] == np.arange(2), 0.9, 0.1)
    return evaluate_predictions(probabilities, truth, Taxonomy("two", ("calm", "smile")))


def test_the_deviation_is_that_of_a_sample() -> None:
    values = [0.5, 0.7, 0.9]
    expected = np.sqrt(sum((v - 0.7) ** 2 for v in values) / 2)
    assert mean_and_deviation(values) == f"70.0 ± {100 * expected:.1f} %" == "70.0 ± 20.0 %"


def test_the_page_has_mean_and_deviation_and_links_to_each_fold(tmp_path: Path) -> None:
    found = {"fold-1": metrics(8), "fold-2": metrics(6), "fold-3": metrics(10)}
    path = write_folds_report(
        tmp_path,
        found,
        title="supervised on <mine>",
        how="3 folds drawn by person with seed 0.",
        rows=[20, 20, 20],
    )
    page = path.read_text(encoding="utf-8")
    assert summary(list(found.values()))["accuracy"] == "80.0 ± 20.0 %"
    assert "80.0 ± 20.0 %" in page
    assert "supervised on &lt;mine&gt;" in page
    assert "drawn by person" in page
    for name in found:
        assert f'<a href="{name}/report.html">' in page
    record = json.loads((tmp_path / "folds.json").read_text())
    assert record["folds"]["fold-2"]["accuracy"] == 0.6
    assert record["summary"]["accuracy"] == "80.0 ± 20.0 %"
