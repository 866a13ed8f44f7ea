"""How far from the boundaries of the clean mask pixels lie, and which of them changed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from segnoise.noise.geometry.bit_maps import BitMap, count, dilated, packed
from segnoise.noise.mask import Mask
from segnoise.noise.models.boundary import boundary_band

MAX_DISTANCE = 16
"""Pixels; all that lie farther from a boundary are counted together."""


def count_by_distance(
    clean: Mask, valid: BitMap, wrong: BitMap
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count pixels, valid and wrong ones, by their distance to the clean mask's nearest boundary.

    Counted are those at the distances 1, ..., `MAX_DISTANCE` and, last, beyond.

    A pixel lies at distance d if another label (void is one) is d pixels away and none is nearer:
    in `boundary_band(clean, d)` but not in `boundary_band(clean, d - 1)`. Distances are Chebyshev;
    the image's border is no boundary.

    The band of width d is the band of width 1 dilated d - 1 times by a square of 3 x 3: on the way
    of d steps from a pixel to another label there is a first step between two labels.
    """
    within = np.zeros((2, MAX_DISTANCE + 2), np.int64)
    band = packed(boundary_band(clean, 1))
    for distance in range(1, MAX_DISTANCE + 1):
        within[:, distance] = count(band & valid), count(band & wrong)
        band = dilated(band)
    within[:, -1] = count(valid), count(wrong)
    by_distance = np.diff(within, axis=1)
    return by_distance[0], by_distance[1]
