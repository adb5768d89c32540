"""The head: a multinomial logistic regression on cached features, learned anew from all labels in seconds.

Minimizes the mean cross-entropy between soft labels and softmax(W x + b) plus a penalty on W (Bishop 2006,
"Pattern Recognition and Machine Learning", section 4.3.4), by L-BFGS. Features are standardized by the mean
and deviation over the whole pool. Strength of the penalty and temperature (Guo et al. 2017, arXiv 1706.04599)
are those of the least log-loss on answers that each fold did not learn from; the same out-of-fold
probabilities judge the labels (:mod:`halfsmile.metrics.label_errors`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from halfsmile.metrics.calibration import fit_temperature

Floats = npt.NDArray[np.float32]
PENALTIES = (1.0, 0.1, 0.01, 0.001)
"""Weights of half the squared norm of W, for one label; divided by the number of labels below."""
FOLDS = 5
_CHUNK = 8192


@dataclass(frozen=True, eq=False)
class Head:
    """What was learned.

    Args:
        weight: (D, K), for features as they are stored.
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
        parts = [
            features[start : start + _CHUNK].astype(np.float32) @ self.weight
            for start in range(0, len(features), _CHUNK)
        ]
        found = np.concatenate(parts) if parts else np.zeros((0, len(self.bias)), np.float32)
        return np.asarray((found + self.bias) / self.temperature, np.float32)

    def __call__(self, features: npt.NDArray[Any]) -> Floats:
        """Probabilities (N, K) of features (N, D)."""
        return np.asarray(softmax(self.logits(features), axis=1), np.float32)


@dataclass(frozen=True, eq=False)
class Fit:
    """A head and what it was judged by.

    Args:
        head: Learned from all labels.
        out_of_sample: (N, K) probabilities of the labeled faces, each by a head that did not learn from it.
    """

    head: Head
    out_of_sample: Floats


@dataclass(frozen=True, eq=False)
class Scale:
    """Mean and deviation of each feature.

    Args:
        mean: (D,).
        deviation: (D,), positive.
    """

    mean: Floats
    deviation: Floats

    @classmethod
    def of(cls, features: npt.NDArray[Any]) -> Scale:
        """Of features (N, D); of many, of 20,000 spread evenly."""
        step = max(1, len(features) // 20_000)
        chosen = features[::step].astype(np.float32)
        deviation = chosen.std(axis=0) if len(chosen) else np.ones(features.shape[1], np.float32)
        mean = chosen.mean(axis=0) if len(chosen) else np.zeros(features.shape[1], np.float32)
        return cls(mean, np.where(deviation > 1e-6, deviation, 1).astype(np.float32))

    def __call__(self, features: npt.NDArray[Any]) -> Floats:
        """Standardized features (N, D), divided by the root of D so that penalties fit any D."""
        scaled = (features.astype(np.float32) - self.mean) / self.deviation
        return np.asarray(scaled / np.sqrt(np.float32(len(self.mean))), np.float32)

    def unscaled(
        self, weight: npt.NDArray[np.float64], bias: npt.NDArray[np.float64]
    ) -> tuple[Floats, Floats]:
        """Weight and bias for features as they are stored."""
        moved = weight / (self.deviation[:, None] * np.sqrt(len(self.mean)))
        return moved.astype(np.float32), (bias - self.mean @ moved).astype(np.float32)


def fit_head(
    features: npt.NDArray[Any],
    targets: npt.NDArray[np.floating[Any]],
    classes: tuple[str, ...],
    *,
    scale: Scale,
    groups: npt.NDArray[np.int64] | None = None,
    seed: int = 0,
    progress: Callable[[float], None] = lambda share: None,
) -> Fit:
    """Learn from labels.

    Args:
        features: (N, D), as stored.
        targets: (N, K), shares of the classes for each face; rows sum to 1.
        classes: Names of the K classes.
        scale: Of the features of the whole pool.
        groups: (N,), equal for faces that may not stand in two folds, as near copies.
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
    x, y = scale(features), np.asarray(targets, np.float64)
    folds = _folds(y.argmax(axis=1), groups, seed)
    count = int(folds.max()) + 1
    logits = {penalty: np.zeros(y.shape) for penalty in PENALTIES}
    for fold in range(count):
        kept = folds != fold
        start = None
        for penalty in PENALTIES:  # from strong to weak: each start is near
            start = _minimize(x[kept], y[kept], penalty, start)
            logits[penalty][~kept] = x[~kept] @ start[:-1] + start[-1]
        progress((fold + 1) / (count + 1))
    losses = {penalty: _loss(found, y) for penalty, found in logits.items()}
    best = min(PENALTIES, key=lambda penalty: losses[penalty])
    start = _minimize(x, y, PENALTIES[0], None)
    for penalty in PENALTIES[1 : PENALTIES.index(best) + 1]:
        start = _minimize(x, y, penalty, start)
    temperature = fit_temperature(logits[best], y.argmax(axis=1)).value
    weight, bias = scale.unscaled(start[:-1], start[-1])
    progress(1.0)
    return Fit(
        Head(weight, bias, temperature, best, classes),
        np.asarray(softmax(logits[best] / temperature, axis=1), np.float32),
    )


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
