"""The lists of a run: labeled rows to train on, rows to test on, unlabeled faces from other sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from halfsmile.data.exchange.pseudo_labels import PseudoLabels, read_pseudo_labels
from halfsmile.data.manifest import Manifest, UnreadLabelsError
from halfsmile.data.protocols.protocol import Protocol
from halfsmile.data.protocols.read import read_stills, read_videos
from halfsmile.data.readers import folder
from halfsmile.data.readers.registry import read_any, recognize
from halfsmile.data.readers.sequences import Sequences
from halfsmile.taxonomy import Taxonomy

UNLABELED_LAYOUTS = ("manifest", "store", "recordio", "parquet_images")
"""Layouts that pictures are read from by their own reader; all other places are searched for pictures."""

LABELS_OF_A_MODEL = (
    "\nIf a model gave these labels, train on them beside data that have a test split: --data DATA "
    "--pseudo-labels {}"
)


@dataclass(frozen=True)
class DataSets:
    """What a run reads.

    Args:
        train: Training rows with all their labels; only a :class:`~halfsmile.data.split.LabelBudget` hands
            them out.
        test: Test rows with a label.
        extra: Unlabeled faces from other sources, by source.
        taxonomy: Classes.
        videos: Where the data set is one of videos, all its frames with their times and splits; the labels of
            training rows again are handed out by :class:`~halfsmile.data.split.LabelBudget` only.
        pseudo: Faces that a model has labeled, by source; only ever trained on.
    """

    train: Manifest
    test: Manifest
    extra: dict[str, Manifest]
    taxonomy: Taxonomy
    videos: Sequences | None = None
    pseudo: dict[str, PseudoLabels] = field(default_factory=dict)


def read_data(
    protocol: Protocol,
    data: Path,
    unlabeled: Sequence[Path] = (),
    *,
    seed: int = 0,
    pseudo_labels: Sequence[Path] = (),
) -> DataSets:
    """Read the manifests of a run.

    Args:
        protocol: What the labeled data set is, and which of its splits are tested.
        data: Labeled data set.
        unlabeled: Folders, archives or stores of unlabeled faces.
        seed: Draws the people that are tested, where the protocol says so.
        pseudo_labels: Tables of ``halfsmile pseudo-label``, or labeled lists, to train on beside the data.

    Raises:
        ValueError: If a path does not hold what the protocol says, or a split is empty.
    """
    for path in (data, *unlabeled, *pseudo_labels):
        if not Path(path).exists():
            raise ValueError(f"{path} does not exist.")
    videos = read_videos(protocol, data, seed=seed) if protocol.is_video else None
    manifest = read_stills(protocol, data) if videos is None else videos.manifest
    train, test = manifest.split("train"), manifest.split(*protocol.test_splits)
    known = np.flatnonzero(test.class_indices() >= 0) if manifest.taxonomy is not None else np.arange(0)
    bare = len(test) - len(known)
    if bare:
        note = f"{bare:,} test rows have no label and were left out."
        train = train if videos is not None else replace(train, notes=(*train.notes, note))
        test = test.take(known)
    without = manifest.table["split"].null_count
    has_valid = "valid" in manifest.column("split") and "valid" not in protocol.test_splits
    if manifest.taxonomy is None:
        raise ValueError(
            f"{data} has {len(manifest):,} faces and no label. If a column holds the labels, name it: "
            "--columns label=COLUMN."
        )
    if not len(train) or not len(test):
        lacking = f", {bare:,} test rows without a label" if bare else ""
        lacking += f", and {without:,} rows without a split" if without else ""
        split = f"`halfsmile data split {data} --test 20%{' --again' if bare else ''} --out list.parquet`"
        raise ValueError(
            f"{data} has {len(train):,} training and {len(test):,} test rows "
            f"({', '.join(protocol.test_splits)}){lacking}; both are needed. To put a part of the labeled "
            "faces apart to test on: add --test 20% (--by person where people are known), or write the draw "
            f"as a list by {split} and give that; to cross-validate: --folds 5. Class folders are laid out "
            "as train/<label>/… and test/<label>/…"
            + (" To test on the validation split: --set protocol.test_splits=valid." if has_valid else "")
            + (LABELS_OF_A_MODEL.format(data) if without == len(manifest) and without else "")
        )
    if without:
        note = f"{without:,} of {len(manifest):,} rows are without a split and take no part."
        train = replace(train, notes=(*train.notes, note))
    extra = {str(path): _read_unlabeled(path) for path in unlabeled}
    taxonomy = manifest.taxonomy
    pseudo = {str(path): read_pseudo_labels(path, taxonomy) for path in pseudo_labels}
    return DataSets(train, test, extra, taxonomy, videos, pseudo)


def _read_unlabeled(path: Path) -> Manifest:
    """Faces whose labels, if there are any, don't matter."""
    if _layout(path) not in UNLABELED_LAYOUTS:
        return folder.read(path)
    try:
        return read_any(path)
    except UnreadLabelsError as error:
        return error.faces


def _layout(path: Path) -> str | None:
    """Name of the layout of a path, if its own files tell it."""
    try:
        layout = recognize(path)
    except ValueError:
        return None
    return layout.name if layout.is_certain else None
