"""Which faces make up which step: pure functions of (seed, step), so that resuming needs no saved state."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


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
        if batch_size < 1 or batch_size % world_size:
            raise ValueError(
                f"batch_size {batch_size} must be a positive multiple of {world_size} processes."
            )
        self.count = count
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self._orders: dict[int, npt.NDArray[np.int64]] = {}

    def _order(self, epoch: int) -> npt.NDArray[np.int64]:
        if epoch not in self._orders:
            self._orders = {e: o for e, o in self._orders.items() if e >= epoch - 1}
            self._orders[epoch] = np.random.default_rng([self.seed, epoch]).permutation(self.count)
        return self._orders[epoch]

    def __call__(self, step: int) -> npt.NDArray[np.int64]:
        """Row numbers of this process in a step (counted from 0), shape (batch_size / world_size,)."""
        first = step * self.batch_size
        positions = np.arange(first + self.rank, first + self.batch_size, self.world_size)
        epochs, places = np.divmod(positions, self.count)
        rows = np.empty(len(positions), dtype=np.int64)
        for epoch in np.unique(epochs):
            chosen = epochs == epoch
            rows[chosen] = self._order(int(epoch))[places[chosen]]
        return rows
