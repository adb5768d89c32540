"""Wilson's interval by its published formula and by what it must do."""

from __future__ import annotations

import pytest

from halfsmile.metrics.intervals import wilson_interval


def test_the_ends_solve_the_equation_of_the_score_test() -> None:
    for right, total in [(1, 10), (7, 9), (300, 400)]:
        for end in wilson_interval(right, total):
            z = (right / total - end) / (end * (1 - end) / total) ** 0.5
            assert abs(z) == pytest.approx(1.959964, rel=1e-6)


def test_none_and_all_right() -> None:
    assert wilson_interval(0, 0) == (0, 1)
    assert wilson_interval(0, 10)[0] == 0
    assert wilson_interval(10, 10)[1] == 1
    assert wilson_interval(10, 10)[0] == pytest.approx(0.7225, abs=1e-4)


def test_what_is_no_share_is_refused() -> None:
    with pytest.raises(ValueError, match="5 of 4"):
        wilson_interval(5, 4)
