"""Redraw objects of a mask: smaller ones lie on larger ones, and get what larger ones leave.

A mask is seen as a pile of cut-outs, the largest at the bottom. An object that gets another shape
is cut out anew and put back into its place in the pile.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from segnoise.noise.geometry.components import Components
from segnoise.noise.geometry.gaps import close_gaps, nearest_pixels
from segnoise.noise.mask import Mask, check_storable

_BLOCK = 1 << 17  # pixels
_AROUND = ((-1, 0), (0, -1), (0, 1), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1))


class Shape(NamedTuple):
    """What becomes of an object: its new region, and the class id to write there.

    Attributes:
        top: Row of the region's first line; may be negative.
        left: Column of the region's first pixel; may be negative.
        region: (h, w) bool; what lies outside the mask is cut off.
        label: The class id.
    """

    top: int
    left: int
    region: NDArray[np.bool_]
    label: int

    def paint(self, canvas: NDArray[Any], value: int) -> None:
        """Write a value where the shape is."""
        top, left = max(self.top, 0), max(self.left, 0)
        region = self.region[top - self.top :, left - self.left :]
        region = region[: max(canvas.shape[0] - top, 0), : max(canvas.shape[1] - left, 0)]
        place = canvas[top : top + region.shape[0], left : left + region.shape[1]]
        np.copyto(place, value, where=region)


class Polygon(NamedTuple):
    """What becomes of an object, as outlines instead of a region: far cheaper to paint.

    Attributes:
        outlines: Closed lines of (n, 1, 2) int32 vertices (column, row) within the mask: OpenCV
            distorts what sticks out. A pixel belongs to the object if an odd number of them
            encloses it, or if it lies on one.
        label: The class id.
    """

    outlines: Sequence[NDArray[np.int32]]
    label: int

    def paint(self, canvas: NDArray[Any], value: int) -> None:
        """Write a value where the polygon is."""
        cv2.fillPoly(canvas, self.outlines, value)


class Scattered(NamedTuple):
    """What becomes of many small objects, pixel by pixel: no Python object for each.

    Attributes:
        number: (m,) the objects.
        label: (m,) the class id to write for each.
        owner: (n,) the object, by its number, that each new pixel belongs to; any order.
        row: (n,) where the pixels are; what lies outside the mask is cut off.
        column: (n,)
    """

    number: NDArray[np.intp]
    label: NDArray[Any]
    owner: NDArray[np.intp]
    row: NDArray[np.intp]
    column: NDArray[np.intp]

    def paint(self, framed: NDArray[Any], height: NDArray[Any]) -> None:
        """Write the objects' heights into a canvas framed by a pixel, where nothing higher is."""
        rows, columns = framed.shape
        inside = (self.row >= 0) & (self.row < rows - 2)
        inside &= (self.column >= 0) & (self.column < columns - 2)
        own = height[self.owner[inside]]
        place = (self.row[inside] + 1) * columns + (self.column[inside] + 1)
        canvas = framed.ravel()
        # Of several values assigned to one place the last one stays.
        order = np.argsort(own, kind="stable")
        order = order[own[order] > canvas[place[order]]]
        canvas[place[order]] = own[order]


def pixels_of(
    components: Components, chosen: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return the number, row and column of the pixels of some objects, in reading order."""
    table = np.append(chosen, False)  # void's number is -1
    at = np.flatnonzero(np.take(table, components.index, mode="wrap"))
    row, column = np.divmod(at, components.index.shape[1])
    return components.index.ravel()[at].astype(np.intp), row, column


def redraw(
    mask: Mask,
    components: Components,
    changing: Iterable[int],
    shape_of: Callable[[int], Shape | Polygon | None],
    fill: str | int,
    ignore_index: int,
    scattered: Scattered | None = None,
) -> Mask:
    """Return the mask with some of its objects redrawn.

    `shape_of` is asked for one new shape at a time, since together they may take many times the
    mask; None removes the object. `scattered` are more objects that change.

    1. The objects that change are taken off the pile.
    2. Their new shapes are painted from the largest object to the smallest (by area before the
       change; at equal areas the later one is on top). A shape covers larger objects and gaps; it
       does not cover smaller objects that stayed, nor void.
    3. Gaps that no shape covers take the fill.

    Half of a band that an object lost is nearest to the object itself, which would win it back if
    the nearest label closed the gap. With the fill "neighbor", such pixels are handed over in
    waves, as many as the object's gaps are deep (the greatest distance of one of them to the
    nearest object): a pixel takes the label of one of its eight neighbours that another object
    has, the four next to it first. Pixels that no wave reaches, as between two objects that both
    drew back, keep the nearest label.
    """
    noisy: Mask = mask.copy()
    numbers = np.fromiter(changing, np.intp)
    if scattered is None or not scattered.number.size:
        scattered = None
        if not numbers.size:
            return noisy
    # Heights in the pile; 0 lies below all objects, void on top of them.
    count, void = len(components), len(components) + 1
    dtype = np.uint8 if void < 1 << 8 else np.uint16 if void < 1 << 16 else np.int32
    height = np.empty(count + 1, dtype)
    height[np.argsort(-components.area, kind="stable")] = np.arange(1, count + 1)
    height[-1] = void  # void's number is -1
    numbers = numbers[np.argsort(height[numbers])]
    heights = height[numbers].tolist()
    framed = np.full((mask.shape[0] + 2, mask.shape[1] + 2), void, dtype)
    owner = framed[1:-1, 1:-1]
    owner[:] = 0
    label = np.zeros(count + 1, mask.dtype)
    label[height[:-1]] = components.label
    for number, own_height in zip(numbers.tolist(), heights, strict=True):
        shape = shape_of(number)
        if shape is not None:
            check_storable(shape.label, mask, "class id")
            label[own_height] = shape.label
            shape.paint(owner, own_height)
    if scattered is not None:
        for extreme in (scattered.label.min(), scattered.label.max()):
            check_storable(int(extreme), mask, "class id")
        label[height[scattered.number]] = scattered.label
        scattered.paint(framed, height)
        numbers = np.append(numbers, scattered.number)
    before = height.copy()
    height[numbers] = 0
    gaps = np.empty(mask.shape, bool)
    # By blocks of rows: the look-up of numbers takes eight bytes a pixel.
    rows = max(1, _BLOCK // mask.shape[1])
    for start in range(0, mask.shape[0], rows):
        block = slice(start, start + rows)
        above, below = owner[block], np.take(height, components.index[block], mode="wrap")
        np.copyto(noisy[block], np.take(label, above, mode="clip"), where=above > below)
        np.equal(above, below, out=gaps[block])
        np.maximum(above, below, out=above)
    if fill != "neighbor" or not gaps.any():
        return close_gaps(noisy, gaps, fill, ignore_index)
    gap = np.flatnonzero(gaps)
    far = np.logical_or(gaps, owner == void, out=gaps)
    if not far.all():
        heirs = _heirs(framed, far, gap, before[components.index.ravel()[gap]], void)
        noisy.ravel()[gap] = label[heirs]
    return noisy


def _heirs(
    framed: NDArray[Any],
    far: NDArray[np.bool_],
    gap: NDArray[np.intp],
    before: NDArray[Any],
    void: int,
) -> NDArray[Any]:
    """Return which objects get the gaps, as `redraw` says; objects are named by their heights.

    `framed` is the canvas in a frame of void, and is written to; `far` is where no object is, `gap`
    the pixels of the gaps, ascending, and `before` the objects that left them.
    """
    around, width = framed.ravel(), framed.shape[1]
    nearest, distance = nearest_pixels(far, gap)
    nearest, pixel = (p + 2 * (p // far.shape[1]) + width + 1 for p in (nearest, gap))
    after: NDArray[Any] = around[nearest]
    back = np.flatnonzero(after == before)
    depth = np.zeros(void, np.float32)
    np.maximum.at(depth, before.astype(np.intp), distance)
    # What is won back is nobody's, as void is, until another object reaches it.
    around[pixel] = after
    around[pixel[back]] = void
    for wave in range(math.ceil(depth.max())):
        back = back[depth[before[back]] > wave]
        here, own = pixel[back], before[back]
        taken = np.full(back.size, void, framed.dtype)
        for down, right in _AROUND:
            beside = around[here + (down * width + right)]
            taken = np.where((taken == void) & (beside != own), beside, taken)
        won = taken != void
        if not won.any():
            break
        around[here[won]] = after[back[won]] = taken[won]
        back = back[~won]
    return after
