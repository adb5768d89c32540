"""Batches hold the right pictures, and targets that are distributions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from halfsmile.data.images import DecodedFaces
from halfsmile.data.manifest import Manifest
from halfsmile.data.samplers import ShuffledSampler
from halfsmile.methods.task import Batch
from halfsmile.taxonomy import Taxonomy
from halfsmile.training.batches import (
    ImagePool,
    groups,
    labeled_batches,
    paired_batches,
    shrink,
    small_first,
    soft_targets,
    unlabeled_batches,
)
from halfsmile.transforms.pixels import to_tensor

MOODS = Taxonomy("moods", ("calm", "glad"))


def pictures(count: int, first: int = 0, channels: int = 1) -> npt.NDArray[np.uint8]:
    """Faces of one gray value each, which tells them apart."""
    values = np.arange(first, first + count, dtype=np.uint8)
    return np.broadcast_to(values[:, None, None, None], (count, 4, 4, channels)).copy()


def labeled_rows() -> Manifest:
    rows: list[dict[str, Any]] = [
        {"image": "a", "label": "calm", "votes": [0.75, 0.25]},
        {"image": "b", "label": "glad", "votes": None},
        {"image": "c", "label": "glad", "votes": [0.5, 0.5]},
    ]
    return Manifest.from_rows(rows, Path("faces"), MOODS)


def labeled_faces() -> DecodedFaces:
    boxes = np.array([[0, 0, 1, 1], [np.nan] * 4, [0, 0, 3, 3]], dtype=np.float32)
    return DecodedFaces(pictures(3), boxes, np.full((3, 5, 2), np.nan, np.float32), labeled_rows())


def test_targets_are_labels_alone_without_votes() -> None:
    assert soft_targets(labeled_rows(), 0.0).tolist() == [[1, 0], [0, 1], [0, 1]]


def test_targets_blend_the_votes_where_there_are_any() -> None:
    assert soft_targets(labeled_rows(), 0.5).tolist() == [[0.875, 0.125], [0, 1], [0.25, 0.75]]
    assert soft_targets(labeled_rows(), 1.0).tolist() == [[0.75, 0.25], [0, 1], [0.5, 0.5]]


@given(
    votes=st.lists(st.lists(st.integers(0, 10), min_size=2, max_size=2).filter(any), min_size=1, max_size=8),
    share=st.floats(0, 1),
)
@settings(max_examples=30, deadline=None)
def test_targets_are_distributions(votes: list[list[int]], share: float) -> None:
    rows = [
        {"image": str(i), "label": "glad", "votes": [v / sum(vote) for v in vote]}
        for i, vote in enumerate(votes)
    ]
    targets = soft_targets(Manifest.from_rows(rows, Path("faces"), MOODS), share)
    assert torch.allclose(targets.sum(dim=1), torch.ones(len(votes)), atol=1e-6)
    assert (targets >= 0).all()


def test_rows_without_labels_have_no_targets() -> None:
    with pytest.raises(ValueError, match="3 rows have no label"):
        soft_targets(labeled_rows().without_labels(), 0.5)


@given(sizes=st.lists(st.integers(0, 6), min_size=1, max_size=5).filter(any), seed=st.integers(0, 100))
@settings(max_examples=50, deadline=None)
def test_a_pool_equals_the_joined_arrays(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    arrays = [rng.integers(0, 256, (size, 4, 4, 3), dtype=np.uint8) for size in sizes]
    pool, joined = ImagePool(arrays), np.concatenate(arrays)
    assert len(pool) == len(joined)
    rows = rng.integers(0, len(joined), 9)
    taken = pool(rows)
    assert taken.dtype == torch.uint8
    assert torch.equal(taken, to_tensor(joined[rows]))
    assert taken.shape == (9, 3, 4, 4)


def test_tensors_have_channels_first() -> None:
    image = np.arange(24, dtype=np.uint8).reshape(1, 2, 4, 3)
    tensor = to_tensor(image)
    assert tensor.shape == (1, 3, 2, 4)
    assert tensor[0, 2, 1, 3] == image[0, 1, 3, 2]


def test_labeled_batches_keep_faces_targets_and_boxes_together() -> None:
    faces, targets = labeled_faces(), soft_targets(labeled_rows(), 0.5)
    sampler = ShuffledSampler(3, batch_size=4, seed=0)
    batch = labeled_batches([faces], targets, sampler)(5)
    assert batch.targets is not None
    assert batch.boxes is not None
    rows = batch.images[:, 0, 0, 0].tolist()
    assert rows == sampler(5).tolist()
    assert torch.equal(batch.targets, targets[rows])
    assert torch.equal(batch.boxes.nan_to_num(-1), torch.from_numpy(faces.boxes)[rows].nan_to_num(-1))


def test_paired_batches_hold_both_kinds() -> None:
    labeled = labeled_batches(
        [labeled_faces()], soft_targets(labeled_rows(), 0), ShuffledSampler(3, batch_size=2, seed=0)
    )
    pool, sampler = ImagePool([pictures(10, first=100)]), ShuffledSampler(10, batch_size=6, seed=1)
    batch = paired_batches(labeled, pool, sampler)(3)
    assert batch.unlabeled is not None
    assert torch.equal(batch.images, labeled(3).images)
    assert (batch.unlabeled[:, 0, 0, 0] - 100).tolist() == sampler(3).tolist()
    assert batch.size == 8


def test_unlabeled_batches_hold_faces_alone() -> None:
    batch = unlabeled_batches(ImagePool([pictures(5)]), ShuffledSampler(5, batch_size=3, seed=0))(0)
    assert batch.targets is None
    assert batch.boxes is None
    assert batch.size == 3


def test_groups_are_people_else_videos_else_nobody() -> None:
    rows: list[dict[str, Any]] = [
        {"image": "a", "person": "1", "video": "x"},
        {"image": "b", "video": "1"},
        {"image": "c"},
        {"image": "d", "person": "1", "video": "y"},
    ]
    found = groups(Manifest.from_rows(rows, Path("faces")))
    assert found[0] == found[3] is not None
    assert found[2] is None
    assert len({found[0], found[1]}) == 2


def test_small_faces_come_first_and_keep_targets_boxes_and_brightness() -> None:
    sampler = ShuffledSampler(3, batch_size=3, seed=0)
    whole = labeled_batches([labeled_faces()], soft_targets(labeled_rows(), 0.5), sampler)
    batches = small_first(whole, side=2, until=2)
    for step in range(4):
        found, expected = batches(step), whole(step)
        assert found.images.shape[-1] == (2 if step < 2 else 4)
        assert found.images.dtype == torch.uint8
        assert torch.equal(found.images[:, :, 0, 0], expected.images[:, :, 0, 0])  # each is of one gray value
        assert found.targets is not None
        assert expected.targets is not None
        assert torch.equal(found.targets, expected.targets)
        assert found.boxes is not None
        assert expected.boxes is not None
        scale = found.images.shape[-1] / 4
        assert torch.equal(found.boxes.nan_to_num(-1), (expected.boxes * scale).nan_to_num(-1))


def test_shrinking_averages_over_the_area() -> None:
    images = torch.randint(0, 256, (2, 1, 16, 16), dtype=torch.uint8)
    found = shrink(Batch(images=images, unlabeled=images), 4)
    assert found.unlabeled is not None
    assert torch.equal(found.images, found.unlabeled)
    means = images.float().mean(dim=(1, 2, 3)) - found.images.float().mean(dim=(1, 2, 3))
    assert means.abs().max() < 8
    assert found.images.float().std() < 0.6 * images.float().std()
