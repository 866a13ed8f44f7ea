"""Masks whose foreground has grown, shrunk or moved until a given share of its area is wrong."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segnoise.noise import parameters
from segnoise.noise.base import Dose, Noise, register
from segnoise.noise.geometry.bit_maps import BitMap, count, packed
from segnoise.noise.geometry.class_pile import ClassPile, Region, Sheets, Window
from segnoise.noise.geometry.strips import strips
from segnoise.noise.mask import Mask
from segnoise.noise.sources import Sources

Floats = NDArray[np.floating[Any]]
Pixels = NDArray[np.intp]

KINDS = ("dilate", "erode", "affine")

_DIRECTIONS = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))
_ROOM = 32  # steps that a region may grow before more rows are looked at
_POINTS = 2048  # of a region that are looked at in the search
_TURNS = 256  # parts that the angle is divided into
_OPENCV_SIDE = (1 << 15) - 1  # where OpenCV's coordinates end


def _check_kinds(_: str, kinds: object) -> tuple[str, ...]:
    if not isinstance(kinds, Sequence) or isinstance(kinds, str) or not kinds:
        raise TypeError(f"kinds must be a list or tuple of {', '.join(KINDS)}, not {kinds!r}")
    for kind in kinds:
        if kind not in KINDS or list(kinds).count(kind) > 1:
            raise ValueError(f"kinds must be some of {', '.join(KINDS)}, once each, not {kinds!r}")
    return tuple(kinds)


@register
@dataclasses.dataclass(frozen=True)
class AreaControlled(Noise):
    """Regions of a share of the masks grow, shrink or move until a share of their area is wrong.

    A mask is corrupted with probability alpha. One kind of error is drawn for it, evenly; then
    every class is taken as a foreground of its own, of area A in the clean mask:

    - "dilate": steps of dilation with a 3 x 3 cross, until the area has changed by beta A or more;
      of the last two steps, the one with the nearer area is kept (at a tie, the later). A step
      after which nothing but the class would be left is not taken.
    - "erode": likewise with steps of erosion. A step after which nothing would be left of the class
      is not taken. The image's border does not erode.
    - "affine": a rotation about the region's centre of mass by an angle drawn from
      U(-max_angle, max_angle) degrees, then a shift by s (dx, dy), where (dx, dy) is drawn from the
      eight neighbours of (0, 0), evenly, and s is the whole number of pixels, up to the longer side
      of the region's bounding box, for which the number of pixels that are in one of the old and
      the new region but not in both is nearest to beta A, found by bisection. Where the rotation
      alone changes that much, there is no shift, and the angle is reduced by bisection instead. The
      number is counted on at most 2048 pixels of the region, spread evenly in reading order.

    What cannot be reached (as beta above 1 by erosion) is approached as far as it goes. Only valid
    pixels are counted.

    Source: the protocol of T-Loss (Gonzalez-Jimenez et al., MICCAI 2023) and of Li, Gao and He
    (Superpixel-guided iterative learning from noisy labels, MICCAI 2021) for binary masks: alpha
    .3, .5, .7 and beta .5, .7. Differences: their rotation is about the image's centre and is never
    reduced, their erosion eats from the image's border too, and they draw exactly the share alpha
    of a data set. With several classes, each is corrupted as if it were alone; then all are laid
    back, larger classes below smaller ones. What a class gave up goes to the class across the
    nearest boundary; of two classes that both drew back, the larger gets it. So each region is
    wrong by about beta A, and the mask by what of that is not covered by others.

    Args:
        alpha: Share of the masks that are corrupted, from 0 to 1.
        beta: Share of the area that changes, from 0 to 4; 0 changes nothing. Erosion stays below
            1, and "affine" below 2.
        kinds: What is drawn from; one or more of "dilate", "erode" and "affine".
        classes: Ids of the classes that are corrupted, which lie above all others. None: all but
            the one with the most pixels in this mask (at equal counts, the lowest id), which
            is taken for background.
        fill: What pixels become that a class gives up: "neighbor" (as above), "void" or a class id.
        max_angle: In degrees, from 0 to 180.
        ignore_index: Void; stays as it is. Meanwhile it counts as part of the nearest classes.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import AreaControlled, generator
        >>> mask = np.zeros((5, 12), np.uint8)
        >>> mask[1:4, 2:8] = 1
        >>> noise = AreaControlled(alpha=1.0, beta=0.7, kinds=["erode"])
        >>> noise(mask, generator(0))[2].tolist()
        [0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0]
        >>> noise = AreaControlled(alpha=0.3, beta=0.7)
        >>> [int((noise(mask, generator(0, name)) != mask).sum()) for name in "abcdefgh"]
        [0, 13, 14, 11, 0, 0, 18, 0]
    """

    DOSE = Dose("beta", high=4.0)

    alpha: float = parameters.rate()
    beta: float = parameters.number(0, DOSE.high)
    kinds: tuple[str, ...] = parameters.checked(_check_kinds, default=KINDS)
    classes: tuple[int, ...] | None = parameters.classes()
    fill: str | int = parameters.fill()
    max_angle: float = parameters.number(0, 180, default=30)
    ignore_index: int = parameters.void()

    def _corrupt(self, mask: Mask, rng: np.random.Generator, sources: Sources) -> Mask:
        if rng.random() >= self.alpha or not self.beta:
            clean: Mask = mask.copy()
            return clean
        kind = self.kinds[int(rng.random() * len(self.kinds))]
        pile = ClassPile.of(mask, self.classes, self.ignore_index)
        valid = packed_where(mask, lambda part: part != self.ignore_index)

        def change(sheets: Sheets, rank: int) -> Iterator[tuple[Window, Region]]:
            if kind != "affine":
                return Steps(sheets, rank, valid, grow=kind == "dilate").until(self.beta)
            angle = math.radians(self.max_angle * (2 * rng.random() - 1))
            direction = _DIRECTIONS[int(rng.random() * len(_DIRECTIONS))]
            return Motion(sheets, rank, valid, angle, direction).until(self.beta)

        return pile.to_mask(pile.lay_back(change, self.fill), self.fill)


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
