"""The regions that a noise model treats as a whole, and values spread over their pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnoise.noise.geometry.components import Components, connected_components
from segnoise.noise.geometry.superpixels import superpixels
from segnoise.noise.mask import Mask, check_storable
from segnoise.noise.sources import Sources

_BLOCK = 1 << 17  # pixels; looking up numbers takes eight bytes for each


def find_regions(
    mask: Mask, regions: str, size: int, sources: Sources, ignore_index: int
) -> Components:
    """Return the regions of a mask, each of a single class; void belongs to none."""
    numbers = sources.instances if regions == "instances" else None
    if regions == "superpixels" and sources.image is not None:
        numbers = superpixels(sources.image, size)
    return connected_components(mask, ignore_index, numbers)


def of_each_pixel(values: NDArray[Any], regions: Components, void: int | bool) -> NDArray[Any]:
    """Return for each pixel the value of its region; that of void must fit if there is any."""
    table = np.empty(len(values) + 1, values.dtype)
    table[:-1] = values
    if regions.area.sum() < regions.index.size:
        if values.dtype != bool:
            check_storable(int(void), values, "ignore_index")
        table[-1] = void  # void's number is -1
    spread = np.empty(regions.index.shape, values.dtype)
    rows = max(1, _BLOCK // max(1, regions.index.shape[1]))
    for start in range(0, len(spread), rows):
        block = slice(start, start + rows)
        np.take(table, regions.index[block], mode="wrap", out=spread[block])
    return spread
