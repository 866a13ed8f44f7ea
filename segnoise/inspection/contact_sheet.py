"""One picture that shows whether masks fit their images."""

from __future__ import annotations

import numpy as np

from segnoise.datasets.base import LabelledImages
from segnoise.datasets.wrapped import labelled
from segnoise.drawing import grid, legend, overlay
from segnoise.errors import DataError
from segnoise.pictures import shown

_CELL = 300  # pixels across a picture


def contact_sheet(dataset: LabelledImages, n: int = 8) -> np.ndarray:
    """Draw samples spread evenly over a data set: image, labels over it, and a legend.

    `NoisyLabels` gets a third column with the noisy labels. Samples that cannot be read are
    left out.

    Args:
        dataset: Any data set of this package.
        n: Number of samples, at most.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        DataError: If none of the samples can be read.
    """
    dataset = labelled(dataset)
    palette = dataset.metainfo["palette"]
    rows, names = [], []
    failure: DataError | None = None
    for index in np.unique(np.linspace(0, len(dataset) - 1, min(n, len(dataset))).round()):
        try:
            sample = dataset[int(index)]
        except DataError as error:
            failure = error
            continue
        masks = [sample["mask"]]
        if "clean_mask" in sample:
            masks.insert(0, sample["clean_mask"])
        picture = shown(sample["image"])
        rows.append([picture, *(overlay(picture, m, palette) for m in masks)])
        names.append(sample["sample_id"])
    if not rows:
        raise failure or DataError("a data set without samples has no contact sheet")
    titles = ["image", "labels"] if len(rows[0]) == 2 else ["image", "clean labels", "noisy labels"]
    key = legend(dataset.metainfo["classes"], palette, width=len(titles) * _CELL)
    return grid(rows, titles, names, key, _CELL)
