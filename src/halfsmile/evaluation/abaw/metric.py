"""The expression (EXPR) protocol of the ABAW challenges on Aff-Wild2: its metric, and folds by video.

The metric is P = Σ_c F1_c / 8 over all annotated frames together (Kollias et al. 2024, arXiv:2402.19344). A
class that neither occurs nor is predicted has F1 = 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from halfsmile.data.manifest import Manifest
from halfsmile.metrics import scores as metrics
from halfsmile.taxonomy import AFFWILD2

NUM_CLASSES = len(AFFWILD2)
NOT_ANNOTATED = -1


def macro_f1(targets: npt.NDArray[np.integer[Any]], predicted: npt.NDArray[np.integer[Any]]) -> float:
    """Mean F1 over the eight classes, in [0, 1].

    Args:
        targets: (N,) true classes in the order of Aff-Wild2; frames of −1 are not annotated and left out.
        predicted: (N,) predicted classes, 0 to 7 wherever the frame is annotated.

    Raises:
        ValueError: If shapes differ, an index is out of range, or no frame is annotated.
    """
    targets, predicted = np.asarray(targets), np.asarray(predicted)
    if targets.ndim != 1 or targets.shape != predicted.shape:
        raise ValueError(
            f"Expected as many targets as predictions, found shapes {targets.shape} and {predicted.shape}."
        )
    annotated = targets != NOT_ANNOTATED
    if not annotated.any():
        raise ValueError(f"None of {len(targets)} frames is annotated; macro F1 needs at least one.")
    targets, predicted = targets[annotated], predicted[annotated]
    for name, values in (("targets", targets), ("predictions", predicted)):
        if not np.issubdtype(values.dtype, np.integer) or values.min() < 0 or values.max() >= NUM_CLASSES:
            raise ValueError(
                f"Expected whole {name} from 0 to {NUM_CLASSES - 1} on annotated frames, found "
                f"{values.dtype} from {values.min()} to {values.max()}."
            )
    return float(metrics.macro_f1(metrics.confusion_counts(predicted, targets, NUM_CLASSES)))


def video_folds(manifest: Manifest, *, num_folds: int = 5, seed: int = 0) -> dict[str, int]:
    """Distribute recordings over folds whose class counts are alike.

    Each recording goes to the fold in which its classes are rarest so far (greedy descent of the summed
    squares of each fold's share of every class), large recordings first, those of about the same size in
    random order. All people of a recording share its fold.

    Args:
        manifest: Labeled and unlabeled rows with ``video``; usually training and validation set together.
        num_folds: Number of folds.
        seed: Decides the order of recordings of about the same size (within a factor of two).

    Returns:
        Fold from 0 to ``num_folds`` − 1 of each recording, sorted by name. The same for the same recordings,
        counts and seed, whatever the order of the rows.

    Raises:
        ValueError: If a row has no video, or there are fewer recordings than folds, or fewer than two folds.
    """
    videos = manifest.column("video")
    if None in videos:
        raise ValueError(f"{videos.count(None)} of {len(videos)} rows name no video; folds go by video.")
    names, owner = np.unique(np.array(videos, dtype=np.str_), return_inverse=True)
    if not 2 <= num_folds <= len(names):
        raise ValueError(
            f"Can't make {num_folds} folds of {len(names)} videos: give at least 2 folds and as many videos."
        )
    num_classes = len(manifest.taxonomy) if manifest.taxonomy else 0
    classes = manifest.class_indices()
    labeled = classes >= 0
    counts = np.zeros((len(names), num_classes + 1))
    np.add.at(counts, (owner[labeled], classes[labeled]), 1)
    counts[:, -1] = np.bincount(owner)  # all rows, so that folds are of equal size too
    shares = counts / np.maximum(counts.sum(axis=0), 1)

    random = np.random.default_rng(seed).permutation(len(names))
    order = np.lexsort((random, -np.floor(np.log2(counts[:, -1]))))
    loads = np.zeros((num_folds, num_classes + 1))
    folds = np.empty(len(names), np.int64)
    for video in order:
        costs = loads @ shares[video]
        folds[video] = costs.argmin()
        loads[folds[video]] += shares[video]
    return {str(name): int(fold) for name, fold in zip(names, folds, strict=True)}
