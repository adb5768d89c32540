"""Each rule on a handful of faces, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from halfsmile.label.learn.acquisition import DEFAULT, RULES, Situation, entropies, margins


def situation(probabilities: object, embeddings: object, counts: object = (1, 1)) -> Situation:
    points = np.array(embeddings, np.float32)
    return Situation(
        np.array(probabilities, np.float32),
        points,
        np.zeros((0, points.shape[1]), np.float32),
        np.array(counts, float),
    )


def ask(rule: str, of: Situation, count: int) -> list[int]:
    return [int(row) for row in RULES[rule](of, count, np.random.default_rng(0))]


def test_margin_and_entropy_differ_where_three_classes_do() -> None:
    p = [[0.5, 0.5, 0.0], [0.4, 0.3, 0.3], [0.9, 0.05, 0.05]]
    of = situation(p, np.eye(3), (1, 1, 1))
    assert ask("margin", of, 3) == [0, 1, 2]
    assert ask("entropy", of, 3) == [1, 0, 2]
    assert margins(of.probabilities) == pytest.approx([0, 0.1, 0.85])
    assert entropies(of.probabilities)[0] == pytest.approx(np.log(2))


def test_core_set_goes_to_the_farthest() -> None:
    points = np.array([[0, 0], [1, 0], [0, 9], [8, 0]], np.float32)
    of = Situation(np.full((4, 2), 0.5, np.float32), points, np.zeros((1, 2), np.float32), np.ones(2))
    assert ask("core-set", of, 3) == [2, 3, 1]


def test_badge_spreads_over_uncertain_faces() -> None:
    """Two crowds of uncertain faces, and sure ones whose gradients are short: one of each crowd first."""
    points = np.repeat([[5.0, 0, 0], [0, 5.0, 0], [0, 0, 5.0]], 20, axis=0)
    p = np.array([[0.5, 0.5]] * 40 + [[1.0, 0.0]] * 20)
    first, second = ask("badge", situation(p, points), 2)
    assert {first // 20, second // 20} == {0, 1}


def test_the_default_asks_unlike_faces_where_margin_asks_copies() -> None:
    points = np.concatenate([np.tile([5.0, 0], (9, 1)), [[0, 5.0]]])
    p = np.array([[0.5, 0.5]] * 9 + [[0.52, 0.48]])
    assert 9 not in ask("margin", situation(p, points), 2)
    assert 9 in ask(DEFAULT, situation(p, points), 2)


def test_every_rule_returns_different_faces_and_no_more_than_there_are() -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet([1, 1, 1], 50)
    of = situation(p, rng.normal(size=(50, 8)), (5, 3, 0))
    for rule in RULES:
        for count in (1, 10, 50, 80):
            picked = ask(rule, of, count)
            assert len(set(picked)) == len(picked) == min(count, 50), rule


def test_faces_that_are_all_the_same_are_asked_all_the_same() -> None:
    of = situation(np.full((6, 2), 0.5), np.ones((6, 3)))
    for rule in RULES:
        assert len(set(ask(rule, of, 6))) == 6, rule


def test_nothing_is_asked_of_nobody() -> None:
    of = situation(np.zeros((0, 2)), np.zeros((0, 3)))
    for rule in RULES:
        assert ask(rule, of, 5) == [], rule
