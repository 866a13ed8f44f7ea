"""A region that is turned and shifted until a given share of it is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segnoise.noise.geometry.bit_maps import BitMap
from segnoise.noise.geometry.class_pile import Region, Sheets, Window
from segnoise.noise.geometry.strips import strips

Floats = NDArray[np.floating[Any]]
Pixels = NDArray[np.intp]

_POINTS = 2048  # of a region that are looked at in the search
_TURNS = 256  # parts that the angle is divided into
_OPENCV_SIDE = (1 << 15) - 1  # where OpenCV's coordinates end


class Motion:
    """A rotation of a class's region about its centre of mass, and a shift in a given direction."""

    def __init__(
        self,
        sheets: Sheets,
        rank: int,
        valid: BitMap,
        angle: float,
        direction: tuple[int, int],
    ) -> None:
        self.ranks, self.rank, self.valid = sheets.ranks, rank, valid
        self.window = sheets.window(rank)
        self.angle, self.direction = angle, direction
        x, y = self._points()
        # A region may be void at all of these points, but it is not void altogether.
        self.area = max(int(np.count_nonzero(self._is_valid(y, x))), 1)
        self.center = float(x.mean()), float(y.mean())
        self.offsets = x - self.center[0], y - self.center[1]

    def _points(self) -> tuple[Pixels, Pixels]:
        """Return columns and rows of some of the region's pixels, evenly in reading order."""
        part = self.ranks[self.window]
        blocks = [part[strip.rows] for strip in strips(part.shape, 0)]
        step = -(-sum(np.count_nonzero(block == self.rank) for block in blocks) // _POINTS)
        chosen, first, above = [], 0, 0
        for block in blocks:
            pixels = np.flatnonzero(block == self.rank)
            chosen.append(pixels[first::step] + above)
            first = (first - len(pixels)) % step
            above += block.size
        row, column = np.divmod(np.concatenate(chosen), part.shape[1])
        return column + self.window[1].start, row + self.window[0].start

    def until(self, beta: float) -> Iterator[tuple[Window, Region]]:
        """Yield the parts of the new region whose share of wrong pixels is nearest to beta.

        The shift is what is searched, or a part of the angle where the whole angle does too much.
        """
        if self._wrong(self.angle, 0) < beta:
            longest = max(side.stop - side.start for side in self.window)
            shift = nearest_step(lambda s: self._wrong(self.angle, s) - beta, longest)
            return self.moved(self.angle, shift)
        part = self.angle / _TURNS
        turns = nearest_step(lambda n: self._wrong(n * part, 0) - beta, _TURNS)
        return self.moved(turns * part, 0)

    def _wrong(self, angle: float, shift: int) -> float:
        """Return |old XOR new| / |old|, on the points; void is not counted."""
        x, y = self._map(angle, shift, *self.offsets)
        column, row = np.rint(x).astype(np.intp), np.rint(y).astype(np.intp)
        height, width = self.ranks.shape
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        row, column = row[inside], column[inside]
        valid = self._is_valid(row, column)
        common = np.count_nonzero(valid & (self.ranks[row, column] == self.rank))
        return float(self.area - common + np.count_nonzero(valid) - common) / self.area

    def _is_valid(self, row: Pixels, column: Pixels) -> NDArray[np.bool_]:
        words = self.valid[row, column >> 6]
        return np.asarray(words >> (column & 63).astype(np.uint64) & np.uint64(1), bool)

    def _map(self, angle: float, shift: int, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return where points come to lie, given by their offsets from the centre."""
        cosine, sine = math.cos(angle), math.sin(angle)
        right, down = self.direction
        return (
            cosine * x - sine * y + (self.center[0] + shift * right),
            sine * x + cosine * y + (self.center[1] + shift * down),
        )

    def moved(self, angle: float, shift: int) -> Iterator[tuple[Window, Region]]:
        """Yield the parts of the moved region: pixels ask the pixel nearest to where they were."""
        (top, bottom), (left, right) = ((side.start, side.stop - 1) for side in self.window)
        corners = np.array([(x, y) for x in (left, right) for y in (top, bottom)], np.float64)
        x, y = self._map(angle, shift, *(corners - self.center).T)
        rows, columns = (
            slice(
                min(max(math.floor(values.min()), 0), size),
                min(max(math.ceil(values.max()) + 1, 0), size),
            )
            for values, size in zip((y, x), self.ranks.shape, strict=True)
        )
        shape = rows.stop - rows.start, columns.stop - columns.start
        if not all(shape):
            return
        cosine, sine = math.cos(angle), math.sin(angle)
        for strip in strips(shape, 0):
            part = slice(rows.start + strip.rows.start, rows.start + strip.rows.stop)
            # The place of the part's first pixel, from the moved centre.
            x0 = columns.start - self.center[0] - shift * self.direction[0]
            y0 = part.start - self.center[1] - shift * self.direction[1]
            back = np.array(
                [
                    [cosine, sine, cosine * x0 + sine * y0 + self.center[0] - left],
                    [-sine, cosine, -sine * x0 + cosine * y0 + self.center[1] - top],
                ]
            )
            moved = _pulled(self.ranks[self.window], back, part.stop - part.start, shape[1])
            yield (part, columns), np.asarray(moved == self.rank)


def _pulled(ranks: NDArray[Any], back: Floats, height: int, width: int) -> NDArray[Any]:
    """Return an image whose pixel (x, y) is the one nearest to back (x, y, 1), or 0 if outside."""
    if max(ranks.shape) < _OPENCV_SIDE and max(height, width) < _OPENCV_SIDE:
        return cv2.warpAffine(
            ranks,
            back,
            (width, height),
            flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
            borderValue=0,
        )
    x, y = np.arange(width)[None], np.arange(height)[:, None]
    column, row = (np.rint(a * x + b * y + c).astype(np.intp) for a, b, c in back.tolist())
    inside = (row >= 0) & (row < ranks.shape[0]) & (column >= 0) & (column < ranks.shape[1])
    row, column = row.clip(0, ranks.shape[0] - 1), column.clip(0, ranks.shape[1] - 1)
    return np.where(inside, ranks[row, column], 0)


def nearest_step(excess: Callable[[int], float], most: int) -> int:
    """Return the step from 0 to `most` at which a growing quantity is nearest to its goal.

    Bisection; of all steps tried the best counts, at a tie the first, so that quantities which
    do not always grow do little harm.
    """
    tried = {0: excess(0), most: excess(most)}
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        tried[middle] = excess(middle)
        low, high = (middle, high) if tried[middle] < 0 else (low, middle)
    return min(sorted(tried), key=lambda step: abs(tried[step]))
