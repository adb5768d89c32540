"""Whole groups, with numbers near what was wanted."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from halfsmile.data.grouped_draw import draw_groups, group_counts


def test_group_counts_by_hand() -> None:
    of_row, counts = group_counts(["a", None, "b", "a", None], np.array([0, 1, -1, 1, 1]), 2)
    assert of_row.tolist() == [0, 1, 2, 0, 3]
    assert counts.tolist() == [[1, 1], [0, 1], [0, 0], [0, 1]]


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), groups=st.integers(1, 60), share=st.sampled_from([0.1, 0.3, 0.9]))
def test_a_group_is_taken_once_and_totals_stay_near(seed: int, groups: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.poisson([3.0, 1.0, 0.3], (groups, 3))
    targets = np.round(share * counts.sum(axis=0)).astype(np.int64)
    taken = draw_groups(counts, targets, rng.permutation(groups))
    assert len(set(taken.tolist())) == len(taken)
    found = counts[taken].sum(axis=0)
    error = ((found - targets) / np.maximum(targets, 1)) ** 2
    assert error.sum() <= (targets > 0).sum()  # no worse than nothing at all


def test_many_small_groups_come_close() -> None:
    rng = np.random.default_rng(0)
    counts = rng.poisson([6.0, 2.0, 0.4], (500, 3))
    targets = (0.1 * counts.sum(axis=0)).astype(np.int64)
    found = counts[draw_groups(counts, targets, rng.permutation(500))].sum(axis=0)
    assert (abs(found - targets) <= 0.1 * targets + 3).all()


def test_single_rows_are_drawn_exactly() -> None:
    classes = np.random.default_rng(0).integers(0, 3, 200)
    _, counts = group_counts([None] * 200, classes, 3)
    taken = draw_groups(counts, np.array([5, 7, 1]), np.arange(200))
    assert counts[taken].sum(axis=0).tolist() == [5, 7, 1]
