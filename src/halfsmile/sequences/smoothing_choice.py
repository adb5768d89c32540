"""Which smoothing: the one with the best macro F1 on people whose labels may decide."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from halfsmile.metrics.scores import class_scores, confusion_counts
from halfsmile.sequences.smoothing import FrameProbabilities, Kind, Smoothing

KINDS: tuple[Kind, ...] = ("average", "gaussian", "median")
WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)
GRID: tuple[Smoothing, ...] = (
    Smoothing("none"),
    *(Smoothing(kind, width) for kind, width in product(KINDS, WIDTHS)),
)
"""Candidates for :func:`choose_smoothing`, from the mildest on; all fill gaps of up to a second."""


def smoothing_macro_f1(
    smoothing: Smoothing, sequences: Sequence[FrameProbabilities], labels: Sequence[npt.NDArray[Any]]
) -> float:
    """Macro F1 over the C classes of a smoothing's labels, on all labeled rows of all sequences together.

    A labeled row without a result counts as missed: it lowers the recall of its class.

    Args:
        smoothing: What to measure.
        sequences: The frames; C is the same in all.
        labels: For each sequence (T,) class indices, −1 where a row is not labeled.

    Raises:
        ValueError: If there is no labeled row, or lengths and indices do not fit.
    """
    if len(sequences) != len(labels) or not sequences:
        raise ValueError(f"Found {len(sequences)} sequences and labels of {len(labels)}; expected as many.")
    num_classes = np.shape(sequences[0].probabilities)[-1]
    counts = np.zeros((num_classes + 1, num_classes + 1), np.int64)  # the last column: no result
    for sequence, truth in zip(sequences, labels, strict=True):
        found = smoothing.labels(sequence.probabilities, sequence.times, sequence.tracks)
        truth = np.asarray(truth)
        if np.shape(sequence.probabilities)[-1] != num_classes or truth.shape != found.shape:
            raise ValueError(
                f"Expected labels of shape {found.shape} for probabilities (T, {num_classes}), found labels "
                f"{truth.shape} and probabilities {np.shape(sequence.probabilities)}."
            )
        if truth.size and not (truth.min() >= -1 and truth.max() < num_classes):
            raise ValueError(f"Labels lie in [-1, {num_classes}), found {truth.min()} to {truth.max()}.")
        labeled = truth >= 0
        named = np.where(found < 0, num_classes, found)[labeled]
        counts += confusion_counts(named, truth[labeled], num_classes + 1)
    if not counts.sum():
        raise ValueError("No row has a label; macro F1 needs at least one.")
    return float(class_scores(counts)[2][:num_classes].mean())


def choose_smoothing(
    sequences: Sequence[FrameProbabilities],
    labels: Sequence[npt.NDArray[Any]],
    people: Sequence[str],
    grid: Iterable[Smoothing] = GRID,
    *,
    training_people: Collection[str],
) -> Smoothing:
    """The smoothing with the highest macro F1 on the training people; the earlier one where two are equal.

    Sequences of other people are not used, so that their scores stay unbiased.

    Args:
        sequences: Predictions of the model.
        labels: For each sequence (T,) class indices, −1 where a row is not labeled.
        people: Who is seen in each sequence.
        grid: Candidates.
        training_people: Whose labels may decide.

    Raises:
        ValueError: If no sequence shows a training person, the grid is empty, or
            :func:`smoothing_macro_f1` refuses.
    """
    if not len(sequences) == len(labels) == len(people):
        raise ValueError(
            f"Found {len(sequences)} sequences, labels of {len(labels)} and people of {len(people)}; "
            "each sequence needs one of both."
        )
    usable = [i for i, person in enumerate(people) if person in training_people]
    candidates = tuple(grid)
    if not usable or not candidates:
        raise ValueError(
            f"{len(usable)} of {len(sequences)} sequences show one of the {len(training_people)} training "
            f"people, and the grid has {len(candidates)} candidates; both must be at least 1."
        )
    chosen = [sequences[i] for i in usable], [labels[i] for i in usable]
    return max(candidates, key=lambda candidate: smoothing_macro_f1(candidate, *chosen))
