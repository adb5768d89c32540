"""How sure one may be of a score: bootstrap intervals over test samples, for one model and for a pair.

Reference: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapters 13 and 16.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from halfsmile.metrics.scores import (
    IntArray,
    accuracy,
    balanced_accuracy,
    macro_f1,
    macro_f1_of_truth,
)
from halfsmile.utils.percent import percent_number

Statistic = Literal["accuracy", "balanced_accuracy", "macro_f1", "macro_f1_of_truth"]


@dataclass(frozen=True)
class Interval:
    """An estimate with the ends of its confidence interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class PairedDifference:
    """How much better A is than B on the same samples.

    Args:
        difference: Statistic of A minus statistic of B.
        low: Lower end of the interval of the difference.
        high: Upper end.
        p: Two-sided bootstrap p-value of "there is no difference".
    """

    difference: float
    low: float
    high: float
    p: float

    @property
    def text(self) -> str:
        """Difference and interval in points of per cent."""
        difference, low, high = (
            percent_number(value, sign=True) for value in (self.difference, self.low, self.high)
        )
        return f"{difference} [{low}, {high}]"


def bootstrap_interval(
    statistic: Statistic,
    confusion: npt.NDArray[np.int64],
    *,
    seed: int,
    resamples: int = 1000,
    confidence: float = 0.95,
) -> Interval:
    """Percentile bootstrap interval of a statistic over test samples.

    Drawing N samples with replacement and counting them is one multinomial draw over the confusion cells,
    so all resamples are drawn at once and no sample is touched. The interval tells what another test set
    of the same size might have given. It does not tell what another training seed would have given.

    Args:
        statistic: Name of the statistic.
        confusion: (K, K) counts, rows are the truth.
        seed: Seed of the draw.
        resamples: Number of resamples.
        confidence: Coverage in (0, 1).

    Raises:
        ValueError: If the counts are not square or empty, or the statistic is unknown.
    """
    function = _statistic(statistic)
    confusion = np.asarray(confusion)
    if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1] or confusion.sum() < 1:
        raise ValueError(
            f"Expected square (K, K) confusion counts of at least one sample, found {confusion.shape}."
        )
    total = int(confusion.sum())
    draws = np.random.default_rng(seed).multinomial(total, confusion.ravel() / total, size=resamples)
    values = function(draws.reshape(resamples, *confusion.shape))
    low, high = _percentiles(values, confidence)
    return Interval(float(function(confusion)), low, high)


def paired_bootstrap(
    predicted_a: IntArray,
    predicted_b: IntArray,
    targets: IntArray,
    *,
    num_classes: int,
    seed: int,
    statistic: Statistic = "accuracy",
    resamples: int = 1000,
    confidence: float = 0.95,
) -> PairedDifference:
    """Is A better than B on the same samples? Resamples the samples, keeping the pairs together.

    Several training seeds of A or B are rows; the statistic is then the mean over the rows. Samples on
    which A and B agree cancel, so the paired interval is narrower than two separate ones suggest.

    Args:
        predicted_a: (N,) or (seeds, N) class indices.
        predicted_b: (N,) or (seeds, N) class indices.
        targets: (N,) class indices.
        num_classes: K.
        seed: Seed of the draw.
        statistic: What to compare.
        resamples: Number of resamples.
        confidence: Coverage in (0, 1).

    Raises:
        ValueError: If the lengths differ, there is no sample, or an index is not a class.
    """
    function = _statistic(statistic)
    runs_a, runs_b = np.atleast_2d(predicted_a), np.atleast_2d(predicted_b)
    if runs_a.shape[1] != len(targets) or runs_b.shape[1] != len(targets) or len(targets) == 0:
        raise ValueError(
            f"Paired predictions need the same samples: found {runs_a.shape[1]} and {runs_b.shape[1]} "
            f"predictions for {len(targets)} targets."
        )
    everything = np.vstack([targets[None], runs_a, runs_b])
    if everything.min() < 0 or everything.max() >= num_classes:
        raise ValueError(
            f"Class indices must lie in [0, {num_classes}), found {everything.min()} to {everything.max()}."
        )

    patterns, counts = np.unique(everything, axis=1, return_counts=True)
    cells = patterns[0] * num_classes + patterns[1:]  # (runs, patterns)

    def score(weights: npt.NDArray[Any], run: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.float64]:
        """Statistic of one run (patterns,) under pattern counts (R, patterns). Shape (R,)."""
        one_hot = np.zeros((len(run), num_classes**2))
        one_hot[np.arange(len(run)), run] = 1.0
        return function((weights @ one_hot).reshape(-1, num_classes, num_classes))

    def difference(weights: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        scores = np.stack([score(weights, run) for run in cells])
        return np.asarray(scores[: len(runs_a)].mean(axis=0) - scores[len(runs_a) :].mean(axis=0))

    generator = np.random.default_rng(seed)
    chunk = max(1, 2**22 // len(counts))
    values = np.concatenate(
        [
            difference(
                generator.multinomial(len(targets), counts / len(targets), size=min(chunk, resamples - i))
            )
            for i in range(0, resamples, chunk)
        ]
    )
    low, high = _percentiles(values, confidence)
    tail = min(int((values <= 0).sum()), int((values >= 0).sum()))
    p = min(1.0, 2 * (tail + 1) / (resamples + 1))
    return PairedDifference(float(difference(counts[None])[0]), low, high, p)


_STATISTICS: dict[str, Callable[[npt.NDArray[Any]], npt.NDArray[np.float64]]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "macro_f1": macro_f1,
    "macro_f1_of_truth": macro_f1_of_truth,
}


def _statistic(name: str) -> Callable[[npt.NDArray[Any]], npt.NDArray[np.float64]]:
    if name not in _STATISTICS:
        raise ValueError(f"Unknown statistic {name!r}; choose one of {list(_STATISTICS)}.")
    return _STATISTICS[name]


def _percentiles(values: npt.NDArray[np.float64], confidence: float) -> tuple[float, float]:
    if not 0 < confidence < 1:
        raise ValueError(f"Confidence must lie between 0 and 1, found {confidence}.")
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
