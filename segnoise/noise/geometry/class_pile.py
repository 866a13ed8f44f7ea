"""A mask as a pile of sheets, one a class: what lets noise for binary masks corrupt every class.

Each class is cut out as a foreground of its own, changed, and laid back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from segnoise.noise.geometry.cells import Cells
from segnoise.noise.geometry.handover import hand_over
from segnoise.noise.geometry.ranks import RankMap, Ranks
from segnoise.noise.geometry.strips import strips
from segnoise.noise.mask import Mask, check_storable

Window = tuple[slice, slice]
"""Rows and columns of a part of a mask."""

Region = NDArray[np.bool_]
"""Where in a window a class is."""


@dataclasses.dataclass(frozen=True, eq=False)
class Sheets:
    """The clean regions of all classes, as one map of ranks.

    Void is divided among the classes nearest to it (as `Cells` measures), so that a class has an
    outline only where another class is, or behind a strip of void that lies between them.

    Attributes:
        ranks: (H, W); 0 only if there is no class at all.
    """

    ranks: RankMap

    def window(self, rank: int, margin: int = 0) -> Window:
        """Return the bounding box of a class, widened by a margin as far as the mask goes."""
        height, width = self.ranks.shape
        top, bottom, left, right = height, 0, width, 0
        for strip in strips(self.ranks.shape, 0):
            found = self.ranks[strip.rows] == rank
            x, y, across, down = cv2.boundingRect(found.view(np.uint8))
            if down:
                top, bottom = min(top, strip.rows.start + y), strip.rows.start + y + down
                left, right = min(left, x), max(right, x + across)
        return (
            slice(max(top - margin, 0), min(bottom + margin, height)),
            slice(max(left - margin, 0), min(right + margin, width)),
        )

    def region(self, rank: int, window: Window) -> Region:
        """Return where in a window a class is."""
        return np.asarray(self.ranks[window] == rank)


@dataclasses.dataclass(frozen=True, eq=False)
class ClassPile:
    """The classes of a mask in the order in which they lie on one another.

    The class with the most pixels lies at the bottom, and all classes that may change above those
    that may not; see `Ranks`. Sheets are named by their rank.

    Attributes:
        mask: (H, W) contiguous label mask.
        ranks: The classes' ranks.
        lowest: The lowest rank of a class that may change.
        ignore_index: Void.
    """

    mask: Mask
    ranks: Ranks
    lowest: int
    ignore_index: int

    @classmethod
    def of(cls, mask: Mask, classes: tuple[int, ...] | None, ignore_index: int) -> ClassPile:
        """Pile up the classes of a mask; by default all may change but the one at the bottom."""
        ranks = Ranks.of(mask, classes, ignore_index)
        return cls(mask, ranks, 2 if classes is None else ranks.first_listed, ignore_index)

    @property
    def changing(self) -> range:
        """The ranks of the classes that may change, from the bottom."""
        return range(self.lowest, len(self.ranks.labels))

    def sheets(self) -> Sheets:
        """Return the clean regions."""
        cells = Cells(self.mask.shape)
        ranks = np.empty(self.mask.shape, self.ranks.encode(self.mask[:1]).dtype)
        nearest = cells.empty(ranks.dtype)
        for rows in cells.strips():
            ranks[rows] = self.ranks.encode(self.mask[rows])
            cells.put_greatest(nearest, rows, ranks[rows])
        spread = cells.spread(nearest > 0, nearest)
        for rows in cells.strips() if spread else ():
            part = ranks[rows]
            void = part == 0
            if void.any():
                part += cells.enlarge(spread[0], rows) * void
        return Sheets(ranks)

    def heir(self, fill: str | int) -> int:
        """Return the rank of the class that a fill names; 0 if it is none of the mask's."""
        known = self.ranks.labels[1:].tolist()
        return known.index(fill) + 1 if fill in known else 0

    def lay_back(
        self, change: Callable[[Sheets, int], Iterable[tuple[Window, Region]]], fill: str | int
    ) -> RankMap:
        """Return the ranks of all pixels after the classes that may change have got new regions.

        The sheets of these classes are taken off, and the new regions laid down from the bottom.
        A region covers all below it. What a class gave up, and no other claimed, goes with the fill
        "neighbor" to the class across the nearest boundary, see `hand_over`; else to the class that
        the fill names if the mask has it, and else it is left at rank 0.

        `change` returns a class's new region in parts, each with its window, given the clean
        regions and the class's rank; it is called from the lowest rank to the highest.
        """
        sheets = self.sheets()
        canvas = np.empty_like(sheets.ranks)
        for strip in strips(canvas.shape, 0):
            own = sheets.ranks[strip.rows]
            np.multiply(own, own < self.lowest, out=canvas[strip.rows])
        for rank in self.changing:
            for window, region in change(sheets, rank):
                np.copyto(canvas[window], rank, where=region)
                del region  # or its memory would not be free for the next one
        if fill == "neighbor":
            own_ranks = sheets.ranks.__getitem__
            hand_over(canvas, lambda rows: canvas[rows] == 0, own_ranks, keep_ground=True)
        elif heir := self.heir(fill):
            for strip in strips(canvas.shape, 0):
                part = canvas[strip.rows]
                np.copyto(part, heir, where=part == 0)
        return canvas

    def to_mask(self, canvas: RankMap, fill: str | int) -> Mask:
        """Return the mask that a map of ranks, overwritten, stands for, with this pile's void.

        Valid pixels at rank 0 take the fill; with "neighbor" they keep their class.
        """
        label = self.ignore_index if fill == "void" else fill
        noisy = np.empty_like(self.mask)
        for strip in strips(canvas.shape, 0):
            own, part = self.ranks.encode(self.mask[strip.rows]), canvas[strip.rows]
            free = part == 0
            part += own * free
            part *= own > 0
            noisy[strip.rows] = self.ranks.decode(part, own)
            free &= own > 0
            if not isinstance(label, str) and free.any():
                check_storable(label, noisy, "ignore_index" if fill == "void" else "fill")
                noisy[strip.rows][free] = label
        return noisy
