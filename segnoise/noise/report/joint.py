"""What coincides in two masks: their labels, pixel by pixel, and their objects."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from segnoise.noise.geometry.components import ConnectedRuns, connected_runs
from segnoise.noise.mask import Mask

_BLOCK = 1 << 17  # pixels; bounds the memory of the joint counts


def count_jointly(
    clean: Mask, noisy: Mask, num_classes: int, ignore_index: int
) -> tuple[NDArray[np.int64], dict[str, NDArray[np.int64]]]:
    """Count pairs of labels, and match objects; return what `NoiseReport` holds, by class.

    That is, the valid pixels by clean (row) and noisy label, (K, K + 1) with void last, and the
    counts of objects by name.

    Objects are 8-connected regions of one class; of the noisy mask, what is void in the clean one
    belongs to none. An object of the clean mask and one of the noisy mask match if they are of one
    class and their IoU exceeds 1/2. No object can have two matches, since each would hold more
    than half of its pixels.

    Source: the matching rule of panoptic quality, Kirillov et al., Panoptic Segmentation, CVPR
    2019, section 4.1.
    """
    is_void = clean == ignore_index
    if is_void.any():
        noisy = noisy.astype(np.result_type(clean, noisy))  # a type that holds the clean one's void
        noisy[is_void] = ignore_index
    objects, others = connected_runs(clean, ignore_index), connected_runs(noisy, ignore_index)
    # Void's number is -1, the last entry.
    label, other_label = (
        np.append(x.label, num_classes).astype(np.intp) for x in (objects, others)
    )
    pixels = np.zeros((num_classes + 1) ** 2, np.int64)
    gone = np.ones(len(objects), bool)
    overlaps = _Overlaps(objects, others)
    for one, other, length in _joint_runs(clean, noisy, objects, others):
        row, column = label[one], other_label[other]
        pair = row * (num_classes + 1) + column
        if pixels.size <= _BLOCK:
            pixels += np.bincount(pair, length, pixels.size).astype(np.int64)
        else:  # not as many counts as there may be, for each block
            pair, place = np.unique(pair, return_inverse=True)
            pixels[pair] += np.bincount(place.ravel(), length, pair.size).astype(np.int64)
        same = np.flatnonzero((row == column) & (row < num_classes))
        gone[one[same]] = False
        overlaps.add(one[same], other[same], length[same])
    matched, changed = overlaps.matches()
    gone_pixels = np.zeros(num_classes, np.int64)
    np.add.at(gone_pixels, objects.label[gone], objects.area[gone])
    of_objects = {"clean": objects.label, "noisy": others.label, "matched": matched}
    counts = {
        f"{name}_objects": np.bincount(labels, minlength=num_classes)
        for name, labels in (of_objects | {"changed": changed}).items()
    }
    return pixels.reshape(num_classes + 1, -1)[:-1], counts | {"gone_pixels": gone_pixels}


class _Overlaps:
    """Pixels that objects of one class share in two masks, added up block by block."""

    def __init__(self, clean: ConnectedRuns, noisy: ConnectedRuns) -> None:
        self._clean, self._noisy = clean, noisy
        self._pairs = [np.empty(0, np.int64)]
        self._pixels = [np.empty(0, np.int64)]

    def add(
        self, one: NDArray[np.int32], other: NDArray[np.int32], length: NDArray[np.intp]
    ) -> None:
        """Count runs of pixels: their clean objects, their noisy objects, their lengths."""
        # A match shares more than half of either object's pixels: sizes alone rule out most pairs.
        size, other_size = self._clean.area[one], self._noisy.area[other]
        near = np.flatnonzero((2 * size > other_size) & (2 * other_size > size))
        if near.size:
            pair = one[near].astype(np.int64) * len(self._noisy) + other[near]
            first = np.flatnonzero(np.diff(pair, prepend=-1))
            self._pairs.append(pair[first])
            self._pixels.append(np.add.reduceat(length[near], first))

    def matches(self) -> tuple[Mask, Mask]:
        """Return the class of each matched object, and of those that are not quite the same."""
        pair, place = np.unique(np.concatenate(self._pairs), return_inverse=True)
        shared = np.bincount(place.ravel(), np.concatenate(self._pixels), pair.size)
        one, other = np.divmod(pair, max(len(self._noisy), 1))
        union = self._clean.area[one] + self._noisy.area[other] - shared
        label, match = self._clean.label[one], 2 * shared > union
        return label[match], label[match & (shared < union)]


def _joint_runs(
    clean: Mask, noisy: Mask, objects: ConnectedRuns, others: ConnectedRuns
) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.intp]]]:
    """Yield, block by block, the runs within which neither mask changes.

    They are given by the number of the clean object, that of the noisy object, and their length.
    """
    width = clean.shape[1]
    step = max(_BLOCK // width, 1)
    before = [0, 0]
    for top in range(0, len(clean), step):
        runs = []
        changes = []
        for mask in (clean, noisy):
            change = np.ones(mask[top : top + step].shape, bool)
            np.not_equal(mask[top : top + step, 1:], mask[top : top + step, :-1], out=change[:, 1:])
            changes.append(change)
        start = np.flatnonzero(changes[0] | changes[1])
        for side, found in enumerate((objects, others)):
            run = np.cumsum(changes[side], dtype=np.int32)
            runs.append(found.number[run[start] + (before[side] - 1)])
            before[side] += int(run[-1])
        yield runs[0], runs[1], np.diff(start, append=changes[0].size)
