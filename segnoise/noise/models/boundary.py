"""Boundaries that are off by the same width everywhere, and details that are too thin for it."""

from __future__ import annotations

import dataclasses
import functools
from abc import abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from segnoise.noise import parameters
from segnoise.noise.base import Dose, Noise, register
from segnoise.noise.geometry.ranks import (
    RankMap,
    Ranks,
    Spread,
    highest_within,
    lowest_within,
)
from segnoise.noise.geometry.squares import (
    LARGEST_WIDTH,
    check_width,
    comparable,
    drawn_width,
    square_maximum,
    square_minimum,
)
from segnoise.noise.geometry.strips import strips
from segnoise.noise.mask import Mask, check_storable, is_any_of, planes
from segnoise.noise.sources import Sources


@register
@dataclasses.dataclass(frozen=True)
class BoundaryErosion(Noise):
    """Regions lose a band of a given width along their boundaries.

    Distances are Chebyshev: a pixel's neighbourhood is the square of side 2 w + 1 around it, so
    that a slanted boundary moves by up to 1.41 w. The image's border is no boundary. Regions
    thinner than the band vanish. What the band becomes decides who loses:

    - fill="void", or a class id such as 0 for background: every region loses. A pixel is in the
      band exactly where its neighbourhood holds another label, and takes the fill; the band
      reaches w pixels to either side of a boundary. Void counts as one more label here, so that
      objects inside a void rim (as Pascal VOC draws) shrink too.
    - fill="neighbor": the smaller side loses. At a boundary of two classes, the band belongs to
      the class that has fewer pixels in this mask (at equal counts, to the higher id) and takes
      the other's label: things shrink into the stuff around them, as if outlined too tightly. If
      both sides lost, their bands would trade labels and leave a detached stripe of each class
      inside the other. Formally, noisy(p) is the class with the most pixels in the neighbourhood
      of p, p included (at equal counts the lower id): the minimum of the map of `Ranks`. Void
      neither wins nor loses: where only void is near, the label stays. `BoundaryDilation` is the
      counterpart: there things grow by the same rule.

    Source: the definition is this library's; PyMIC's noise erodes medical masks by 6 to 12 pixels.

    Args:
        width: w, in pixels, at least 0; 0 changes nothing. Between two whole numbers, each mask
            gets one of them, drawn such that the mean is w.
        fill: "neighbor", "void", or the id of a class.
        classes: Ids of the classes that may lose; pixels of all others stay as they are, and with
            "neighbor" they win against every listed class. None stands for all. For masks of
            objects on a background, listing the objects makes sure that they shrink even where
            they cover most of the image.
        ignore_index: Void; stays as it is.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import BoundaryErosion, generator
        >>> mask = np.array([[0, 0, 0, 0, 0, 7, 7, 7, 255, 255]], np.uint8)
        >>> rng = generator(0)  # not used: a whole width leaves nothing to chance
        >>> BoundaryErosion(width=1)(mask, rng).tolist()
        [[0, 0, 0, 0, 0, 0, 7, 7, 255, 255]]
        >>> BoundaryErosion(width=1, fill=0)(mask, rng).tolist()
        [[0, 0, 0, 0, 0, 0, 7, 0, 255, 255]]
        >>> BoundaryErosion(width=1, fill="void")(mask, rng).tolist()
        [[0, 0, 0, 0, 255, 255, 7, 255, 255, 255]]
    """

    DOSE = Dose("width", high=LARGEST_WIDTH)
    VOLUMES = True

    width: float = parameters.checked(check_width)
    fill: str | int = parameters.fill()
    classes: tuple[int, ...] | None = parameters.classes()
    ignore_index: int = parameters.void()

    def _corrupt(self, mask: Mask, rng: np.random.Generator, sources: Sources) -> Mask:
        width = drawn_width(self.width, rng)
        if self.fill == "neighbor":
            ranks = Ranks.of(mask, self.classes, self.ignore_index)
            square = functools.partial(square_maximum, width=width)
            shrink = functools.partial(lowest_within, spread=square)
            return ranks.filtered(mask, shrink, reach=width)
        fill = self.ignore_index if isinstance(self.fill, str) else self.fill
        check_storable(fill, mask, "ignore_index" if self.fill == "void" else "fill")
        noisy = np.empty_like(mask)
        for clean, changed in zip(planes(mask), planes(noisy), strict=True):
            for strip in strips(clean.shape, reach=width):
                own = clean[strip.rows]
                lost = boundary_band(clean[strip.window], width)[strip.inner]
                lost &= own != self.ignore_index
                if self.classes is not None:
                    lost &= is_any_of(own, self.classes)
                # own where kept, fill where lost; several times faster than np.where.
                changed[strip.rows] = own ^ ((own ^ mask.dtype.type(fill)) * lost)
        return noisy


@dataclasses.dataclass(frozen=True)
class _FilterOfRanks(Noise):
    """What these models share but the first: they filter ranks over squares of side 2 w + 1."""

    DOSE = Dose("width", high=LARGEST_WIDTH)
    VOLUMES = True
    _SQUARES: ClassVar[int] = 1  # that are applied one after the other

    width: float = parameters.checked(check_width)
    classes: tuple[int, ...] | None = parameters.classes()
    ignore_index: int = parameters.void()

    def _corrupt(self, mask: Mask, rng: np.random.Generator, sources: Sources) -> Mask:
        width = drawn_width(self.width, rng)
        square = functools.partial(square_maximum, width=width)
        ranks = Ranks.of(mask, self.classes, self.ignore_index)
        moved = functools.partial(self._moved, square=square)
        return ranks.filtered(mask, moved, reach=self._SQUARES * width)

    @abstractmethod
    def _moved(self, ranks: RankMap, square: Spread) -> RankMap:
        """Return the ranks after the filter."""


@register
@dataclasses.dataclass(frozen=True)
class BoundaryDilation(_FilterOfRanks):
    """Regions grow by a given width over their neighbours.

    At a boundary of two classes, the one that has fewer pixels in this mask (at equal counts, the
    one of the higher id) takes a band of width w from the other: things grow over the stuff around
    them, as if outlined too generously, and gaps of up to 2 w pixels between them close. Formally,
    noisy(p) is the class with the fewest pixels in the neighbourhood of p, p included: the maximum
    of the map of `Ranks` over the square of side 2 w + 1 (Chebyshev distance). The image's border
    is no boundary. Void neither wins nor loses.

    `BoundaryErosion(width)` is the counterpart: things lose the same band to the stuff. Take the
    erosion for annotators who stay inside of what they outline and miss what is thin, the dilation
    for those who draw around it, and `OneOf` both where either happens; for one and the same class
    to shrink here and grow there, take `BoundaryJitter`. `BoundaryErosion(width, fill="void")` is
    something else: both sides of a boundary are left unlabelled.

    Source: the definition is this library's; for a single class on a background it is binary
    dilation, as in PyMIC's noise and many others.

    Args:
        width: w, in pixels, at least 0; 0 changes nothing. Between two whole numbers, each mask
            gets one of them, drawn such that the mean is w.
        classes: Ids of the classes that may grow; they win against all others, which keep to
            themselves. None stands for all.
        ignore_index: Void; stays as it is.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import BoundaryDilation, generator
        >>> mask = np.array([[0, 0, 0, 0, 7, 255, 255, 0, 0, 3, 3]], np.uint8)
        >>> rng = generator(0)  # not used: a whole width leaves nothing to chance
        >>> BoundaryDilation(width=1)(mask, rng).tolist()
        [[0, 0, 0, 7, 7, 255, 255, 0, 3, 3, 3]]
        >>> BoundaryDilation(width=1, classes=[3])(mask, rng).tolist()
        [[0, 0, 0, 0, 7, 255, 255, 0, 3, 3, 3]]
    """

    def _moved(self, ranks: RankMap, square: Spread) -> RankMap:
        return highest_within(ranks, square)


@register
@dataclasses.dataclass(frozen=True)
class BoundaryOpening(_FilterOfRanks):
    """Regions lose what is thin: narrow parts, corners and small objects.

    The map of `Ranks` is opened with the square of side 2 w + 1: `BoundaryErosion` and then
    `BoundaryDilation`, both by the ranks of the clean mask. What is left of the things (at a
    boundary, the class with fewer pixels in this mask) is every part of them that such a square
    fits into, and the rest takes the label of the stuff around it. Wide objects keep their outline
    but for the corners, so the mask looks tidy: an annotator with a broad brush.

    Formally, with r the map of ranks and N(p) the square around p without its void pixels,
    noisy(p) = max over q in N(p) of min over s in N(q) of r(s). Void and the image's border
    neither win nor lose: a thin part along them counts as if it went on beyond.

    Source: the definition is this library's; for a single class on a background it is binary
    morphological opening.

    Args:
        width: w, in pixels, at least 0; 0 changes nothing. What is up to 2 w pixels thin is lost.
            Between two whole numbers, each mask gets one of them, drawn such that the mean is w.
        classes: Ids of the classes that may lose; pixels of all others stay as they are. None
            stands for all.
        ignore_index: Void; stays as it is.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import BoundaryOpening, generator
        >>> mask = np.array([[0, 0, 7, 0, 0, 5, 5, 0, 0, 0, 3, 3, 3, 0, 0, 4, 255]], np.uint8)
        >>> BoundaryOpening(width=1)(mask, generator(0)).tolist()
        [[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 3, 3, 0, 0, 0, 255]]
    """

    _SQUARES = 2

    def _moved(self, ranks: RankMap, square: Spread) -> RankMap:
        return highest_within(lowest_within(ranks, square), square)


@register
@dataclasses.dataclass(frozen=True)
class BoundaryClosing(_FilterOfRanks):
    """Things close their gaps: near objects merge, holes and bays fill up.

    The map of `Ranks` is closed with the square of side 2 w + 1: `BoundaryDilation` and then
    `BoundaryErosion`, both by the ranks of the clean mask. The stuff that remains between things
    (at a boundary, the class with fewer pixels in this mask) is what such a square fits into; the
    rest goes to the things. Free outlines stay where they were: an annotator who does not bother
    to cut out what shows through.

    Formally, with r the map of ranks and N(p) the square around p without its void pixels,
    noisy(p) = min over q in N(p) of max over s in N(q) of r(s). Void and the image's border
    neither win nor lose.

    Source: the definition is this library's; for a single class on a background it is binary
    morphological closing.

    Args:
        width: w, in pixels, at least 0; 0 changes nothing. Gaps of up to 2 w pixels close. Between
            two whole numbers, each mask gets one of them, drawn such that the mean is w.
        classes: Ids of the classes that may grow; pixels that would go to another stay as they
            are. None stands for all.
        ignore_index: Void; stays as it is.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import BoundaryClosing, generator
        >>> mask = np.array([[0, 0, 0, 5, 5, 0, 0, 5, 5, 0, 0, 0, 0, 3, 255, 0]], np.uint8)
        >>> BoundaryClosing(width=1)(mask, generator(0)).tolist()
        [[0, 0, 0, 5, 5, 5, 5, 5, 5, 0, 0, 0, 0, 3, 255, 0]]
    """

    _SQUARES = 2

    def _moved(self, ranks: RankMap, square: Spread) -> RankMap:
        return lowest_within(highest_within(ranks, square), square)


def boundary_band(mask: Mask, width: int) -> NDArray[np.bool_]:
    """Return where a mask's neighbourhoods hold more than one label.

    A pixel is interior exactly where the least label of the square of side 2 w + 1 around it
    equals the greatest: one grayscale erosion and one dilation of the label map do for all
    classes at once. Every value is a label here, void too; the image's border is no boundary.
    """
    labels = comparable(mask)
    band: NDArray[np.bool_] = square_minimum(labels, width) != square_maximum(labels, width)
    return band
