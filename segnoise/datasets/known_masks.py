"""Masks of a few samples that are known to be right, in a folder beside the data set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from segnoise.errors import ConfigError, DataError
from segnoise.noise import NoiseReport, realised_noise


def known_pairs(dataset: Any, folder: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give known and given masks, (H, W) each, of the samples whose masks are in a folder.

    Args:
        dataset: a data set, or a wrapper of one such as ``NoisyLabels``.
        folder: with ``<sample id>.png`` in the format of the set's own masks.

    Raises:
        ConfigError: if the folder has no mask of any sample, or the data set does not say how its
            masks are read.
        DataError: if a mask cannot be read or has another size than the sample's.
    """
    source = dataset
    while not hasattr(source, "mask_reader"):
        if not hasattr(source, "dataset"):
            raise ConfigError(
                f"{source!r} does not say how its masks are read, as a mask_reader would: masks in "
                f"{folder} cannot be compared with it"
            )
        source = source.dataset
    found = 0
    for index in range(len(dataset)):
        path = folder / f"{dataset.sample_id(index)}.png"
        if not path.is_file():
            continue
        found += 1
        known, given = source.mask_reader(path), dataset.load_mask(index)
        if known.shape != given.shape:
            raise DataError(
                f"{path}: is {known.shape[1]}x{known.shape[0]}, the sample's mask "
                f"{given.shape[1]}x{given.shape[0]}: give the clean mask of this sample"
            )
        yield known, given
    if not found:
        raise ConfigError(
            f"clean_masks={folder} holds none of the {len(dataset)} samples' masks, such as "
            f"{dataset.sample_id(0)}.png"
        )


def noise_of_known(dataset: Any, folder: Path) -> tuple[NoiseReport, int]:
    """Measure the label noise of a data set on those of its samples that are known.

    Args:
        dataset: as of :func:`known_pairs`.
        folder: as of :func:`known_pairs`.

    Returns:
        The noise, and how many samples it was measured on.

    Raises:
        ConfigError, DataError: as of :func:`known_pairs`.
    """
    classes = len(dataset.metainfo["classes"])
    report, count = NoiseReport.empty(classes), 0
    for known, given in known_pairs(dataset, folder):
        report += realised_noise(known, given, classes, dataset.metainfo["ignore_index"])
        count += 1
    return report, count
