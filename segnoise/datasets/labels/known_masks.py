"""Masks of a few samples that are known to be right, in a folder beside the data set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from segnoise.errors import ConfigError, DataError


def known_pairs(dataset: Any, folder: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give known and given masks, (H, W) each, of the samples whose masks are in a folder.

    They are `<sample id>.png`, in the format of the set's own masks.
    """
    if dataset.mask_reader is None:
        raise ConfigError(
            f"clean_masks={folder}: {dataset!r} has no mask_reader, a function of a path that "
            "reads a mask as it reads its own: add one, or leave clean_masks out"
        )
    found = 0
    for index in range(len(dataset)):
        path = folder / f"{dataset.sample_id(index)}.png"
        if not path.is_file():
            continue
        found += 1
        known, given = dataset.mask_reader(path), dataset.load_mask(index)
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
