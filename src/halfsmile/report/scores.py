"""Sections of reports on a model's scores: its classes, its mistakes, its confidence.

They take plain values, so that reports of runs and of ready models on other data share them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from halfsmile.metrics.scores import Metrics, ReliabilityBins, reliability_bins
from halfsmile.report import charts
from halfsmile.report.calibration import errors_table, silent_table
from halfsmile.runs.calibration import CalibrationFile
from halfsmile.runs.predictions import Predictions
from halfsmile.utils.page import (
    Html,
    bar,
    figure,
    grid,
    html,
    paragraph,
    picture,
    section,
    table,
)
from halfsmile.utils.percent import percent, percent_number

WELL_CALIBRATED = 0.02
STRONG = 0.68  # from this share on, the shade of a cell asks for the other text color


def score_card(name: str, share: float, note: str) -> str:
    """A score in [0, 1] in large type, with a note below."""
    return (
        f'<p class="label">{name}</p><p class="number">{percent_number(share)}<small> %</small></p>'
        f'<p class="quiet">{note}</p>'
    )


def classes_section(metrics: Metrics, *, labels_seen: Mapping[str, int] | None = None) -> Html:
    """Confusion matrix and the scores of each class.

    Args:
        metrics: The scores.
        labels_seen: Labels of each class that trained the model; None leaves the column out.
    """
    header = ["Expression", "Test faces", "Precision", "Recall", "F1"]
    rows = []
    for label, scores in metrics.per_class.items():
        if scores["support"]:
            shares = (bar(value) for value in (scores["precision"], scores["recall"], scores["f1"]))
            rows.append([label, f"{scores['support']:,}", *shares])
    if labels_seen is not None:
        header.insert(1, "Labels seen")
        for row in rows:
            row.insert(1, f"{labels_seen.get(str(row[0]), 0):,}")
    caption = (
        "Rows: the true expression. Columns: the model's answer. "
        "Large: per cent of the row; small: number of faces."
    )
    if absent := [label for label, scores in metrics.per_class.items() if not scores["support"]]:
        caption += f" No test face is labeled {' or '.join(absent)}."
    return section(
        "classes",
        "Where it is right and where it is wrong",
        paragraph(_verdict(metrics)),
        figure(_confusion(metrics), caption, "Confusion matrix"),
        table(header, rows),
    )


def mistakes_section(mistakes: Path | bytes | None) -> Html | None:
    """The picture of the most confident mistakes, a PNG file or its bytes, where there is one."""
    if mistakes is None:
        return None
    text = (
        "The test faces that the model was surest of and that the annotators named otherwise. Some are "
        "the model's errors, some the label's, and some faces show both."
    )
    shown = figure(picture(mistakes, "Misclassified test faces with their true and predicted labels"))
    return section("mistakes", "Its most confident mistakes", paragraph(text), shown)


def confidence_section(
    metrics: Metrics, predictions: Predictions, silence: Html, *, calibration: CalibrationFile | None = None
) -> Html:
    """Reliability diagram, calibration, and accuracy when the model may decline to answer.

    Args:
        metrics: The scores.
        predictions: That they are of.
        silence: What it costs to be silent, see :mod:`halfsmile.report.silence`.
        calibration: Of the exported model, where the predictions are those of the network as trained.
    """
    mean = float(predictions.confidence.mean())
    verdict = "about as sure as it is right"
    if abs(mean - metrics.accuracy) > WELL_CALIBRATED:
        verdict = "surer than it is right" if mean > metrics.accuracy else "less sure than it is right"
    found = calibration
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
    drawn = charts.reliability_diagram(bins) if charts.can_draw() else _reliability_table(bins)
    below = "Bars below the diagonal" if charts.can_draw() else "Accuracy below the mean confidence"
    return section(
        "confidence",
        "How far to trust its confidence",
        paragraph(text),
        grid(
            figure(
                drawn,
                f"{below}: too sure of itself. Above: too modest.",
                "Reliability" if found is None else "Reliability as trained, before temperature",
            ),
            silent_table(predictions, found),
        ),
        errors_table(found) if found is not None and found.errors else "",
        silence,
    )


def _verdict(metrics: Metrics) -> str:
    """Best and weakest class and the most frequent confusion, in words."""
    f1 = {label: scores["f1"] for label, scores in metrics.per_class.items() if scores["support"]}
    best, worst = max(f1, key=lambda label: f1[label]), min(f1, key=lambda label: f1[label])
    text = f"Best at {best} (F1 {percent(f1[best])})"
    text += f", weakest at {worst} (F1 {percent(f1[worst])})." if len(f1) > 1 else "."
    wrong = metrics.confusion / np.maximum(metrics.confusion.sum(axis=1), 1)[:, None]
    np.fill_diagonal(wrong, 0)
    if wrong.max() > 0:
        labels = list(metrics.per_class)
        truth, answer = divmod(int(wrong.argmax()), len(labels))
        text += (
            f" The confusion with the largest share: {percent(float(wrong[truth, answer]))} of "
            f"{labels[truth]} is taken for {labels[answer]}."
        )
    return text


def _reliability_table(bins: ReliabilityBins) -> Html:
    """The reliability diagram in numbers, where nothing can be drawn."""
    rows = [
        (f"{percent_number(low, 0)} to {percent(high, 0)}", f"{count:,}", percent(sure), percent(right))
        for low, high, count, sure, right in zip(
            bins.edges[:-1], bins.edges[1:], bins.counts, bins.confidence, bins.accuracy, strict=True
        )
        if count
    ]
    return table(("Confidence", "Faces", "Mean", "Accuracy"), rows)


def _confusion(metrics: Metrics) -> Html:
    """The confusion matrix: cells are shaded by their share of the row, classes without faces have no row."""
    shares = metrics.confusion / np.maximum(metrics.confusion.sum(axis=1, keepdims=True), 1)
    labels = list(metrics.per_class)
    head = "".join(f'<th scope="col">{html(label)}</th>' for label in labels)
    lines = [f'<tr class="top"><td></td>{head}</tr>']
    for label, counts, row in zip(labels, metrics.confusion, shares, strict=True):
        if not counts.sum():
            continue
        cells = ""
        for count, share in zip(counts, row, strict=True):
            kind = ' class="strong"' if share > STRONG else ""
            cells += (
                f'<td{kind} style="background:rgb(var(--heat) / {share:.2f})">'
                f"{percent_number(share, 0)}<small>{count:,}</small></td>"
            )
        lines.append(f'<tr><th scope="row">{html(label)}</th>{cells}</tr>')
    columns = f'<colgroup><col><col span="{len(labels)}"></colgroup>'
    return Html(f'<div class="scroll"><table class="confusion">{columns}{"".join(lines)}</table></div>')
