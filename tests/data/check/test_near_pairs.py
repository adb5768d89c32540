"""The pair search against comparing everything with everything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfsmile.data.check import near_pairs as module
from halfsmile.data.check.near_pairs import near_pairs


def every_pair(hashes: np.ndarray[tuple[int], np.dtype[np.uint64]], limit: int) -> dict[tuple[int, int], int]:
    found = {}
    for i, first in enumerate(hashes.tolist()):
        for j in range(i + 1, len(hashes)):
            distance = (first ^ int(hashes[j])).bit_count()
            if distance <= limit:
                found[i, j] = distance
    return found


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    count=st.integers(0, 120),
    flips=st.integers(1, 20),
    limit=st.sampled_from([0, 1, 4, 8, 11]),
)
def test_no_pair_is_missed_and_none_invented(seed: int, count: int, flips: int, limit: int) -> None:
    """Hashes around a few centers, so that many distances are near the limit."""
    rng = np.random.default_rng(seed)
    centers = rng.integers(0, 2**64, 6, dtype=np.uint64)
    bits = rng.integers(0, 64, (count, flips)).astype(np.uint64)
    noise = np.bitwise_xor.reduce(np.uint64(1) << bits, axis=1)
    hashes = rng.permutation(np.unique(centers[rng.integers(0, 6, count)] ^ noise))
    pairs, distance = near_pairs(hashes, limit)
    found = {(int(i), int(j)): int(d) for (i, j), d in zip(pairs, distance, strict=True)}
    assert found == every_pair(hashes, limit)


def test_blocks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = np.arange(300, dtype=np.uint64)
    whole = near_pairs(hashes, 2)
    monkeypatch.setattr(module, "_BLOCK", 17)
    parts = near_pairs(hashes, 2)
    assert np.array_equal(whole[0], parts[0])
    assert len(whole[0]) == len(every_pair(hashes, 2))


@pytest.mark.parametrize("limit", [-1, 17])
def test_other_distances_are_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="between 0 and 16"):
        near_pairs(np.arange(3, dtype=np.uint64), limit)


def test_repeated_hashes_are_refused() -> None:
    with pytest.raises(ValueError, match="occurs twice"):
        near_pairs(np.array([1, 1], np.uint64), 4)
