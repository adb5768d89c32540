"""Certainty of a mixture of sets."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.model_card.answers import SetAnswers
from benchmarks.model_card.confidence import CHOOSE_ON, TARGET, Certainty, judge, mixture_error, of_mixture

from halfsmile.metrics.calibration import Temperature
from halfsmile.metrics.scores import reliability_bins


def drawn(name: str, temperature: float, seed: int, count: int = 1500) -> SetAnswers:
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(count, 3)) * 2
    targets = np.array([generator.choice(3, p=row) for row in Temperature(temperature)(logits)])
    return SetAnswers(name, logits, targets, np.zeros(0, np.int64))


@pytest.fixture(scope="module")
def answers() -> dict[str, SetAnswers]:
    return {name: drawn(name, 0.5 + k, k) for k, name in enumerate(CHOOSE_ON)}


def test_the_mixture_is_calibrated_and_meets_its_target(answers: dict[str, SetAnswers]) -> None:
    found = of_mixture(answers)
    sets = list(answers.values())
    assert found.threshold is not None
    alone = Certainty(0.5, None, None)
    assert mixture_error(sets, found) < mixture_error(sets, alone)
    judged = [judge(one, found) for one in sets]
    wrong = sum(one.certain * one.error for one in judged) / sum(one.certain for one in judged)
    assert wrong <= TARGET


def test_scores_of_a_set_are_those_of_counting(answers: dict[str, SetAnswers]) -> None:
    one = answers[CHOOSE_ON[0]]
    found = judge(one, Certainty(1.0, 0.6, 0.3))
    probabilities = Temperature(1.0)(one.logits)
    sure = probabilities.max(axis=1) >= 0.6
    right = probabilities.argmax(axis=1) == one.targets
    assert found.certain == sure.mean()
    assert found.error == pytest.approx(1 - right[sure].mean())
    assert found.ece == pytest.approx(reliability_bins(probabilities, one.targets).ece)
    assert mixture_error([one], Certainty(1.0, None, None)) == pytest.approx(found.ece)
