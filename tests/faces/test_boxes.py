from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfsmile.faces.boxes import overlaps, side, suppress

torch = pytest.importorskip("torch", reason="needs halfsmile[train]")
from torchvision.ops import box_iou, nms  # noqa: E402


def boxes(seed: int, count: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 60, (count, 2))
    return np.concatenate((low, low + rng.uniform(1, 40, (count, 2))), 1)


@given(st.integers(0, 10_000), st.integers(0, 20), st.integers(1, 20))
def test_overlaps_are_those_of_torchvision(seed: int, count: int, others: int) -> None:
    first, second = boxes(seed, count), boxes(seed + 1, others)
    expected = box_iou(torch.from_numpy(first), torch.from_numpy(second)).numpy()
    np.testing.assert_allclose(overlaps(first, second), expected, atol=1e-9)


def test_overlap_of_the_smaller_is_one_inside() -> None:
    outer, inner = np.array([[0, 0, 10, 10]]), np.array([[2, 3, 4, 9]])
    assert overlaps(outer, inner, of_smaller=True)[0, 0] == 1
    assert overlaps(outer, inner)[0, 0] == pytest.approx(0.12)


@given(st.integers(0, 10_000), st.integers(0, 60), st.floats(0.05, 0.95))
def test_suppression_is_that_of_torchvision(seed: int, count: int, threshold: float) -> None:
    found = boxes(seed, count)
    scores = np.random.default_rng(seed).permutation(count) / max(1, count)
    expected = nms(torch.from_numpy(found), torch.from_numpy(scores), threshold).numpy()
    np.testing.assert_array_equal(suppress(found, scores, threshold), expected)


def test_of_equal_scores_the_last_is_kept() -> None:
    found = np.array([[0.0, 0, 10, 10], [1, 0, 11, 10], [50, 0, 60, 10]])
    assert suppress(found, np.array([0.9, 0.9, 0.5]), 0.5).tolist() == [1, 2]


def test_side_of_a_square_of_equal_area() -> None:
    assert side(np.array([1.0, 2, 5, 11])) == 6
