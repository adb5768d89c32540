"""Calibration on sets of equal weight."""

from __future__ import annotations

import numpy as np
import pytest

from halfsmile.metrics.calibration import Temperature, fit_temperature
from halfsmile.metrics.mixture import Set, fit_mixture_sets, fit_mixture_temperature, mixture_threshold
from halfsmile.metrics.selective import risk_coverage, threshold_for_error


def drawn(count: int, temperature: float, seed: int) -> Set:
    """Logits whose calibrated temperature is known."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(count, 4)) * 3
    chances = Temperature(temperature)(logits)
    targets = np.array([generator.choice(4, p=row) for row in chances])
    return logits, targets


def test_of_one_set_it_is_the_usual_one() -> None:
    logits, targets = drawn(800, 1.7, 0)
    wanted = fit_temperature(logits, targets, prior=0.0)
    assert fit_mixture_temperature([(logits, targets)]).value == pytest.approx(wanted.value, rel=1e-3)
    probabilities = wanted(logits)
    curve = risk_coverage(probabilities, targets)
    assert mixture_threshold([(probabilities, targets)], 0.2) == threshold_for_error(curve, 0.2)


def test_a_set_weighs_the_same_however_large_it_is() -> None:
    small, large = drawn(300, 0.6, 1), drawn(300, 3.0, 2)
    larger = (np.concatenate([large[0]] * 5), np.concatenate([large[1]] * 5))

    def chosen(sets: list[Set]) -> list[float | None]:
        sure = [(Temperature(1)(logits), targets) for logits, targets in sets]
        return [
            fit_mixture_temperature(sets).value,
            mixture_threshold(sure, 0.3),
            fit_mixture_sets(sure, 0.9).floor,
        ]

    assert chosen([small, large]) == pytest.approx(chosen([small, larger]), rel=1e-4)
    between = fit_mixture_temperature([small, large]).value
    assert fit_mixture_temperature([small]).value < between < fit_mixture_temperature([large]).value


def test_the_threshold_is_the_least_that_meets_the_target() -> None:
    sets = [(Temperature(1)(z), t) for z, t in (drawn(200, 1.0, 3), drawn(900, 2.0, 4))]
    threshold = mixture_threshold(sets, 0.25)
    assert threshold is not None

    def error(least: float) -> float:
        kept = [(p.max(axis=1) >= least, p.argmax(axis=1) != t) for p, t in sets]
        return float(sum((k & w).mean() for k, w in kept) / sum(k.mean() for k, _ in kept))

    assert error(threshold) <= 0.25
    lower = [float(c) for p, _ in sets for c in p.max(axis=1) if c < threshold]
    assert all(error(c) > 0.25 for c in lower)
    hopeless = [(np.array([[0.9, 0.1]]), np.array([1]))]
    assert mixture_threshold(hopeless, 0.5) is None


def test_sets_hold_the_truth_in_the_share_that_was_asked_for() -> None:
    sets = [(Temperature(1)(z), t) for z, t in (drawn(200, 1.0, 5), drawn(900, 2.0, 6))]
    found = fit_mixture_sets(sets, 0.9)
    held = np.mean([(p[np.arange(len(t)), t] >= found.floor).mean() for p, t in sets])
    assert 0.9 <= held < 0.91


def test_nothing_is_chosen_on_nothing() -> None:
    for sets in ([], [(np.zeros((0, 3)), np.zeros(0, int))]):
        with pytest.raises(ValueError, match="at least one set"):
            fit_mixture_temperature(sets)
