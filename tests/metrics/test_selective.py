import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from scipy.stats import binomtest

from halfsmile.metrics.selective import ConformalSets, risk_coverage, threshold_for_error

HAND = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
TRUTH = np.array([0, 1, 1, 0])


def test_curve_by_hand() -> None:
    curve = risk_coverage(HAND, TRUTH)
    np.testing.assert_allclose(curve.threshold, [0.9, 0.8, 0.7, 0.6])
    np.testing.assert_allclose(curve.coverage, [0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(curve.risk, [0, 0.5, 1 / 3, 0.25])
    assert curve.area == pytest.approx((0 + 0.5 + 1 / 3 + 0.25) / 4)


def test_equal_confidences_are_kept_or_dropped_together() -> None:
    curve = risk_coverage(np.array([[0.7, 0.3], [0.3, 0.7], [0.7, 0.3]]), np.array([0, 0, 1]))
    np.testing.assert_allclose(curve.coverage, [1.0])
    np.testing.assert_allclose(curve.risk, [2 / 3])


def test_threshold_by_hand() -> None:
    curve = risk_coverage(HAND, TRUTH)
    assert threshold_for_error(curve, 0.3) == pytest.approx(0.6)
    assert threshold_for_error(curve, 0.1) == pytest.approx(0.9)
    assert threshold_for_error(risk_coverage(HAND, 1 - TRUTH), 0.1) is None


@given(seed=st.integers(0, 200), target=st.floats(0.05, 0.5))
@settings(max_examples=40, deadline=None)
def test_kept_answers_meet_the_target(seed: int, target: float) -> None:
    rng = np.random.default_rng(seed)
    probabilities = softmax(rng.normal(size=(200, 4)) * 2, axis=1)
    targets = rng.integers(0, 4, 200)
    threshold = threshold_for_error(risk_coverage(probabilities, targets), target)
    if threshold is not None:
        kept = probabilities.max(axis=1) >= threshold
        assert (probabilities[kept].argmax(axis=1) != targets[kept]).mean() <= target


def test_assured_threshold_uses_the_exact_upper_bound() -> None:
    probabilities = np.linspace(0.99, 0.51, 60)[:, None] * [1, 0] + np.linspace(0.01, 0.49, 60)[:, None] * [
        0,
        1,
    ]
    targets = np.zeros(60, dtype=int)
    targets[[20, 50]] = 1
    curve = risk_coverage(probabilities, targets)
    threshold = threshold_for_error(curve, 0.08, assurance=0.9)
    assert threshold is not None
    kept = probabilities[:, 0] >= threshold
    bound = binomtest(int(targets[kept].sum()), int(kept.sum())).proportion_ci(0.8, method="exact").high
    assert bound <= 0.08
    wider = probabilities[:, 0] >= curve.threshold[np.flatnonzero(curve.threshold == threshold)[0] + 1]
    bound = binomtest(int(targets[wider].sum()), int(wider.sum())).proportion_ci(0.8, method="exact").high
    assert bound > 0.08


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_conformal_sets_hold_the_truth_as_often_as_stated(coverage: float) -> None:
    rng = np.random.default_rng(1)
    held = []
    for _ in range(60):
        logits = rng.normal(size=(600, 5)) * 1.5
        targets = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
        probabilities = softmax(logits * 3, axis=1)
        sets = ConformalSets.fit(probabilities[:300], targets[:300], coverage)
        held.append(sets(probabilities[300:])[np.arange(300), targets[300:]].mean())
    assert np.mean(held) == pytest.approx(coverage, abs=0.012)


def test_too_few_samples_give_all_classes() -> None:
    sets = ConformalSets.fit(HAND, TRUTH, 0.95)
    assert sets(HAND).all()


def test_sets_are_never_empty() -> None:
    assert ConformalSets(0.5, 0.95)(HAND).sum(axis=1).min() == 1


def test_bad_numbers_are_named() -> None:
    with pytest.raises(ValueError, match="coverage must lie between 0 and 1, found 1"):
        ConformalSets.fit(HAND, TRUTH, 1)
    with pytest.raises(ValueError, match="target must lie"):
        threshold_for_error(risk_coverage(HAND, TRUTH), 0)
    with pytest.raises(ValueError, match="as many targets"):
        risk_coverage(HAND, TRUTH[:2])


def test_points_keep_the_shape_of_the_curve() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(4), 5000)
    curve = risk_coverage(probabilities, rng.integers(0, 4, 5000))
    points = curve.points(100)
    assert 90 < len(points["coverage"]) <= 100
    assert points["coverage"][-1] == 1
    assert points["risk"][-1] == pytest.approx(curve.risk[-1], abs=1e-6)
    assert (np.diff(points["coverage"]) > 0).all()
    assert (np.diff(points["threshold"]) < 0).all()
    for threshold, coverage in zip(points["threshold"], points["coverage"], strict=True):
        assert (probabilities.max(axis=1) >= threshold - 1e-6).mean() == pytest.approx(coverage, abs=2e-3)
    few = risk_coverage(np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([0, 1]))
    assert few.points() == {"threshold": [0.9, 0.6], "coverage": [0.5, 1.0], "risk": [0.0, 0.5]}
