"""Part of the report: the confidences of the exported model beside those of the network as trained."""

from __future__ import annotations

import numpy as np

from halfsmile.metrics.selective import Curve, risk_coverage
from halfsmile.runs.calibration import CalibrationFile
from halfsmile.runs.finished import FinishedRun
from halfsmile.runs.predictions import Predictions
from halfsmile.utils.page import Html, bar, paragraph, table
from halfsmile.utils.percent import percent

ANSWERED = (1.0, 0.9, 0.75, 0.5, 0.25)
SCALINGS = {
    "before": "before temperature",
    "temperature": "temperature (exported)",
    "vector": "vector scaling (not exported)",
}
ERRORS = {"ece": "ECE", "adaptive": "adaptive", "classwise": "class-wise"}


def calibration_of(run: FinishedRun) -> CalibrationFile | None:
    """The calibration of the model whose predictions the report shows.

    Returns:
        None where the run was not exported, had no faces to choose a temperature on, or went on with another
        stage, whose confidences it does not describe.
    """
    found = run.calibration
    ours = found is not None and found.source is not None and found.stage == run.stages[-1].name
    return found if ours else None


def silent_table(predictions: Predictions, found: CalibrationFile | None) -> Html:
    """Accuracy when the model may decline to answer, by the exported model's confidence if there is one."""
    words = "Accuracy on the test faces that it is surest of, when it may decline the others."
    curve: Curve
    if found is not None and found.test_curve is not None:
        curve = found.test_curve
        words += " Confidences are those of the exported model, after temperature."
    else:
        curve = risk_coverage(predictions.probabilities, predictions.targets)
        words += " Confidences are those of the network as trained, before temperature." if found else ""
    places = np.searchsorted(curve.coverage, np.array(ANSWERED) - 1e-6)
    rows = [
        (percent(curve.coverage[i], 0), f"{curve.threshold[i]:.2f}", bar(float(1 - curve.risk[i])))
        for i in dict.fromkeys(np.minimum(places, len(curve.coverage) - 1).tolist())
    ]
    return Html(
        "<h3>If it may stay silent</h3>"
        + paragraph(words)
        + table(("Answered", "Confidence at least", "Accuracy"), rows)
    )


def errors_table(found: CalibrationFile) -> Html:
    """Calibration errors on the test faces as trained, after temperature and after vector scaling."""
    rows = [
        (title, *(percent(found.errors[name][error]) for error in ERRORS), f"{found.errors[name]['nll']:.3f}")
        for name, title in SCALINGS.items()
        if name in found.errors
    ]
    return Html(
        '<h3 class="apart">Calibration errors on the test faces</h3>'
        + table(("Probabilities", *ERRORS.values(), "NLL"), rows)
        + paragraph(
            "ECE: how far confidence is from accuracy, in 15 bins of equal width; adaptive: in bins of "
            "equally many faces; class-wise: the same for each expression's probability, averaged. NLL: "
            "negative log-likelihood. Lower is better.",
            "quiet",
        )
    )
