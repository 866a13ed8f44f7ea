"""A region that grows or shrinks in steps until a given share of its area has changed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnoise.noise.geometry.bit_maps import BitMap, count, packed
from segnoise.noise.geometry.class_pile import Region, Sheets, Window
from segnoise.noise.geometry.strips import strips

_ROOM = 32  # steps that a region may grow before more rows are looked at


def packed_where(values: NDArray[Any], condition: Callable[[NDArray[Any]], Region]) -> BitMap:
    """Return where a condition holds in an array, with a free bit behind each row."""
    parts = strips(values.shape, 0)
    return np.concatenate([packed(condition(values[strip.rows]), free=1) for strip in parts])


def dilated(bits: BitMap, inside: BitMap) -> BitMap:
    """Return a map after a step of dilation with a 3 x 3 cross; `inside` is a row of all pixels."""
    # Rows follow one another in memory: what leaves a row at one end gets into a free bit.
    flat, row = bits.reshape(-1), bits.shape[1]
    wider = flat << np.uint64(1)
    moved = flat >> np.uint64(1)
    wider |= moved
    wider |= flat
    np.right_shift(flat, np.uint64(63), out=moved)
    wider[1:] |= moved[:-1]
    np.left_shift(flat, np.uint64(63), out=moved)
    wider[:-1] |= moved[1:]
    wider[row:] |= flat[:-row]
    wider[:-row] |= flat[row:]
    result: BitMap = wider.reshape(bits.shape) & inside
    return result


class Steps:
    """Steps of dilation of a class's region, or of what is not the region: that erodes it."""

    def __init__(self, sheets: Sheets, rank: int, valid: BitMap, *, grow: bool) -> None:
        self.grow, self.shape = grow, sheets.ranks.shape
        self.whole = packed_where(sheets.ranks, lambda part: part == rank)
        self.valid, self.inside = valid, packed(np.ones((1, self.shape[1]), bool), free=1)
        rows = np.flatnonzero(self.whole.any(axis=1))
        # What grows must be seen around the region, and have room to grow above and below.
        self._look(int(rows[0]) - _ROOM, int(rows[-1]) + 1 + _ROOM)
        self.area = count(self.valid[self.rows] & self.region)
        self.limit = count(valid) - self.area if grow else self.area

    def _look(self, top: int, bottom: int) -> None:
        """Set the rows that are looked at."""
        self.rows = slice(max(top, 0), min(bottom, self.shape[0]))
        self.region = self.whole[self.rows]
        free = ~self.region if self.grow else self.region
        self.free = free & self.valid[self.rows]  # what counts when what grows comes to it

    def until(self, beta: float) -> Iterator[tuple[Window, Region]]:
        """Yield the parts of the region after the step that changed it most nearly by beta."""
        growing = self.region if self.grow else ~self.region & self.inside
        goal, last = beta * self.area, 0
        for step in itertools.count(1) if growing.any() else ():
            wider = dilated(growing, self.inside)
            change = count(wider & self.free)
            # At the limit, the class would be alone, or gone.
            if change == self.limit or change - goal > goal - last:
                break
            growing, last = wider, change
            if change >= goal:
                break
            if self.grow and step % _ROOM == 0:
                rows = self.rows
                self._look(rows.start - _ROOM, rows.stop + _ROOM)
                sides = rows.start - self.rows.start, self.rows.stop - rows.stop
                growing = np.pad(growing, (sides, (0, 0)))
        for strip in strips((len(growing), self.shape[1]), 0):
            part = growing[strip.rows] if self.grow else ~growing[strip.rows]
            octets = np.unpackbits(
                part.view(np.uint8), axis=1, count=self.shape[1], bitorder="little"
            )
            top = self.rows.start
            rows = slice(top + strip.rows.start, top + strip.rows.stop)
            yield (rows, slice(0, self.shape[1])), octets.view(np.bool_)
