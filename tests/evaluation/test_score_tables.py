"""Scores in a terminal of 80 columns."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

from halfsmile.evaluation.score_tables import class_table, confusion_table, score_table
from halfsmile.metrics.bootstrap import Interval
from halfsmile.metrics.scores import Metrics, evaluate_predictions
from halfsmile.taxonomy import FERPLUS, from_labels


def lines(table: Table) -> list[list[str]]:
    """Words of the lines of a table, without its frame."""
    text = io.StringIO()
    Console(file=text, width=80).print(table)
    return [line.replace("│", " ").replace("┃", " ").split() for line in text.getvalue().splitlines()]


@pytest.fixture
def metrics() -> Metrics:
    """Truth a, a, a, c and answers a, a, d, c of the classes a, b, c, d."""
    probabilities = np.eye(4)[[0, 0, 3, 2]] * 0.96 + 0.01
    return evaluate_predictions(probabilities, np.array([0, 0, 0, 2]), from_labels("abcd"))


def test_scores_stand_beside_their_intervals(metrics: Metrics) -> None:
    found = lines(score_table(metrics, {"accuracy": Interval(0.75, 0.3, 1.0)}))
    assert ["Scores", "of", "4", "faces"] in found
    assert ["accuracy", "75.00", "%", "30.0", "to", "100.0"] in found
    assert ["NLL", f"{metrics.nll:.3f}"] in found


def test_classes_without_faces_have_no_line(metrics: Metrics) -> None:
    found = lines(class_table(metrics))
    assert ["a", "3", "100.0", "%", "66.7", "%", "80.0", "%"] in found
    assert not [line for line in found if line[:1] in (["b"], ["d"])]


def test_the_confusion_matrix_has_the_classes_that_occur_by_number(metrics: Metrics) -> None:
    found = lines(confusion_table(metrics))
    assert ["1", "3", "4"] in found
    assert ["1", "a", "2", "·", "1"] in found
    assert ["3", "c", "·", "1", "·"] in found
    assert ["4", "d", "·", "·", "·"] in found
    assert not [line for line in found if "b" in line]


def test_thousands_of_faces_of_eight_classes_fit_into_80_columns() -> None:
    targets = np.repeat(np.arange(8), 1_500)
    probabilities = np.eye(8)[targets]
    probabilities[::2] = 0.125
    found = lines(confusion_table(evaluate_predictions(probabilities, targets, FERPLUS)))
    assert ["8", "contempt", "750", *"······", "750"] in found
