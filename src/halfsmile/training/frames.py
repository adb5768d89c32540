"""Frames of videos for Stage IV: who trains it, which labels it may see, and whole videos to test it on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from halfsmile.data.grouped_draw import draw_groups, group_counts
from halfsmile.data.images import Faces, load_faces
from halfsmile.data.manifest import Manifest
from halfsmile.data.readers.sequences import Sequences
from halfsmile.data.split import LabelBudget
from halfsmile.data.windows import Track, group_tracks
from halfsmile.recipes.config import Recipe

Floats = npt.NDArray[np.float32]
STREAM = 4
"""Sets the draw of Stage IV's people apart from other draws by the same seed."""


def take_rows(rows: Sequences, index: npt.NDArray[np.int64]) -> Sequences:
    """Some of the frames, in the order given."""
    return Sequences(rows.manifest.take(index), rows.times[index], rows.intensity[index], rows.spoiled[index])


def split_rows(rows: Sequences, *names: str) -> Sequences:
    """The frames of some splits."""
    return take_rows(rows, np.flatnonzero([s in names for s in rows.manifest.column("split")]))


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


@dataclass(frozen=True, eq=False)
class Frames:
    """N frames of whole videos, M of them with a readable picture.

    Args:
        rows: What the data set says of the N frames.
        labels: Class indices that may be used, −1 elsewhere. Shape (N,), int64.
        faces: The M readable ones, in the same order.
        present: Which of the N are readable. Shape (N,), bool.
        tracks: Frames of one person in one video, in the order of time.
        notes: What was sorted or left out.
    """

    rows: Sequences
    labels: npt.NDArray[np.int64]
    faces: Faces
    present: npt.NDArray[np.bool_]
    tracks: list[Track]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    def counts(self) -> dict[str, int]:
        """Readable frames per label that may be used."""
        taxonomy = self.rows.manifest.taxonomy
        names = taxonomy.labels if taxonomy else ()
        found = self.labels[self.present]
        return {name: int((found == i).sum()) for i, name in enumerate(names)}

    def spread(self, values: Floats) -> Floats:
        """Values (M, F) of the readable frames as rows of all frames (N, F), NaN for the others."""
        result = np.full((len(self), values.shape[1]), np.nan, np.float32)
        result[self.present] = values
        return result


def load_frames(
    rows: Sequences, labels: npt.NDArray[np.int64], *, size: int, channels: int, cache: Path
) -> Frames:
    """Decode the frames of whole videos, and put them in order.

    Args:
        rows: Frames in any order.
        labels: Class indices that may be used, −1 elsewhere. Shape (N,).
        size: Side of the pictures.
        channels: 1 for grey, 3 for RGB.
        cache: Where a large array goes.

    Raises:
        ValueError: If no picture could be read.
    """
    manifest = rows.manifest
    faces = load_faces(manifest, size=size, channels=channels, cache=cache)
    bad = {locator for locator, _ in faces.bad}
    present = np.array([locator not in bad for locator in manifest.column("image")], np.bool_)
    tracks, notes = group_tracks(manifest.column("video"), manifest.column("person"), rows.times)
    silent = sum(not (labels[track.rows] >= 0).any() for track in tracks)
    if silent:
        notes = [*notes, f"{silent} of {len(tracks)} videos have no labeled frame."]
    return Frames(rows, labels, faces, present, tracks, tuple(notes))


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
    chosen = take_rows(rows, np.flatnonzero([name in people for name in names]))
    allowed = set(budget.rows(chosen.manifest, "labeled").column("image"))
    seen = np.array([image in allowed for image in chosen.manifest.column("image")], np.bool_)
    labels = np.where(seen, chosen.manifest.class_indices(), -1)
    size, channels = recipe.encoder.image_size, recipe.encoder.channels
    return load_frames(chosen, labels, size=size, channels=channels, cache=cache)


def frames_to_test(recipe: Recipe, rows: Sequences, *, cache: Path) -> Frames:
    """All frames of the test videos, with their labels."""
    chosen = split_rows(rows, *recipe.resolved_protocol.test_splits)
    size, channels = recipe.encoder.image_size, recipe.encoder.channels
    labels = chosen.manifest.class_indices()
    return load_frames(chosen, labels, size=size, channels=channels, cache=cache)
