"""Boundaries that wander to either side."""

from __future__ import annotations

import dataclasses
import functools
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from segnoise.checks import check_number
from segnoise.noise import parameters
from segnoise.noise.base import Dose, Noise, register
from segnoise.noise.geometry.ranks import Ranks, highest_within, lowest_within
from segnoise.noise.geometry.smooth_field import LARGEST_LENGTH, SmoothField
from segnoise.noise.geometry.squares import LARGEST_WIDTH
from segnoise.noise.mask import Mask, planes
from segnoise.noise.sources import Sources

_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_cross_maximum = functools.partial(cv2.dilate, kernel=_CROSS)

_STRIP_PIXELS = 1 << 17  # bounds the memory of the distances


@register
@dataclasses.dataclass(frozen=True)
class BoundaryJitter(Noise):
    """Boundaries are displaced along their normals by a smooth random field.

    The displacement is f(p) = bias + std g(p), with g Gaussian of mean 0, variance 1 and
    E[g(p) g(q)] = exp(-|p - q|^2 / length^2) (see `SmoothField`), drawn anew for each mask. Where
    f > 0 the things grow, where f < 0 they shrink: at a boundary of two classes, the thing is the
    one with fewer pixels in this mask (at equal counts, of the higher id).

    Formally, a boundary pixel is one with another class among its four neighbours, and s(p) is
    1/2 plus the distance from p to the nearest boundary pixel (Euclidean, in OpenCV's 5 x 5
    approximation): the distance to the line between the two classes. A pixel flips if
    |f(p)| >= s(p); with b the nearest boundary pixel, it becomes the most thing-like class of b
    and its four neighbours if f(p) > 0, the least if f(p) < 0, provided that this is more or less
    of a thing than its own class. A straight boundary so moves by f, rounded to whole pixels, and
    |f| < 1/2 moves nothing.

    Each pixel follows its nearest boundary only. Where three classes meet, and across objects
    thinner than the displacement, a class therefore does not spread beyond the point from where
    another boundary is nearer. The image's border is no boundary, nor is void: it neither wins nor
    loses, and a pixel whose nearest boundary pixel is of another class, which then lies beyond
    void, stays. Displaced outlines stay in one piece if std is well below the length; a length of
    a few pixels frays them.

    The dose is the root mean square displacement, sqrt(bias^2 + std^2); another dose scales both.

    Source: the definition is this library's. Random errors of boundaries hardly harm a training,
    biased ones do (arXiv 2107.02189); hence one parameter for each.

    Args:
        std: Standard deviation of the displacement, in pixels, from 0 to 16384.
        length: Distance over which the displacement stays alike, in pixels, from 0 to 16384: there
            its correlation is 1 / e.
        bias: Mean displacement, in pixels, up to 16384; positive if things are too large.
        classes: Ids of the classes that may grow and shrink, which count as things to all others;
            boundaries between two others stay. None stands for all.
        ignore_index: Void; stays as it is.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import BoundaryJitter, generator
        >>> mask = np.repeat(np.array([[0, 0, 0, 0, 7, 7, 7]], np.uint8), 8, axis=0)
        >>> noisy = BoundaryJitter(std=1.5, length=3)(mask, generator(0))
        >>> (noisy == 7).sum(axis=1).tolist()
        [5, 4, 4, 4, 4, 3, 4, 4]
        >>> BoundaryJitter(std=3, length=20, bias=-4).with_dose(10)
        BoundaryJitter(std=6.0, length=20, bias=-8.0, classes=None, ignore_index=255)
    """

    DOSE = Dose("root mean square displacement", high=LARGEST_WIDTH)
    VOLUMES = True

    std: float = parameters.number(0, LARGEST_WIDTH)
    length: float = parameters.number(0, LARGEST_LENGTH)
    bias: float = parameters.number(-LARGEST_WIDTH, LARGEST_WIDTH, default=0.0)
    classes: tuple[int, ...] | None = parameters.classes()
    ignore_index: int = parameters.void()

    @property
    def dose(self) -> float:
        """The root mean square displacement, sqrt(bias^2 + std^2)."""
        return math.hypot(self.bias, self.std)

    def with_dose(self, dose: float) -> BoundaryJitter:
        """Return the same model with `std` and `bias` scaled by one factor."""
        distance = check_number("dose", dose, 0)
        if distance and not self.dose:
            raise ValueError(f"{self!r} moves nothing: there is no displacement to scale")
        factor = distance / (self.dose or 1)
        return dataclasses.replace(self, std=factor * self.std, bias=factor * self.bias)

    def _corrupt(self, mask: Mask, rng: np.random.Generator, sources: Sources) -> Mask:
        ranks = Ranks.of(mask, self.classes, self.ignore_index)
        noisy: Mask = mask.copy()
        height, width = mask.shape[-2:]
        field = SmoothField((height, width), self.length, rng) if self.std else None
        rows = max(_STRIP_PIXELS // width, 1)
        for top in range(0, height, rows):
            bottom = min(top + rows, height)
            shift = np.full((bottom - top, width), self.bias, np.float32)
            if field is not None:
                shift += np.float32(self.std) * field.rows(top, bottom)
            for clean, changed in zip(planes(mask), planes(noisy), strict=True):
                _displace(clean, ranks, shift.copy(), top, changed[top:bottom])
        return noisy


def _displace(mask: Mask, ranks: Ranks, shift: NDArray[np.float32], top: int, noisy: Mask) -> None:
    """Displace the boundaries in some rows.

    Args:
        mask: (H, W) the clean mask.
        ranks: Its ranks.
        shift: (h, W) the displacement f in these rows; overwritten.
        top: The first of these rows.
        noisy: (h, W) these rows of the mask; changed in place.
    """
    grows = shift > 0
    distance = np.abs(shift, out=shift)
    farthest = float(distance.max())
    if farthest < 0.5:
        return
    # The window holds all boundary pixels within reach, and a row more to tell them by.
    reach = math.ceil(farthest)
    above = min(reach + 1, top)
    window = ranks.encode(mask[top - above : top + len(shift) + reach + 1])
    side = window
    if ranks.first_listed > 1:
        side = np.maximum(window, ranks.first_listed - 1) * (window > 0)
    highest = highest_within(side, _cross_maximum)
    inside = highest == lowest_within(side, _cross_maximum)
    boundary = np.flatnonzero(~inside)
    if not boundary.size:
        return
    away, number = cv2.distanceTransformWithLabels(
        inside.view(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    place = np.empty(boundary.size + 1, np.intp)
    place[number.reshape(-1)[boundary]] = boundary
    away += np.float32(0.5)
    rows = slice(above, above + len(shift))
    pixel = np.flatnonzero(away[rows] <= distance)
    nearest = place[number[rows].reshape(-1)[pixel]]
    own = side[rows].reshape(-1)[pixel]
    up = grows.reshape(-1)[pixel]
    lowest = lowest_within(window, _cross_maximum)
    new = np.where(up, highest.reshape(-1)[nearest], lowest.reshape(-1)[nearest])
    flips = (side.reshape(-1)[nearest] == own) & (new != own) & ((new > own) == up)
    flips &= np.maximum(new, own) >= ranks.first_listed
    noisy.reshape(-1)[pixel[flips]] = ranks.labels[new[flips]]
