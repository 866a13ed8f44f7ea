"""Mean and standard deviation of a data set's bands, over a sample of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segnoise.datasets.base import LabelledImages
from segnoise.errors import DataError
from segnoise.tables import markdown


@dataclass(frozen=True)
class BandStatistics:
    """Mean and standard deviation of each band of some images, over the pixels with a label.

    Attributes:
        mean: One a band, in the images' own numbers.
        std: One a band.
        least: One a band.
        greatest: One a band.
        samples: How many images were read.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    least: tuple[float, ...]
    greatest: tuple[float, ...]
    samples: int

    def table(self, bands: Sequence[int] | None = None) -> str:
        """Return the numbers as a Markdown table.

        Args:
            bands: What the files call the bands; None counts from 1.
        """
        names = bands or range(1, len(self.mean) + 1)
        columns = (self.mean, self.std, self.least, self.greatest)
        rows = [
            (
                str(name),
                *(f"{value:,.4g}" if abs(value) < 1e5 else f"{value:,.0f}" for value in row),
            )
            for name, row in zip(names, zip(*columns, strict=True), strict=True)
        ]
        return markdown(("band", "mean", "std", "least", "greatest"), rows)


def band_statistics(dataset: LabelledImages, most: int = 200) -> BandStatistics:
    """Measure the bands of evenly spaced samples, one image in memory at a time.

    Args:
        dataset: Any of this package.
        most: Samples that are read.

    Raises:
        DataError: If a sample cannot be read, or none of them has a labelled pixel.

    Example:
        >>> from segnoise.datasets import Wrapped
        >>> pair = (np.array([[[0, 0, 0], [4, 2, 9]]], np.uint8), np.array([[0, 0]]))
        >>> band_statistics(Wrapped([pair, pair], classes=["a", "b"])).std
        (2.0, 1.0, 4.5)
    """
    void = dataset.metainfo["ignore_index"]
    count, mean, squares = 0, np.zeros(1), np.zeros(1)
    least, greatest = np.array(np.inf), np.array(-np.inf)
    places = np.linspace(0, len(dataset) - 1, min(most, len(dataset)))
    chosen = sorted(set(places.round().astype(int).tolist()))
    for index in chosen:
        sample = dataset[index]
        pixels = sample["image"][sample["mask"] != void].astype(np.float64)
        if not len(pixels):
            continue
        # Chan et al.: sums of squares about the mean, which do not cancel.
        own = pixels.mean(0)
        total = count + len(pixels)
        apart = own - mean
        squares = squares + ((pixels - own) ** 2).sum(0) + apart**2 * (count * len(pixels) / total)
        mean = mean + apart * (len(pixels) / total)
        count = total
        least, greatest = np.minimum(least, pixels.min(0)), np.maximum(greatest, pixels.max(0))
    if not count:
        raise DataError(
            f"none of {len(chosen)} samples has a pixel that is not void: there is nothing to "
            "measure mean and std on; mend the masks, or give model.preprocessor mean and std"
        )
    measured = (mean, np.sqrt(squares / count), least, greatest)
    one, two, three, four = (tuple(each.tolist()) for each in measured)
    return BandStatistics(one, two, three, four, len(chosen))
