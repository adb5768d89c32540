"""Part of the report: what it costs and what it brings when the model says that it is not sure."""

from __future__ import annotations

import numpy as np

from halfsmile.evaluation.model_evaluation import CertainAnswers, certain_sentence
from halfsmile.metrics.selective import Curve, risk_coverage
from halfsmile.report import charts
from halfsmile.runs.calibration import CalibrationFile
from halfsmile.runs.predictions import Predictions
from halfsmile.utils.page import Html, figure, grid, paragraph
from halfsmile.utils.percent import percent

SOURCES = {"held_out": "held-out faces", "valid": "validation faces"}
TEST = "test"


def silence_figure(predictions: Predictions, found: CalibrationFile | None, *, last_stage: str) -> Html:
    """The risk–coverage curve of a run, with the threshold of ``calibration.json`` where it was exported.

    Files of older exports lack curves; the test curve then is that of the stored predictions, whose
    confidence is not the exported model's to the last digit.

    Args:
        predictions: Of the last stage on the test split.
        found: What the export left.
        last_stage: The stage whose predictions they are.
    """
    lines: dict[str, tuple[charts.Values, charts.Values]] = {}
    chosen: dict[str, tuple[float, float]] = {}
    if found is not None and found.curve is not None:
        name = _source(found).partition(" ")[0]
        lines[name] = found.curve.coverage, found.curve.risk
        if found.threshold is not None:
            chosen |= _at(name, found.curve, found.threshold)
    if found is not None and found.test_curve is not None:
        lines[TEST] = found.test_curve.coverage, found.test_curve.risk
    else:
        curve = risk_coverage(predictions.probabilities, predictions.targets)
        lines[TEST] = curve.coverage, curve.risk
    if found is not None and found.certain is not None and found.certain_error is not None:
        chosen[TEST] = found.certain, found.certain_error
    target = None if found is None or found.threshold is None else found.target_error
    drawn = charts.risk_coverage_chart(lines, target=target, chosen=chosen)
    caption = "From right to left the model gives fewer answers, the surest ones." + (
        " Dots: where the confidence reaches the threshold." if chosen else ""
    )
    words = [paragraph(text) for text in _meaning(found)]
    if found is not None and found.threshold is not None and found.stage != last_stage:
        note = f"This is the model of stage {found.stage}, which answers for single pictures."
        words.append(paragraph(note, "quiet"))
    return grid(
        figure(drawn, caption, "Fewer answers, fewer mistakes"),
        "<h3>What the threshold means</h3>" + "".join(words),
    )


def threshold_figure(predictions: Predictions, certain: CertainAnswers | None) -> Html:
    """The risk–coverage curve of a ready model on some data, with the threshold that the model has.

    Args:
        predictions: Of the model.
        certain: What its threshold does to them; None where it has none.
    """
    chosen: dict[str, tuple[float, float]] = {}
    target = None
    if certain is not None and certain.error is not None:
        chosen[TEST] = certain.share, certain.error
        target = certain.target_error
    caption = "From right to left the model gives fewer answers, the surest ones." + (
        " Dot: where the confidence reaches the model's threshold." if chosen else ""
    )
    words = "<h3>What the threshold means</h3>" + paragraph(certain_sentence(certain))
    if certain is not None:
        words += paragraph(
            "The threshold was chosen for the model on other faces, and what it promises holds for faces "
            "like those. This is how it does here.",
            "quiet",
        )
    if not charts.can_draw():
        return Html(words)
    curve = risk_coverage(predictions.probabilities, predictions.targets)
    lines = {TEST: (curve.coverage, curve.risk)}
    drawn = charts.risk_coverage_chart(lines, target=target, chosen=chosen)
    return grid(figure(drawn, caption, "Fewer answers, fewer mistakes"), words)


def _source(found: CalibrationFile) -> str:
    return SOURCES.get(str(found.source), "")


def _at(name: str, curve: Curve, threshold: float) -> dict[str, tuple[float, float]]:
    """The point of a curve at a threshold; none where no answer reaches it."""
    kept = np.flatnonzero(curve.threshold >= threshold - 1e-6)
    return {name: (float(curve.coverage[kept[-1]]), float(curve.risk[kept[-1]]))} if len(kept) else {}


def _meaning(found: CalibrationFile | None) -> list[str]:
    """Sentences on the threshold."""
    if found is not None and found.threshold is None and found.source is None:
        return [
            "The export found no labeled faces that trained nothing, so no threshold was chosen. Train with "
            "fewer labels, or put some faces into the split valid."
        ]
    if found is None or found.threshold is None:
        return [
            "No threshold was chosen yet. “halfsmile export” chooses the confidence from which an answer "
            "counts as certain, on labeled faces that trained nothing, and this page then marks it."
        ]
    asked = f"at most {100 * found.target_error:g} % wrong among the certain answers"
    asked += f", with {100 * found.assurance:g} % assurance for each threshold" if found.assurance else ""
    chose = f"Asked for {asked}, {found.count:,} {_source(found)} chose the threshold."
    if found.assurance:
        chose += (
            " It is the lowest of many that were compared, so the assurance of the choice is somewhat less."
        )
    if found.certain is None or found.certain_error is None:
        return [chose, "No confidence meets that, so every answer is called uncertain."]
    return [
        chose,
        f"From a confidence of {percent(found.threshold, 0)} on, the model calls its answer certain; below, "
        "it says that it is not sure.",
        f"On the test faces, which chose nothing, it is certain of {percent(found.certain)}, and "
        f"{percent(found.certain_error)} of these answers are wrong. Of all answers together "
        f"{percent(1 - found.accuracy)} are.",
    ]
