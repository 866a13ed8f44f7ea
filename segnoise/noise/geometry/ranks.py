"""The order of a mask's classes from stuff to things, and filters of masks by that order.

What grows and what shrinks at a boundary of two classes has to be decided by some order. Here
the class with fewer pixels in the mask is the thing, and the other the stuff around it. A filter
of the map of ranks then moves all boundaries at once and never makes up a label.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segnoise.noise.geometry.squares import comparable
from segnoise.noise.geometry.strips import strips
from segnoise.noise.mask import Mask, count_labels, planes

RankMap = NDArray[Any]
"""(H, W) uint8 or uint16 ranks; 0 is void."""

Spread = Callable[[RankMap], RankMap]
"""Returns a new map, of the greatest value in each pixel's neighbourhood."""


@dataclasses.dataclass(frozen=True, eq=False)
class Ranks:
    """The ranks of the classes of one mask.

    Rank 1 is the class with the most pixels, the last one that with the fewest; of equal counts,
    the higher id has the higher rank. Listed classes rank above all that are not listed. Rank 0 is
    void.

    Attributes:
        labels: (R + 1,) the label of each rank, in the mask's dtype.
        first_listed: The lowest rank of a listed class; 1 if all are.
    """

    labels: Mask
    first_listed: int
    _table: NDArray[Any]  # the rank of each code
    _low: int  # a label's code is its distance from this one,
    _known: Mask | None  # or, where the labels span too much for a table, its place among these

    @classmethod
    def of(cls, mask: Mask, classes: tuple[int, ...] | None, ignore_index: int) -> Ranks:
        """Rank the classes of a mask."""
        low = 0 if mask.dtype == np.uint8 else int(mask.min())
        values = comparable(mask)
        if values.dtype != np.float64:
            known = None
            code, count = count_labels(values)
            label = low + code
        else:
            label, count = count_labels(mask)
            code, known = np.arange(len(label)), label
        valid = label != ignore_index
        code, count, label = code[valid], count[valid], label[valid]
        if len(label) >= 1 << 16:
            raise ValueError(f"mask holds {len(label)} classes, but at most 65535 can be ranked")
        listed = np.ones(len(label), bool) if classes is None else np.isin(label, classes)
        order = np.lexsort((label, -count, listed))  # the last key leads
        table = np.zeros(
            1 << (16 if values.dtype == np.uint16 else 8) if known is None else len(known),
            np.uint8 if len(label) < 1 << 8 else np.uint16,
        )
        table[code[order]] = np.arange(1, len(label) + 1)
        labels = np.zeros(len(label) + 1, mask.dtype)
        labels[1:] = label[order]
        if not valid.all():
            labels[0] = ignore_index
        return cls(labels, int(np.count_nonzero(~listed)) + 1, table, low, known)

    def encode(self, mask: Mask) -> RankMap:
        """Return the ranks of the pixels of the mask, or of some of its rows."""
        if self._known is not None:
            return np.asarray(self._table[np.searchsorted(self._known, mask)])
        if mask.dtype == np.uint8:
            return _look_up(self._table, mask)
        codes = np.asarray(mask - self._low, np.uint8 if len(self._table) == 1 << 8 else np.uint16)
        return _look_up(self._table, codes)

    def decode(self, ranks: RankMap, own: RankMap) -> Mask:
        """Return the labels that changed ranks stand for.

        Where neither the old nor the new class of a pixel is listed, the pixel stays as it was.
        The changed ranks, 0 exactly where the old ones are, may be overwritten.
        """
        if self.first_listed > 1:
            kept = np.maximum(ranks, own) < self.first_listed
            np.copyto(ranks, own, where=kept)
        if ranks.dtype != np.uint8:
            return np.asarray(self.labels[ranks])
        labels = np.zeros(1 << 8, self.labels.dtype)
        labels[: len(self.labels)] = self.labels
        return _look_up(labels, ranks)

    def filtered(self, mask: Mask, rank_filter: Callable[[RankMap], RankMap], reach: int) -> Mask:
        """Return the mask after a filter of its ranks, which sees `reach` rows above and below.

        In a volume each slice is filtered by itself, by ranks of the whole.

        The filter keeps void's 0, and makes none.
        """
        noisy = np.empty_like(mask)
        for clean, changed in zip(planes(mask), planes(noisy), strict=True):
            for strip in strips(clean.shape, reach):
                own = self.encode(clean[strip.window])
                changed[strip.rows] = self.decode(rank_filter(own)[strip.inner], own[strip.inner])
        return noisy


def highest_within(ranks: RankMap, spread: Spread) -> RankMap:
    """Return the highest rank in each pixel's neighbourhood; void stays, and takes no part."""
    highest = spread(ranks)
    highest *= ranks > 0
    return highest


def lowest_within(ranks: RankMap, spread: Spread) -> RankMap:
    """Return the lowest rank in each pixel's neighbourhood; void stays, and takes no part."""
    # Unsigned negation turns the order of the ranks around, and leaves void's 0 the least.
    lowest = spread(np.negative(ranks))
    np.negative(lowest, out=lowest)
    lowest *= ranks > 0
    return lowest


def _look_up(table: NDArray[Any], index: NDArray[Any]) -> NDArray[Any]:
    if index.dtype == np.uint8 and table.dtype in (np.uint8, np.uint16, np.int32):
        return np.asarray(cv2.LUT(index, table))
    return np.asarray(table[index])
