from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from halfsmile.metrics.scores import (
    FloatArray,
    IntArray,
    confusion_counts,
    evaluate_predictions,
    macro_f1_of_truth,
    reliability_bins,
)
from halfsmile.taxonomy import FERPLUS, Taxonomy

K = len(FERPLUS)


def random_predictions(seed: int, count: int, classes: int = K) -> tuple[FloatArray, IntArray]:
    generator = np.random.default_rng(seed)
    return generator.dirichlet(np.full(K, 0.4), size=count), generator.integers(0, classes, size=count)


@pytest.mark.parametrize(("seed", "count", "classes"), [(0, 500, K), (1, 40, K), (2, 300, 3), (3, 1, K)])
def test_scores_agree_with_scikit_learn(seed: int, count: int, classes: int) -> None:
    probabilities, targets = random_predictions(seed, count, classes)
    predicted = probabilities.argmax(axis=1)
    result = evaluate_predictions(probabilities, targets, FERPLUS)
    labels = list(range(K))

    precision, recall, f1, support = oracle.precision_recall_fscore_support(
        targets, predicted, labels=labels, zero_division=0
    )
    assert result.count == count
    assert result.accuracy == pytest.approx(oracle.accuracy_score(targets, predicted))
    present = np.unique(targets).tolist()
    assert result.balanced_accuracy == pytest.approx(
        oracle.recall_score(targets, predicted, labels=present, average="macro", zero_division=0)
    )
    assert result.macro_f1 == pytest.approx(
        oracle.f1_score(targets, predicted, labels=labels, average="macro", zero_division=0)
    )
    assert result.nll == pytest.approx(oracle.log_loss(targets, probabilities, labels=labels))
    assert np.array_equal(result.confusion, oracle.confusion_matrix(targets, predicted, labels=labels))
    for k, label in enumerate(FERPLUS.labels):
        scores = result.per_class[label]
        assert (scores["precision"], scores["recall"], scores["f1"]) == pytest.approx(
            (precision[k], recall[k], f1[k])
        )
        assert scores["support"] == support[k]


@pytest.mark.parametrize(("seed", "count", "classes"), [(0, 500, K), (1, 200, 3), (2, 5, 2)])
def test_macro_f1_of_the_truth_leaves_absent_classes_out(seed: int, count: int, classes: int) -> None:
    probabilities, targets = random_predictions(seed, count, classes)
    predicted = probabilities.argmax(axis=1)
    found = macro_f1_of_truth(confusion_counts(predicted, targets, K))
    present = np.unique(targets).tolist()
    assert found == pytest.approx(
        oracle.f1_score(targets, predicted, labels=present, average="macro", zero_division=0)
    )


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 60))
@settings(max_examples=40, deadline=None)
def test_order_of_samples_is_irrelevant_and_scores_are_shares(seed: int, count: int) -> None:
    probabilities, targets = random_predictions(seed, count)
    order = np.random.default_rng(seed).permutation(count)
    one = evaluate_predictions(probabilities, targets, FERPLUS).to_dict()
    other = evaluate_predictions(probabilities[order], targets[order], FERPLUS).to_dict()
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "nll", "ece"):
        assert one[name] == pytest.approx(other[name], abs=1e-12)
    assert one["confusion"] == other["confusion"]
    assert all(0 <= one[name] <= 1 for name in ("accuracy", "balanced_accuracy", "macro_f1", "ece"))


@given(
    targets=st.lists(st.integers(0, K - 1), min_size=1, max_size=50).map(lambda v: np.array([*v, *range(K)]))
)
@settings(max_examples=25, deadline=None)
def test_perfect_predictions_score_one(targets: IntArray) -> None:
    result = evaluate_predictions(np.eye(K)[targets], targets, FERPLUS)
    assert (result.accuracy, result.balanced_accuracy, result.macro_f1) == (1.0, 1.0, 1.0)
    assert result.nll == 0.0
    assert result.ece == 0.0


@given(
    right=st.lists(st.integers(6, 10), min_size=1, max_size=8),
    bins=st.integers(1, 40),
)
@settings(max_examples=40, deadline=None)
def test_ece_is_zero_when_confidence_equals_accuracy(right: list[int], bins: int) -> None:
    """Groups of ten samples predicted with confidence r/10, of which exactly r are right."""
    probabilities = np.concatenate([np.tile([r / 10, 1 - r / 10], (10, 1)) for r in right])
    targets = np.concatenate([np.arange(10) >= r for r in right]).astype(np.int64)
    assert reliability_bins(probabilities, targets, bins=bins).ece == pytest.approx(0, abs=1e-12)


def test_ece_of_constant_overconfidence_is_the_gap() -> None:
    probabilities = np.tile([0.9, 0.1], (10, 1))
    targets = np.array([0] * 6 + [1] * 4)
    result = reliability_bins(probabilities, targets)
    assert result.ece == pytest.approx(0.3)
    assert result.counts.sum() == 10
    assert np.isnan(result.accuracy).sum() == 14


def test_balanced_accuracy_ignores_absent_classes_and_macro_f1_does_not() -> None:
    targets = np.array([0, 0, 1, 1])
    result = evaluate_predictions(np.eye(K)[targets], targets, FERPLUS)
    assert result.balanced_accuracy == 1.0
    assert result.macro_f1 == pytest.approx(2 / K)


def test_to_dict_survives_json() -> None:
    result = evaluate_predictions(*random_predictions(0, 30), FERPLUS).to_dict()
    assert json.loads(json.dumps(result)) == result


@pytest.mark.parametrize(
    ("probabilities", "targets", "message"),
    [
        (np.full((3, 2), 0.5), [0, 1, 2], "Targets must lie"),
        (np.full((3, 2), 0.5), [0, 1, -1], "without a label"),
        (np.full((3, 2), 0.5), [0, 1], "Expected 3 integer targets"),
        (np.full((3, 2), 0.5), [0.0, 1.0, 1.0], "integer targets"),
        (np.full((3, 3), 1 / 3), [0, 1, 1], "shape"),
        (np.full(3, 1.0), [0, 1, 1], "shape"),
        (np.full((3, 2), 0.6), [0, 1, 1], "sum to 1"),
        (np.array([[1.5, -0.5]]), [0], "non-negative"),
        (np.array([[np.nan, 1.0]]), [0], "1 of 1 rows"),
        (np.zeros((0, 2)), np.zeros(0, dtype=int), "no prediction"),
    ],
)
def test_bad_input_is_refused(probabilities: FloatArray, targets: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate_predictions(probabilities, np.asarray(targets), Taxonomy("two", ("a", "b")))
