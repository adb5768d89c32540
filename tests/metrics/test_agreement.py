"""Agreement by hand, by scikit-learn, and by the example that Krippendorff published."""

from __future__ import annotations

import numpy as np
import pytest

from halfsmile.metrics.agreement import cohen_kappa, krippendorff_alpha

PUBLISHED = (
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
)
"""Four observers, twelve units: Krippendorff 2011, section C, nominal alpha 0.743."""


def test_alpha_of_the_published_example() -> None:
    columns = zip(*(line.split() for line in PUBLISHED), strict=True)
    units = [[value for value in column if value != "."] for column in columns]
    assert krippendorff_alpha(units) == pytest.approx(0.743, abs=5e-4)


def test_alpha_of_two_people_by_hand() -> None:
    # coincidences: aa 2, bb 2, ab and ba 1 each; 1 − (6 − 1) · 2 / (3 · 3 + 3 · 3)
    assert krippendorff_alpha([["a", "a"], ["b", "b"], ["a", "b"], ["b"]]) == pytest.approx(1 - 5 * 2 / 18)


def test_kappa_agrees_with_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="needs scikit-learn")
    rng = np.random.default_rng(0)
    for _ in range(5):
        first, second = rng.integers(0, 4, (2, 60))
        expected = metrics.cohen_kappa_score(first, second)
        assert cohen_kappa(zip(first.tolist(), second.tolist(), strict=True)) == pytest.approx(expected)


def test_full_agreement_is_one_and_too_little_is_nothing() -> None:
    assert cohen_kappa([("a", "a"), ("b", "b")]) == 1
    assert krippendorff_alpha([["a", "a"], ["b", "b"]]) == 1
    assert cohen_kappa([]) is None
    assert cohen_kappa([("a", "a")]) is None
    assert krippendorff_alpha([["a"], []]) is None
    assert krippendorff_alpha([["a", "a", "a"]]) is None


def test_guessing_is_zero() -> None:
    rng = np.random.default_rng(0)
    said = rng.integers(0, 3, (4000, 2)).tolist()
    assert krippendorff_alpha(said) == pytest.approx(0, abs=0.03)
    assert cohen_kappa([(a, b) for a, b in said]) == pytest.approx(0, abs=0.03)
