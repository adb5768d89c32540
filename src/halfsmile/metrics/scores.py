"""How good predictions are: accuracy, class-balanced scores, calibration, and how sure one may be of them.

All scores are computed from counts in numpy. Accuracy alone flatters a model on these data sets, where
happiness is ten times as frequent as disgust, so balanced accuracy and macro F1 always stand beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

from halfsmile.taxonomy import Taxonomy

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]

RELIABILITY_BINS = 15
SCORES_EXPLAINED = (
    "Recall is the share of a class's faces that are named so; balanced accuracy is its mean over classes. "
    "F1 unites it with precision, the share of right ones among the answers; macro F1 is its mean over the "
    "classes. NLL (negative log-likelihood) is lower, the more probable the true class was held; ECE "
    "(calibration error) is how far confidence and share of right answers are apart, 0 at best."
)
"""The scores in words, for those who read a table of them."""
SUM_TOLERANCE = 1e-3


class ClassMetrics(TypedDict):
    """Scores of one class; ``support`` is its number of samples in the truth."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, eq=False)
class Metrics:
    """Scores of one set of predictions. All but ``count``, ``nll`` and ``confusion`` lie in [0, 1].

    Args:
        count: Number of samples.
        accuracy: Share of samples whose most probable class is the true one.
        balanced_accuracy: Mean recall over the classes that occur in the truth (unweighted average recall).
        macro_f1: Mean F1 over all classes of the taxonomy. A class that neither occurs nor is predicted
            has F1 = 0, as in scikit-learn with ``labels=`` all classes and ``zero_division=0``. Of a model on
            data with fewer classes (:mod:`halfsmile.evaluation.evaluate_model`) the mean over the classes
            that occur in the truth.
        per_class: Precision, recall, F1 and support of each label, in the taxonomy's order.
        confusion: (K, K) counts, rows are the truth, columns the prediction.
        nll: Mean negative log-likelihood of the truth, in nats.
        ece: Expected calibration error over 15 bins of equal width.
    """

    count: int
    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    per_class: dict[str, ClassMetrics]
    confusion: npt.NDArray[np.int64]
    nll: float
    ece: float

    @property
    def shares(self) -> dict[str, float]:
        """The three scores that are told first, by the names that people read."""
        return {
            "accuracy": self.accuracy,
            "balanced accuracy": self.balanced_accuracy,
            "macro F1": self.macro_f1,
        }

    def to_dict(self) -> dict[str, Any]:
        """The same as plain Python values, ready for JSON."""
        return {
            "count": self.count,
            "accuracy": self.accuracy,
            "balanced_accuracy": self.balanced_accuracy,
            "macro_f1": self.macro_f1,
            "nll": self.nll,
            "ece": self.ece,
            "per_class": {label: dict(scores) for label, scores in self.per_class.items()},
            "confusion": self.confusion.tolist(),
        }


@dataclass(frozen=True, eq=False)
class ReliabilityBins:
    """Confidence against accuracy. B bins (edge, next edge]; an empty bin has NaN confidence and accuracy.

    Args:
        edges: (B + 1,) from 0 to 1.
        counts: (B,) samples per bin.
        confidence: (B,) mean probability of the predicted class.
        accuracy: (B,) share of right predictions.
    """

    edges: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float64]
    accuracy: npt.NDArray[np.float64]

    @property
    def ece(self) -> float:
        """Expected calibration error: mean |accuracy − confidence|, weighted by the bins' counts.

        Reference: Guo et al. 2017, On Calibration of Modern Neural Networks, equation 3, arXiv 1706.04599.
        """
        filled = self.counts > 0
        gap = np.abs(self.accuracy[filled] - self.confidence[filled])
        return float((self.counts[filled] * gap).sum() / self.counts.sum())


def evaluate_predictions(probabilities: FloatArray, targets: IntArray, taxonomy: Taxonomy) -> Metrics:
    """Compute every score of a set of predictions.

    Args:
        probabilities: (N, K), rows sum to 1.
        targets: (N,) indices into the taxonomy.
        taxonomy: The K classes.

    Raises:
        ValueError: If shapes do not fit, a value is not finite or lies outside [0, 1], a row does not sum
            to 1, a target is not a class, or there is no sample.
    """
    probabilities, targets = _checked(probabilities, targets, len(taxonomy))
    confusion = confusion_counts(probabilities.argmax(axis=1), targets, len(taxonomy))
    precision, recall, f1 = class_scores(confusion)
    support = confusion.sum(axis=1)
    likelihood = probabilities[np.arange(len(targets)), targets]
    return Metrics(
        count=len(targets),
        accuracy=float(accuracy(confusion)),
        balanced_accuracy=float(balanced_accuracy(confusion)),
        macro_f1=float(macro_f1(confusion)),
        per_class={
            label: ClassMetrics(
                precision=float(precision[k]),
                recall=float(recall[k]),
                f1=float(f1[k]),
                support=int(support[k]),
            )
            for k, label in enumerate(taxonomy.labels)
        },
        confusion=confusion,
        nll=float(-np.log(np.maximum(likelihood, np.finfo(np.float64).eps)).mean()),
        ece=reliability_bins(probabilities, targets).ece,
    )


def confusion_counts(predicted: IntArray, targets: IntArray, num_classes: int) -> npt.NDArray[np.int64]:
    """(K, K) counts, rows are the truth. Both arguments: (N,) in [0, K)."""
    cells = targets.astype(np.int64) * num_classes + predicted
    return np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)


def reliability_bins(
    probabilities: FloatArray, targets: IntArray, *, bins: int = RELIABILITY_BINS
) -> ReliabilityBins:
    """Group samples by confidence and compare with how often they are right.

    Args:
        probabilities: (N, K), rows sum to 1.
        targets: (N,) class indices.
        bins: Number of bins of equal width over (0, 1].

    Raises:
        ValueError: As :func:`evaluate_predictions`.
    """
    probabilities, targets = _checked(probabilities, targets, np.shape(probabilities)[-1])
    confidence = probabilities.max(axis=1)
    right = (probabilities.argmax(axis=1) == targets).astype(np.float64)
    index = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    counts = np.bincount(index, minlength=bins)
    divisor = np.where(counts > 0, counts, np.nan)
    return ReliabilityBins(
        edges=np.linspace(0.0, 1.0, bins + 1),
        counts=counts,
        confidence=np.bincount(index, weights=confidence, minlength=bins) / divisor,
        accuracy=np.bincount(index, weights=right, minlength=bins) / divisor,
    )


def class_scores(confusion: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float64], ...]:
    """Precision, recall and F1, each (..., K), of confusion counts (..., K, K); 0 where undefined."""
    right = np.diagonal(confusion, axis1=-2, axis2=-1).astype(np.float64)
    truth, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    return (
        right / np.maximum(predicted, 1),
        right / np.maximum(truth, 1),
        2 * right / np.maximum(truth + predicted, 1),
    )


def accuracy(confusion: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Share of right predictions. Counts (..., K, K), rows are the truth; result (...)."""
    right = np.trace(confusion, axis1=-2, axis2=-1)
    return np.asarray(right / confusion.sum(axis=(-2, -1)), dtype=np.float64)


def balanced_accuracy(confusion: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Mean recall over the classes of the truth. Counts (..., K, K), rows are the truth; result (...)."""
    present = (confusion.sum(axis=-1) > 0).sum(axis=-1)
    return np.asarray(class_scores(confusion)[1].sum(axis=-1) / present)


def macro_f1(confusion: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Mean F1 over all K classes. Counts (..., K, K), rows are the truth; result (...)."""
    return np.asarray(class_scores(confusion)[2].mean(axis=-1))


def macro_f1_of_truth(confusion: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Mean F1 over the classes of the truth. Counts (..., K, K), rows are the truth; result (...).

    Answers for other classes lower the recall of the true one; their own F1, which is 0, is left out.
    """
    present = (confusion.sum(axis=-1) > 0).sum(axis=-1)
    return np.asarray(class_scores(confusion)[2].sum(axis=-1) / present)


def _checked(
    probabilities: FloatArray, targets: IntArray, num_classes: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    probabilities, targets = np.asarray(probabilities), np.asarray(targets)
    if probabilities.ndim != 2 or probabilities.shape[1] != num_classes:
        raise ValueError(f"Expected probabilities (N, {num_classes}), found shape {probabilities.shape}.")
    if targets.shape != probabilities.shape[:1] or not np.issubdtype(targets.dtype, np.integer):
        raise ValueError(
            f"Expected {len(probabilities)} integer targets, found {targets.dtype} {targets.shape}."
        )
    if len(targets) == 0:
        raise ValueError("There is no prediction to evaluate.")
    if not np.isfinite(probabilities).all():
        bad = int((~np.isfinite(probabilities)).any(axis=1).sum())
        raise ValueError(f"{bad} of {len(targets)} rows of probabilities hold NaN or infinity.")
    sums = probabilities.sum(axis=1)
    if probabilities.min() < 0 or np.abs(sums - 1).max() > SUM_TOLERANCE:
        raise ValueError(
            "Rows of probabilities must be non-negative and sum to 1; found a minimum of "
            f"{probabilities.min():.4g} and sums from {sums.min():.4g} to {sums.max():.4g}. "
            "Apply softmax first."
        )
    if targets.min() < 0 or targets.max() >= num_classes:
        raise ValueError(
            f"Targets must lie in [0, {num_classes}), found {targets.min()} to {targets.max()}. "
            "Drop samples without a label before evaluating."
        )
    return probabilities.astype(np.float64), targets.astype(np.int64)
