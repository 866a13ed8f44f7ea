"""Cells of an image: what is nearest to what, at a cost and in a memory that stay small."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_CELLS = 1 << 17
_PIXELS_AT_ONCE = 1 << 16


class Cells:
    """An image divided into squares of c x c pixels.

    c is the least power of two that makes no more than 131072 cells: 1 for small images, 4 at
    1024 x 2048. A labelled distance transform takes twelve bytes a pixel, so that images above
    this size are looked at less closely.

    Attributes:
        side: c.
        shape: Number of cells down and across.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.height, self.width = shape
        self.side = 1
        while -(-self.height // self.side) * -(-self.width // self.side) > _CELLS:
            self.side *= 2
        self.shape = -(-self.height // self.side), -(-self.width // self.side)

    def strips(self) -> list[slice]:
        """Return the rows of strips that together cover the image, each of whole cells."""
        size = max(_PIXELS_AT_ONCE // (self.width * self.side), 1) * self.side
        return [slice(t, min(t + size, self.height)) for t in range(0, self.height, size)]

    def empty(self, dtype: Any) -> NDArray[Any]:
        """Return an array of one value a cell."""
        return np.empty(self.shape, dtype)

    def put_greatest(self, cells: NDArray[Any], rows: slice, values: NDArray[Any]) -> None:
        """Write the greatest value of each cell of a strip."""
        if self.side > 1:
            kernel = np.ones((self.side, self.side), np.uint8)
            values = cv2.dilate(values, kernel, anchor=(0, 0))[:: self.side, :: self.side]
        cells[rows.start // self.side : -(-rows.stop // self.side)] = values

    def enlarge(self, cells: NDArray[Any], rows: slice) -> NDArray[Any]:
        """Return for each pixel of some rows the value of its cell."""
        first = rows.start // self.side
        part = cells[first : -(-rows.stop // self.side)].repeat(self.side, axis=1)
        row = np.arange(rows.start, rows.stop) // self.side - first
        return np.ascontiguousarray(part[:, : self.width].take(row, axis=0))

    def spread(self, known: NDArray[np.bool_], *cells: NDArray[Any]) -> list[NDArray[Any]]:
        """Return values in which unknown cells have got the value of the nearest known one.

        Nearest in Euclidean distance, in OpenCV's 5 x 5 approximation. If none is known, nothing
        is returned.
        """
        if not known.any():
            return []
        nearest = cv2.distanceTransformWithLabels(
            (~known).view(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )[1]
        spread = []
        for values in cells:
            table = np.empty(int(nearest.max()) + 1, values.dtype)
            table[nearest[known]] = values[known]
            spread.append(table[nearest])
        return spread
