"""Fewer numbers, the same heads."""

from __future__ import annotations

import numpy as np
import pytest

from halfsmile.label.learn.reduction import Reduction


def test_all_directions_keep_all_distances_of_standardized_features() -> None:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(300, 12)) @ rng.normal(size=(12, 12)) + 5).astype(np.float32)
    reduced = Reduction.fit(x, 12)(x)
    scaled = (x - x.mean(axis=0)) / x.std(axis=0) / np.sqrt(12)
    own = ((reduced[:9, None] - reduced[None, :9]) ** 2).sum(axis=2)
    assert own == pytest.approx(((scaled[:9, None] - scaled[None, :9]) ** 2).sum(axis=2), abs=1e-4)
    assert (reduced**2).sum(axis=1).mean() == pytest.approx(1, abs=1e-3)


def test_the_first_direction_is_the_one_in_which_most_varies() -> None:
    rng = np.random.default_rng(0)
    common = rng.normal(size=(500, 1))
    x = np.concatenate([common + 0.1 * rng.normal(size=(500, 9)), rng.normal(size=(500, 1))], axis=1)
    reduced = Reduction.fit(x, 2)(x)
    assert abs(np.corrcoef(reduced[:, 0], common[:, 0])[0, 1]) > 0.99


def test_a_head_on_reduced_features_is_one_on_whole_ones() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(2, 3, (60, 20)).astype(np.float32)
    reduction = Reduction.fit(x, 5)
    weight, bias = rng.normal(size=(5, 3)), rng.normal(size=3)
    whole, offset = reduction.whole(weight, bias)
    assert x @ whole + offset == pytest.approx(reduction(x) @ weight + bias, abs=1e-3)


def test_fewer_faces_than_numbers_and_faces_all_alike() -> None:
    x = np.random.default_rng(0).normal(size=(4, 30)).astype(np.float32)
    assert Reduction.fit(x)(x).shape == (4, 4)
    same = np.ones((5, 8), np.float32)
    assert np.isfinite(Reduction.fit(same)(same)).all()
    assert Reduction.fit(np.zeros((0, 8), np.float32))(same).shape == (5, 256)
