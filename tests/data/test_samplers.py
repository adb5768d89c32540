"""Every row once an epoch, the same rows for the same step, and shards that make up the whole batch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfsmile.data.samplers import ShuffledSampler

counts = st.integers(1, 40)
sizes = st.integers(1, 24)
seeds = st.integers(0, 2**32)


@settings(max_examples=50, deadline=None)
@given(count=counts, batch_size=sizes, seed=seeds)
def test_every_row_once_an_epoch(count: int, batch_size: int, seed: int) -> None:
    sampler = ShuffledSampler(count, batch_size=batch_size, seed=seed)
    epochs = 3
    steps = -(-epochs * count // batch_size)
    drawn = np.concatenate([sampler(step) for step in range(steps)])[: epochs * count]
    for epoch in drawn.reshape(epochs, count):
        assert sorted(epoch.tolist()) == list(range(count))


@settings(max_examples=50, deadline=None)
@given(
    count=counts, seed=seeds, world_size=st.integers(1, 4), share=st.integers(1, 6), step=st.integers(0, 50)
)
def test_shards_are_disjoint_and_make_up_the_batch(
    count: int, seed: int, world_size: int, share: int, step: int
) -> None:
    batch_size = world_size * share
    whole = ShuffledSampler(count, batch_size=batch_size, seed=seed)(step)
    joined = np.empty_like(whole)
    for rank in range(world_size):
        shard = ShuffledSampler(count, batch_size=batch_size, seed=seed, rank=rank, world_size=world_size)(
            step
        )
        assert shard.shape == (share,)
        joined[rank::world_size] = shard
    assert np.array_equal(joined, whole)


@settings(max_examples=50, deadline=None)
@given(
    count=counts, batch_size=sizes, seed=seeds, steps=st.lists(st.integers(0, 200), min_size=1, max_size=20)
)
def test_a_step_is_the_same_whatever_was_asked_before(
    count: int, batch_size: int, seed: int, steps: list[int]
) -> None:
    used = ShuffledSampler(count, batch_size=batch_size, seed=seed)
    for step in steps:
        fresh = ShuffledSampler(count, batch_size=batch_size, seed=seed)
        assert np.array_equal(used(step), fresh(step))


def test_what_is_returned_may_be_changed() -> None:
    sampler = ShuffledSampler(10, batch_size=10, seed=0)
    first = sampler(0)
    before = first.copy()
    first[:] = 0
    assert np.array_equal(sampler(0), before)


def test_orders_differ_between_epochs_and_seeds() -> None:
    first, second = ShuffledSampler(100, batch_size=100, seed=0), ShuffledSampler(100, batch_size=100, seed=1)
    assert not np.array_equal(first(0), first(1))
    assert not np.array_equal(first(0), second(0))
    assert not np.array_equal(first(0), np.arange(100))


def test_only_orders_in_use_are_remembered() -> None:
    sampler = ShuffledSampler(8, batch_size=4, seed=0)
    for step in range(100):
        sampler(step)
    assert len(sampler._orders) <= 2


@pytest.mark.parametrize(
    ("count", "batch_size", "world_size", "match"),
    [
        (0, 4, 1, "no rows"),
        (5, 0, 1, "positive multiple of 1"),
        (5, 5, 2, "5 must be a positive multiple of 2"),
    ],
)
def test_impossible_batches_are_refused(count: int, batch_size: int, world_size: int, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        ShuffledSampler(count, batch_size=batch_size, seed=0, world_size=world_size)
