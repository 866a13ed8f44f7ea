"""The random walk of a region's boundary: single pixels join the region or leave it, in steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segnoise.noise.geometry.strips import strips

Pixels = NDArray[np.intp]
Draw = Callable[[NDArray[np.signedinteger[Any]]], Pixels]

# What a pixel of the padded region is. The pad is neither inside nor outside, so that the border
# is no boundary; it counts as listed, so that it is never listed.
_INSIDE, _OUTSIDE, _LISTED = 1, 2, 4
_PAD = _LISTED
_PRUNED_AT_ONCE = 1 << 12
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


def walk(region: NDArray[np.bool_], grows: NDArray[np.bool_], draw: Draw) -> NDArray[np.bool_]:
    """Return a region after a number of steps at which boundary pixels flip at random.

    At a growing step every pixel outside that has a 4-neighbour inside is drawn for, and joins the
    region if it is hit; at a shrinking step every pixel inside that has a 4-neighbour outside is
    drawn for, and leaves it if it is hit. All pixels of a step flip at once. What lies beyond the
    array's border is neither inside nor outside. `draw` says, once a step, which of the given
    pixels are hit, as positions in ascending order. It is asked about more pixels than those above,
    in any order; hits of the others change nothing. Pixels are numbered in reading order with a
    border of one pixel around them, `(row + 1) * (w + 2) + column + 1`.
    """
    rim = _rim(region)
    (height, width), bits = region.shape, np.packbits(region, axis=1)
    del region  # so that it and the state need not fit into the memory at once
    state = np.full((height + 2, width + 2), _PAD, np.uint8)
    for strip in strips((height, width), 0):
        inside = np.unpackbits(bits[strip.rows], axis=1, count=width)
        np.subtract(_OUTSIDE, inside, out=state[1:-1, 1:-1][strip.rows])
    sides = {
        True: _Side(state, rim, _OUTSIDE, _INSIDE),
        False: _Side(state, rim, _INSIDE, _OUTSIDE),
    }
    del rim, bits
    for grow in grows.tolist():
        crossed = sides[grow].step(draw)
        sides[not grow].append(crossed)
    state &= _INSIDE
    return state[1:-1, 1:-1].view(np.bool_)


def _rim(region: NDArray[np.bool_]) -> Pixels:
    """Return the pixels of a region that have a 4-neighbour outside, and those outside that do."""
    found, width = [], region.shape[1]
    for strip in strips(region.shape, 1):
        part = region[strip.window].view(np.uint8)
        rim = cv2.dilate(part, _CROSS) != cv2.erode(part, _CROSS)
        row, column = np.divmod(np.flatnonzero(rim[strip.inner]), width)
        found.append((row + (strip.rows.start + 1)) * (width + 2) + column + 1)
    return np.concatenate(found)


class _Side:
    """The pixels on one side of the boundary, and what a step does to them.

    All pixels of the side that touch the other one are in a list, with some that touched it once.
    Hits of such leftovers are passed over, and now and then they are struck off: looking at the
    few pixels that are hit, and at their neighbours, is all that a step costs.
    """

    def __init__(self, state: NDArray[np.uint8], rim: Pixels, own: int, other: int) -> None:
        self.state, self.own, self.other = state.reshape(-1), own, other
        stride = state.shape[1]
        self.around = np.array([[-stride], [-1], [1], [stride]])
        # The list, with room behind its last pixel.
        self.pixels = np.empty(0, np.int32 if state.size < 1 << 31 else np.int64)
        self.size = self.limit = 0
        self._restart(rim[self.state[rim] == own])

    def step(self, draw: Draw) -> Pixels:
        """Move the pixels that are hit to the other side; return those to be listed there."""
        if self.size > self.limit:
            self._prune()
        hits = draw(self.pixels[: self.size])
        pixels = self.pixels[hits].astype(np.intp)
        near = pixels + self.around
        found = self.state[near]
        reach = np.bitwise_or.reduce(found, axis=0)
        touching = (reach & self.other) != 0
        hits, pixels = hits[touching], pixels[touching]
        self.state[pixels] = self.other
        fresh = near[(found == self.own) & touching]  # on this side, and not listed yet
        fresh.sort()  # equal ones lie side by side now
        first = np.ones(len(fresh), bool)
        np.not_equal(fresh[1:], fresh[:-1], out=first[1:])
        fresh = fresh[first]
        self._replace(hits, fresh)
        self.state[fresh] = self.own | _LISTED
        # Some of these have lost their last neighbour here in this very step: leftovers.
        crossed: Pixels = pixels[(reach[touching] & self.own) != 0]
        return crossed

    def append(self, pixels: Pixels) -> None:
        """List pixels of this side."""
        end = self.size + len(pixels)
        if end > len(self.pixels):
            room = np.empty(end // 4 + 64, self.pixels.dtype)
            self.pixels = np.concatenate([self.pixels[: self.size], pixels, room], dtype=room.dtype)
        self.pixels[self.size : end] = pixels
        self.size = end
        self.state[pixels] = self.own | _LISTED

    def _replace(self, hits: Pixels, fresh: Pixels) -> None:
        """Put new pixels into the places of those that were hit; close the places left over."""
        count = min(len(hits), len(fresh))
        self.pixels[hits[:count]] = fresh[:count]
        if count < len(fresh):
            self.append(fresh[count:])
            return
        left = hits[count:]
        size = self.size - len(left)
        stays = np.ones(len(left), bool)
        inner = int(left.searchsorted(size))
        stays[left[inner:] - size] = False
        self.pixels[left[:inner]] = self.pixels[size : self.size][stays]
        self.size = size

    def _prune(self) -> None:
        """Strike the leftovers off."""
        kept = []
        for start in range(0, self.size, _PRUNED_AT_ONCE):
            pixels = self.pixels[start : min(start + _PRUNED_AT_ONCE, self.size)]
            reach = np.bitwise_or.reduce(self.state[pixels + self.around], axis=0)
            touching = (reach & self.other) != 0
            self.state[pixels[~touching]] = self.own
            kept.append(pixels[touching])
        self._restart(np.concatenate(kept))

    def _restart(self, pixels: Pixels) -> None:
        """List these pixels, and none but these."""
        self.size = 0
        self.append(pixels)
        self.limit = self.size * 3 // 2 + 64


class Hits:
    """An endless row of independent draws, of which only the hits are made.

    The number of draws up to the next hit is geometric: 1 + floor(E / r), where E is exponential
    and r = -log(1 - p).
    """

    def __init__(self, probability: float, rng: np.random.Generator) -> None:
        self.rate = -np.log1p(-probability) if probability < 1 else np.inf
        self.rng = rng
        self.drawn = 0
        self.ahead = np.empty(0, np.intp)  # numbers of the next hits, counted from the first draw

    def __call__(self, pixels: NDArray[np.signedinteger[Any]]) -> Pixels:
        """Draw once for each pixel; return the positions of the hits."""
        end = self.drawn + len(pixels)
        while not self.ahead.size or self.ahead[-1] < end:
            steps = 1 + np.floor(self.rng.standard_exponential(4096) / self.rate)
            last = self.ahead[-1] if self.ahead.size else self.drawn - 1
            self.ahead = np.concatenate([self.ahead, last + np.cumsum(steps.astype(np.intp))])
        count = int(self.ahead.searchsorted(end))
        hits = self.ahead[:count] - self.drawn
        self.ahead, self.drawn = self.ahead[count:], end
        return hits
