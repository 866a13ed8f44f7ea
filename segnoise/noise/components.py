"""Objects of a label mask: connected regions of one label, all labels in one pass."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnoise.noise.mask import Mask


@dataclasses.dataclass(frozen=True, eq=False)
class Components:
    """The connected regions of a mask, numbered by their first pixel in reading order.

    Attributes:
        index: (H, W) int32; the number of each pixel's component, -1 at void.
        label: (C,) the class id of each component, in the mask's dtype.
        area: (C,) int64; pixels.
        box: (C, 4) int64; top, left, bottom, right of the bounding box, the last two exclusive.
    """

    index: NDArray[np.int32]
    label: Mask
    area: NDArray[np.int64]
    box: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.label)

    def window(self, component: int) -> tuple[slice, slice]:
        """Return the rows and columns of a component's bounding box."""
        top, left, bottom, right = self.box[component].tolist()
        return slice(top, bottom), slice(left, right)

    def region(self, component: int) -> NDArray[np.bool_]:
        """Return where within its bounding box a component is."""
        return np.asarray(self.index[self.window(component)] == component)


def connected_components(
    mask: Mask, ignore_index: int, instances: NDArray[Any] | None = None
) -> Components:
    """Return the 8-connected regions of equal label; void belongs to none.

    Args:
        mask: (H, W) contiguous label mask.
        ignore_index: Void.
        instances: (H, W) object numbers. All pixels of one class with one number above 0 are a
            single component, connected or not; pixels with number 0 are split as without it.

    Returns:
        The components.

    Example:
        >>> import numpy as np
        >>> found = connected_components(np.array([[4, 4, 7], [7, 255, 7]], np.uint8), 255)
        >>> found.index.tolist(), found.label.tolist(), found.area.tolist()
        ([[0, 0, 1], [2, -1, 1]], [4, 7, 7], [2, 2, 1])
    """
    height, width = mask.shape
    flat = mask.ravel()
    change = np.ones(flat.size, bool)
    np.not_equal(flat[1:], flat[:-1], out=change[1:])
    change[::width] = True
    if instances is not None:
        numbers = np.ascontiguousarray(instances).ravel()
        change[1:] |= numbers[1:] != numbers[:-1]
    start = np.flatnonzero(change)
    end = np.append(start[1:], flat.size)
    label = flat[start]
    one, other = _touching_runs(start, end, width)
    same = label[one] == label[other]
    if instances is not None:
        number = numbers[start]
        chained, next_chained = _runs_of_instances(label, number)
        same &= number[one] == number[other]
        one, other = np.append(one[same], chained), np.append(other[same], next_chained)
    else:
        one, other = one[same], other[same]
    parent = _union(start.size, one, other)
    parent[label == ignore_index] = -1
    roots, number = np.unique(parent, return_inverse=True)
    if roots[0] == -1:
        roots, number = roots[1:], number - 1
    length = end - start
    valid = number >= 0
    index = np.repeat(number.astype(np.int32), length).reshape(height, width)
    number, start, end, length = number[valid], start[valid], end[valid], length[valid]
    area = np.bincount(number, length, len(roots)).astype(np.int64)
    box = np.empty((len(roots), 4), np.int64)
    box[:, :2], box[:, 2:] = max(height, width), 0
    row, column = np.divmod(start, width)
    np.minimum.at(box[:, 0], number, row)
    np.minimum.at(box[:, 1], number, column)
    np.maximum.at(box[:, 2], number, row + 1)
    np.maximum.at(box[:, 3], number, column + (end - start))
    return Components(index, label[roots], area, box)


def _touching_runs(
    start: NDArray[np.intp], end: NDArray[np.intp], width: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the pairs of runs that touch across two rows, corners included.

    Runs are intervals of the flattened mask that end with their row. The runs of the row above
    that touch a run are consecutive ones.
    """
    row_start = start - start % width
    first = np.searchsorted(end, np.maximum(start - 1, row_start) - width, side="right")
    last = np.searchsorted(start, np.minimum(end + 1, row_start + width) - width, side="left")
    count = np.where(start >= width, last - first, 0)
    lower = np.repeat(np.arange(start.size), count)
    upper = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count - first, count)
    return lower, upper


def _runs_of_instances(
    label: Mask, number: NDArray[Any]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return pairs of runs that chain up all runs of one class and one instance number."""
    order = np.lexsort((number, label))
    one, other = order[:-1], order[1:]
    same = (label[one] == label[other]) & (number[one] == number[other]) & (number[one] > 0)
    return one[same], other[same]


def _union(size: int, one: NDArray[np.intp], other: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return for each of `size` nodes the least node that the edges connect it to."""
    parent = np.arange(size)
    while one.size:
        a, b = parent[one], parent[other]
        open_edges = a != b
        one, other, a, b = one[open_edges], other[open_edges], a[open_edges], b[open_edges]
        np.minimum.at(parent, np.maximum(a, b), np.minimum(a, b))
        while not np.array_equal(grand := parent[parent], parent):
            parent = grand
    return parent
