"""Saying "not sure": how many answers remain, and how many are wrong, when doubtful ones are withheld.

* The risk–coverage curve (El-Yaniv & Wiener 2010, JMLR 11) and the confidence from which the error stays
  below a target; with a bound in place of the observed error (Geifman & El-Yaniv 2017, arXiv 1705.08500).
* Conformal sets: for each face the set of expressions that holds the true one with a stated probability,
  over faces drawn as the calibration faces were (Sadinle et al. 2019, arXiv 1609.00451).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class Curve:
    """Error among the answers that are kept, most confident first.

    Args:
        threshold: (M,) answers of at least this confidence are kept; falling.
        coverage: (M,) share of answers kept; rising to 1.
        risk: (M,) share of wrong ones among them.
    """

    threshold: npt.NDArray[np.float64]
    coverage: npt.NDArray[np.float64]
    risk: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RiskCoverage(Curve):
    """The whole curve of some samples: one entry for each distinct confidence.

    Args:
        count: Number of samples.
    """

    count: int

    @property
    def area(self) -> float:
        """Area under the curve: mean risk over all coverages (lower is better)."""
        widths = np.diff(self.coverage, prepend=0.0)
        return float((self.risk * widths).sum())

    def points(self, count: int = 200) -> dict[str, list[float]]:
        """At most so many of its points, evenly over the coverage, as plain values; the last is that of all.

        Returns:
            ``threshold``, ``coverage`` and ``risk``, each rounded to 1e-6.
        """
        wanted = np.searchsorted(self.coverage, np.linspace(1 / count, 1, count) - 1e-12)
        places = np.unique(np.minimum(wanted, len(self.coverage) - 1))
        columns = {"threshold": self.threshold, "coverage": self.coverage, "risk": self.risk}
        return {name: [round(float(v), 6) for v in column[places]] for name, column in columns.items()}


def risk_coverage(probabilities: FloatArray, targets: IntArray) -> RiskCoverage:
    """The curve of probabilities (N, K) against class indices (N,).

    Raises:
        ValueError: If there is no sample or the numbers of rows differ.
    """
    probabilities, targets = np.asarray(probabilities, np.float64), np.asarray(targets)
    if probabilities.ndim != 2 or probabilities.shape[:1] != targets.shape or not len(targets):
        raise ValueError(
            "Expected probabilities (N, K) and as many targets, found the shapes "
            f"{probabilities.shape} and {targets.shape}."
        )
    confidence = probabilities.max(axis=1)
    wrong = probabilities.argmax(axis=1) != targets
    order = np.argsort(-confidence, kind="stable")
    kept = np.arange(1, len(order) + 1)
    risk = np.cumsum(wrong[order]) / kept
    last = np.append(np.diff(confidence[order]) != 0, True)
    return RiskCoverage(confidence[order][last], kept[last] / len(order), risk[last], len(order))


def threshold_for_error(
    curve: RiskCoverage, target: float, *, assurance: float | None = None
) -> float | None:
    """The least confidence from which the error of kept answers is at most a target.

    Args:
        curve: From a split that trained nothing.
        target: Largest error, in (0, 1).
        assurance: Ask that the upper bound of the error (Clopper–Pearson) meets the target, instead of the
            observed error. It holds for each threshold by itself at this one-sided confidence; for the
            lowest of many, which is what is returned, somewhat less.

    Returns:
        The confidence, or None where not even the most confident answers meet the target.

    Raises:
        ValueError: If a number is out of range.
    """
    for name, value in (("target", target), ("assurance", assurance)):
        if value is not None and not 0 < value < 1:
            raise ValueError(f"{name} must lie between 0 and 1, found {value}.")
    risk = curve.risk
    if assurance is not None:
        kept = np.round(curve.coverage * curve.count)
        wrong = np.round(risk * kept)
        risk = np.where(kept > wrong, betaincinv(wrong + 1, np.maximum(kept - wrong, 1), assurance), 1.0)
    meeting = np.flatnonzero(risk <= target)
    return float(curve.threshold[meeting[-1]]) if len(meeting) else None


@dataclass(frozen=True)
class ConformalSets:
    """Sets of expressions with a stated coverage.

    Args:
        coverage: Least probability that a set holds the truth, in (0, 1).
        floor: A class belongs to the set if its probability is at least this; 0 keeps all classes.
    """

    coverage: float
    floor: float

    @classmethod
    def fit(cls, probabilities: FloatArray, targets: IntArray, coverage: float) -> ConformalSets:
        """Calibrate on probabilities (N, K) and class indices (N,).

        Raises:
            ValueError: If ``coverage`` is not between 0 and 1, or there is no sample.
        """
        if not 0 < coverage < 1:
            raise ValueError(f"coverage must lie between 0 and 1, found {coverage}.")
        probabilities, targets = np.asarray(probabilities, np.float64), np.asarray(targets)
        if not len(targets):
            raise ValueError("There is no sample to calibrate on.")
        scores = np.sort(1 - probabilities[np.arange(len(targets)), targets])
        rank = math.ceil((len(scores) + 1) * coverage - 1e-9)
        return cls(coverage, 0.0 if rank > len(scores) else float(1 - scores[rank - 1]))

    def __call__(self, probabilities: FloatArray) -> npt.NDArray[np.bool_]:
        """Membership (N, K) of each class; the most probable class always belongs."""
        probabilities = np.asarray(probabilities, np.float64)
        member = probabilities >= self.floor
        member[np.arange(len(member)), probabilities.argmax(axis=1)] = True
        return np.asarray(member)
