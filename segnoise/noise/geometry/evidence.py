"""Where the boundaries of a mask are, and how well the image shows them."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from segnoise.noise.mask import Mask

STRETCH = 9
"""Side, in pixels, of the square over which a boundary's step of colour is averaged."""


class Boundaries(NamedTuple):
    """The boundary pixels of a mask: those with another label above, below, left or right.

    That label is the boundary pixel's rival. Where there are several, it is the last of them in
    this order.

    Attributes:
        at: (B,) flat positions, ascending.
        label: (B,) their labels.
        rival: (B,) their rivals.
        way: (B, 2) int8; the step down and to the right to the neighbour with the rival label.
    """

    at: NDArray[np.intp]
    label: Mask
    rival: Mask
    way: NDArray[np.int8]

    @classmethod
    def of(cls, mask: Mask) -> Boundaries:
        """Find the boundaries of a contiguous mask."""
        below = (mask[1:] != mask[:-1]).view(np.uint8)
        right = (mask[:, 1:] != mask[:, :-1]).view(np.uint8)
        # 1 to 4: above, below, left, right.
        side = np.zeros(mask.shape, np.uint8)
        side[1:] = below
        for part, number, differs in (
            (side[:-1], 2, below),
            (side[:, 1:], 3, right),
            (side[:, :-1], 4, right),
        ):
            np.maximum(part, differs * np.uint8(number), out=part)
        at = np.flatnonzero(side != 0)
        way = _WAYS[side.ravel()[at]]
        labels = mask.ravel()
        rival = labels[at + way[:, 0] * np.intp(mask.shape[1]) + way[:, 1]]
        return cls(at, labels[at], rival, way)


_WAYS = np.array([(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)], np.int8)


def color_steps(
    image: NDArray[np.uint8], mask: Mask, boundaries: Boundaries, depth: int
) -> NDArray[np.float32]:
    """Return how much the colour changes across each boundary pixel's stretch of the boundary.

    A boundary pixel compares the colour `depth` pixels behind it with that `depth` pixels beyond
    its neighbour across the boundary, each a mean of 3 x 3 pixels. Where there is another label at
    that depth, or no image, the boundary pixel or its neighbour itself takes its place. These
    differences, of the lower id's side minus the higher id's, are averaged over the boundary
    pixels in the square of side `STRETCH`. The step is their greatest size over the channels.
    """
    # Sums rather than means: integers are the same on every machine.
    colors = cv2.boxFilter(
        image, cv2.CV_16U, (3, 3), normalize=False, borderType=cv2.BORDER_REPLICATE
    ).reshape(mask.size, -1)
    at, label, rival, way = boundaries
    row, column = np.divmod(at.astype(np.int32), np.int32(mask.shape[1]))
    inside = _walk(mask, row, column, -depth * way.astype(np.int32), label)
    row, column = row + way[:, 0], column + way[:, 1]
    outside = _walk(mask, row, column, depth * way.astype(np.int32), rival)
    is_low = label < rival
    step = np.take(colors, np.where(is_low, inside, outside), axis=0).astype(np.int16)
    step -= np.take(colors, np.where(is_low, outside, inside), axis=0).astype(np.int16)
    total = _sums_around(step, at, mask.shape)
    largest = np.abs(total[:, 0])
    for channel in total.T[1:]:
        np.maximum(largest, np.abs(channel), out=largest)
    count = _sums_around(np.full((at.size, 1), 9, np.int16), at, mask.shape)
    return np.asarray(largest / count[:, 0], np.float32)


def _walk(
    mask: Mask,
    row: NDArray[np.int32],
    column: NDArray[np.int32],
    way: NDArray[np.int32],
    label: Mask,
) -> NDArray[np.intp]:
    """Return, as flat positions, where ways lead; the start, if to no or to another label."""
    height, width = mask.shape
    start = row.astype(np.intp) * width + column
    end_row, end_column = row + way[:, 0], column + way[:, 1]
    # Negative coordinates become large when they are read as unsigned.
    inside = (end_row.view(np.uint32) < height) & (end_column.view(np.uint32) < width)
    end = np.where(inside, end_row.astype(np.intp) * width + end_column, start)
    return np.asarray(np.where(mask.ravel()[end] == label, end, start))


def _sums_around(
    values: NDArray[np.int16], at: NDArray[np.intp], shape: tuple[int, ...]
) -> NDArray[np.int32]:
    """Return (B, channels) the sums, over the square around each pixel, of the pixels' values."""
    grid = np.zeros((shape[0] * shape[1], values.shape[1]), np.int16)
    grid[at] = values
    sums = cv2.boxFilter(
        grid.reshape(*shape, -1),
        cv2.CV_32S,
        (STRETCH, STRETCH),
        normalize=False,
        borderType=cv2.BORDER_CONSTANT,  # zeros
    )
    return np.take(sums.reshape(grid.shape), at, axis=0)
