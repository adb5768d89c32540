"""Which faces make up which step: pure functions of (seed, step), so that resuming needs no saved state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
Sampler = Callable[[int], Rows]
"""Row numbers of this process in a step, counted from 0."""

Sampling = Literal["natural", "sqrt", "balanced"]
"""How often a class is drawn: as often as it occurs, by the square root of that, or all classes equally."""


class ShuffledSampler:
    """Every row once an epoch, in a new order each epoch; batches run over epoch borders, so all are full.

    Args:
        count: Number of rows.
        batch_size: Rows of a step, over all processes together.
        seed: Decides all orders.
        rank: This process.
        world_size: Number of processes; divides ``batch_size``. Process r gets rows r, r + world_size,
            … of the batch.

    Raises:
        ValueError: If there is nothing to draw from or the batch does not divide.

    Example:
        >>> sampler = ShuffledSampler(5, batch_size=2, seed=0)
        >>> sorted(int(i) for step in range(5) for i in sampler(step))
        [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    """

    def __init__(self, count: int, *, batch_size: int, seed: int, rank: int = 0, world_size: int = 1) -> None:
        if count < 1:
            raise ValueError("There are no rows to draw batches from.")
        _require_batch(batch_size, world_size)
        self.count = count
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self._orders: dict[int, Rows] = {}

    def _order(self, epoch: int) -> Rows:
        if epoch not in self._orders:
            self._orders = {e: o for e, o in self._orders.items() if e >= epoch - 1}
            self._orders[epoch] = np.random.default_rng([self.seed, epoch]).permutation(self.count)
        return self._orders[epoch]

    def __call__(self, step: int) -> Rows:
        """Row numbers of this process in a step (counted from 0), shape (batch_size / world_size,)."""
        first = step * self.batch_size
        positions = np.arange(first + self.rank, first + self.batch_size, self.world_size)
        epochs, places = np.divmod(positions, self.count)
        rows = np.empty(len(positions), dtype=np.int64)
        for epoch in np.unique(epochs):
            chosen = epochs == epoch
            rows[chosen] = self._order(int(epoch))[places[chosen]]
        return rows


class BalancedSampler:
    """Classes by a chosen frequency, then people or videos of the class equally, then their images in turn.

    The classes of a cycle of draws are spread evenly: with ``balanced``, any K draws that start at a multiple
    of the number of classes K hold each class once, so a batch of a multiple of K faces is exactly balanced.
    Within a class nothing is drawn twice before all its groups have been drawn once; a group gives its images
    in turn. A class with one image gives that image each time.

    Args:
        classes: (N,) class index of each row, all ≥ 0; only classes that occur are drawn.
        groups: (N,) who or which video a row shows, for example a name; None for a row that stands alone.
        strategy: ``balanced`` draws all classes equally often, ``sqrt`` in proportion to the square root of
            their counts, ``natural`` is :class:`ShuffledSampler` (groups play no role).
        batch_size: Rows of a step, over all processes together.
        seed: Decides all orders.
        rank: This process.
        world_size: Number of processes; divides ``batch_size``. Process r gets rows r, r + world_size,
            … of the batch.

    Raises:
        ValueError: If there is nothing to draw from, a row has no class, groups and classes differ in
            length, the strategy is unknown, or the batch does not divide.

    Example:
        >>> sampler = BalancedSampler([0, 0, 0, 0, 0, 1], batch_size=4, seed=0)
        >>> [sum(int(row == 5) for row in sampler(step)) for step in range(3)]
        [2, 2, 2]
    """

    def __init__(
        self,
        classes: Sequence[int] | Rows,
        groups: Sequence[object] | None = None,
        *,
        strategy: Sampling = "balanced",
        batch_size: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        index = np.asarray(classes, dtype=np.int64)
        if not len(index):
            raise ValueError("There are no rows to draw batches from.")
        if (index < 0).any():
            raise ValueError(f"{int((index < 0).sum())} of {len(index)} rows have no class to balance by.")
        if groups is not None and len(groups) != len(index):
            raise ValueError(f"{len(groups)} groups do not fit {len(index)} rows: give one group per row.")
        if strategy not in get_args(Sampling):
            raise ValueError(f"Unknown sampling {strategy!r}; known are {', '.join(get_args(Sampling))}.")
        _require_batch(batch_size, world_size)
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self._natural: ShuffledSampler | None = None
        if strategy == "natural":
            self._natural = ShuffledSampler(
                len(index), batch_size=batch_size, seed=seed, rank=rank, world_size=world_size
            )
        self._members = _members(index, groups, seed)
        counts = np.array([sum(map(len, members)) for members in self._members], dtype=np.float64)
        shares = np.sqrt(counts) if strategy == "sqrt" else np.ones(len(counts))
        self._quotas = _quotas(shares / shares.sum(), _cycle_length(len(index), len(counts)))
        self._cycles: dict[int, tuple[Rows, Rows]] = {}
        self._orders: dict[tuple[int, int], Rows] = {}

    def _cycle(self, number: int) -> tuple[Rows, Rows]:
        """Class of each draw of a cycle, and which draw of that class it is, from the cycle's start."""
        if number not in self._cycles:
            self._cycles = {n: cycle for n, cycle in self._cycles.items() if n >= number - 1}
            rng = np.random.default_rng([self.seed, 1, number])
            classes = np.repeat(np.arange(len(self._quotas)), self._quotas)
            occurrence = np.concatenate([np.arange(quota) for quota in self._quotas])
            places = (occurrence + rng.random(len(classes))) / self._quotas[classes]
            order = np.argsort(places, kind="stable")
            self._cycles[number] = classes[order], occurrence[order]
        return self._cycles[number]

    def _row(self, index: int, draw: int) -> int:
        """Row of the given draw of a class, both counted from 0."""
        members = self._members[index]
        turn, place = divmod(draw, len(members))
        key = (index, turn)
        if key not in self._orders:
            self._orders = {k: o for k, o in self._orders.items() if k[0] != index or k[1] >= turn - 1}
            self._orders[key] = np.random.default_rng([self.seed, 2, index, turn]).permutation(len(members))
        group = members[self._orders[key][place]]
        return int(group[turn % len(group)])

    def __call__(self, step: int) -> Rows:
        """Row numbers of this process in a step (counted from 0), shape (batch_size / world_size,)."""
        if self._natural is not None:
            return self._natural(step)
        first, length = step * self.batch_size, int(self._quotas.sum())
        rows = []
        for position in range(first + self.rank, first + self.batch_size, self.world_size):
            number, place = divmod(position, length)
            classes, occurrence = self._cycle(number)
            index = int(classes[place])
            rows.append(self._row(index, number * int(self._quotas[index]) + int(occurrence[place])))
        return np.array(rows, dtype=np.int64)


def class_frequencies(sampler: Sampler, classes: Sequence[int] | Rows, steps: int) -> npt.NDArray[np.float64]:
    """Share of each class among all rows that a sampler draws in its first steps.

    Args:
        sampler: Of one process.
        classes: (N,) class index of each row.
        steps: Number of steps, at least 1.

    Returns:
        (largest class index + 1,), sums to 1.
    """
    index = np.asarray(classes, dtype=np.int64)
    counts = np.zeros(int(index.max()) + 1, dtype=np.float64)
    for step in range(steps):
        counts += np.bincount(index[sampler(step)], minlength=len(counts))
    return np.asarray(counts / counts.sum())


def _require_batch(batch_size: int, world_size: int) -> None:
    if batch_size < 1 or batch_size % world_size:
        raise ValueError(f"batch_size {batch_size} must be a positive multiple of {world_size} processes.")


def _members(index: Rows, groups: Sequence[object] | None, seed: int) -> list[list[Rows]]:
    """Rows of each group of each class that occurs, in a fixed random order within each group."""
    found: list[list[Rows]] = []
    for c in np.unique(index):
        rows = np.random.default_rng([seed, 0, int(c)]).permutation(np.flatnonzero(index == c))
        by_group: dict[object, list[int]] = {}
        for row in rows.tolist():
            group = None if groups is None else groups[row]
            by_group.setdefault(("row", row) if group is None else ("group", group), []).append(row)
        found.append([np.array(members, dtype=np.int64) for members in by_group.values()])
    return found


def _cycle_length(rows: int, num_classes: int) -> int:
    """Draws of a cycle: a multiple of the classes, long enough for quotas to meet any share within 0.1 %."""
    return num_classes * -(-max(rows, 1000) // num_classes)


def _quotas(shares: npt.NDArray[np.float64], length: int) -> Rows:
    """Draws per class that sum to ``length``: the shares rounded by largest remainders, at least one each."""
    exact = shares * length
    quotas = np.maximum(1, np.floor(exact)).astype(np.int64)
    missing = length - int(quotas.sum())
    if missing > 0:
        quotas[np.argsort(quotas - exact, kind="stable")[:missing]] += 1
    elif missing < 0:
        quotas[int(quotas.argmax())] += missing
    return quotas
