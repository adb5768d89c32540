"""Whether runs were tested on the same pictures, by what the pictures hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from halfsmile.runs.finished import FinishedRun
from halfsmile.runs.predictions import Predictions


def aligned(runs: Sequence[FinishedRun]) -> list[Predictions]:
    """The same rows sorted by picture and label, so that row i of two runs is the same picture.

    Pictures are told apart by the hash of their pixels, whatever their names, where every run knows it; by
    their names otherwise. Either stands in ``images`` of what is returned.
    """
    hashes = [run.predictions.sha256 for run in runs]
    known = [found for found in hashes if found is not None and None not in found]
    if len(known) < len(runs):
        return [_align(run.predictions, run.predictions.images) for run in runs]
    return [
        _align(run.predictions, [str(digest) for digest in found])
        for run, found in zip(runs, known, strict=True)
    ]


def _align(predictions: Predictions, pictures: Sequence[str]) -> Predictions:
    keys = list(zip(pictures, predictions.targets.tolist(), predictions.images, strict=True))
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return Predictions(
        tuple(pictures[i] for i in order),
        tuple(predictions.splits[i] for i in order),
        predictions.targets[order],
        predictions.probabilities[order],
        predictions.taxonomy,
    )


def require_same_test_set(
    first_run: FinishedRun, first: Predictions, other_run: FinishedRun, other: Predictions
) -> None:
    """Refuse two runs that were tested on different pictures, or on other labels of them.

    Args:
        first_run: A run.
        first: Its predictions as :func:`aligned` gives them.
        other_run: Another run.
        other: Likewise.

    Raises:
        ValueError: With how many pictures differ, and one of each kind.
    """
    try:
        first.taxonomy.require_same(other.taxonomy)
    except ValueError as error:
        raise ValueError(f"{first_run.path} and {other_run.path}: {error}") from error
    if first.images == other.images and np.array_equal(first.targets, other.targets):
        return
    names = {**_names(first_run), **_names(other_run)}
    only_first = list((Counter(first.images) - Counter(other.images)).elements())
    only_other = list((Counter(other.images) - Counter(first.images)).elements())
    labels = dict(zip(first.images, first.targets.tolist(), strict=True))
    relabeled = [
        f"{names.get(image, image)}: {first.taxonomy.labels[labels[image]]} / {first.taxonomy.labels[target]}"
        for image, target in zip(other.images, other.targets.tolist(), strict=True)
        if image in labels and labels[image] != target
    ]
    details = [
        f"{len(found):,} {text} (such as {names.get(found[0], found[0])})"
        for found, text in (
            (only_first, f"images are only in {first_run.path}"),
            (only_other, f"images are only in {other_run.path}"),
            (relabeled, "images have another label"),
        )
        if found
    ]
    raise ValueError(
        f"{first_run.path} ({len(first):,} images) and {other_run.path} ({len(other):,} images) were "
        f"tested on different images: {'; '.join(details)}. Compare runs of one data set, label rule "
        "and split."
    )


def _names(run: FinishedRun) -> dict[str, str]:
    """Name of a picture by its hash, where that is known."""
    hashes = run.predictions.sha256 or ()
    return {str(digest): name for digest, name in zip(hashes, run.predictions.images, strict=False)}
