"""When to stop, by points made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from halfsmile.label.learn.curve import Point, expected_gain, stop_advice


def points(*accuracies: tuple[int, float], tested: int = 400) -> list[Point]:
    """Models that are right about the first so many of the tested faces."""
    found = []
    for number, (labels, accuracy) in enumerate(accuracies, 1):
        right = np.arange(tested) < round(accuracy * tested)
        found.append(Point(number, labels, labels, right))
    return found


def test_the_gain_is_that_of_a_doubling_over_the_logarithm() -> None:
    gain = expected_gain(points((100, 0.5), (200, 0.55), (400, 0.6), (800, 0.64)))
    assert gain is not None
    # 0.04 for the doubling from 400; a hundred more are log2(900 / 800) doublings
    assert gain.value == pytest.approx(0.04 * np.log2(9 / 8))
    assert gain.high > gain.value


def test_a_flat_curve_says_stop_and_a_steep_one_goes_on() -> None:
    flat = points((350, 0.799), (700, 0.8), (1400, 0.8), (2800, 0.8), tested=1000)
    advice = stop_advice(flat, left=5000)
    assert advice["advised"]
    assert advice["reason"].startswith(
        "You can stop here: the next 100 labels are expected to add 0.0 points"
    )
    steep = stop_advice(points((50, 0.4), (100, 0.5), (200, 0.6), (400, 0.7)), left=5000)
    assert not steep["advised"]
    assert "points of accuracy, at most" in steep["reason"]


def test_few_tested_faces_allow_no_advice() -> None:
    few = points((350, 0.8), (700, 0.8), (1400, 0.8), (2800, 0.8), tested=20)
    assert expected_gain(few) is None
    assert "20 faces measure the accuracy so far, 40 are needed" in stop_advice(few, left=9)["reason"]
    assert "there is no model yet" in stop_advice([], left=9)["reason"]
    assert "too few models to compare" in stop_advice(points((100, 0.8), tested=60), left=9)["reason"]


def test_flat_at_few_labels_is_no_reason_to_stop() -> None:
    assert not stop_advice(points((20, 0.5), (30, 0.5), (40, 0.5), (60, 0.5)), left=999)["advised"]


def test_nothing_left_is() -> None:
    assert stop_advice([], left=0) == {"advised": True, "reason": "Every face has been asked."}


def test_a_point_tells_accuracy_with_its_interval() -> None:
    (point,) = points((100, 0.5), tested=20)
    told = point.told()
    assert told["accuracy"] == 0.5
    assert told["interval"] == pytest.approx([0.299, 0.701], abs=1e-3)
    assert Point(1, 5, 5, np.zeros(0, np.bool_)).told()["accuracy"] is None
