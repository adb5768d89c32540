"""Splits and folds drawn where a data set has none: class by class, or by whole people or videos.

Pictures of one person are much alike: tested on people that were trained on, scores are too good. Rows with
equal pixel hashes stay together, too. The same seed draws the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from halfsmile.data.grouped_draw import draw_groups, group_counts
from halfsmile.data.manifest import SCHEMA, Manifest
from halfsmile.data.split import Group

Rows = npt.NDArray[np.int64]


def draw_splits(
    manifest: Manifest,
    *,
    test: float,
    valid: float = 0.0,
    seed: int = 0,
    by: Group | None = None,
    again: bool = False,
) -> Manifest:
    """The same rows with a test split, and a validation split if asked for; all others are to train with.

    Args:
        manifest: Labeled rows. Where it has a training split, test rows are drawn from that; where all rows
            are to validate with, from these.
        test: Share of each class.
        valid: Share of each class.
        seed: Decides the draw, together with the manifest's order.
        by: Give all rows of a person or a video one split; rows without a value go with their picture.
        again: Draw anew where there are splits already.

    Raises:
        ValueError: If nothing is labeled, a share is out of range, there is such a split already, or a class
            would be left without a row to train on or to test on.
    """
    require_shares(test, valid)
    shares = {"test": test, "valid": valid}
    old = manifest.column("split")
    there = {name: old.count(name) for name, share in shares.items() if share and name in old}
    if there and not again:
        said = " and ".join(f"a {name} split of {count:,} rows" for name, count in there.items())
        raise ValueError(f"{manifest.root} has {said} already. To draw anew: --again.")
    free = np.array([again or split in (None, "train") for split in old], bool)
    if not (free & (manifest.class_indices() >= 0)).any():  # a validation split alone is as good as none
        free = np.array([split == "valid" for split in old], bool)
    splits = [split if not is_free else "train" for split, is_free in zip(old, free, strict=True)]
    of_row, counts = _groups(manifest, by, free)
    totals = counts.sum(axis=0)
    order = np.random.default_rng([seed, len(counts)]).permutation(len(counts))
    for name, share in shares.items():
        if not share:
            continue
        targets = np.where(totals > 1, np.maximum(np.round(share * totals), 1), 0).astype(np.int64)
        drawn = draw_groups(counts, targets, order)
        order = order[~np.isin(order, drawn)]
        for row in np.flatnonzero(np.isin(of_row, drawn) & free):
            splits[row] = name
        _require_all(manifest, counts[drawn].sum(axis=0), name, by)
    _require_all(manifest, counts[order].sum(axis=0), "train", by)
    drawn_by = f"by {by}" if by else "row by row"
    said = ", ".join(f"{100 * share:g} % {name}" for name, share in shares.items() if share)
    return with_splits(manifest, splits, f"Splits drawn {drawn_by} with seed {seed}: {said}.")


def require_shares(test: float, valid: float = 0.0) -> None:
    """Refuse shares that can't be drawn, before anything is read.

    Raises:
        ValueError: If one is out of range, or nothing would be left to train on.
    """
    if not 0 < test < 1 or not 0 <= valid < 1 or test + valid >= 1:
        raise ValueError(
            "The shares to test and to validate on lie between 0 and 100 % and leave some rows to train on; "
            f"found {100 * test:g} % and {100 * valid:g} %."
        )


def draw_folds(manifest: Manifest, count: int, *, seed: int = 0, by: Group | None = None) -> Rows:
    """Number of the fold of every row, −1 for those that belong to no labeled one. Shape (rows,).

    A row without a label is in the fold of its person, video or picture: it must not train where that one is
    tested. Folds have about as many rows of each class. Splits that the rows have count for nothing.

    Args:
        manifest: Labeled rows.
        count: Number of folds, at least 2.
        seed: Decides the draw, together with the manifest's order.
        by: Give all rows of a person or a video one fold; rows without a value go with their picture.

    Raises:
        ValueError: If nothing is labeled, or a class has rows in fewer than two folds.
    """
    if count < 2:
        raise ValueError(f"Cross-validation needs at least 2 folds, found {count}.")
    of_row, counts = _groups(manifest, by, np.ones(len(manifest), bool))
    scale = 1.0 / np.maximum(counts.sum(axis=0), 1)
    held = np.zeros((count, counts.shape[1]), np.int64)
    fold_of_group = np.full(len(counts), -1, np.int64)
    sizes = counts.sum(axis=1)
    shuffled = np.random.default_rng([seed, len(counts), count]).permutation(len(counts))
    for group in shuffled[np.argsort(-sizes[shuffled], kind="stable")].tolist():
        if not sizes[group]:
            continue
        cost = (held * scale * counts[group]).sum(axis=1)
        fold = int(np.lexsort((held.sum(axis=1), cost))[0])
        fold_of_group[group] = fold
        held[fold] += counts[group]
    in_folds = zip(manifest.counts().items(), (held > 0).sum(axis=0), strict=True)
    lonely = [name for (name, rows), folds in in_folds if rows and folds < 2]
    if lonely:
        what = f"{by}s" if by else "rows"
        raise ValueError(
            f"The classes {', '.join(lonely)} have too few {what} for {count} folds: in one of them nothing "
            "would be left to train on. Add faces, or leave these classes out."
        )
    return fold_of_group[of_row]


def of_fold(manifest: Manifest, folds: Rows, fold: int) -> Manifest:
    """The rows with one fold as the test split and all others to train with."""
    splits = ["test" if number == fold else "train" for number in folds.tolist()]
    return with_splits(manifest, splits, f"Fold {fold + 1} of {folds.max() + 1} is the test split.")


def with_splits(manifest: Manifest, splits: Sequence[str | None], note: str) -> Manifest:
    """The same rows with other splits, and a note about it."""
    position = SCHEMA.get_field_index("split")
    table = manifest.table.set_column(position, SCHEMA.field(position), pa.array(splits, pa.string()))
    return replace(manifest, table=table, notes=(*manifest.notes, note))


def _groups(manifest: Manifest, by: Group | None, free: npt.NDArray[np.bool_]) -> tuple[Rows, Rows]:
    """Group of each row, and labeled rows of each class in each group, of those that may be drawn.

    Raises:
        ValueError: If nothing is labeled, or no row says its group.
    """
    if manifest.taxonomy is None:
        raise ValueError(f"{manifest.root} has no labels; splits are drawn of labeled rows.")
    if by is not None and by not in get_args(Group):
        raise ValueError(f"Rows are grouped by {' or '.join(get_args(Group))}, found {by!r}.")
    names = manifest.column(by or "sha256")
    if by is not None and not any(name is not None for name in names):
        raise ValueError(f"No row of {manifest.root} says its {by}: draw without --by.")
    classes = np.where(free, manifest.class_indices(), -1)
    pictures = manifest.column("image")  # several faces of one stay together
    said = {picture: name for name, picture in zip(names, pictures, strict=True) if name is not None}
    names = [said.get(p, p) if name is None else name for name, p in zip(names, pictures, strict=True)]
    return group_counts(names, classes, len(manifest.taxonomy))


def _require_all(manifest: Manifest, counts: Rows, split: str, by: Group | None) -> None:
    """Refuse a split that lacks a class which has rows.

    Raises:
        ValueError: If one does.
    """
    of_classes = zip(manifest.counts().items(), counts.tolist(), strict=True)
    if lacking := [name for (name, rows), count in of_classes if rows and not count]:
        what = f"{by}s" if by else "rows"
        raise ValueError(
            f"No row of {', '.join(lacking)} would be left for the {split} split: there are too few {what} "
            "of them. Add faces, or take other shares or another seed."
        )
