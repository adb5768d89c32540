"""Frames of videos for Stage IV: who trains it, and which labels it may see."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from halfsmile.data.frames import Frames, load_frames
from halfsmile.data.grouped_draw import draw_groups, group_counts
from halfsmile.data.manifest import Manifest
from halfsmile.data.readers.sequences import Sequences
from halfsmile.data.split import LabelBudget
from halfsmile.recipes.config import Recipe

STREAM = 4
"""Sets the draw of Stage IV's people apart from other draws by the same seed."""


def temporal_groups(recipe: Recipe, labeled: Manifest) -> frozenset[str]:
    """People (or videos) whose labels train Stage IV, by the protocol's ``group``.

    With an ``own_share`` they are drawn so that every class gets about that share, and every class keeps a
    label for the stages before.

    Args:
        recipe: Has a Stage IV.
        labeled: Training rows in the label budget.

    Raises:
        ValueError: If the recipe does not say what to group by, or nobody can be spared.
    """
    config, column = recipe.temporal, recipe.resolved_protocol.group
    if config is None or column is None:
        raise ValueError(f"Stage IV of the recipe {recipe.name} needs a group, person or video.")
    groups = labeled.column(column)
    named = labeled.take([i for i, name in enumerate(groups) if name is not None])
    names = list(dict.fromkeys(named.column(column)))
    if not config.own_share:
        return frozenset(names)
    _, counts = group_counts(named.column(column), named.class_indices(), len(labeled.counts()))
    order = np.random.default_rng([recipe.seed, STREAM]).permutation(len(names))
    wanted = np.round(config.own_share * counts.sum(axis=0)).astype(np.int64)
    kept = draw_groups(counts, wanted, order).tolist()
    for label in range(counts.shape[1]):
        if counts[:, label].any() and counts[kept, label].sum() == counts[:, label].sum():
            kept.remove(next(group for group in kept if counts[group, label]))
    if not kept:
        raise ValueError(
            f"The labels of {len(names)} ({column}) can't be divided: {config.own_share:.0%} of them are to "
            "train Stage IV alone, and no class may be left without a label before it. Give more --labels."
        )
    return frozenset(names[group] for group in kept)


def training_frames(
    recipe: Recipe, rows: Sequences, budget: LabelBudget, people: Collection[str], *, cache: Path
) -> Frames:
    """The videos that train Stage IV: all their frames, and the labels of the budget alone.

    Args:
        recipe: Says what to group by, and the size of the pictures.
        rows: Training frames of the data set.
        budget: Which labels may be seen.
        people: Whose videos, see :func:`temporal_groups`.
        cache: Where a large array goes.
    """
    names: list[Any] = rows.manifest.column(recipe.resolved_protocol.group or "person")
    chosen = rows.take(np.flatnonzero([name in people for name in names]))
    allowed = set(budget.rows(chosen.manifest, "labeled").column("image"))
    seen = np.array([image in allowed for image in chosen.manifest.column("image")], np.bool_)
    labels = np.where(seen, chosen.manifest.class_indices(), -1)
    size, channels = recipe.encoder.image_size, recipe.encoder.channels
    return load_frames(chosen, labels, size=size, channels=channels, cache=cache)
