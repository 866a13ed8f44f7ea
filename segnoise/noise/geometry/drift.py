"""Boundaries that drift where the image hardly shows them: where they are, and how well it does."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from segnoise.noise.geometry.gaps import close_gaps
from segnoise.noise.geometry.smooth_field import SmoothField
from segnoise.noise.geometry.strips import strips
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


class Candidates(NamedTuple):
    """Pixels whose labels may flip.

    Attributes:
        at: (C,) flat positions.
        label: (C,) the labels that they would take.
        weakness: (C,) numbers; the greater, the sooner a pixel flips.
    """

    at: NDArray[np.intp]
    label: Mask
    weakness: NDArray[Any]


def drifting_pixels(
    mask: Mask,
    image: NDArray[np.uint8],
    rng: np.random.Generator,
    count: int,
    *,
    depth: int,
    reach: float,
    length: float,
    ignore_index: int,
) -> Candidates:
    """Return the pixels that drifting boundaries may run over, as `FeatureDependent` defines it."""
    seen = _without_void(mask, ignore_index)
    field = SmoothField((mask.shape[0], mask.shape[1]), length, rng)
    at, rival, strength = _strengths(seen, np.ascontiguousarray(image), field, depth)
    found = Candidates(at[:0], rival[:0], strength[:0])
    least = np.float32(0)
    width = mask.shape[1]
    for rows, window, inner in strips(mask.shape, math.ceil(reach)):
        start, stop = np.searchsorted(at, (window.start * width, window.stop * width)).tolist()
        if start == stop:
            continue
        shape = window.stop - window.start, width
        distance, number, numbers = _nearest(at[start:stop] - window.start * width, shape, inner)
        by_number = np.zeros(numbers.size + 1, np.float32)
        by_number[numbers] = strength[start:stop]
        weakness = np.take(by_number, number, mode="wrap")
        weakness /= distance + np.float32(1)
        drifts = (weakness >= least) & (weakness > 0) & (distance <= reach - 1)
        drifts &= mask[rows] != ignore_index
        pixel = np.flatnonzero(drifts)
        by_number = np.zeros(numbers.size + 1, mask.dtype)
        by_number[numbers] = rival[start:stop]
        rivals = by_number[number.ravel()[pixel]]
        new = Candidates(pixel + rows.start * width, rivals, weakness.ravel()[pixel])
        found = Candidates(*(np.concatenate(part) for part in zip(found, new, strict=True)))
        if found.at.size > 1.25 * count:
            least = np.partition(found.weakness, -count)[-count]
            keep = found.weakness >= least
            found = Candidates(*(part[keep] for part in found))
    return found


def _strengths(
    mask: Mask, image: NDArray[np.uint8], field: SmoothField, depth: int
) -> tuple[NDArray[np.intp], Mask, NDArray[np.float32]]:
    """Return where boundary pixels are, their rivals, and how strongly these push.

    One field moves both sides of a boundary: where it is positive, the lower id loses.
    """
    parts = []
    width = mask.shape[1]
    for rows, window, _ in strips(mask.shape, depth + STRETCH // 2 + 2):
        labels = mask[window]
        boundaries = Boundaries.of(labels)
        steps = color_steps(image[window], labels, boundaries, depth)
        at = boundaries.at + window.start * width
        own = slice(*np.searchsorted(at, (rows.start * width, rows.stop * width)).tolist())
        at, label, rival = at[own], boundaries.label[own], boundaries.rival[own]
        force = field.rows(rows.start, rows.stop).ravel()[at - rows.start * width]
        np.negative(force, out=force, where=label > rival)
        parts.append((at, rival, force / (1 + steps[own])))
    at, rival, strength = (np.concatenate(part) for part in zip(*parts, strict=True))
    return at, rival, strength


def _nearest(
    at: NDArray[np.intp], shape: tuple[int, int], rows: slice
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the way from pixels to the nearest boundary pixel, which always has their label.

    That is, for the pixels of some rows, the distance (Euclidean, in OpenCV's 5 x 5 approximation)
    and the number of the boundary pixel; and the boundary pixels' numbers, from 1 to B, in an order
    that OpenCV does not document.
    """
    inner = np.ones(shape, np.uint8)
    inner.ravel()[at] = 0
    distance, number = cv2.distanceTransformWithLabels(
        inner, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    return distance[rows], number[rows], number.ravel()[at]


def _without_void(mask: Mask, ignore_index: int) -> Mask:
    """Return the mask with void replaced by about the nearest label.

    On every second row and column only, in a quarter of the time: where exactly in void two
    labels meet changes no pixel that is valid.
    """
    void = mask == ignore_index
    if not void.any():
        return mask
    coarse = mask[::2, ::2].copy()
    close_gaps(coarse, coarse == ignore_index, "neighbor", ignore_index)
    filled: Mask = mask.copy()
    height, width = mask.shape
    np.copyto(filled, coarse.repeat(2, axis=0)[:height].repeat(2, axis=1)[:, :width], where=void)
    void = filled == ignore_index
    return close_gaps(filled, void, "neighbor", ignore_index)
