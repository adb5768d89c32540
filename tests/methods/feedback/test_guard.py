from __future__ import annotations

import math

import pytest
import torch
from scipy.special import logsumexp, softmax

from halfsmile.methods.feedback.guard import GuardConfig, OutOfDistributionGuard, Score

LOGITS = torch.tensor([[4.0, 0.0, 0.0], [0.5, 0.4, 0.6], [-3.0, -3.0, 1.0], [9.0, 9.0, 8.0]])


def test_scores_equal_scipys() -> None:
    confidence = OutOfDistributionGuard(GuardConfig(score="confidence")).scores(LOGITS)
    assert confidence.tolist() == pytest.approx(softmax(LOGITS.numpy(), axis=1).max(axis=1), rel=1e-6)
    energy = OutOfDistributionGuard(GuardConfig(score="energy")).scores(LOGITS)
    assert energy.tolist() == pytest.approx(logsumexp(LOGITS.numpy(), axis=1), rel=1e-6)


def test_energy_sees_the_size_of_logits_and_confidence_does_not() -> None:
    shifted = LOGITS + 5
    for score, moves in (("confidence", 0.0), ("energy", 5.0)):
        guard = OutOfDistributionGuard(GuardConfig(score=score))  # type: ignore[arg-type]
        torch.testing.assert_close(guard.scores(shifted), guard.scores(LOGITS) + moves)


def test_a_given_threshold_rejects_counts_and_stays() -> None:
    guard = OutOfDistributionGuard(GuardConfig(score="confidence", threshold=0.9))
    assert guard.accept(LOGITS).tolist() == [True, False, True, False]
    assert int(guard.rejected) == 0
    guard.count(LOGITS)
    guard.count(LOGITS[1:2])
    assert int(guard.rejected) == 3
    guard.follow(LOGITS)
    assert float(guard.threshold) == pytest.approx(0.9)


def test_the_threshold_follows_the_quantile_of_labeled_faces() -> None:
    guard = OutOfDistributionGuard(GuardConfig(score="energy", quantile=0.5, decay=0.75))
    assert guard.accept(LOGITS).all()
    first, second = torch.tensor([[1.0], [2.0], [9.0]]), torch.tensor([[4.0], [6.0], [8.0]])
    guard.follow(first)
    assert float(guard.threshold) == pytest.approx(2.0)
    guard.follow(second)
    assert float(guard.threshold) == pytest.approx(0.75 * 2.0 + 0.25 * 6.0)
    assert guard.accept(torch.tensor([[2.9], [3.0]])).tolist() == [False, True]


@pytest.mark.parametrize("score", ["confidence", "energy"])
@pytest.mark.parametrize("quantile", [0.05, 0.3])
def test_similar_faces_are_rejected_at_about_the_quantile(score: Score, quantile: float) -> None:
    source = torch.Generator().manual_seed(0)
    guard = OutOfDistributionGuard(GuardConfig(score=score, quantile=quantile, decay=0.9))
    for _ in range(100):
        guard.follow(3 * torch.randn(64, 7, generator=source))
    guard.count(3 * torch.randn(4000, 7, generator=source))
    assert int(guard.rejected) / 4000 == pytest.approx(quantile, abs=0.04)


def test_state_is_kept_with_the_weights() -> None:
    guard = OutOfDistributionGuard(GuardConfig(score="confidence", quantile=0.5))
    guard.follow(LOGITS)
    guard.count(LOGITS)
    other = OutOfDistributionGuard(guard.config)
    other.load_state_dict(guard.state_dict())
    assert float(other.threshold) == float(guard.threshold) > 0
    assert int(other.rejected) == int(guard.rejected) == 2


def test_no_guard_accepts_and_follows_nothing() -> None:
    guard = OutOfDistributionGuard(GuardConfig())
    guard.follow(LOGITS)
    guard.count(-LOGITS)
    assert guard.accept(-LOGITS).all()
    assert float(guard.threshold) == -math.inf
    assert int(guard.rejected) == 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"score": "entropy"}, "Unknown guard score 'entropy'"),
        ({"score": "energy", "quantile": 1.5}, r"quantile must be in \[0, 1\]"),
        ({"score": "energy", "decay": 1.0}, r"decay in \[0, 1\)"),
        ({"threshold": 0.9}, "no score to compare"),
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GuardConfig(**wrong)  # type: ignore[arg-type]
