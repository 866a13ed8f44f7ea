"""Masks whose foreground has grown, shrunk or moved until a given share of its area is wrong."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence

import numpy as np

from segnoise.noise import parameters
from segnoise.noise.base import Dose, Noise, register
from segnoise.noise.geometry.area_steps import Steps, packed_where
from segnoise.noise.geometry.class_pile import ClassPile, Region, Sheets, Window
from segnoise.noise.geometry.motion import Motion
from segnoise.noise.mask import Mask
from segnoise.noise.sources import Sources

KINDS = ("dilate", "erode", "affine")

_DIRECTIONS = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))


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
