"""All pairs of 64-bit hashes within a Hamming distance, without comparing every hash with every other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt

_AGREEING = 3
_BLOCK = 2**18
"""Pairs that are looked at in one go."""

Rows = npt.NDArray[np.int64]


def near_pairs(hashes: npt.NDArray[np.uint64], max_distance: int) -> tuple[Rows, npt.NDArray[np.uint8]]:
    """Pairs of different hashes that differ in at most ``max_distance`` bits.

    The 64 bits are cut into ``max_distance + 3`` bands. Two hashes within the distance agree in at least
    three bands, so for every choice of three only hashes with equal bits there need comparing.

    Args:
        hashes: (N,), without repetition.
        max_distance: 0 to 16; the work grows with its third power.

    Returns:
        Row numbers (P, 2) with the smaller first, sorted; and the distances (P,).

    Raises:
        ValueError: If the distance is out of range or a hash occurs twice.
    """
    if not 0 <= max_distance <= 16:
        raise ValueError(f"max_distance must be between 0 and 16 bits, found {max_distance}.")
    if len(np.unique(hashes)) < len(hashes):
        raise ValueError("A hash occurs twice: compare each value once.")
    bands = _bands(max_distance + _AGREEING)
    count = np.int64(max(len(hashes), 1))
    found: list[Rows] = []
    for chosen in combinations(bands, _AGREEING) if max_distance else ():
        keys = hashes & np.bitwise_or.reduce(np.array(chosen, np.uint64))
        for first, second in _equal(keys):
            near = np.bitwise_count(hashes[first] ^ hashes[second]) <= max_distance
            first, second = first[near], second[near]
            found.append(np.minimum(first, second) * count + np.maximum(first, second))
        if len(found) > 64:
            found = [np.unique(np.concatenate(found))]
    codes = np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)
    pairs = np.stack(np.divmod(codes, count), axis=1)
    return pairs, np.bitwise_count(hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]])


def _bands(number: int) -> list[np.uint64]:
    """Masks that cut 64 bits into bands of nearly equal width."""
    edges = [64 * i // number for i in range(number + 1)]
    return [np.uint64((1 << high) - (1 << low)) for low, high in pairwise(edges)]


def _equal(keys: npt.NDArray[np.uint64]) -> Iterator[tuple[Rows, Rows]]:
    """Row numbers of all pairs with equal keys, in blocks of limited size."""
    order = np.argsort(keys, kind="stable").astype(np.int64)
    sorted_keys = keys[order]
    begins = np.flatnonzero(np.r_[True, sorted_keys[1:] != sorted_keys[:-1]])
    ends = np.r_[begins[1:], len(keys)]
    last = np.repeat(ends, ends - begins)
    partners = last - np.arange(len(keys)) - 1  # each place is paired with those behind it in its run
    places = np.flatnonzero(partners)
    totals = np.cumsum(partners[places])
    start = 0
    while start < len(places):
        done = totals[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(totals, done + _BLOCK, side="right")))
        counts = partners[places[start:stop]]
        first = np.repeat(places[start:stop], counts)
        offsets = np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts)
        yield order[first], order[first + 1 + offsets]
        start = stop
