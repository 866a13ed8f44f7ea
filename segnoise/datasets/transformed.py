"""A data set with an augmentation whose draws depend on seed, epoch and sample only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from segnoise.datasets.base import LabelledImages, Sample
from segnoise.noise.seeding import generator

Transform = Callable[[Sample, np.random.Generator], Sample]


class Transformed:
    """Applies `transform(sample, rng)` to the samples of a data set.

    The generator is made anew for each sample from (seed, epoch, sample id), so neither the
    number of workers nor what was drawn before plays a part.

    Args:
        dataset: Any data set of this room.
        transform: For example an `Augment`; None leaves samples as they are.
        seed: Seed of the draws.
    """

    def __init__(
        self, dataset: LabelledImages, transform: Transform | None = None, seed: int = 0
    ) -> None:
        self.dataset = dataset
        self.transform = transform
        self.seed = seed

    @property
    def metainfo(self) -> dict[str, Any]:
        """Classes, palette and ignore_index of the data set."""
        return self.dataset.metainfo

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Sample:
        """Return a sample as epoch 0 draws it."""
        return self.draw(index, epoch=0)

    def __repr__(self) -> str:
        return f"Transformed({self.dataset!r}, {self.transform!r}, seed={self.seed})"

    def draw(self, index: int, epoch: int) -> Sample:
        """Return a sample as the given epoch draws it."""
        sample = self.dataset[index]
        if self.transform is None:
            return sample
        rng = generator(self.seed, "transform", epoch, sample["sample_id"])
        return self.transform(sample, rng)

    def sample_id(self, index: int) -> str:
        """Return the name of a sample; reads no file."""
        return self.dataset.sample_id(index)

    def load_mask(self, index: int) -> np.ndarray:
        """Return a sample's labels as stored, not transformed."""
        return self.dataset.load_mask(index)

    def paths(self, index: int) -> tuple[Path, Path]:
        """Return the image file and the mask file of a sample."""
        return self.dataset.paths(index)
