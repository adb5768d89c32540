"""Scores by rank."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfsmile.metrics.ranking import area_under_curve

LEVELS = st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=12)


@given(LEVELS)
def test_it_counts_the_pairs_in_right_order(pairs: list[tuple[int, bool]]) -> None:
    high = [score for score, is_positive in pairs if is_positive]
    low = [score for score, is_positive in pairs if not is_positive]
    found = area_under_curve([score for score, _ in pairs], [is_positive for _, is_positive in pairs])
    if not high or not low:
        assert math.isnan(found)
        return
    wins = [(one > other) + (one == other) / 2 for one in high for other in low]
    assert found == pytest.approx(np.mean(wins))


def test_a_rising_function_of_the_scores_changes_nothing() -> None:
    drawn = np.random.default_rng(0)
    scores, is_positive = drawn.normal(size=50), drawn.random(50) < 0.4
    assert area_under_curve(scores, is_positive) == area_under_curve(np.exp(3 * scores), is_positive)
    assert area_under_curve(-scores, is_positive) == pytest.approx(1 - area_under_curve(scores, is_positive))
