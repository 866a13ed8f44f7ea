"""Details that annotators skip: thin parts and small objects, gaps and holes."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from segnoise.noise import parameters
from segnoise.noise.base import Dose, Noise, register
from segnoise.noise.geometry.ranks import RankMap, Ranks, highest_within, lowest_within
from segnoise.noise.geometry.squares import LARGEST_WIDTH, check_width, drawn_width, square_maximum
from segnoise.noise.mask import Mask
from segnoise.noise.sources import Sources


@register
@dataclasses.dataclass(frozen=True)
class BoundaryOpening(Noise):
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

    Raises:
        TypeError: If a parameter is of the wrong type.
        ValueError: If one is out of range.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import BoundaryOpening, generator
        >>> mask = np.array([[0, 0, 7, 0, 0, 5, 5, 0, 0, 0, 3, 3, 3, 0, 0, 4, 255]], np.uint8)
        >>> BoundaryOpening(width=1)(mask, generator(0)).tolist()
        [[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 3, 3, 0, 0, 0, 255]]
    """

    DOSE = Dose("width", high=LARGEST_WIDTH)

    width: float = parameters.checked(check_width)
    classes: tuple[int, ...] | None = parameters.classes()
    ignore_index: int = parameters.void()

    def _corrupt(self, mask: Mask, rng: np.random.Generator, sources: Sources) -> Mask:
        width = drawn_width(self.width, rng)
        square = functools.partial(square_maximum, width=width)

        def opened(ranks: RankMap) -> RankMap:
            return highest_within(lowest_within(ranks, square), square)

        ranks = Ranks.of(mask, self.classes, self.ignore_index)
        return ranks.filtered(mask, opened, reach=2 * width)


@register
@dataclasses.dataclass(frozen=True)
class BoundaryClosing(Noise):
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

    Raises:
        TypeError: If a parameter is of the wrong type.
        ValueError: If one is out of range.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import BoundaryClosing, generator
        >>> mask = np.array([[0, 0, 0, 5, 5, 0, 0, 5, 5, 0, 0, 0, 0, 3, 255, 0]], np.uint8)
        >>> BoundaryClosing(width=1)(mask, generator(0)).tolist()
        [[0, 0, 0, 5, 5, 5, 5, 5, 5, 0, 0, 0, 0, 3, 255, 0]]
    """

    DOSE = Dose("width", high=LARGEST_WIDTH)

    width: float = parameters.checked(check_width)
    classes: tuple[int, ...] | None = parameters.classes()
    ignore_index: int = parameters.void()

    def _corrupt(self, mask: Mask, rng: np.random.Generator, sources: Sources) -> Mask:
        width = drawn_width(self.width, rng)
        square = functools.partial(square_maximum, width=width)

        def closed(ranks: RankMap) -> RankMap:
            return lowest_within(highest_within(ranks, square), square)

        ranks = Ranks.of(mask, self.classes, self.ignore_index)
        return ranks.filtered(mask, closed, reach=2 * width)
