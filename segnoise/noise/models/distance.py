"""Regions that are too small or too large by a random distance."""

from __future__ import annotations

import dataclasses
import functools
import math

import cv2
import numpy as np

from segnoise.checks import check_number
from segnoise.noise import parameters
from segnoise.noise.base import Dose, Noise, register
from segnoise.noise.geometry.ranks import RankMap, Ranks, highest_within, lowest_within
from segnoise.noise.geometry.squares import LARGEST_WIDTH
from segnoise.noise.mask import Mask
from segnoise.noise.sources import Sources


@register
@dataclasses.dataclass(frozen=True)
class DistanceMorphology(Noise):
    """All things of a mask grow, or all shrink, by one random Euclidean distance.

    Each mask draws r ~ U(low, high) and, with probability 1/2 each, a direction. Growing, a thing
    takes every pixel at a distance of at most r from it; shrinking, it loses every pixel at a
    distance of at most r from what it is not. Distances are between pixel centres, so that nothing
    happens below r = 1.

    Source: Yao et al., "Learning to Segment from Noisy Annotations: A Spatial Correction Approach",
    ICLR 2023, which thresholds the distance transform of a binary mask. For several classes, what
    is a thing is decided at each boundary: the class with fewer pixels in this mask (at equal
    counts, the higher id), as in `BoundaryErosion` and `BoundaryDilation`. Formally, noisy(p) is
    the class with the fewest (growing) or the most pixels (shrinking) in the disk of radius r
    around p. Of two classes that is the paper's noise, with the smaller class as foreground.

    The dose is `high`; another dose scales `low` with it.

    Args:
        low: The least r, in pixels, at least 0.
        high: The greatest r, in pixels, from `low` to 16384; 0 changes nothing.
        classes: Ids of the classes that may grow and shrink, which count as things to all others.
            None stands for all.
        ignore_index: Void; stays as it is, and neither wins nor loses.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import DistanceMorphology, generator
        >>> noise = DistanceMorphology(low=1, high=3)
        >>> mask = np.array([[0, 0, 0, 0, 0, 7, 7, 7, 7, 255]], np.uint8)
        >>> [noise(mask, generator(0, name)).tolist()[0].count(7) for name in "abcdefgh"]
        [3, 3, 3, 3, 2, 2, 5, 5]
        >>> noise.with_dose(1.5)
        DistanceMorphology(low=0.5, high=1.5, classes=None, ignore_index=255)
    """

    DOSE = Dose("high", high=LARGEST_WIDTH)
    VOLUMES = True

    low: float = parameters.number(0)
    high: float = parameters.number(0, LARGEST_WIDTH)
    classes: tuple[int, ...] | None = parameters.classes()
    ignore_index: int = parameters.void()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low > self.high:
            raise ValueError(f"low={self.low!r} is above high={self.high!r}: swap them")

    def with_dose(self, dose: float) -> DistanceMorphology:
        """Return the same model with another `high`, and `low` in proportion."""
        high = check_number("dose", dose, 0)
        if high and not self.high:
            raise ValueError(f"{self!r} moves nothing: there is no distance to scale")
        low = min(self.low * (high / self.high), high) if self.high else 0
        return dataclasses.replace(self, low=low, high=high)

    def _corrupt(self, mask: Mask, rng: np.random.Generator, sources: Sources) -> Mask:
        radius = self.low + (self.high - self.low) * rng.random()
        move = highest_within if rng.random() < 0.5 else lowest_within
        disk = functools.partial(disk_maximum, radius=radius)
        ranks = Ranks.of(mask, self.classes, self.ignore_index)
        return ranks.filtered(mask, functools.partial(move, spread=disk), math.floor(radius))


def disk_maximum(values: RankMap, radius: float) -> RankMap:
    """Return for each pixel the greatest value at a Euclidean distance of at most `radius`.

    A disk is a pile of rows, which get wider towards its middle: the rows are filtered with ever
    longer segments, and each result, moved up and down, enters the maximum. That is exact, and
    for as many classes as there are, at a cost that grows with the radius and not with its square.

    Args:
        values: (H, W) uint8 or uint16.
        radius: In pixels, at least 0. The disk is cut off at the image's border.

    Example:
        >>> import numpy as np
        >>> disk_maximum(np.eye(5, dtype=np.uint8)[2:3] * 9, 1.5).tolist()
        [[0, 9, 9, 9, 0]]
    """
    height, width = values.shape
    square = math.floor(radius * radius)
    greatest = np.zeros_like(values)
    rows, reach = values, 0
    for up in range(min(math.floor(radius), height - 1), -1, -1):
        half = min(math.isqrt(square - up * up), width - 1)
        if half > reach:
            segment = np.ones((1, 2 * (half - reach) + 1), np.uint8)
            rows = cv2.dilate(rows, segment, dst=None if rows is values else rows)
            reach = half
        for target, source in ((greatest[up:], rows[: height - up]), (greatest, rows[up:])):
            np.maximum(target[: len(source)], source, out=target[: len(source)])
    return greatest
