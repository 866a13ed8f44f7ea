"""A data set with the masks that other people drew of it: real noise."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from segnoise.datasets.base import SegmentationDataset
from segnoise.datasets.files.pairing import index_folder
from segnoise.datasets.labels.noisy_copy import check_folder_classes
from segnoise.datasets.labels.relabelled import Relabelled
from segnoise.datasets.problems import DatasetError, Problem, one_problem
from segnoise.errors import ConfigError
from segnoise.noise import generator


class RaterMasks(Relabelled):
    """A data set whose labels are those of raters, one of them drawn for each image.

    A sample holds the rater's mask as `mask` and the data set's own, the reference that the
    raters are measured by, as `clean_mask`. Which rater's an image has depends on
    (seed, sample id) alone, and is even over the raters that have the image. Use it for
    training data only.

    Args:
        dataset: The data set with the reference masks.
        folders: The raters' folders, whose masks have the ids and the format of the data set's; a
            rater may lack images, but every image needs a rater. Leave out raters whose masks
            the reference was copied from.
        suffix: End of the mask names, such as `"_mask.png"`; None takes any image file.
        seed: Of the draw.

    Attributes:
        raters: The folder drawn for each sample.
        fingerprint: Hash of the drawn files' names: changes with the seed and the folders.

    Raises:
        ConfigError: If no folder is given, or one twice, or the data set has no files to match,
            or a folder's classes.txt or manifest names other classes.
        DatasetError: If a folder is missing, or an image has no rater; on reading, if a mask
            cannot be read or is not of the reference's size.
    """

    dataset: SegmentationDataset

    def __init__(
        self,
        dataset: SegmentationDataset,
        folders: Sequence[str | Path],
        suffix: str | None = None,
        seed: int = 0,
    ) -> None:
        if not isinstance(dataset, SegmentationDataset):
            raise ConfigError(f"raters need a data set of mask files, not {dataset!r}")
        given = [] if isinstance(folders, (str, Path)) else [Path(folder) for folder in folders]
        if not given or len(set(given)) < len(given):
            raise ConfigError(f"folders={folders!r} must be a list of folders, each of them once")
        self.dataset = dataset
        for folder in given:
            check_folder_classes(dataset.metainfo, folder)
        indexed = [index_folder(folder, suffix) for folder in given]
        self.raters: list[Path] = []
        self._files: list[Path] = []
        missing = []
        for index in range(len(dataset)):
            name = dataset.sample_id(index)
            having = [(rater, same) for rater in indexed if (same := rater.same(name))]
            if not having:
                missing.append(name)
                continue
            drawn, same = having[int(generator(seed, "rater", name).integers(len(having)))]
            self.raters.append(drawn.folder)
            self._files.append(drawn.files[same])
        if missing:
            remedy = "add its mask to a rater's folder, or take the image off the split's list"
            raise DatasetError(
                [Problem(indexed[0].expected(m), "no rater has it", remedy) for m in missing],
                f"{len(missing)} of the data set's {len(dataset)} images have no rater",
            )
        drawn_files = json.dumps([str(file) for file in self._files])
        self.fingerprint = hashlib.sha256(drawn_files.encode()).hexdigest()

    def __repr__(self) -> str:
        return f"RaterMasks({self.dataset!r}, {len(set(self.raters))} raters)"

    def paths(self, index: int) -> tuple[Path, Path]:
        """Return the image file and the rater's mask file of a sample."""
        return self.dataset.paths(index)[0], self._files[index]

    def _relabelled(
        self, clean: np.ndarray, index: int, image: np.ndarray | None = None
    ) -> np.ndarray:
        mask = self.dataset.mask_reader(self._files[index])
        if mask.shape != clean.shape:
            sizes = [f"{width}x{height}" for height, width in (mask.shape, clean.shape)]
            raise one_problem(
                self._files[index],
                f"is {sizes[0]}, the reference {self.dataset.paths(index)[1]} {sizes[1]}",
                "export the rater's mask at the image's size",
            )
        return mask
