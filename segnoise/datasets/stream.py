"""The order in which training meets its samples, as a function of seed and draw number."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch.utils.data import Dataset

from segnoise.datasets.base import Sample
from segnoise.datasets.transformed import Transformed
from segnoise.noise.seeding import generator


class TrainingStream(Dataset[Sample]):
    """A data set by draw number: an endless sequence of epochs, each in an order of its own.

    Draw d is sample `order(d // n)[d % n]` of n, augmented as epoch `d // n` draws it. There is
    no state to save: a training that stopped after i iterations of B samples goes on at draw
    i * B, whatever the number of workers or processes.

    Args:
        dataset: The data set and its augmentation.
        seed: Seed of the orders.

    Example:
        >>> class Letters:
        ...     def __len__(self): return 3
        ...     def draw(self, index, epoch): return "abc"[index] + str(epoch)
        >>> stream = TrainingStream(Letters(), seed=1)
        >>> [stream[d] for d in range(6)]
        ['c0', 'b0', 'a0', 'a1', 'b1', 'c1']
    """

    def __init__(self, dataset: Transformed, seed: int = 0) -> None:
        self.dataset = dataset
        self.seed = seed
        self._orders: dict[int, np.ndarray] = {}

    @property
    def metainfo(self) -> dict[str, Any]:
        """Classes, palette and ignore_index of the data set."""
        return self.dataset.metainfo

    def __len__(self) -> int:
        """Return the number of draws in an epoch; draw numbers go beyond it."""
        return len(self.dataset)

    def __repr__(self) -> str:
        return f"TrainingStream({self.dataset!r}, seed={self.seed})"

    def __getitem__(self, draw: int) -> Sample:
        """Return what a draw number stands for."""
        if draw < 0:
            raise IndexError(f"draw numbers start at 0, not at {draw}")
        epoch, place = divmod(draw, len(self.dataset))
        return self.dataset.draw(int(self.order(epoch)[place]), epoch)

    def order(self, epoch: int) -> np.ndarray:
        """Return the permutation of the sample numbers in an epoch, (n,) int64."""
        if epoch not in self._orders:
            # Two are kept: batches straddle the end of an epoch.
            self._orders = {e: self._orders[e] for e in (epoch - 1, epoch + 1) if e in self._orders}
            order = generator(self.seed, "order", epoch).permutation(len(self.dataset))
            self._orders[epoch] = order
        return self._orders[epoch]
