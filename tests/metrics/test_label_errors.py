"""Confident learning by hand, and against what cleanlab found on the same probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from halfsmile.metrics.label_errors import find_label_errors


def test_a_table_by_hand() -> None:
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]])
    labels = np.array([0, 0, 0, 1, 1, 1])
    # thresholds: (0.9 + 0.8 + 0.1) / 3 = 0.6 and (0.6 + 0.7 + 0.8) / 3 = 0.7
    found = find_label_errors(p, labels)
    assert found.rows.tolist() == [2]
    assert found.suggested.tolist() == [1]
    assert found.confidence.tolist() == [0.1]
    # confident: rows 0 and 1 as 0, row 2 as 1; rows 4 and 5 as 1; row 3 is below the threshold
    assert found.joint == pytest.approx(np.array([[2.0, 1.0], [0.0, 3.0]]))


def test_a_model_that_is_seldom_sure_of_a_class_may_still_object() -> None:
    rng = np.random.default_rng(0)
    p = np.column_stack([rng.uniform(0.7, 0.8, 50), np.zeros(50)])
    p[:, 1] = 1 - p[:, 0]
    labels = np.repeat([0, 1], 25)
    p[25:] = [0.56, 0.44]  # class 1 is never the more probable one
    p[0] = [0.45, 0.55]
    assert find_label_errors(p, labels).rows.tolist() == [0]


def test_worst_come_first() -> None:
    p = np.array([[0.9, 0.1]] * 8 + [[0.1, 0.9]] * 8 + [[0.05, 0.95], [0.02, 0.98]])
    labels = np.array([0] * 8 + [1] * 8 + [0, 0])
    assert find_label_errors(p, labels).rows.tolist() == [17, 16]


RECORDED = {
    0: (30, [522, 288, 390, 192, 46, 355, 415, 222, 431, 528]),
    1: (53, [51, 525, 14, 173, 70, 115, 242, 102, 44, 553]),
}
"""Number of issues and the first ten of ``cleanlab.filter.find_label_issues(labels, p, filter_by=
"confident_learning", return_indices_ranked_by="self_confidence")`` of cleanlab 2.9.0, by seed."""


def drawn(seed: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, 600)
    logits = rng.normal(size=(600, 4)) + 2.5 * np.eye(4)[truth]
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return p, np.where(rng.random(600) < 0.15, rng.integers(0, 4, 600), truth)


@pytest.mark.parametrize("seed", RECORDED)
def test_finds_what_cleanlab_found(seed: int) -> None:
    p, labels = drawn(seed)
    count, first = RECORDED[seed]
    found = find_label_errors(p, labels).rows
    assert (len(found), found[:10].tolist()) == (count, first)


def test_nothing_and_nonsense() -> None:
    assert len(find_label_errors(np.zeros((0, 3)), np.zeros(0, int)).rows) == 0
    with pytest.raises(ValueError, match="found shapes"):
        find_label_errors(np.zeros((2, 3)), np.zeros(3, int))
    with pytest.raises(ValueError, match=r"Labels must lie in \[0, 3\)"):
        find_label_errors(np.zeros((2, 3)), np.array([0, 3]))
