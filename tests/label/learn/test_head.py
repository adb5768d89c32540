"""The head against scikit-learn, and what its out-of-sample probabilities promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from halfsmile.label.learn.head import _folds, fit_head, refit_head


def blobs(count: int, classes: int = 3, *, seed: int = 0, spread: float = 0.5) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    centers = np.eye(classes, 6) * 1.5
    return (centers[labels] + spread * rng.normal(size=(count, 6))).astype(np.float32), labels


def one_hot(labels: npt.NDArray[Any], classes: int = 3) -> npt.NDArray[np.float64]:
    return np.asarray(np.eye(classes)[labels])


def test_is_the_logistic_regression_of_scikit_learn() -> None:
    linear = pytest.importorskip("sklearn.linear_model", reason="needs scikit-learn")
    x, labels = blobs(120)
    fit = fit_head(x, one_hot(labels), ("a", "b", "c"), penalties=(0.5,))
    other = linear.LogisticRegression(C=2.0, tol=1e-8, max_iter=1000).fit(x, labels)
    own = fit.head.logits(x) * fit.head.temperature
    own = np.exp(own) / np.exp(own).sum(axis=1, keepdims=True)
    assert own == pytest.approx(other.predict_proba(x), abs=5e-3)


def test_soft_labels_weigh_as_their_shares() -> None:
    x, labels = blobs(60)
    soft = 0.7 * one_hot(labels) + 0.3 / 3
    fit = fit_head(x, soft, ("a", "b", "c"), penalties=(0.03,))
    twice = np.concatenate([x] * 3)
    assert fit.head(twice).shape == (180, 3)
    logits = fit.head.logits(x) * fit.head.temperature
    mean = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).mean(axis=0)
    assert mean == pytest.approx(soft.mean(axis=0), abs=0.01)  # the bias is not penalized


def test_probabilities_are_calibrated_out_of_sample() -> None:
    x, labels = blobs(600, spread=1.2)
    fit = fit_head(x, one_hot(labels), ("a", "b", "c"))
    fresh, truth = blobs(3000, seed=1, spread=1.2)
    p = fit.head(fresh)
    assert p.max(axis=1).mean() == pytest.approx((p.argmax(axis=1) == truth).mean(), abs=0.05)
    assert fit.out_of_sample.max(axis=1).mean() == pytest.approx(
        (fit.out_of_sample.argmax(axis=1) == labels).mean(), abs=0.05
    )


def test_out_of_sample_means_not_learned_from() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 40)).astype(np.float32)
    labels = rng.integers(0, 2, 60)
    fit = fit_head(x, one_hot(labels, 2), ("a", "b"), penalties=(0.01,))
    assert (fit.head(x).argmax(axis=1) == labels).mean() == 1.0
    assert (fit.out_of_sample.argmax(axis=1) == labels).mean() < 0.75


def test_groups_stay_in_one_fold_and_classes_are_spread() -> None:
    labels = np.repeat([0, 1], 50)
    groups = np.arange(100) // 2
    folds = _folds(labels, groups, 0)
    assert (folds[::2] == folds[1::2]).all()
    counts = np.array([[(folds[labels == k] == f).sum() for f in range(5)] for k in range(2)])
    assert (counts == 10).all()


def test_a_class_with_one_face_and_one_without() -> None:
    x, labels = blobs(31)
    labels = np.where(labels == 2, 1, labels)
    labels[0] = 2
    fit = fit_head(x, one_hot(labels, 4), ("a", "b", "one", "none"))
    assert np.isfinite(fit.head(x)).all()
    assert fit.head(x)[:, 3].max() < 0.2


def test_equal_faces_with_different_labels_give_their_shares() -> None:
    x = np.ones((40, 5), np.float32)
    fit = fit_head(x, one_hot(np.arange(40) % 2, 2), ("a", "b"))
    assert fit.head(x[:1]) == pytest.approx(np.array([[0.5, 0.5]]), abs=0.02)


def test_a_start_nearby_ends_at_the_same_head() -> None:
    x, labels = blobs(200, spread=1.0)
    before = fit_head(x[:150], one_hot(labels[:150]), ("a", "b", "c"), penalties=(0.3,))
    cold = fit_head(x, one_hot(labels), ("a", "b", "c"), penalties=(0.3,))
    warm = fit_head(x, one_hot(labels), ("a", "b", "c"), penalties=(0.3,), before=before)
    assert warm.head(x) == pytest.approx(cold.head(x), abs=0.01)
    assert (warm.out_of_sample == cold.out_of_sample).all()


def test_a_few_more_labels_need_no_folds() -> None:
    x, labels = blobs(200, spread=1.0)
    before = fit_head(x[:180], one_hot(labels[:180]), ("a", "b", "c"), penalties=(0.3,))
    whole = fit_head(x, one_hot(labels), ("a", "b", "c"), penalties=(0.3,))
    quick = refit_head(x, one_hot(labels), ("a", "b", "c"), before)
    assert quick.head.weight == pytest.approx(whole.head.weight, abs=0.05)
    assert quick.head.temperature == before.head.temperature
    assert len(quick.out_of_sample) == 0


def test_one_class_is_refused_with_its_name() -> None:
    x, _ = blobs(6)
    with pytest.raises(ValueError, match="two classes at least; there are 6 labels of b"):
        fit_head(x, one_hot(np.ones(6, int), 2), ("a", "b"))


def test_faces_that_the_features_know_do_not_choose_the_temperature() -> None:
    x, labels = blobs(200, spread=1.2)
    known = np.arange(200) < 150
    x[known] = np.eye(3, 6)[labels[known]] * 6  # features that were learned from these labels
    naive = fit_head(x, one_hot(labels), ("a", "b", "c"))
    honest = fit_head(x, one_hot(labels), ("a", "b", "c"), judged=~known)

    def loss(fit: Any) -> float:
        right = fit.out_of_sample[~known][np.arange(50), labels[~known]]
        return float(-np.log(right).mean())

    assert loss(honest) < loss(naive)
