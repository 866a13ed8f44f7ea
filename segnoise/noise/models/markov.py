"""Boundaries that wander: the Markov model of annotation noise."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segnoise.noise import parameters
from segnoise.noise.base import Dose, Noise, register
from segnoise.noise.geometry.boundary_walk import Hits, walk
from segnoise.noise.geometry.categorical import coins
from segnoise.noise.geometry.class_pile import ClassPile, Region, Sheets, Window
from segnoise.noise.geometry.handover import hand_over
from segnoise.noise.geometry.ranks import RankMap
from segnoise.noise.geometry.strips import strips
from segnoise.noise.mask import Mask, count_labels
from segnoise.noise.sources import Sources

_WEIGHTS = (39, 57, 64, 57, 39)  # 256ths
_MANY = 24  # classes, for which counting each one's votes takes longer than all at once


@register
@dataclasses.dataclass(frozen=True)
class MarkovBoundary(Noise):
    """The boundary of every class takes a random walk; then pixels flip, and a blur smooths it all.

    1. The walk, of each class on its own: T steps, each of which expands the region with
       probability t1 and shrinks it otherwise. At an expanding step each pixel outside that has a
       4-neighbour inside joins with probability t2; at a shrinking step each pixel inside that has
       a 4-neighbour outside leaves with probability t2. The pixels of a step flip at once and
       independently; the image's border is no boundary.
    2. Every pixel is flipped with probability t3, independently.
    3. With `blur`, the 5 x 5 pixels around each pixel vote, weighted by a Gaussian of standard
       deviation 2 (39, 57, 64, 57, 39 along rows and columns): a pixel keeps its class if that
       has half of the votes. A pixel that was flipped votes for the other side.

    The boundary's mean offset grows about in proportion to T (2 t1 - 1) t2, its roughness with T.

    Source: Yao et al., Learning to Segment from Noisy Annotations: A Spatial Correction Approach,
    ICLR 2023, for binary masks; which pixels are the boundary is taken from the authors' code. With
    several classes, each walks from its clean region, as if it were alone; then all are laid back,
    larger classes below smaller ones. What a class gave up goes to the class across the nearest
    boundary; of two classes that both drew back, the larger gets it. Steps 2 and 3 are done
    once, on all classes together: a flipped pixel votes against its own class, and a pixel that
    loses the vote goes to the class across the nearest boundary. Of two classes that is the paper's
    noise. A pixel may thus only become what it is next to, far from any boundary too, and the
    chance of it does not grow with the number of classes.

    Args:
        steps: T, at least 0; 0 changes nothing, by definition also where t3 is above 0.
        expand: t1, from 0 to 1. Above 1/2 regions tend to grow, below it to shrink.
        boundary_flip: t2, from 0 to 1.
        pixel_flip: t3, from 0 to 1.
        blur: Whether step 3 is taken. Without it, flipped pixels are left as a grain.
        classes: Ids of the classes that walk, which lie above all others. None: all but the one
            with the most pixels in this mask (at equal counts, the lowest id), which is taken for
            background. Between classes that are not listed nothing changes.
        fill: What pixels become that a listed class gives up: "neighbor" (as above), "void" or a
            class id.
        ignore_index: Void; stays as it is. Meanwhile it counts as part of the nearest classes.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import MarkovBoundary, generator
        >>> mask = np.zeros((9, 40), np.uint8)
        >>> mask[:, 10:30] = 1
        >>> grown = MarkovBoundary(steps=50, expand=0.8, boundary_flip=0.1)
        >>> [int(grown(mask, generator(0, name))[4].sum()) for name in "abc"]
        [30, 32, 32]
        >>> shrunk = MarkovBoundary(steps=50, expand=0.2, boundary_flip=0.1)
        >>> [int(shrunk(mask, generator(0, name))[4].sum()) for name in "abc"]
        [10, 8, 9]
    """

    DOSE = Dose("steps", high=1 << 12, integer=True)

    steps: int = parameters.integer(0, 1 << 12)
    expand: float = parameters.rate()
    boundary_flip: float = parameters.rate()
    pixel_flip: float = parameters.rate(default=0.0)
    blur: bool = parameters.flag(default=True)
    classes: tuple[int, ...] | None = parameters.classes()
    fill: str | int = parameters.fill()
    ignore_index: int = parameters.void()

    def _corrupt(self, mask: Mask, rng: np.random.Generator, sources: Sources) -> Mask:
        if not self.steps:
            clean: Mask = mask.copy()
            return clean
        pile = ClassPile.of(mask, self.classes, self.ignore_index)
        ranks = pile.lay_back(functools.partial(self._walked, rng=rng), self.fill)
        if self.pixel_flip or self.blur:
            lost = np.zeros(ranks.shape, bool)
            for strip in strips(ranks.shape, 0) if self.pixel_flip else ():
                part = lost[strip.rows]
                part[:] = coins(part.size, self.pixel_flip, rng).reshape(part.shape)
            lost = _outvoted(ranks, lost, pile.lowest) if self.blur else lost
            if self.fill != "neighbor":
                given_up = lost & (ranks >= pile.lowest)
                ranks[given_up] = pile.heir(self.fill)
                lost &= ~given_up
            hand_over(ranks, lost.__getitem__, ranks.__getitem__, keep_ground=False)
        return pile.to_mask(ranks, self.fill)

    def _walked(
        self, sheets: Sheets, rank: int, rng: np.random.Generator
    ) -> Iterator[tuple[Window, Region]]:
        grows = rng.random(self.steps) < self.expand
        # A region gets no further than a pixel in a step, and must see what is outside it.
        window = sheets.window(rank, int(np.count_nonzero(grows)) + 1)
        if not self.boundary_flip:
            yield window, sheets.region(rank, window)
        else:
            yield window, walk(sheets.region(rank, window), grows, Hits(self.boundary_flip, rng))


def _outvoted(ranks: RankMap, flipped: Region, lowest: int) -> Region:
    """Return which pixels' classes have less than half of the votes around them.

    Args:
        ranks: (H, W).
        flipped: (H, W) bool; whose votes count for the other side.
        lowest: The lowest rank that stays at a tie.
    """
    outvoted = np.empty(ranks.shape, bool)
    for strip in strips(ranks.shape, 2):
        part, flips = ranks[strip.window], flipped[strip.window]
        present = count_labels(part)[0].tolist()
        if len(present) > _MANY:
            outvoted[strip.rows] = _outvoted_at_once(part, flips, lowest)[strip.inner]
            continue
        lost = np.zeros(part.shape, bool)
        for rank in present:
            own, stays = part == rank, rank >= lowest
            votes = (own if stays else ~own) ^ flips
            wins = _weighted(votes.view(np.uint8) * np.uint8(255)) >= 128
            lost |= own & (wins != stays)
        outvoted[strip.rows] = lost[strip.inner]
    return outvoted


def _outvoted_at_once(ranks: RankMap, flipped: Region, lowest: int) -> Region:
    """Return what `_outvoted` does, with the same bits, in a time that no class adds to.

    OpenCV's weights for bytes are whole numbers of 256ths, and its sums of them are exact.
    """
    height, width = ranks.shape
    around, flips = (np.pad(part, 2, mode="reflect") for part in (ranks, flipped))
    votes = np.zeros(ranks.shape, np.int32)
    for (down, one), (right, other) in itertools.product(enumerate(_WEIGHTS), repeat=2):
        place = slice(down, down + height), slice(right, right + width)
        votes += ((around[place] == ranks) ^ flips[place]) * np.int32(one * other)
    stays = ranks >= lowest
    votes = np.where(stays, votes, (1 << 16) - votes)
    wins = (votes * 255 + (1 << 15)) >> 16 >= 128
    return np.asarray(wins != stays)


def _weighted(votes: NDArray[Any]) -> NDArray[Any]:
    """Return the mean of the 5 x 5 pixels around each, weighted as in `MarkovBoundary`."""
    return np.asarray(cv2.GaussianBlur(votes, (5, 5), 2, sigmaY=2))
