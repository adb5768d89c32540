"""Sections of the report on the final model: its classes, its mistakes, its confidence."""

from __future__ import annotations

import numpy as np

from halfsmile.metrics.scores import Metrics, reliability_bins
from halfsmile.report import charts
from halfsmile.report.calibration import calibration_of, errors_table, silent_table
from halfsmile.report.silence import silence_figure
from halfsmile.runs.finished import FinishedRun
from halfsmile.utils.page import (
    Html,
    bar,
    figure,
    grid,
    html,
    paragraph,
    percent,
    picture,
    section,
    table,
)

WELL_CALIBRATED = 0.02
STRONG = 0.68  # from this share on, the shade of a cell asks for the other text color


def classes_section(run: FinishedRun, metrics: Metrics) -> Html:
    """Confusion matrix and the scores of each class."""
    seen = run.counts("labeled")
    rows = [
        (
            label,
            f"{seen.get(label, 0):,}",
            f"{scores['support']:,}",
            *(bar(value) for value in (scores["precision"], scores["recall"], scores["f1"])),
        )
        for label, scores in metrics.per_class.items()
    ]
    caption = (
        "Rows: the true expression. Columns: the model's answer. "
        "Large: per cent of the row; small: number of faces."
    )
    return section(
        "classes",
        "Where it is right and where it is wrong",
        paragraph(_verdict(run, metrics)),
        figure(_confusion(run, metrics), caption, "Confusion matrix"),
        table(("Expression", "Labels seen", "Test faces", "Precision", "Recall", "F1"), rows),
    )


def mistakes_section(run: FinishedRun) -> Html | None:
    """The picture of the most confident mistakes, where there is one."""
    path = run.picture("mistakes.png", "figures/mistakes.png")
    if path is None:
        return None
    text = (
        "The test faces that the model was surest of and that the annotators named otherwise. Some are "
        "the model's errors, some the label's, and some faces show both."
    )
    shown = figure(picture(path, "Misclassified test faces with their true and predicted labels"))
    return section("mistakes", "Its most confident mistakes", paragraph(text), shown)


def confidence_section(run: FinishedRun, metrics: Metrics) -> Html:
    """Reliability diagram, calibration, and accuracy when the model may decline to answer."""
    predictions = run.predictions
    mean = float(predictions.confidence.mean())
    verdict = "about as sure as it is right"
    if abs(mean - metrics.accuracy) > WELL_CALIBRATED:
        verdict = "surer than it is right" if mean > metrics.accuracy else "less sure than it is right"
    found = calibration_of(run)
    subject = "On average the model" if found is None else "As trained, the network"
    text = (
        f"{subject} is {verdict}: mean confidence {percent(mean)}, accuracy "
        f"{percent(metrics.accuracy)}. The expected calibration error (15 bins) is {percent(metrics.ece)}."
    )
    if found is not None and "temperature" in found.errors:
        text += (
            " The exported model divides its logits by a temperature"
            + ("" if found.temperature is None else f" of {found.temperature:.3f}")
            + ", chosen on faces that trained nothing; its error is "
            + f"{percent(found.errors['temperature']['ece'])}."
        )
    bins = reliability_bins(predictions.probabilities, predictions.targets)
    return section(
        "confidence",
        "How far to trust its confidence",
        paragraph(text),
        grid(
            figure(
                charts.reliability_diagram(bins),
                "Bars below the diagonal: too sure of itself. Above: too modest.",
                "Reliability" if found is None else "Reliability as trained, before temperature",
            ),
            silent_table(run),
        ),
        errors_table(found) if found is not None and found.errors else "",
        silence_figure(run),
    )


def _verdict(run: FinishedRun, metrics: Metrics) -> str:
    """Best and weakest class and the most frequent confusion, in words."""
    f1 = {label: scores["f1"] for label, scores in metrics.per_class.items() if scores["support"]}
    best, worst = max(f1, key=lambda label: f1[label]), min(f1, key=lambda label: f1[label])
    text = f"Best at {best} (F1 {percent(f1[best])})"
    text += f", weakest at {worst} (F1 {percent(f1[worst])})." if len(f1) > 1 else "."
    wrong = metrics.confusion / np.maximum(metrics.confusion.sum(axis=1), 1)[:, None]
    np.fill_diagonal(wrong, 0)
    if wrong.max() > 0:
        truth, answer = divmod(int(wrong.argmax()), len(run.taxonomy))
        labels = run.taxonomy.labels
        text += (
            f" The confusion with the largest share: {percent(float(wrong[truth, answer]))} of "
            f"{labels[truth]} is taken for {labels[answer]}."
        )
    return text


def _confusion(run: FinishedRun, metrics: Metrics) -> Html:
    """The confusion matrix as a table whose cells are shaded by their share of the row."""
    shares = metrics.confusion / np.maximum(metrics.confusion.sum(axis=1, keepdims=True), 1)
    head = "".join(f'<th scope="col">{html(label)}</th>' for label in run.taxonomy.labels)
    lines = [f'<tr class="top"><td></td>{head}</tr>']
    for label, counts, row in zip(run.taxonomy.labels, metrics.confusion, shares, strict=True):
        cells = ""
        for count, share in zip(counts, row, strict=True):
            kind = ' class="strong"' if share > STRONG else ""
            cells += (
                f'<td{kind} style="background:rgb(var(--heat) / {share:.2f})">'
                f"{100 * share:.0f}<small>{count:,}</small></td>"
            )
        lines.append(f'<tr><th scope="row">{html(label)}</th>{cells}</tr>')
    columns = f'<colgroup><col><col span="{len(run.taxonomy)}"></colgroup>'
    return Html(f'<div class="scroll"><table class="confusion">{columns}{"".join(lines)}</table></div>')
