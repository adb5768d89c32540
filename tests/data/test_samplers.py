"""Every row once an epoch, classes as often as asked, the same rows for the same step, shards that add up."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfsmile.data.samplers import BalancedSampler, Sampling, ShuffledSampler, class_frequencies

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


COUNTS = (500, 250, 120, 60, 40, 20, 9, 1)
CLASSES = np.repeat(np.arange(8), COUNTS)

class_lists = st.lists(st.integers(0, 4), min_size=1, max_size=40)


def balanced(classes: Any = CLASSES, groups: Any = None, **options: Any) -> BalancedSampler:
    return BalancedSampler(classes, groups, **{"batch_size": 64, "seed": 0, **options})


def test_a_batch_of_a_multiple_of_the_classes_is_exactly_balanced() -> None:
    sampler = balanced()
    for step in range(50):
        assert np.bincount(CLASSES[sampler(step)], minlength=8).tolist() == [8] * 8


def test_an_odd_batch_is_balanced_within_one_round() -> None:
    sampler = balanced(batch_size=30)
    for step in range(50):
        counts = np.bincount(CLASSES[sampler(step)], minlength=8)
        assert counts.max() - counts.min() <= 2


@pytest.mark.parametrize(("strategy", "power"), [("natural", 1.0), ("sqrt", 0.5), ("balanced", 0.0)])
def test_realized_frequencies_are_those_asked_for(strategy: Sampling, power: float) -> None:
    expected = np.power(np.array(COUNTS, float), power)
    found = class_frequencies(balanced(strategy=strategy), CLASSES, steps=500)
    assert np.allclose(found, expected / expected.sum(), atol=0.002)
    assert found.sum() == pytest.approx(1.0)


def test_natural_sampling_is_the_shuffled_sampler() -> None:
    sampler = balanced(strategy="natural", seed=3)
    shuffled = ShuffledSampler(len(CLASSES), batch_size=64, seed=3)
    assert all(np.array_equal(sampler(step), shuffled(step)) for step in range(40))


def test_within_a_class_every_row_comes_once_a_pass() -> None:
    sampler = balanced()
    drawn = np.concatenate([sampler(step) for step in range(200)])
    for index, count in enumerate(COUNTS):
        rows = drawn[CLASSES[drawn] == index]
        whole = len(rows) // count * count
        for passed in rows[:whole].reshape(-1, count):
            assert sorted(passed.tolist()) == np.flatnonzero(index == CLASSES).tolist()


def test_passes_through_a_class_differ_in_order() -> None:
    sampler = balanced(np.repeat([0, 1], 30), batch_size=60)
    first, second = (rows[rows < 30] for rows in (sampler(0), sampler(1)))
    assert sorted(first.tolist()) == sorted(second.tolist())
    assert not np.array_equal(first, second)


def test_cycles_differ_in_the_order_of_their_classes() -> None:
    sampler = balanced(batch_size=1000)  # a cycle of as many draws
    first, second = CLASSES[sampler(0)], CLASSES[sampler(1)]
    assert np.array_equal(np.bincount(first), np.bincount(second))
    assert not np.array_equal(first, second)


def test_people_come_equally_often_and_give_their_images_in_turn() -> None:
    groups = ["ann"] * 27 + ["bob"] * 2 + [None] + ["ann"] * 10
    classes = [0] * 30 + [1] * 10
    sampler = balanced(classes, groups, batch_size=12)
    drawn = Counter(int(row) for step in range(9 * 6) for row in sampler(step))
    ann, bob, alone = range(27), range(27, 29), range(29, 30)
    shares = [sum(drawn[row] for row in rows) for rows in (ann, bob, alone)]
    assert shares == [108, 108, 108]
    assert {drawn[row] for row in ann} == {4}
    assert {drawn[row] for row in bob} == {54}


def test_a_group_may_have_several_classes() -> None:
    sampler = balanced([0, 1, 0, 1], ["ann", "ann", "bob", "bob"], batch_size=4)
    assert sorted(sampler(0).tolist()) == [0, 1, 2, 3]


def test_a_class_with_one_image_gives_it_each_time() -> None:
    sampler = balanced([0] * 99 + [1], batch_size=2)
    assert all(99 in sampler(step) for step in range(100))


@settings(max_examples=60, deadline=None)
@given(
    classes=class_lists,
    strategy=st.sampled_from(["natural", "sqrt", "balanced"]),
    seed=seeds,
    world_size=st.integers(1, 4),
    share=st.integers(1, 6),
    step=st.integers(0, 500),
)
def test_shards_of_balanced_batches_make_up_the_whole(
    classes: list[int], strategy: Sampling, seed: int, world_size: int, share: int, step: int
) -> None:
    options: dict[str, Any] = {
        "groups": [row % 3 or None for row in range(len(classes))],
        "strategy": strategy,
        "batch_size": world_size * share,
        "seed": seed,
    }
    whole = balanced(classes, **options)(step)
    joined = np.empty_like(whole)
    for rank in range(world_size):
        joined[rank::world_size] = balanced(classes, **options, rank=rank, world_size=world_size)(step)
    assert np.array_equal(joined, whole)
    assert set(whole.tolist()) <= set(range(len(classes)))


@settings(max_examples=40, deadline=None)
@given(classes=class_lists, seed=seeds, steps=st.lists(st.integers(0, 400), min_size=1, max_size=12))
def test_a_balanced_step_is_the_same_whatever_was_asked_before(
    classes: list[int], seed: int, steps: list[int]
) -> None:
    used = balanced(classes, seed=seed, strategy="sqrt", batch_size=16)
    for step in steps:
        fresh = balanced(classes, seed=seed, strategy="sqrt", batch_size=16)
        assert np.array_equal(used(step), fresh(step))


@settings(max_examples=15, deadline=None)
@given(classes=class_lists, seed=seeds)
def test_every_class_that_occurs_is_drawn(classes: list[int], seed: int) -> None:
    for strategy in ("sqrt", "balanced"):
        sampler = balanced(classes, seed=seed, strategy=strategy, batch_size=64)
        drawn = {classes[row] for step in range(-(-1024 // 64)) for row in sampler(step)}
        assert drawn == set(classes)


def test_seeds_give_other_batches() -> None:
    assert not np.array_equal(balanced(seed=0)(0), balanced(seed=1)(0))
    assert not np.array_equal(balanced()(0), balanced()(1))


def test_memory_of_a_balanced_sampler_stays_small() -> None:
    sampler = balanced()
    for step in range(2000):
        sampler(step)
    assert len(sampler._cycles) <= 2
    assert len(sampler._orders) <= 2 * len(COUNTS)


@pytest.mark.parametrize(
    ("classes", "options", "match"),
    [
        ([], {}, "no rows"),
        ([0, -1, 1], {}, "1 of 3 rows have no class"),
        ([0, 1], {"groups": ["ann"]}, "1 groups do not fit 2 rows"),
        ([0, 1], {"strategy": "cube"}, "Unknown sampling 'cube'; known are natural, sqrt, balanced"),
        ([0, 1], {"batch_size": 5, "world_size": 2}, "5 must be a positive multiple of 2"),
    ],
)
def test_impossible_balancing_is_refused(classes: list[int], options: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        balanced(classes, **options)
