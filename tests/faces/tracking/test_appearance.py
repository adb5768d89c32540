"""Looks of boxes in pictures."""

from __future__ import annotations

import numpy as np
import pytest

from halfsmile.faces.tracking.appearance import SIDE, look

RNG = np.random.default_rng(0)
IMAGE = np.kron(RNG.integers(40, 200, (12, 16, 3)), np.ones((10, 10, 1))).astype(np.uint8)
BOX = (20, 30, 90, 110)


def test_a_look_is_a_unit_vector_without_a_mean() -> None:
    found = look(IMAGE, BOX)
    assert found is not None
    assert found.shape == (SIDE * SIDE,)
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)
    assert found.mean() == pytest.approx(0, abs=1e-6)


def test_brightness_contrast_and_size_hardly_change_it() -> None:
    found = look(IMAGE, BOX)
    lit = look((IMAGE * 0.5 + 60).astype(np.uint8), BOX)
    large = look(np.kron(IMAGE, np.ones((3, 3, 1), np.uint8)), np.multiply(BOX, 3))
    other = look(IMAGE[:, ::-1], BOX)
    assert found is not None
    assert lit is not None
    assert large is not None
    assert other is not None
    assert found @ lit > 0.99
    assert found @ large > 0.99
    assert found @ other < 0.5


@pytest.mark.parametrize("box", [(-80, -80, -10, -10), (200, 0, 260, 40), (20, 130, 40, 170), (5, 5, 5.2, 9)])
def test_outside_the_picture_there_is_none(box: tuple[float, ...]) -> None:
    assert look(IMAGE, box) is None


def test_what_reaches_beyond_the_picture_is_left_out() -> None:
    inside, beyond = look(IMAGE, (0, 0, 40, 50)), look(IMAGE, (-500, -20, 40, 50))
    assert inside is not None
    assert beyond is not None
    assert np.array_equal(inside, beyond)


def test_an_even_surface_has_none() -> None:
    assert look(np.full((50, 50, 3), 90, np.uint8), (0, 0, 50, 50)) is None
