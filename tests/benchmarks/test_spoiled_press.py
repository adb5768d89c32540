"""Pictures that are spoiled on purpose."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from benchmarks.spoiled_press import SPOILED, Options, darker, moved, run, shrunk
from tests.benchmarks.test_real_faces import shared

from halfsmile.data.preprocess import Image

__all__ = ["shared"]


@pytest.fixture
def picture() -> Image:
    return np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_pictures_stay_pictures_and_come_out_the_same_twice(
    spoil: Callable[[Image], Image], picture: Image
) -> None:
    found = spoil(picture)
    assert found.shape == picture.shape
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(spoil(picture), found)


def test_each_does_what_it_says(picture: Image) -> None:
    assert darker(0.35)(picture).mean() == pytest.approx(0.35 * picture.mean(), rel=0.02)
    assert darker(1, 3)(np.full((1, 1, 3), 128, np.uint8)).max() == 32
    assert np.abs(np.diff(shrunk(16)(picture).astype(int), axis=0)).mean() < 30
    wide, high = (np.abs(np.diff(moved(picture).astype(int), axis=axis)).mean() for axis in (1, 0))
    assert wide < high / 2


def test_every_kind_has_a_row(shared: Path) -> None:
    text = run(Options(shared, most=24))
    assert all(f"| {name} |" in text for name in SPOILED)
