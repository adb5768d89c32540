"""Calibration: make a probability of 80 % right in 80 of 100 cases.

* Temperature scaling divides the logits by one number; the order of the classes never changes (Guo et al.
  2017, arXiv 1706.04599, section 4.2).
* Vector scaling gives every class its own factor and offset; it can also move the prior (same section).

Both are fitted by maximum likelihood on a validation split that trained nothing, and judged on another one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, softmax

from halfsmile.metrics.scores import RELIABILITY_BINS, reliability_bins

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]
TEMPERATURES = (0.05, 20.0)


@dataclass(frozen=True)
class Temperature:
    """Probabilities are softmax(logits / value).

    Args:
        value: Above 1 softens, below 1 sharpens.
    """

    value: float

    def __call__(self, logits: FloatArray) -> npt.NDArray[np.float64]:
        """Probabilities (N, K) of logits (N, K)."""
        return np.asarray(softmax(np.asarray(logits, np.float64) / self.value, axis=1))


@dataclass(frozen=True, eq=False)
class VectorScaling:
    """Probabilities are softmax(weight · logits + bias), class by class.

    Args:
        weight: (K,).
        bias: (K,), of mean 0.
    """

    weight: npt.NDArray[np.float64]
    bias: npt.NDArray[np.float64]

    def __call__(self, logits: FloatArray) -> npt.NDArray[np.float64]:
        """Probabilities (N, K) of logits (N, K)."""
        return np.asarray(softmax(np.asarray(logits, np.float64) * self.weight + self.bias, axis=1))


def fit_temperature(logits: FloatArray, targets: IntArray, *, prior: float = 1.0) -> Temperature:
    """The most probable temperature from 0.05 to 20.

    Args:
        logits: (N, K), finite.
        targets: (N,) class indices.
        prior: Precision of a normal prior on the temperature's logarithm. 1 weighs as much as one face: it
            keeps a few faces whose answers are all right from making every answer certain. 0: no prior.

    Raises:
        ValueError: If shapes do not fit, a value is not finite, or a target is no class.
    """
    logits, targets = _checked(logits, targets)

    def loss(log_value: float) -> float:
        return _likelihood_loss(logits / np.exp(log_value), targets) + prior * log_value**2 / (
            2 * len(targets)
        )

    low, high = map(math.log, TEMPERATURES)
    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    return Temperature(float(np.exp(found.x)))


def fit_vote_temperature(logits: FloatArray, votes: FloatArray) -> Temperature:
    """The temperature at which probabilities are nearest to the annotators' votes, by the mean logarithm.

    The winning label is more certain than each vote for it, so this one is higher than that of
    :func:`fit_temperature`.

    Args:
        logits: (N, K), finite.
        votes: (N, K) shares of the votes, each row summing to 1.

    Raises:
        ValueError: If shapes do not fit, a value is not finite, or rows of votes do not sum to 1.
    """
    shares = np.asarray(votes, np.float64)
    values, _ = _checked(logits, np.zeros(len(shares), np.int64))
    if shares.shape != values.shape or not np.allclose(shares.sum(axis=1), 1, atol=1e-4) or shares.min() < 0:
        raise ValueError(f"Expected votes {values.shape} whose rows sum to 1, found {shares.shape}.")

    def loss(log_value: float) -> float:
        return float(-(shares * log_softmax(values / np.exp(log_value), axis=1)).sum(axis=1).mean())

    low, high = map(math.log, TEMPERATURES)
    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    return Temperature(float(np.exp(found.x)))


@dataclass(frozen=True)
class VoteErrors:
    """How far expected shares of votes are from the true ones.

    Args:
        mean_error: Mean absolute difference over faces and classes.
        correlation: Of expected and true shares, over all faces and classes (Pearson).
        cross_entropy: Mean over faces of −Σ votes · log expected.
    """

    mean_error: float
    correlation: float
    cross_entropy: float


def vote_errors(expected: FloatArray, votes: FloatArray) -> VoteErrors:
    """Compare expected shares (N, K) with true ones (N, K)."""
    expected, shares = np.asarray(expected, np.float64), np.asarray(votes, np.float64)
    return VoteErrors(
        mean_error=float(np.abs(expected - shares).mean()),
        correlation=float(np.corrcoef(expected.ravel(), shares.ravel())[0, 1]),
        cross_entropy=float(-(shares * np.log(expected.clip(1e-12))).sum(axis=1).mean()),
    )


def fit_vector_scaling(logits: FloatArray, targets: IntArray, *, penalty: float = 1e-3) -> VectorScaling:
    """Factor and offset of each class of the largest penalized likelihood.

    Args:
        logits: (N, K), finite.
        targets: (N,) class indices.
        penalty: Of squared differences from factor 1 and offset 0; keeps classes that hardly occur in place.

    Raises:
        ValueError: As :func:`fit_temperature`.
    """
    logits, targets = _checked(logits, targets)
    count, classes = logits.shape
    truth = np.eye(classes)[targets]

    def loss(values: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        weight, bias = values[:classes], values[classes:]
        scaled = logits * weight + bias
        gap = (softmax(scaled, axis=1) - truth) / count
        gradient = np.concatenate([(gap * logits).sum(axis=0), gap.sum(axis=0)])
        distance = values - start
        return _likelihood_loss(scaled, targets) + penalty * float(distance @ distance), (
            gradient + 2 * penalty * distance
        )

    start = np.concatenate([np.ones(classes), np.zeros(classes)])
    found = minimize(loss, start, jac=True, method="L-BFGS-B").x
    return VectorScaling(found[:classes], found[classes:] - found[classes:].mean())


def adaptive_calibration_error(
    probabilities: FloatArray, targets: IntArray, *, bins: int = RELIABILITY_BINS
) -> float:
    """Calibration error over bins of equally many samples (Nixon et al. 2019, arXiv 1904.01685).

    Args:
        probabilities: (N, K), rows sum to 1.
        targets: (N,) class indices.
        bins: Number of bins; at most N are used.
    """
    confidence = np.asarray(probabilities).max(axis=1)
    right = np.asarray(probabilities).argmax(axis=1) == targets
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, min(bins, len(order)))
    gaps = [len(part) * abs(float(right[part].mean() - confidence[part].mean())) for part in parts]
    return sum(gaps) / len(order)


def classwise_calibration_error(
    probabilities: FloatArray, targets: IntArray, *, bins: int = RELIABILITY_BINS
) -> npt.NDArray[np.float64]:
    """Calibration error of each class's probability against how often that class is true, shape (K,).

    Kull et al. 2019, arXiv 1910.12656; their class-wise ECE is its mean. Bins of equal width.
    """
    probabilities, targets = np.asarray(probabilities, np.float64), np.asarray(targets)
    errors = []
    for k in range(probabilities.shape[1]):
        index = np.minimum((probabilities[:, k] * bins).astype(int), bins - 1)
        gap = np.bincount(index, weights=probabilities[:, k] - (targets == k), minlength=bins)
        errors.append(np.abs(gap).sum() / len(targets))
    return np.array(errors)


@dataclass(frozen=True)
class CalibrationErrors:
    """Calibration of one set of probabilities; lower is better.

    Args:
        nll: Mean negative log-likelihood, in nats.
        brier: Mean squared distance from the truth, summed over classes, in [0, 2].
        ece: Expected calibration error, bins of equal width.
        adaptive: The same over bins of equal count.
        classwise: Mean over classes of :func:`classwise_calibration_error`.
    """

    nll: float
    brier: float
    ece: float
    adaptive: float
    classwise: float


def calibration_errors(probabilities: FloatArray, targets: IntArray) -> CalibrationErrors:
    """All calibration scores of probabilities (N, K) against class indices (N,)."""
    probabilities = np.asarray(probabilities, np.float64)
    likelihood = np.maximum(probabilities[np.arange(len(targets)), targets], np.finfo(np.float64).eps)
    truth = np.eye(probabilities.shape[1])[targets]
    return CalibrationErrors(
        nll=float(-np.log(likelihood).mean()),
        brier=float(np.square(probabilities - truth).sum(axis=1).mean()),
        ece=reliability_bins(probabilities, targets).ece,
        adaptive=adaptive_calibration_error(probabilities, targets),
        classwise=float(classwise_calibration_error(probabilities, targets).mean()),
    )


def _likelihood_loss(logits: npt.NDArray[np.float64], targets: npt.NDArray[np.int64]) -> float:
    return float(-log_softmax(logits, axis=1)[np.arange(len(targets)), targets].mean())


def _checked(logits: FloatArray, targets: IntArray) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    values, targets = np.asarray(logits, dtype=np.float64), np.asarray(targets)
    if values.ndim != 2 or targets.shape != values.shape[:1] or not len(targets):
        raise ValueError(
            f"Expected logits (N, K) and as many targets, found shapes {values.shape} and {targets.shape}."
        )
    if not np.isfinite(values).all():
        raise ValueError(f"{int((~np.isfinite(values)).any(axis=1).sum())} rows of logits are not finite.")
    if targets.min() < 0 or targets.max() >= values.shape[1]:
        raise ValueError(
            f"Targets must lie in [0, {values.shape[1]}), found {targets.min()} to {targets.max()}."
        )
    return values, targets.astype(np.int64)
