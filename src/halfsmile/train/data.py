"""From manifests to the batches that a stage trains on; labels outside the budget never get here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from halfsmile.data.copies import notes_on_test_faces, require_no_test_faces
from halfsmile.data.images import Faces, load_faces
from halfsmile.data.manifest import Manifest
from halfsmile.data.readers import class_folders, ferplus, folder
from halfsmile.data.readers.registry import read_any, recognize
from halfsmile.data.readers.sequences import Sequences
from halfsmile.data.samplers import Sampler
from halfsmile.data.split import LabelBudget
from halfsmile.files import read_json
from halfsmile.methods.task import Batch
from halfsmile.recipe import Recipe
from halfsmile.taxonomy import Taxonomy
from halfsmile.train.frames import Frames, read_videos, split_rows, temporal_groups, training_frames

Rows = npt.NDArray[np.int64]
GUESSES = (None, "class_folders", "folder")
VIDEO_DATA_SETS = ("sequences", "affwild2")
UNLABELED_LAYOUTS = ("manifest", "store", "recordio", "parquet_images")
"""Layouts that pictures are read from by their own reader; all other places are searched for pictures."""


@dataclass(frozen=True)
class DataSets:
    """What a run reads.

    Args:
        train: Training rows with all their labels; only :class:`LabelBudget` hands them out.
        test: Test rows with a label.
        extra: Unlabeled faces from elsewhere, by source.
        taxonomy: Classes.
        videos: Where the data set is one of videos, all its frames with their times and splits; the labels of
            training rows again are handed out by :class:`LabelBudget` only.
    """

    train: Manifest
    test: Manifest
    extra: dict[str, Manifest]
    taxonomy: Taxonomy
    videos: Sequences | None = None


def read_data(recipe: Recipe, data: Path, unlabeled: Sequence[Path]) -> DataSets:
    """Read the manifests that a recipe needs.

    Raises:
        ValueError: If a path does not hold what the recipe's reader expects, or a split is empty.
    """
    for path in (data, *unlabeled):
        if not Path(path).exists():
            raise ValueError(f"{path} does not exist.")
    videos = read_videos(recipe, data) if recipe.data_set in VIDEO_DATA_SETS else None
    if videos is not None:
        manifest = videos.manifest
    elif recipe.data_set == "ferplus":
        manifest = ferplus.read(data, rule=recipe.label_rule or "argmax")
    else:
        manifest = read_any(data) if _layout(data) not in GUESSES else class_folders.read(data)
    train, test = manifest.split("train"), manifest.split(*recipe.test_splits)
    if videos is not None:
        test = test.take(np.flatnonzero(test.class_indices() >= 0))
    if not len(train) or not len(test) or manifest.taxonomy is None:
        raise ValueError(
            f"{data} has {len(train)} training and {len(test)} test rows ({', '.join(recipe.test_splits)}); "
            "both are needed. Class folders are laid out as train/<label>/… and test/<label>/…"
        )
    extra = {
        str(path): (read_any(path) if _layout(path) in UNLABELED_LAYOUTS else folder.read(path))
        for path in unlabeled
    }
    return DataSets(train, test, extra, manifest.taxonomy, videos)


def _layout(path: Path) -> str | None:
    """Name of the layout of a path, if its own files tell it."""
    try:
        layout = recognize(path)
    except ValueError:
        return None
    return layout.name if layout.is_certain else None


class ImagePool:
    """Faces of several arrays under one row number.

    Args:
        arrays: Each (N, S, S, C) uint8.
    """

    def __init__(self, arrays: Sequence[npt.NDArray[np.uint8]]) -> None:
        self.arrays = list(arrays)
        self.starts = np.cumsum([0, *(len(array) for array in self.arrays)])

    def __len__(self) -> int:
        return int(self.starts[-1])

    def __call__(self, rows: Rows) -> Tensor:
        """Faces of the rows, (B, C, S, S) uint8."""
        if len(self.arrays) == 1:
            taken = self.arrays[0][rows]
        else:
            taken = np.empty((len(rows), *self.arrays[0].shape[1:]), dtype=np.uint8)
            which = np.searchsorted(self.starts, rows, side="right") - 1
            for i, array in enumerate(self.arrays):
                chosen = which == i
                taken[chosen] = array[rows[chosen] - self.starts[i]]
        return to_tensor(taken)


def to_tensor(images: npt.NDArray[np.uint8]) -> Tensor:
    """(N, S, S, C) uint8 array to a (N, C, S, S) tensor."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


@dataclass(frozen=True)
class TrainingFaces:
    """Decoded faces of a run, by role.

    Args:
        labeled: Faces whose labels are in the budget.
        unlabeled: The rest of the training rows, without labels.
        held_out: Rows whose labels only watch; may be None.
        test: Test faces.
        extra: Unlabeled faces from elsewhere.
        taxonomy: Classes.
        frames: Videos that train Stage IV; those that train it alone are in no other part.
    """

    labeled: Faces
    unlabeled: Faces | None
    held_out: Faces | None
    test: Faces
    extra: dict[str, Faces]
    taxonomy: Taxonomy
    frames: Frames | None = None

    @property
    def parts(self) -> list[Faces]:
        """All that was decoded."""
        frames = self.frames.faces if self.frames is not None else None
        parts = [self.labeled, self.unlabeled, self.held_out, self.test, *self.extra.values(), frames]
        return [part for part in parts if part is not None]


def load_roles(recipe: Recipe, sets: DataSets, budget: LabelBudget, *, cache: Path) -> TrainingFaces:
    """Decode every face of a run once, at the encoder's size.

    Raises:
        ValueError: If a class has no readable labeled face, unlabeled faces from elsewhere contain test
            faces, or Stage IV has nobody to learn from.
    """
    size, channels = recipe.encoder.image_size, recipe.encoder.channels

    def load(manifest: Manifest) -> Faces:
        return load_faces(manifest, size=size, channels=channels, cache=cache)

    roles = {role: budget.rows(sets.train, role) for role in ("labeled", "unlabeled", "held_out")}
    frames = None
    if recipe.temporal is not None:
        if sets.videos is None:
            raise ValueError(
                f"Stage IV of the recipe {recipe.name} needs videos; {recipe.data_set} is not one of "
                f"{', '.join(VIDEO_DATA_SETS)}."
            )
        people = temporal_groups(recipe, roles["labeled"])
        frames = training_frames(recipe, split_rows(sets.videos, "train"), budget, people, cache=cache)
        if recipe.temporal.own_share:
            for role, rows in roles.items():
                names = rows.column(recipe.group or "person")
                roles[role] = rows.take([i for i, name in enumerate(names) if name not in people])
    labeled = load(roles["labeled"])
    missing = [name for name, count in labeled.manifest.counts().items() if not count]
    if missing:
        raise ValueError(
            f"No labeled face of {missing} could be read: {labeled.bad[:3]}. Mend or replace the files."
        )
    test = load(sets.test)
    extra = {source: load(manifest) for source, manifest in sets.extra.items()}
    for source, faces in extra.items():
        require_no_test_faces(source, faces, test)
    return TrainingFaces(
        labeled,
        load(roles["unlabeled"]) if len(roles["unlabeled"]) else None,
        load(roles["held_out"]) if len(roles["held_out"]) else None,
        test,
        extra,
        sets.taxonomy,
        frames,
    )


def unlabeled_images(recipe: Recipe, faces: TrainingFaces) -> list[npt.NDArray[np.uint8]]:
    """The unlabeled faces of Stage III: of the training split, from elsewhere, or both.

    Raises:
        ValueError: If the recipe asks for faces that are not there.
    """
    choice = recipe.semi.unlabeled if recipe.semi is not None else "own"
    if choice != "extra" and faces.unlabeled is None:
        raise ValueError(
            "Stage III needs unlabeled training faces, but the label budget covers all of them. Give fewer "
            "--labels, or take the unlabeled faces from elsewhere only (unlabeled: extra)."
        )
    if choice != "own" and not faces.extra:
        raise ValueError(
            f"Stage III of the recipe {recipe.name} takes unlabeled faces from elsewhere (unlabeled: "
            f"{choice}), and none are given. Name a folder or an archive of them with --unlabeled."
        )
    own = [faces.unlabeled.images] if choice != "extra" and faces.unlabeled is not None else []
    return own + ([part.images for part in faces.extra.values()] if choice != "own" else [])


def groups(manifest: Manifest) -> list[str | None]:
    """Who each row shows, for balanced sampling: the person, else the video, else nobody known."""
    people, videos = manifest.column("person"), manifest.column("video")
    return [
        f"person {person}" if person is not None else f"video {video}" if video is not None else None
        for person, video in zip(people, videos, strict=True)
    ]


def describe(recipe: Recipe, sets: DataSets, faces: TrainingFaces, *, data: Path) -> dict[str, Any]:
    """What ``data.json`` says: sources, counts, what was dropped, and the fingerprint."""
    bad = dict.fromkeys(item for part in faces.parts for item in part.bad)
    temporal = faces.frames if recipe.temporal is not None and recipe.temporal.own_share else None
    own = sum(len(part) for part in (faces.labeled, faces.unlabeled) if part is not None)
    return {
        "data_set": recipe.data_set,
        "label_rule": recipe.label_rule,
        "taxonomy": list(sets.taxonomy.labels),
        "path": str(data),
        "test_splits": list(recipe.test_splits),
        "labeled": faces.labeled.manifest.counts(),
        "held_out": faces.held_out.manifest.counts() if faces.held_out is not None else {},
        "temporal": temporal.counts() if temporal is not None else {},
        "test": faces.test.manifest.counts(),
        "unlabeled": len(faces.unlabeled) if faces.unlabeled is not None else 0,
        "pretrain_images": {str(data): own, **{source: len(part) for source, part in faces.extra.items()}},
        "notes": [
            *sets.train.notes,
            *(note for manifest in sets.extra.values() for note in manifest.notes),
            *notes_on_test_faces([faces.labeled, faces.unlabeled], faces.test),
            *(f"Stage IV: {note}" for note in (faces.frames.notes if faces.frames is not None else ())),
        ],
        "bad_images": [list(item) for item in bad],
        "fingerprint": sets.train.fingerprint(),
        "test_fingerprint": sets.test.fingerprint(),
    }  # fmt: skip


def require_same_faces(path: Path, facts: dict[str, Any]) -> None:
    """Refuse to go on with a run on other faces than it began with; where they lie does not matter.

    Args:
        path: The run's ``data.json``; may be missing.
        facts: What :func:`describe` says now.

    Raises:
        ValueError: If the numbers of faces, by role, class or source, or the test split differ.
    """
    if not path.exists():
        return
    before = read_json(path)
    names = ("labeled", "held_out", "temporal", "unlabeled", "test", "test_fingerprint")
    before = {"temporal": {}, **before}  # runs from before Stage IV don't say
    changed = [name for name in names if before[name] != facts[name]]
    if list(before["pretrain_images"].values()) != list(facts["pretrain_images"].values()):
        changed.append("pretrain_images")
    if changed:
        found = ", ".join(f"{name} ({before[name]} / {facts[name]})" for name in changed)
        raise ValueError(
            f"This run began with other faces; it differs in {found} (then / now). Give the same --data and "
            "--unlabeled to go on, or use a new folder for --out."
        )


def soft_targets(manifest: Manifest, vote_share: float) -> Tensor:
    """Targets (N, classes) of labeled rows: the label alone, blended with the annotators' votes where known.

    Raises:
        ValueError: If a row has no label.
    """
    classes = manifest.class_indices()
    if manifest.taxonomy is None or (classes < 0).any():
        raise ValueError(
            f"{int((classes < 0).sum())} rows have no label and can't be trained on with labels."
        )
    targets = np.eye(len(manifest.taxonomy), dtype=np.float32)[classes]
    if vote_share:
        for row, votes in enumerate(manifest.column("votes")):
            if votes is not None:
                targets[row] = (1 - vote_share) * targets[row] + vote_share * np.asarray(
                    votes, dtype=np.float32
                )
    return torch.from_numpy(targets)


def unlabeled_batches(pool: ImagePool, sampler: Sampler) -> Callable[[int], Batch]:
    """Batches of faces alone."""
    return lambda step: Batch(images=pool(sampler(step)))


def labeled_batches(faces: Faces, targets: Tensor, sampler: Sampler) -> Callable[[int], Batch]:
    """Batches of faces with targets and boxes."""
    pool, boxes = ImagePool([faces.images]), torch.from_numpy(faces.boxes)

    def batch(step: int) -> Batch:
        rows = sampler(step)
        index = torch.from_numpy(rows)
        return Batch(images=pool(rows), targets=targets[index], boxes=boxes[index])

    return batch


def paired_batches(
    labeled: Callable[[int], Batch], pool: ImagePool, sampler: Sampler
) -> Callable[[int], Batch]:
    """Labeled batches with unlabeled faces beside them."""

    def batch(step: int) -> Batch:
        first = labeled(step)
        return Batch(
            images=first.images, targets=first.targets, boxes=first.boxes, unlabeled=pool(sampler(step))
        )

    return batch


def count_bad(faces: TrainingFaces) -> Counter[str]:
    """Number of bad images by reason."""
    return Counter(reason for part in faces.parts for _, reason in part.bad)
