"""From decoded faces to the batches that a stage trains on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from halfsmile.data.images import DecodedFaces
from halfsmile.data.manifest import Manifest
from halfsmile.data.samplers import Sampler
from halfsmile.methods.task import Batch
from halfsmile.transforms.pixels import to_tensor

Rows = npt.NDArray[np.int64]


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


def groups(manifest: Manifest, source: str | None = None) -> list[str | None]:
    """Who each row shows, for balanced sampling: the person, else the video, else nobody known.

    Args:
        manifest: The rows.
        source: Where they are from, if not the data set: person 1 of one place is not that of another.
    """
    people, videos = manifest.column("person"), manifest.column("video")
    place = "" if source is None else f"{source}: "
    return [
        f"{place}person {person}"
        if person is not None
        else f"{place}video {video}"
        if video is not None
        else None
        for person, video in zip(people, videos, strict=True)
    ]


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


def unlabeled_batches(
    pool: ImagePool, sampler: Sampler, features: npt.NDArray[np.float16] | None = None
) -> Callable[[int], Batch]:
    """Batches of faces alone, with what a teacher says of them, (N, F), if it is given."""

    def batch(step: int) -> Batch:
        rows = sampler(step)
        said = None if features is None else torch.from_numpy(features[rows].astype(np.float32))
        return Batch(images=pool(rows), features=said)

    return batch


def labeled_batches(
    parts: Sequence[DecodedFaces], targets: Tensor, sampler: Sampler
) -> Callable[[int], Batch]:
    """Batches of faces with targets and boxes.

    Args:
        parts: Faces, N in all.
        targets: (N, classes), in their order.
        sampler: Draws rows of all parts.
    """
    pool = ImagePool([faces.images for faces in parts])
    boxes = torch.from_numpy(np.concatenate([faces.boxes for faces in parts]))

    def batch(step: int) -> Batch:
        rows = sampler(step)
        index = torch.from_numpy(rows)
        return Batch(images=pool(rows), targets=targets[index], boxes=boxes[index])

    return batch


def paired_batches(
    labeled: Callable[[int], Batch], pool: ImagePool, sampler: Sampler, targets: Tensor | None = None
) -> Callable[[int], Batch]:
    """Labeled batches with unlabeled faces beside them.

    Args:
        labeled: Gives the labeled batch of a step.
        pool: Unlabeled faces.
        sampler: Their rows of a step.
        targets: (N, classes) of the pool's faces where they were named before.
    """

    def batch(step: int) -> Batch:
        rows = sampler(step)
        return replace(
            labeled(step),
            unlabeled=pool(rows),
            unlabeled_targets=None if targets is None else targets[torch.from_numpy(rows)],
        )

    return batch


def small_first(batches: Callable[[int], Batch], *, side: int, until: int) -> Callable[[int], Batch]:
    """Batches whose faces are shrunk to ``side`` pixels before the step ``until``, and left alone from it on.

    A network that takes both sizes learns most of what it learns from the small ones, at a fraction of the
    cost (progressive resizing; EfficientNetV2, arXiv 2104.00298, section 4).
    """

    def batch(step: int) -> Batch:
        found = batches(step)
        return shrink(found, side) if step < until else found

    return batch


def shrink(batch: Batch, side: int) -> Batch:
    """The same faces in ``side`` by ``side`` pixels, averaged over the area, with their boxes moved along."""
    scale = side / batch.images.shape[-1]

    def resize(images: Tensor) -> Tensor:
        small = F.interpolate(images.float(), size=(side, side), mode="bilinear", antialias=True)
        return small.round_().clamp_(0, 255).to(torch.uint8)

    return replace(
        batch,
        images=resize(batch.images),
        boxes=None if batch.boxes is None else batch.boxes * scale,
        unlabeled=None if batch.unlabeled is None else resize(batch.unlabeled),
    )
