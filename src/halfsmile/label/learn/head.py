"""The head: a multinomial logistic regression on cached features, learned anew from all labels in seconds.

Minimizes the mean cross-entropy between soft labels and softmax(W x + b) plus a penalty on W (Bishop 2006,
"Pattern Recognition and Machine Learning", section 4.3.4), by L-BFGS, on features that are reduced as
:mod:`halfsmile.label.learn.reduction` says. Strength of the penalty and temperature (Guo et al. 2017, arXiv
1706.04599) are those of the least log-loss on answers that each fold did not learn from; the same out-of-fold
probabilities judge the labels (:mod:`halfsmile.metrics.label_errors`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from halfsmile.metrics.calibration import fit_temperature

Floats = npt.NDArray[np.float32]
Solution = npt.NDArray[np.float64]
PENALTIES = (3.0, 1.0, 0.3, 0.1, 0.03)
"""Weights of half the squared norm of W, against the sum of the losses of all labels."""
FOLDS = 5
_CHUNK = 8192


@dataclass(frozen=True, eq=False)
class Head:
    """What was learned.

    Args:
        weight: (D, K).
        bias: (K,).
        temperature: Logits are divided by it.
        penalty: Of the weights, as chosen.
        classes: Names of the K classes.
    """

    weight: Floats
    bias: Floats
    temperature: float
    penalty: float
    classes: tuple[str, ...]

    def logits(self, features: npt.NDArray[Any]) -> Floats:
        """Calibrated logits (N, K) of features (N, D)."""
        found = np.empty((len(features), len(self.bias)), np.float32)
        for start in range(0, len(features), _CHUNK):
            found[start : start + _CHUNK] = features[start : start + _CHUNK].astype(np.float32) @ self.weight
        return np.asarray((found + self.bias) / self.temperature, np.float32)

    def __call__(self, features: npt.NDArray[Any]) -> Floats:
        """Probabilities (N, K) of features (N, D)."""
        return np.asarray(softmax(self.logits(features), axis=1), np.float32)


@dataclass(frozen=True, eq=False)
class Fit:
    """A head and what it was judged by.

    Args:
        head: Learned from all labels, for reduced features.
        out_of_sample: (N, K) probabilities of the labeled faces, each by a head that did not learn from it.
        solution: Weight and bias of the head, (R + 1, K): the next fit begins there.
    """

    head: Head
    out_of_sample: Floats
    solution: Solution


def fit_head(
    features: Floats,
    targets: npt.NDArray[np.floating[Any]],
    classes: tuple[str, ...],
    *,
    groups: npt.NDArray[np.int64] | None = None,
    judged: npt.NDArray[np.bool_] | None = None,
    before: Fit | None = None,
    penalties: Sequence[float] = PENALTIES,
    seed: int = 0,
    progress: Callable[[float], None] = lambda share: None,
) -> Fit:
    """Learn from labels.

    Args:
        features: (N, R), reduced.
        targets: (N, K), shares of the classes for each face; rows sum to 1.
        classes: Names of the K classes.
        groups: (N,), equal for faces that may not stand in two folds, as near copies.
        judged: (N,), the faces whose losses choose penalty and temperature; all by default. Features that
            were learned from some of the labels make those look easy.
        before: An earlier fit of the same features and classes, where the head on all labels begins. Those of
            the folds begin at nothing, as it has learned from what they must not know.
        penalties: Among which to choose, from strong to weak.
        seed: Of the folds.
        progress: Told the share that is done, up to 1.

    Raises:
        ValueError: If there are fewer than two labels or two classes.
    """
    present = np.flatnonzero(targets.sum(axis=0) > 0)
    if len(targets) < 2 or len(present) < 2:
        raise ValueError(
            f"A model needs labels of two classes at least; there are {len(targets)} labels of "
            f"{', '.join(classes[k] for k in present) or 'no class'}."
        )
    x, y = np.asarray(features, np.float32), np.asarray(targets, np.float64)
    folds = _folds(y.argmax(axis=1), groups, seed)
    if not folds.any():  # all are copies of one
        folds = _folds(y.argmax(axis=1), None, seed)
    count = int(folds.max()) + 1
    logits = {penalty: np.zeros(y.shape) for penalty in penalties}
    for fold in range(count):
        others, start = folds != fold, None
        for penalty in penalties:  # from strong to weak: each start is near
            start = _minimize(x[others], y[others], penalty, start)
            logits[penalty][~others] = x[~others] @ start[:-1] + start[-1]
        progress((fold + 1) / (count + 1))
    kept = np.ones(len(y), np.bool_) if judged is None else judged
    losses = {penalty: _loss(said[kept], y[kept]) for penalty, said in logits.items()}
    best = min(penalties, key=lambda penalty: losses[penalty])
    start = None if before is None else before.solution
    if start is not None and start.shape != (x.shape[1] + 1, y.shape[1]):
        start = None
    whole = _minimize(x, y, best, start)
    temperature = fit_temperature(logits[best][kept], y[kept].argmax(axis=1)).value
    progress(1.0)
    return Fit(
        Head(whole[:-1].astype(np.float32), whole[-1].astype(np.float32), temperature, best, classes),
        np.asarray(softmax(logits[best] / temperature, axis=1), np.float32),
        whole,
    )


def refit_head(
    features: Floats, targets: npt.NDArray[np.floating[Any]], classes: tuple[str, ...], before: Fit
) -> Fit:
    """Learn from labels that are a few more than before, with the penalty and temperature of then.

    A sixth of the work of :func:`fit_head`, and nothing that judges labels.

    Args:
        features: (N, R), reduced.
        targets: (N, K), shares of the classes for each face.
        classes: Names of the K classes, as before.
        before: The earlier fit, where this one begins.

    Returns:
        The head; ``out_of_sample`` is empty.
    """
    y = np.asarray(targets, np.float64)
    whole = _minimize(np.asarray(features, np.float32), y, before.head.penalty, before.solution)
    head = replace(before.head, weight=whole[:-1].astype(np.float32), bias=whole[-1].astype(np.float32))
    return Fit(head, np.zeros((0, y.shape[1]), np.float32), whole)


def _minimize(
    x: Floats, y: npt.NDArray[np.float64], penalty: float, start: npt.NDArray[np.float64] | None
) -> npt.NDArray[np.float64]:
    """Weights with the bias as the last row, (D + 1, K)."""
    count, width = x.shape
    shape = width + 1, y.shape[1]
    strength = penalty / count
    targets = y.astype(np.float32)

    def loss(values: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        both = values.reshape(shape)
        logits = x @ both[:-1].astype(np.float32) + both[-1].astype(np.float32)
        logs = log_softmax(logits, axis=1)
        gap = (np.exp(logs) - targets) / np.float32(count)
        gradient = np.empty(shape)
        gradient[:-1] = x.T @ gap
        gradient[-1] = gap.sum(axis=0)
        gradient[:-1] += strength * both[:-1]
        gradient[-1] += 1e-6 * both[-1]
        size = 0.5 * strength * float((both[:-1] ** 2).sum()) + 0.5e-6 * float((both[-1] ** 2).sum())
        return float(-(logs * targets).sum() / count) + size, gradient.ravel()

    if start is None:
        start = np.zeros(shape)
        start[-1] = np.log((y.sum(axis=0) + 0.5) / (y.sum() + 0.5 * shape[1]))
    found = minimize(
        loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 200, "ftol": 1e-7, "gtol": 1e-6}
    )
    return np.asarray(found.x.reshape(shape))


def _loss(logits: npt.NDArray[np.float64], targets: npt.NDArray[np.float64]) -> float:
    return float(-(log_softmax(logits, axis=1) * targets).sum(axis=1).mean())


def _folds(
    labels: npt.NDArray[np.int64], groups: npt.NDArray[np.int64] | None, seed: int
) -> npt.NDArray[np.int64]:
    """Number of the fold of each label, with the classes spread evenly and groups kept together."""
    rng = np.random.default_rng(seed)
    units = np.arange(len(labels)) if groups is None else groups
    firsts, unit_of = np.unique(units, return_inverse=True)
    label_of = np.zeros(len(firsts), np.int64)
    label_of[unit_of] = labels
    order = np.lexsort((rng.random(len(firsts)), label_of))
    fold_of = np.zeros(len(firsts), np.int64)
    fold_of[order] = np.arange(len(firsts)) % min(FOLDS, len(firsts))
    return np.asarray(fold_of[unit_of], np.int64)
