"""What the data sets share whose labels are not those of the data set they wrap."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np

from segnoise.datasets.base import LabelledImages, Sample
from segnoise.datasets.wrapped import file_paths


class Around(LabelledImages):
    """A data set around another one, `dataset`: its samples have the names and files of that."""

    dataset: LabelledImages

    @property
    def metainfo(self) -> dict[str, Any]:  # type: ignore[override]
        """The wrapped data set's classes, palette and ignore_index."""
        return self.dataset.metainfo

    def __len__(self) -> int:
        return len(self.dataset)

    def sample_id(self, index: int) -> str:
        """Return the name of a sample; reads no file."""
        return self.dataset.sample_id(index)

    def paths(self, index: int) -> tuple[Path, Path]:
        """Return the image file and the clean mask file of a sample."""
        return file_paths(self.dataset, index)

    @property
    def slice_of(self) -> Any:
        """Which slice of a volume a sample is, where the wrapped data set has such."""
        return self.dataset.slice_of

    @property
    def whole_of(self) -> Any:
        """Which larger label map a sample is a part of, where the wrapped data set has such."""
        return self.dataset.whole_of


class Relabelled(Around, ABC):
    """A data set with other labels: `mask` holds them, `clean_mask` the data set's own.

    A class derived from it sets `dataset`, the wrapped one, and says in `_relabelled` which
    labels a sample has.
    """

    @property
    def mask_reader(self) -> Any:
        """What reads the wrapped data set's mask files."""
        return self.dataset.mask_reader

    @abstractmethod
    def _relabelled(
        self, clean: np.ndarray, index: int, image: np.ndarray | None = None
    ) -> np.ndarray:
        """Return a sample's labels, (H, W), given its clean ones and, if it is read, its image."""

    def load_mask(self, index: int) -> np.ndarray:
        """Return a sample's labels, (H, W); see `load_masks`."""
        return self.load_masks(index)[1]

    def load_masks(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a sample's clean labels and its own, both (H, W).

        The image is decoded only if the labels need it.
        """
        clean = self.dataset.load_mask(index)
        return clean, self._relabelled(clean, index)

    def __getitem__(self, index: int) -> Sample:
        """Return the sample with its labels as `mask`, and the clean ones as `clean_mask`."""
        sample = self.dataset[index]
        clean = sample["mask"]
        mask = self._relabelled(clean, index, sample.get("image"))
        return {**sample, "mask": mask, "clean_mask": clean}
