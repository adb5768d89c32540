"""Labels that are probably wrong, by confident learning (Northcutt et al. 2021, arXiv 1911.00068).

Out-of-sample probabilities are held against each class's own threshold, the mean probability of class j among
what is labeled j: a model that is seldom sure of a class need not be sure to object. A label is doubted where
another class passes its threshold (the off-diagonal of the confident joint, the rule ``confident_learning``
of the library cleanlab), or a given share of them by the normalized margin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class Doubts:
    """What is doubted, worst first.

    Args:
        rows: (D,) of the labels.
        suggested: (D,), the class that the model takes them for.
        confidence: (D,), probability of the given label; small is worse.
        joint: (K, K), how many of given label i seem to be truly j, scaled so that each row sums to the
            number of labels i (their equation 3).
    """

    rows: npt.NDArray[np.int64]
    suggested: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float64]
    joint: npt.NDArray[np.float64]


def find_label_errors(probabilities: Floats, labels: Ints) -> Doubts:
    """The labels that a model doubts.

    Args:
        probabilities: (N, K), of models that did not learn from the label of the same row.
        labels: (N,) class indices.

    Raises:
        ValueError: If shapes do not fit, or a label is no class.
    """
    p, given = np.asarray(probabilities, np.float64), np.asarray(labels)
    if p.ndim != 2 or given.shape != p.shape[:1]:
        raise ValueError(f"Expected (N, K) and as many labels, found shapes {p.shape} and {given.shape}.")
    count, classes = p.shape
    if count and (given.min() < 0 or given.max() >= classes):
        raise ValueError(f"Labels must lie in [0, {classes}), found {given.min()} to {given.max()}.")
    thresholds = np.array([p[given == k, k].mean() if (given == k).any() else np.inf for k in range(classes)])
    passing = np.where(p >= thresholds - 1e-6, p, -1.0)  # the library's tolerance
    best = passing.argmax(axis=1) if count else np.zeros(0, np.int64)
    is_confident = passing.max(axis=1, initial=-1) >= 0
    joint = np.zeros((classes, classes))
    np.add.at(joint, (given[is_confident], best[is_confident]), 1)
    np.fill_diagonal(joint, np.where(np.diag(joint) > 0, np.diag(joint), 1))
    doubted = np.flatnonzero(is_confident & (best != given) & (p.argmax(axis=1) != given))
    confidence = p[doubted, given[doubted]] if len(doubted) else np.zeros(0)
    order = np.argsort(confidence, kind="stable")
    totals = np.bincount(given, minlength=classes) if count else np.zeros(classes)
    scaled = joint / joint.sum(axis=1, keepdims=True) * totals[:, None]
    return Doubts(doubted[order], best[doubted][order].astype(np.int64), confidence[order], scaled)
