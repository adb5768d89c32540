"""Part of the report: what it costs and what it brings when the model says that it is not sure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from halfsmile.evaluate import charts
from halfsmile.evaluate.metrics import Metrics
from halfsmile.evaluate.page import Html, figure, grid, paragraph, percent
from halfsmile.evaluate.run_folder import RunFolder
from halfsmile.evaluate.selective import risk_coverage
from halfsmile.files import read_json

SOURCES = {"held_out": "held-out faces", "valid": "validation faces"}
TEST = "test"


def silence_figure(run: RunFolder, metrics: Metrics) -> Html:
    """The risk–coverage curve, with the threshold of ``calibration.json`` where the run was exported.

    Files of older exports lack curves; the test curve then is that of the stored predictions, whose
    confidence is not the exported model's to the last digit.
    """
    path = run.folder / "calibration.json"
    calibration: Mapping[str, Any] = read_json(path) if path.is_file() else {}
    judged = calibration.get("test") or {}
    lines: dict[str, tuple[charts.Values, charts.Values]] = {}
    chosen: dict[str, tuple[float, float]] = {}
    source = SOURCES.get(str(calibration.get("source")), "")
    threshold, certain = calibration.get("threshold"), judged.get("certain") or {}
    if calibration.get("curve"):
        name = source.partition(" ")[0]
        lines[name] = _line(calibration["curve"])
        if threshold is not None:
            chosen |= _at(name, calibration["curve"], threshold)
    test = (
        judged.get("curve") or risk_coverage(run.predictions.probabilities, run.predictions.targets).points()
    )
    lines[TEST] = _line(test)
    if certain.get("error") is not None:
        chosen[TEST] = certain["share"], certain["error"]
    drawn = charts.risk_coverage_chart(
        lines, target=None if threshold is None else calibration["target_error"], chosen=chosen
    )
    caption = "From right to left the model gives fewer answers, the surest ones." + (
        " Dots: where the confidence reaches the threshold." if chosen else ""
    )
    accuracy = float((judged.get("metrics") or {}).get("accuracy", metrics.accuracy))
    words = [paragraph(text) for text in _meaning(calibration, certain, 1 - accuracy, source)]
    if threshold is not None and calibration.get("stage") != run.stages[-1].name:
        note = f"This is the model of stage {calibration.get('stage')}, which answers for single pictures."
        words.append(paragraph(note, "quiet"))
    return grid(
        figure(drawn, caption, "Fewer answers, fewer mistakes"),
        "<h3>What the threshold means</h3>" + "".join(words),
    )


def _line(curve: Mapping[str, Any]) -> tuple[charts.Values, charts.Values]:
    return np.array(curve["coverage"], np.float64), np.array(curve["risk"], np.float64)


def _at(name: str, curve: Mapping[str, Any], threshold: float) -> dict[str, tuple[float, float]]:
    """The point of a curve at a threshold; none where no answer reaches it."""
    kept = np.flatnonzero(np.array(curve["threshold"]) >= threshold - 1e-6)
    return {name: (curve["coverage"][kept[-1]], curve["risk"][kept[-1]])} if len(kept) else {}


def _meaning(
    calibration: Mapping[str, Any], certain: Mapping[str, Any], error: float, source: str
) -> list[str]:
    """Sentences on the threshold."""
    threshold = calibration.get("threshold")
    if threshold is None:
        return [
            "No threshold was chosen yet. “halfsmile export” chooses the confidence from which an answer "
            "counts as certain, on labeled faces that trained nothing, and this page then marks it."
        ]
    assured = calibration.get("assurance")
    asked = f"at most {100 * calibration['target_error']:g} % wrong among the certain answers"
    asked += f", with {100 * assured:g} % assurance" if assured else ""
    chose = f"Asked for {asked}, {calibration['count']:,} {source} chose the threshold."
    if certain.get("error") is None:
        return [chose, "No confidence meets that, so every answer is called uncertain."]
    return [
        chose,
        f"From a confidence of {100 * threshold:.0f} % on, the model calls its answer certain; below, it "
        "says that it is not sure.",
        f"On the test faces, which chose nothing, it is certain of {percent(certain['share'])}, and "
        f"{percent(certain['error'])} of these answers are wrong. Of all answers together "
        f"{percent(error)} are.",
    ]
