"""A data set with an augmentation whose draws depend on seed, epoch and sample only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from segnoise.datasets.base import LabelledImages, Sample
from segnoise.errors import DataError
from segnoise.noise.seeding import generator

Transform = Callable[[Sample, np.random.Generator], Sample]
_FIRST_CELL = 256
_MOST_CELLS = 2**24 - _FIRST_CELL  # what float32, the largest type that OpenCV warps, tells apart


class Transformed:
    """Applies `transform(sample, rng)` to the samples of a data set.

    The generator is made anew for each sample from (seed, epoch, sample id), so neither the
    number of workers nor what was drawn before plays a part.

    Args:
        dataset: Any data set of this room.
        transform: For example an `Augment`; None leaves samples as they are.
        seed: Seed of the draws.
        cell_stride: If given, samples also have `cells`, an (H, W) int64 array that moves with the
            mask: the cell of `cell_stride` x `cell_stride` pixels of the untransformed sample that
            each pixel comes from, counted row by row, and -1 where a transform has padded.

    Raises:
        ValueError: If `cell_stride` is not positive.
    """

    def __init__(
        self,
        dataset: LabelledImages,
        transform: Transform | None = None,
        seed: int = 0,
        cell_stride: int | None = None,
    ) -> None:
        if cell_stride is not None and cell_stride < 1:
            raise ValueError(f"cell_stride must be at least 1, got {cell_stride}")
        self.dataset = dataset
        self.transform = transform
        self.seed = seed
        self.cell_stride = cell_stride

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
        if self.cell_stride is not None:
            sample = {**sample, "cells": _cells(sample, self.cell_stride)}
        if self.transform is not None:
            rng = generator(self.seed, "transform", epoch, sample["sample_id"])
            sample = self.transform(sample, rng)
        if self.cell_stride is not None:
            cells = sample["cells"].astype(np.int64)
            # Masks are padded with ids up to 255.
            sample = {**sample, "cells": np.where(cells < _FIRST_CELL, -1, cells - _FIRST_CELL)}
        return sample

    def sample_id(self, index: int) -> str:
        """Return the name of a sample; reads no file."""
        return self.dataset.sample_id(index)

    def load_mask(self, index: int) -> np.ndarray:
        """Return a sample's labels as stored, not transformed."""
        return self.dataset.load_mask(index)

    def paths(self, index: int) -> tuple[Path, Path]:
        """Return the image file and the mask file of a sample."""
        return self.dataset.paths(index)


def _cells(sample: Sample, stride: int) -> np.ndarray:
    """The cells of an untransformed sample from _FIRST_CELL on, (H, W) float32."""
    height, width = sample["mask"].shape
    across = -(-width // stride)
    if across * -(-height // stride) > _MOST_CELLS:
        raise DataError(
            f"sample {sample['sample_id']!r} of {width} x {height} pixels has more than "
            f"{_MOST_CELLS:,} cells of {stride} x {stride}: take a larger stride"
        )
    rows, columns = np.arange(height) // stride, np.arange(width) // stride
    cells: np.ndarray = (rows[:, None] * across + columns + _FIRST_CELL).astype(np.float32)
    return cells
