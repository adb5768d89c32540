"""Error rates of telling one person from two, by counting."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.neutral_person import best_looks, errors


def test_errors_are_shares_of_the_pairs_of_one_person_and_of_two() -> None:
    similarity = np.array([[0.95, 0.93, 0.5], [0.2, 0.90, 0.1], [0.3, 0.2, np.nan]])
    found = errors(similarity, 0.91)
    assert (found["same"], found["others"]) == (2, 6)
    assert found["same called others"] == 1 / 2
    assert found["others called the same"] == 1 / 6


def test_a_person_is_as_alike_as_the_best_of_the_looks() -> None:
    photographs = np.eye(2, dtype=np.float32)
    looks = [np.array([[0.1, 0.2], [0.9, 0.0]], np.float32), np.zeros((0, 2), np.float32)]
    assert best_looks(photographs, looks, 1)[:, 0] == pytest.approx([0.1, 0.2])
    assert best_looks(photographs, looks, 2)[:, 0] == pytest.approx([0.9, 0.2])
    assert np.isnan(best_looks(photographs, looks, 2)[:, 1]).all()
