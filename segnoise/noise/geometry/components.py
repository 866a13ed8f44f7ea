"""Objects of a label mask: connected regions of one label, all labels in one pass."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnoise.noise.mask import Mask

_BLOCK = 1 << 17  # pixels; what is looked at in one go should fit the processor's cache
_ALL, _HEAD, _TAIL = slice(None), slice(None, -1), slice(1, None)


@dataclasses.dataclass(frozen=True, eq=False)
class Components:
    """The connected regions of a mask, numbered by their first pixel in reading order.

    Attributes:
        index: (H, W) int32, of a volume (D, H, W); the number of each pixel's component, -1 at
            void.
        label: (C,) the class id of each component, in the mask's dtype.
        area: (C,) int64; pixels.
        box: (C, 4) int64; top, left, bottom, right of the bounding box, the last two exclusive; of
            a volume (C, 6), first, top, left, last, bottom, right.
    """

    index: NDArray[np.int32]
    label: Mask
    area: NDArray[np.int64]
    box: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.label)

    def window(self, component: int) -> tuple[slice, ...]:
        """Return the rows and columns of a component's bounding box, of a volume slices first."""
        sides = self.box[component].reshape(2, -1).T.tolist()
        return tuple(slice(low, high) for low, high in sides)

    def region(self, component: int) -> NDArray[np.bool_]:
        """Return where within its bounding box a component is."""
        return np.asarray(self.index[self.window(component)] == component)


def connected_components(
    mask: Mask, ignore_index: int, instances: NDArray[Any] | None = None
) -> Components:
    """Return the 8-connected regions of equal label; void belongs to none.

    With `instances`, all pixels of one class with one number above 0 are a single component,
    connected or not; pixels with number 0 are split as without it. Volumes, which have no
    instances, are 26-connected.
    """
    if mask.ndim == 3:
        return _components_of_volume(mask, ignore_index)
    runs = connected_runs(mask, ignore_index, instances)
    index = np.repeat(runs.number, runs.length).reshape(mask.shape)
    return Components(index, runs.label, runs.area, _boxes(runs, mask.shape[1]))


def _components_of_volume(mask: Mask, ignore_index: int) -> Components:
    """Join the regions of the slices where a voxel touches one of the 9 below it."""
    slices = [connected_components(plane, ignore_index) for plane in mask]
    first = np.cumsum([0, *(len(found) for found in slices)])
    one, other = [], []
    for n, (lower, upper) in enumerate(itertools.pairwise(slices)):
        for rows, columns in itertools.product(
            ((_ALL, _ALL), (_HEAD, _TAIL), (_TAIL, _HEAD)), repeat=2
        ):
            here, there = zip(rows, columns, strict=True)
            alike = mask[n][here] == mask[n + 1][there]
            alike &= lower.index[here] >= 0
            pairs = lower.index[here][alike].astype(np.int64) * (len(upper) or 1)
            touching = np.unique(pairs + upper.index[there][alike])
            one.append(touching // (len(upper) or 1) + first[n])
            other.append(touching % (len(upper) or 1) + first[n + 1])
    count = int(first[-1])
    least = _union(count, *(np.concatenate([np.zeros(0, np.intp), *x]) for x in (one, other)))
    roots, number = np.unique(least, return_inverse=True)
    index = np.empty(mask.shape, np.int32)
    for n, found in enumerate(slices):
        table = np.append(number[first[n] : first[n + 1]], -1).astype(np.int32)
        index[n] = table[found.index]  # void's -1 is the last
    label, area, box = (
        np.concatenate([getattr(found, name) for found in slices])
        for name in ("label", "area", "box")
    )
    depth = np.repeat(np.arange(len(slices)), np.diff(first))
    sides = np.column_stack([depth, box[:, :2], depth + 1, box[:, 2:]])
    joined = np.tile(np.array([mask.size] * 3 + [0] * 3, np.int64), (len(roots), 1))
    np.minimum.at(joined[:, :3], number, sides[:, :3])
    np.maximum.at(joined[:, 3:], number, sides[:, 3:])
    total = np.bincount(number, area, len(roots)).astype(np.int64)
    return Components(index, label[roots], total, joined)


@dataclasses.dataclass(frozen=True, eq=False)
class ConnectedRuns:
    """The connected regions of a mask, as intervals of the flattened mask.

    A run ends where the label changes, and with its row. In masks of things and stuff there are
    far fewer runs than pixels.

    Attributes:
        length: (R,) pixels of each run; each begins where the one before it ends.
        number: (R,) int32; the component of each run, -1 at void.
        label: (C,) the class id of each component, in the mask's dtype.
        area: (C,) int64; pixels.
    """

    length: NDArray[np.intp]
    number: NDArray[np.int32]
    label: Mask
    area: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.label)


def connected_runs(
    mask: Mask, ignore_index: int, instances: NDArray[Any] | None = None
) -> ConnectedRuns:
    """Return the regions of `connected_components`, with the same numbers, as runs."""
    maps = [mask] if instances is None else [mask, np.ascontiguousarray(instances)]
    start, one, other = _touching_runs(maps)
    label = mask.ravel()[start]
    if instances is not None:
        chained, next_chained = _runs_of_instances(label, maps[1].ravel()[start])
        one, other = np.append(one, chained), np.append(other, next_chained)
    length = np.diff(start, append=mask.size)
    least = _union(start.size, one, other)
    first = np.flatnonzero((least == np.arange(start.size)) & (label != ignore_index))
    number = np.full(start.size, -1, np.int32)
    number[first] = np.arange(first.size)
    number = number[least]
    area = np.bincount(number + 1, length, first.size + 1)[1:].astype(np.int64)
    return ConnectedRuns(length, number, label[first], area)


def _touching_runs(
    maps: Sequence[NDArray[Any]],
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return where the runs of like pixels start, and which of them touch across two rows.

    Runs are intervals of the flattened mask that end with their row. Where two of them overlap,
    one begins. Where they touch at a corner only, the lower one begins or ends there, and what
    lies straight above differs from it.
    """
    height, width = maps[0].shape
    starts, lower, upper = [], [], []
    count = shared = 0
    step = max(_BLOCK // width, 1)
    for top in range(0, height, step):
        first = max(top - 1, 0)  # a block begins with the last row of the one before
        block = [values[first : top + step] for values in maps]
        change = np.ones(block[0].shape, bool)
        np.logical_not(_alike(block, (_ALL, _TAIL), (_ALL, _HEAD)), out=change[:, 1:])
        run = np.cumsum(change, dtype=np.int32)
        run += count - shared - 1
        starts.append(np.flatnonzero(change[top - first :]) + top * width)
        count += starts[-1].size
        shared = int(np.count_nonzero(change[-1]))
        above = _alike(block, (_TAIL, _ALL), (_HEAD, _ALL))
        found = [np.flatnonzero(above & (change[1:] | change[:-1]))]
        for here, there in ((_TAIL, _HEAD), (_HEAD, _TAIL)):
            corner = np.zeros(above.shape, bool)
            corner[:, here] = _alike(block, (_TAIL, here), (_HEAD, there)) & change[1:, 1:]
            corner &= ~above
            found.append(np.flatnonzero(corner))
        for pixel, shift in zip(found, (0, -1, 1), strict=True):
            # As intp: ufunc.at is slow on any other type of index.
            lower.append(run[pixel + width].astype(np.intp))
            upper.append(run[pixel + shift].astype(np.intp))
    return np.concatenate(starts), np.concatenate(lower), np.concatenate(upper)


def _alike(
    maps: Sequence[NDArray[Any]], here: tuple[slice, slice], there: tuple[slice, slice]
) -> NDArray[np.bool_]:
    equal: NDArray[np.bool_] = maps[0][here] == maps[0][there]
    for values in maps[1:]:
        equal &= values[here] == values[there]
    return equal


def _runs_of_instances(
    label: Mask, number: NDArray[Any]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return pairs of runs that chain up all runs of one class and one instance number."""
    order = np.lexsort((number, label))
    one, other = order[:-1], order[1:]
    same = (label[one] == label[other]) & (number[one] == number[other]) & (number[one] > 0)
    return one[same], other[same]


def _union(size: int, one: NDArray[np.intp], other: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return for each of `size` nodes the least node that the edges connect it to.

    A node points to a lesser one, or to itself if it is a root. In each round the edges between
    two trees hang the one with the greater root below the other, and the trees are flattened.
    """
    parent = np.arange(size)
    while one.size:
        high = np.maximum(one, other)
        np.minimum.at(parent, high, np.minimum(one, other))
        if 4 * high.size > size:
            parent = _flattened(parent)
        else:  # few roots have moved: flatten only what lies above them
            while not np.array_equal(top := parent[parent[high]], parent[high]):
                parent[high] = top
        one, other = parent[one], parent[other]
        open_edges = np.flatnonzero(one != other)
        one, other = one[open_edges], other[open_edges]
    return _flattened(parent)


def _flattened(parent: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the root of each node."""
    while not np.array_equal(grand := parent[parent], parent):
        parent = grand
    return parent


def _boxes(runs: ConnectedRuns, width: int) -> NDArray[np.int64]:
    """Return the bounding boxes of the components: top, left, bottom, right."""
    valid = np.flatnonzero(runs.number >= 0)
    number, length = runs.number[valid].astype(np.intp), runs.length[valid]
    start = (np.cumsum(runs.length) - runs.length)[valid]
    row = start // width
    column = start - row * width
    box = np.empty((len(runs), 4), np.int64)
    # Runs come in reading order, and of several values assigned to one place the last one stays.
    box[number[::-1], 0] = row[::-1]
    box[number, 2] = row + 1
    left, right = np.full(len(runs), width), np.zeros(len(runs), np.intp)
    np.minimum.at(left, number, column)
    np.maximum.at(right, number, column + length)
    box[:, 1], box[:, 3] = left, right
    return box
