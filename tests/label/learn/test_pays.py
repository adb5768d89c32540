"""When the recipe is advised, by points made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from halfsmile.label.learn.curve import Point
from halfsmile.label.learn.pays import MEASURED, recipe_advice, recipe_gain


def points(*found: tuple[int, float], what: str = "head", name: str = "features") -> list[Point]:
    """Models that are right about the first so many of 400 tested faces."""
    return [
        Point(number, labels, labels, np.arange(400) < round(400 * accuracy), what, name)
        for number, (labels, accuracy) in enumerate(found, 1)
    ]


FLAT = points((100, 0.7), (200, 0.7), (400, 0.7), (850, 0.7))
STEEP = points((20, 0.2), (30, 0.3), (40, 0.5), (90, 0.8))


def test_the_gain_is_what_was_measured_and_a_line_between() -> None:
    for labels, gain in MEASURED:
        assert recipe_gain(labels) == pytest.approx(gain)
    (a, low), (b, high) = MEASURED[-2:]
    assert min(low, high) <= recipe_gain(int(np.sqrt(a * b))) <= max(low, high)
    assert recipe_gain(1) == MEASURED[0][1]
    assert recipe_gain(10**6) == MEASURED[-1][1]


def test_where_the_curve_is_flat_it_pays() -> None:
    advice = recipe_advice(FLAT)
    assert advice["advised"]
    assert advice["reason"].startswith("The recipe pays now: with 850 labels it brought")
    assert "expected to bring 0.0" in advice["reason"]


def test_where_labels_bring_more_it_pays_later() -> None:
    advice = recipe_advice(STEEP)
    assert not advice["advised"]
    assert advice["reason"].startswith("The recipe pays later: with 90 labels")


def test_after_one_it_pays_again_with_half_as_many_labels_more() -> None:
    trained = points((850, 0.75), what="finetune", name="recipes/00005/features")
    assert recipe_advice([*FLAT, *trained]) == {
        "advised": False,
        "reason": "The recipe has learned from 850 labels; it pays again from 1,275.",
    }


def test_too_little_is_known() -> None:
    assert "no model yet" in recipe_advice([])["reason"]
    assert recipe_advice(FLAT[:2])["reason"].startswith("Too early to tell")
