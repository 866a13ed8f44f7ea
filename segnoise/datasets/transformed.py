"""A data set with an augmentation: new views of each sample in every epoch, by seed."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from segnoise.checks import check_integer
from segnoise.datasets.augmentations import as_augment
from segnoise.datasets.base import LabelledImages, Sample
from segnoise.datasets.labels.relabelled import Around
from segnoise.datasets.wrapped import check_keys, joined
from segnoise.errors import ConfigError, DataError
from segnoise.noise.seeding import generator

Transform = Callable[[Sample, np.random.Generator], Sample]
_FIRST_CELL = 256
_MOST_CELLS = 2**24 - _FIRST_CELL  # what float32, the largest type that OpenCV warps, tells apart


class Transformed(Around):
    """Applies a transform to the samples of a data set, with other random numbers in every epoch.

    View v of a sample depends on (seed, v, sample id) alone. In a DataLoader, the first time that
    a sample is drawn gives its view 0, the next time view 1, and so on: every epoch sees new views,
    and they are the same for any number of worker processes, forked or spawned, kept between
    epochs or not. The count is in memory that the workers share; two workers that draw the same
    sample at the same moment, as sampling with replacement can make them, may both get one view.
    `draw` looks without counting.

    `set_epoch(e)` lets all samples go on with view e, also in workers that run: a training that
    resumes calls it before its first epoch. A loop that leaves epochs before their end calls it at
    the start of each, because what workers have read ahead counts as drawn. Processes that train
    together (torch.distributed) count apart, and each draws views of its own.

    Args:
        dataset: Any data set with the protocol of this package; also a `Subset` or a
            `ConcatDataset` of such. Others see `Wrapped`.
        transform: A function of (sample, rng) that returns a sample, such as an `Augment`; an
            albumentations transform; or a function of the sample alone, for which the global
            generators (random, NumPy, torch on the CPU) are seeded, and put back after it. None
            leaves samples as they are.
        seed: Seed of the draws.
        cell_stride: If given, samples also have `cells`, an (H, W) int64 array that moves with the
            mask: the cell of `cell_stride` x `cell_stride` pixels of the untransformed sample that
            each pixel comes from, counted row by row, and -1 where a transform has padded.

    Raises:
        ConfigError: If the transform takes other arguments, or the data set gives no samples of
            the protocol, or `cell_stride` is not positive.

    Example:
        >>> class Steps:
        ...     def __len__(self): return 2
        ...     def __getitem__(self, index):
        ...         image, mask = np.zeros((1, 9, 3), np.uint8), np.arange(9)[None]
        ...         return dict(image=image, mask=mask, sample_id=str(index))
        >>> def roll(sample, rng):
        ...     return {**sample, "mask": np.roll(sample["mask"], rng.integers(9))}
        >>> data = Transformed(Steps(), roll, seed=0)
        >>> [data[0]["mask"][0, 0].item() for epoch in range(4)]
        [4, 0, 8, 1]
        >>> data.set_epoch(1)
        >>> data[0]["mask"][0, 0].item()
        0
    """

    def __init__(
        self,
        dataset: LabelledImages,
        transform: Transform | Callable[[Sample], Sample] | None = None,
        seed: int = 0,
        cell_stride: int | None = None,
    ) -> None:
        if cell_stride is not None:
            check_integer("cell_stride", cell_stride, 1)
        self.dataset = joined(dataset)
        self.transform = transform
        self.seed = seed
        self.cell_stride = cell_stride
        self._apply = None if transform is None else _of_sample_and_rng(transform)
        samples = len(dataset) if hasattr(dataset, "__len__") else 0
        # What each sample's next view is; also worker processes that run already see a change.
        self._next = torch.zeros(samples, dtype=torch.int64).share_memory_()
        self._rank = 0

    def __getstate__(self) -> dict[str, Any]:
        # A spawned worker does not know which of the training's processes it belongs to.
        return {**self.__dict__, "_rank": self._process()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._next.share_memory_()  # as it is in a worker; a copy gets a count of its own

    def _process(self) -> int:
        distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
        return torch.distributed.get_rank() if distributed else self._rank

    def __getitem__(self, index: int) -> Sample:
        """Return a sample's next view, and count it."""
        sample = self._read(index)
        view = int(self._next[index])
        self._next[index] = view + 1
        rank = self._process()
        return self._view(sample, view, *(("process", rank) if rank else ()))

    def __repr__(self) -> str:
        return f"Transformed({self.dataset!r}, {self.transform!r}, seed={self.seed})"

    def set_epoch(self, epoch: int) -> None:
        """Let every sample go on with view `epoch`, from 0: with what a training's epoch draws."""
        self._next.fill_(check_integer("epoch", epoch, 0))

    def draw(self, index: int, epoch: int) -> Sample:
        """Return a sample as the given epoch draws it, without counting."""
        return self._view(self._read(index), epoch)

    def _read(self, index: int) -> Sample:
        sample = self.dataset[index]
        check_keys(sample, self.dataset)
        return sample

    def _view(self, sample: Sample, epoch: int, *more: int | str) -> Sample:
        if self.cell_stride is not None:
            sample = {**sample, "cells": _cells(sample, self.cell_stride)}
        if self._apply is not None:
            rng = generator(self.seed, "transform", epoch, sample["sample_id"], *more)
            sample = self._apply(sample, rng)
        if self.cell_stride is not None:
            cells = sample["cells"].astype(np.int64)
            # Masks are padded with ids up to 255.
            sample = {**sample, "cells": np.where(cells < _FIRST_CELL, -1, cells - _FIRST_CELL)}
        return sample

    def load_mask(self, index: int) -> np.ndarray:
        """Return a sample's labels as stored, not transformed."""
        return self.dataset.load_mask(index)


def _of_sample_and_rng(transform: Any) -> Transform:
    """Return a transform as a function of sample and generator."""
    augment = as_augment(transform)
    if augment is not None:
        return augment
    if type(transform).__module__.startswith("torchvision."):
        raise ConfigError(
            f"transform={transform!r}: torchvision changes PIL images and tensors, and leaves a "
            "sample's NumPy arrays as they are; take Augment or albumentations"
        )
    try:
        parameters = inspect.signature(transform)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"transform={transform!r} is no function of (sample, rng)") from error
    required = [p.name for p in parameters.parameters.values() if p.default is p.empty]
    if required[1:] in (["mask"], ["label"], ["labels"], ["target"]):
        raise ConfigError(
            f"transform={transform!r} takes {parameters}, an image and its mask apart: write a "
            "function of the sample, dict(image=, mask=, sample_id=), that returns {**sample, ...}"
        )
    for number, taken in ((2, transform), (1, _Seeded(transform))):
        try:
            parameters.bind(*range(number))
        except TypeError:
            continue
        return taken
    raise ConfigError(
        f"transform={transform!r} takes {parameters}: it must be a function of (sample, rng), or "
        "of the sample alone"
    )


class _Seeded:
    """A function of the sample alone, drawing from global generators seeded for the call."""

    def __init__(self, function: Callable[[Sample], Sample]) -> None:
        self.function = function

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        states = random.getstate(), np.random.get_state(), torch.get_rng_state()
        seed = int(rng.integers(2**32))
        random.seed(seed)
        np.random.seed(seed)
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed GPUs, too
        try:
            return self.function(sample)
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
            torch.set_rng_state(states[2])


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
