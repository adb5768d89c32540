"""Calibration on several labeled sets, of which each weighs the same however many faces it has.

A temperature that is fitted to one data set holds for faces like its own. What is met later is a mixture that
nobody knows, so the sets that are there are mixed evenly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from halfsmile.metrics.calibration import TEMPERATURES, Temperature
from halfsmile.metrics.selective import ConformalSets

Set = tuple[npt.NDArray[np.floating], npt.NDArray[np.integer]]
"""Logits or probabilities (N, K) of a set, and its class indices (N,)."""


def fit_mixture_temperature(sets: Sequence[Set]) -> Temperature:
    """The temperature from 0.05 to 20 of the largest mean likelihood, the mean over sets of that over faces.

    Args:
        sets: Logits and targets of each.

    Raises:
        ValueError: If there is no set, or one without faces.
    """
    _require(sets)

    def loss(log_value: float) -> float:
        scaled = [
            log_softmax(np.asarray(logits, np.float64) / math.exp(log_value), axis=1) for logits, _ in sets
        ]
        losses = [-s[np.arange(len(t)), t].mean() for s, (_, t) in zip(scaled, sets, strict=True)]
        return float(np.mean(losses))

    low, high = map(math.log, TEMPERATURES)
    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    return Temperature(math.exp(found.x))


def mixture_threshold(sets: Sequence[Set], target: float) -> float | None:
    """The least confidence from which at most a share of the certain answers of the mixture is wrong.

    Args:
        sets: Probabilities and targets of each.
        target: Largest share, in (0, 1).

    Returns:
        The confidence, or None where not even the most confident answers meet the target.

    Raises:
        ValueError: If there is no set, or one without faces.
    """
    _require(sets)
    confidence = np.concatenate([np.asarray(p, np.float64).max(axis=1) for p, _ in sets])
    wrong = np.concatenate([np.asarray(p).argmax(axis=1) != t for p, t in sets])
    weight = np.concatenate([np.full(len(t), 1 / len(t)) for _, t in sets])
    order = np.argsort(-confidence, kind="stable")
    risk = np.cumsum((weight * wrong)[order]) / np.cumsum(weight[order])
    last = np.append(np.diff(confidence[order]) != 0, True)
    meeting = np.flatnonzero(last & (risk <= target + 1e-12))
    return float(confidence[order][meeting[-1]]) if len(meeting) else None


def fit_mixture_sets(sets: Sequence[Set], coverage: float) -> ConformalSets:
    """Sets of expressions that hold the true one in this share of the mixture.

    Args:
        sets: Probabilities and targets of each.
        coverage: In (0, 1).

    Raises:
        ValueError: If there is no set, or one without faces.
    """
    _require(sets)
    truth = np.concatenate([np.asarray(p, np.float64)[np.arange(len(t)), t] for p, t in sets])
    weight = np.concatenate([np.full(len(t), 1 / (len(t) * len(sets))) for _, t in sets])
    order = np.argsort(-truth, kind="stable")
    place = int(np.searchsorted(np.cumsum(weight[order]), coverage - 1e-12))
    return ConformalSets(coverage, float(truth[order][min(place, len(order) - 1)]))


def _require(sets: Sequence[Set]) -> None:
    if not sets or any(len(targets) == 0 for _, targets in sets):
        raise ValueError("A mixture needs at least one set, and a face in each.")
