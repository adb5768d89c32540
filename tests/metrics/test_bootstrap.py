from __future__ import annotations

import numpy as np
import pytest

from halfsmile.metrics.bootstrap import Statistic, bootstrap_interval, paired_bootstrap
from halfsmile.metrics.scores import confusion_counts, evaluate_predictions
from halfsmile.taxonomy import FERPLUS

K = len(FERPLUS)


@pytest.mark.parametrize("statistic", ["accuracy", "balanced_accuracy", "macro_f1"])
def test_bootstrap_agrees_with_resampling_samples_one_by_one(statistic: Statistic) -> None:
    generator = np.random.default_rng(5)
    predicted = generator.integers(0, K, 400)
    targets = np.where(generator.random(400) < 0.6, predicted, generator.integers(0, K, 400))
    confusion = confusion_counts(predicted, targets, K)
    interval = bootstrap_interval(statistic, confusion, seed=0, resamples=4000)

    slow = []
    for _ in range(600):
        rows = generator.integers(0, 400, 400)
        slow.append(
            getattr(evaluate_predictions(np.eye(K)[predicted[rows]], targets[rows], FERPLUS), statistic)
        )
    low, high = np.quantile(slow, [0.025, 0.975])
    assert interval.estimate == getattr(
        evaluate_predictions(np.eye(K)[predicted], targets, FERPLUS), statistic
    )
    assert interval.low == pytest.approx(low, abs=0.012)
    assert interval.high == pytest.approx(high, abs=0.012)


def test_bootstrap_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(6)
    covered = 0
    for trial in range(200):
        right = generator.binomial(300, 0.7)
        interval = bootstrap_interval(
            "accuracy", np.array([[right, 300 - right], [0, 0]]), seed=trial, resamples=400
        )
        covered += interval.low <= 0.7 <= interval.high
    assert 0.89 <= covered / 200 <= 0.99


def test_bootstrap_is_reproducible_and_narrows_with_less_confidence() -> None:
    confusion = np.array([[60, 20], [15, 70]])
    assert bootstrap_interval("macro_f1", confusion, seed=1) == bootstrap_interval(
        "macro_f1", confusion, seed=1
    )
    wide = bootstrap_interval("macro_f1", confusion, seed=1, confidence=0.99)
    narrow = bootstrap_interval("macro_f1", confusion, seed=1, confidence=0.5)
    assert wide.low < narrow.low < narrow.estimate < narrow.high < wide.high


def test_paired_bootstrap_of_a_model_with_itself_finds_nothing() -> None:
    targets = np.random.default_rng(0).integers(0, K, 100)
    result = paired_bootstrap(targets, targets, targets, num_classes=K, seed=0)
    assert (result.difference, result.low, result.high, result.p) == (0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize("statistic", ["accuracy", "balanced_accuracy", "macro_f1", "macro_f1_of_truth"])
def test_paired_bootstrap_is_antisymmetric_and_finds_a_real_gain(statistic: Statistic) -> None:
    generator = np.random.default_rng(0)
    targets = generator.integers(0, K, 500)
    worse = np.where(generator.random(500) < 0.6, targets, generator.integers(0, K, 500))
    better = np.where(generator.random(500) < 0.4, targets, worse)
    gain = paired_bootstrap(better, worse, targets, num_classes=K, seed=3, statistic=statistic)
    loss = paired_bootstrap(worse, better, targets, num_classes=K, seed=3, statistic=statistic)
    assert gain.difference == pytest.approx(-loss.difference)
    assert 0 < gain.low < gain.difference < gain.high
    assert gain.p < 0.01
    assert gain.p == loss.p


def test_paired_bootstrap_averages_seeds() -> None:
    targets = np.array([0, 0, 1, 1] * 25)
    half = np.zeros_like(targets)
    result = paired_bootstrap(np.stack([targets, half]), half, targets, num_classes=2, seed=0)
    assert result.difference == pytest.approx(0.25)


def test_paired_bootstrap_refuses_unequal_samples() -> None:
    with pytest.raises(ValueError, match="same samples"):
        paired_bootstrap(np.zeros(3, int), np.zeros(4, int), np.zeros(4, int), num_classes=2, seed=0)
    with pytest.raises(ValueError, match=r"\[0, 2\)"):
        paired_bootstrap(np.full(3, 2), np.zeros(3, int), np.zeros(3, int), num_classes=2, seed=0)
