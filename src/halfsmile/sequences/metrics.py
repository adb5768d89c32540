"""How good predictions over time are: frame scores on all and on spoiled frames, and when expressions begin.

Everything is computed from probabilities and truth per sequence, so that any smoothing or network is measured
alike. Frames without a label (transitions) are not scored as frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from halfsmile.metrics.scores import accuracy, confusion_counts, macro_f1
from halfsmile.taxonomy import Taxonomy

UNLABELED = -1


@dataclass(frozen=True, eq=False)
class SequenceTruth:
    """Truth of one sequence, or of one person in a video.

    Args:
        targets: Class index of each frame, −1 where there is no label. Shape (T,).
        spoiled: True where a frame is known to be blurred, dark or covered. Shape (T,).
    """

    targets: npt.NDArray[np.int64]
    spoiled: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class SequenceMetrics:
    """Scores of predictions over time.

    Args:
        frames: Labeled frames.
        accuracy: Share of labeled frames that are right.
        macro_f1: Mean F1 over all classes of the taxonomy; 0 for a class without truth or prediction.
        spoiled_frames: Labeled frames that are spoiled.
        spoiled_accuracy: ``accuracy`` of the spoiled frames; NaN without any.
        spoiled_macro_f1: ``macro_f1`` of the spoiled frames; NaN without any.
        onsets: Expressions that begin after neutral, see :func:`onset_errors`.
        onset_error: Mean distance in frames between true and predicted onset; NaN without any.
        onsets_missed: Expressions that are never predicted; they count with the length of the expression.
        switches: Changes of the predicted class per 100 frames.
    """

    frames: int
    accuracy: float
    macro_f1: float
    spoiled_frames: int
    spoiled_accuracy: float
    spoiled_macro_f1: float
    onsets: int
    onset_error: float
    onsets_missed: int
    switches: float

    def to_dict(self) -> dict[str, Any]:
        """The same as plain Python values, ready for JSON."""
        return asdict(self)


def evaluate_sequences(
    probabilities: Sequence[npt.NDArray[np.floating[Any]]],
    truth: Sequence[SequenceTruth],
    taxonomy: Taxonomy,
    *,
    neutral: str = "neutral",
) -> SequenceMetrics:
    """Score predictions of several sequences.

    Args:
        probabilities: (T, K) per sequence; of a row only the largest matters.
        truth: What was shown, sequence by sequence.
        taxonomy: The K classes.
        neutral: Class that expressions begin from.

    Raises:
        ValueError: If shapes do not fit, a value is NaN, a target is not a class, or no frame has a label.
    """
    if len(probabilities) != len(truth):
        raise ValueError(f"Found predictions of {len(probabilities)} sequences and truth of {len(truth)}.")
    predicted = [
        _predicted(rows, true, len(taxonomy), i)
        for i, (rows, true) in enumerate(zip(probabilities, truth, strict=True))
    ]
    none = np.zeros(0, np.int64)
    named = np.concatenate([none, *predicted])
    targets = np.concatenate([none, *(true.targets for true in truth)])
    spoiled = np.concatenate([none.astype(np.bool_), *(true.spoiled for true in truth)])
    labeled = targets != UNLABELED
    if not labeled.any():
        raise ValueError(f"None of the {len(targets)} frames has a label; there is nothing to score.")
    both = labeled & spoiled
    confusion = confusion_counts(named[labeled], targets[labeled], len(taxonomy))
    spoiled_confusion = confusion_counts(named[both], targets[both], len(taxonomy))
    start = taxonomy.index(neutral)
    onsets = [
        onset
        for p, true in zip(predicted, truth, strict=True)
        for onset in onset_errors(p, true.targets, start)
    ]
    pairs = sum(max(0, len(p) - 1) for p in predicted)
    return SequenceMetrics(
        frames=int(labeled.sum()),
        accuracy=float(accuracy(confusion)),
        macro_f1=float(macro_f1(confusion)),
        spoiled_frames=int(both.sum()),
        spoiled_accuracy=float(accuracy(spoiled_confusion)) if both.any() else float("nan"),
        spoiled_macro_f1=float(macro_f1(spoiled_confusion)) if both.any() else float("nan"),
        onsets=len(onsets),
        onset_error=float(np.mean([onset.error for onset in onsets])) if onsets else float("nan"),
        onsets_missed=sum(onset.missed for onset in onsets),
        switches=100 * sum(int((np.diff(p) != 0).sum()) for p in predicted) / max(1, pairs),
    )


@dataclass(frozen=True)
class Onset:
    """One expression that begins after neutral.

    Args:
        error: Frames between the true and the predicted onset.
        missed: Whether the expression is not predicted at all; ``error`` then is the expression's length.
    """

    error: int
    missed: bool


def onset_errors(
    predicted: npt.NDArray[np.integer[Any]], targets: npt.NDArray[np.integer[Any]], neutral: int
) -> list[Onset]:
    """How far off the beginning of each expression is predicted.

    An expression begins where labels go from neutral, over any unlabeled transition, to another class. Its
    predicted onset is the first frame with that class, from the beginning of the neutral frames to the end of
    the expression: a false alarm in the neutral frames is a wrong onset. The truth says no more than that the
    expression begins after the last neutral frame and not after the first labeled one, so the error is the
    distance to that range.

    Args:
        predicted: Class indices. Shape (T,).
        targets: Class indices, −1 without a label. Shape (T,).
        neutral: Index of neutral.

    Example:
        >>> neutral, smile = 0, 1
        >>> targets = np.array([0, 0, 0, -1, 1, 1, 1])
        >>> onset_errors(np.array([0, 0, 0, 0, 0, 1, 1]), targets, neutral)
        [Onset(error=1, missed=False)]
    """
    runs = _runs(targets)
    found = []
    for (label, start, stop), (later, begin, end) in pairwise(runs):
        if label != neutral or later == neutral:
            continue
        hits = np.flatnonzero(predicted[start:end] == later)
        if not len(hits):
            found.append(Onset(end - begin, missed=True))
            continue
        onset = start + int(hits[0])
        found.append(Onset(max(stop - onset, 0, onset - begin), missed=False))
    return found


def _runs(targets: npt.NDArray[np.integer[Any]]) -> list[tuple[int, int, int]]:
    """Runs of one label as (label, first frame, frame after the last); unlabeled frames don't end a run."""
    runs: list[tuple[int, int, int]] = []
    for frame in np.flatnonzero(targets != UNLABELED).tolist():
        label = int(targets[frame])
        if runs and runs[-1][0] == label:
            runs[-1] = (label, runs[-1][1], frame + 1)
        else:
            runs.append((label, frame, frame + 1))
    return runs


def _predicted(
    rows: npt.NDArray[np.floating[Any]], true: SequenceTruth, classes: int, number: int
) -> npt.NDArray[np.int64]:
    frames = len(true.targets)
    if np.shape(rows) != (frames, classes) or true.spoiled.shape != (frames,):
        raise ValueError(
            f"Sequence {number}: expected predictions ({frames}, {classes}) and as many marks of spoiled "
            f"frames, found {np.shape(rows)} and {true.spoiled.shape}."
        )
    if np.isnan(rows).any():
        raise ValueError(f"Sequence {number}: predictions hold NaN; fill the gaps before scoring.")
    if frames and not (true.targets.min() >= UNLABELED and true.targets.max() < classes):
        raise ValueError(f"Sequence {number}: targets must lie in [-1, {classes}).")
    return rows.argmax(axis=1).astype(np.int64) if frames else np.zeros(0, np.int64)
