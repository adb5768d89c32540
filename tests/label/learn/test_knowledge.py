"""What is kept of earlier models."""

from __future__ import annotations

import math

import numpy as np
import pytest

from halfsmile.label.learn.curve import LEAST_POINTS
from halfsmile.label.learn.head import Head
from halfsmile.label.learn.knowledge import MOST_HEADS, PastHead, thinned

HEAD = Head(np.zeros((1, 2), np.float32), np.zeros(2, np.float32), 1.0, 1.0, ("calm", "glad"))
NOTHING = np.zeros((0, 1), np.float16)


def past(number: int, labels: int, what: str = "head", name: str = "features") -> PastHead:
    return PastHead(number, labels, labels, HEAD, NOTHING, name, what)


def test_few_models_are_all_kept() -> None:
    heads = [past(i, 10 * i) for i in range(1, MOST_HEADS + 1)]
    assert thinned(heads) == heads


def test_of_many_models_the_ends_the_recipes_and_an_even_rest_are_kept() -> None:
    heads = [past(i, 50 * i, "finetune" if i in (250, 251, 252) else "head") for i in range(1, 401)]
    kept = thinned(heads)
    assert len(kept) == MOST_HEADS
    assert kept == sorted(kept, key=lambda one: one.number)
    assert {1, 250, 251, 252, 400} <= {one.number for one in kept}
    numbers = [one.number for one in kept]
    steps = np.diff(np.log(numbers))[20:]  # below, each number of labels is far from the next
    apart = [step for step, number in zip(steps, numbers[20:], strict=False) if not 240 < number < 260]
    assert max(apart) < 3 * math.log(400) / MOST_HEADS


def test_one_after_the_other_is_never_more() -> None:
    heads: list[PastHead] = []
    for i in range(1, 200):
        heads = thinned([*heads, past(i, 8 + 50 * i)])
        assert heads[0].number == 1
        assert heads[-1].number == i
    half = min(heads, key=lambda one: abs(math.log(2 * one.labels / heads[-1].labels)))
    assert half.labels == pytest.approx(heads[-1].labels / 2, rel=0.1)  # what the expected gain is told by


def test_the_series_that_follows_a_recipe_grows_to_what_the_gain_needs() -> None:
    heads = thinned([past(i, 50 * i) for i in range(1, 101)])
    heads = thinned([*heads, past(101, 5000, "finetune", "tuned")])
    for i in range(1, 41):
        heads = thinned([*heads, past(101 + i, 5000 + 20 * i, name="tuned")])
        assert len(heads) == MOST_HEADS
        series = [one.number for one in heads if one.name == "tuned"]
        assert series[0] == 101  # the recipe's own
        wanted = list(range(102, 102 + i))[-LEAST_POINTS:]
        assert series[-len(wanted) :] == wanted
    assert {1, 100} <= {one.number for one in heads}  # ends of the series before


def test_a_neighbor_of_another_series_does_not_count() -> None:
    heads = []
    for i in range(1, MOST_HEADS // 2 + 1):
        heads += [past(100 * i, 2**i, name="before"), past(100 * i + 1, 2**i, name="now")]
    tight = past(1550, round(2**15.5), name="now")
    heads.insert(30, tight)
    assert [one for one in heads if one not in thinned(heads)] == [tight]
