"""When the recipe is advised, by points made by hand."""

from __future__ import annotations

from pathlib import Path

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
    assert recipe_gain(round(np.sqrt(a * b))) == pytest.approx((low + high) / 2, abs=1e-5)
    assert recipe_gain(1) == MEASURED[0][1]
    assert recipe_gain(10**6) == MEASURED[-1][1]


def test_the_measured_gains_are_those_of_the_lab_book() -> None:
    """Accuracy of Stage II less that of the head of the same rule and number of answers, in points."""
    book = (Path(__file__).parents[3] / "docs" / "experiments.md").read_text(encoding="utf-8")
    entry = book.partition("Which gain does the page promise of the recipe?")[2].partition("\n## ")[0]
    rows = [line.split("|")[1:-1] for line in entry.splitlines() if line.startswith("| **")]
    taught = [int(row[1].strip(" *").replace(",", "")) for row in rows]
    heads, tuned, gains = np.array([row[3:6] for row in rows], float).T
    assert taught == [labels for labels, _ in MEASURED]
    assert gains / 100 == pytest.approx([gain for _, gain in MEASURED])
    assert tuned - heads == pytest.approx(gains, abs=0.051)  # each of the three is rounded


def test_nothing_is_promised_beyond_what_was_measured() -> None:
    few = recipe_advice(points((20, 0.7), (30, 0.7), (40, 0.7), (84, 0.7)))
    assert few == {
        "advised": False,
        "reason": "The recipe pays later: it was measured with 85 labels and more, here are 84.",
    }
    many = recipe_advice(points((1000, 0.7), (2000, 0.7), (4000, 0.7), (9000, 0.7)))
    assert many["advised"]
    assert "with 2,295 labels it brought 5.4 points" in many["reason"]


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
