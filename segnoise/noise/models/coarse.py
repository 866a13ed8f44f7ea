"""Quick annotation: objects drawn as coarse polygons, boxes or convex hulls."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from segnoise.noise import parameters
from segnoise.noise.base import Dose, Noise, register
from segnoise.noise.geometry.components import Components, connected_components
from segnoise.noise.geometry.layers import Polygon, redraw
from segnoise.noise.geometry.outlines import Outline, hull, rectangle, simplified, trace
from segnoise.noise.mask import Mask
from segnoise.noise.sources import Sources


class _Replacement(Noise):
    """What these models share: each object is drawn anew, with probability `rate`."""

    # Fields of every subclass; they stand here for their types only.
    rate: float
    classes: tuple[int, ...] | None
    ignore_index: int
    # A field only of a model whose shapes may leave parts of their objects bare.
    fill: str | int = "neighbor"

    def _corrupt(self, mask: Mask, rng: np.random.Generator, sources: Sources) -> Mask:
        found = connected_components(mask, self.ignore_index, sources.instances)
        chosen = rng.random(len(found)) < self.rate
        if self.classes is not None:
            chosen &= np.isin(found.label, self.classes)
        chosen &= self._alters(found)

        def shape_of(number: int) -> Polygon:
            return Polygon(self._outlines(found, number), int(found.label[number]))

        changing = np.flatnonzero(chosen)
        return redraw(mask, found, changing, shape_of, self.fill, self.ignore_index)

    def _alters(self, objects: Components) -> NDArray[np.bool_]:
        """Return which objects could look different afterwards: not those that fill their box."""
        top, left, bottom, right = objects.box.T
        return np.asarray(objects.area < (bottom - top) * (right - left))

    @abstractmethod
    def _outlines(self, objects: Components, number: int) -> Sequence[Outline]:
        """Return the outlines that an object gets."""


@register
@dataclasses.dataclass(frozen=True)
class CoarsePolygon(_Replacement):
    """Each object is replaced by a polygon of fewer vertices: an outline of few clicks.

    An object is an 8-connected region of one class, or an instance. Its outlines, those around
    its holes too, run through the centres of its outermost pixels; each is simplified by
    Douglas-Peucker: vertices within the tolerance of the line that replaces them are left out.
    Outlines keep three vertices at least (see `outlines.simplified`), so that thin objects become
    slimmer but do not vanish. Damage grows with the tolerance on the whole, not step by step: once
    it nears an object's size, which vertices remain is a matter of chance. The object becomes the
    pixels that an odd number of its outlines encloses, and those on an outline.

    Objects are a pile with the largest at the bottom (see `layers.redraw`): a new shape covers
    larger objects, and smaller ones cover it, whether they were redrawn or not. What an object
    leaves behind takes the fill. All classes count as objects, background too: to leave it
    beneath all polygons as it was, list the others in `classes`.

    Source: weak-annotation practice; COCO-N (arXiv 2406.10891) calls it approximation noise and
    uses tolerances of 5, 10 and 15 pixels. It fills the holes of instances; here they stay, for
    in a mask of all classes a hole may hold something larger than the object.

    Args:
        tolerance: In pixels, from 0 to 4096; 0 changes nothing.
        rate: Probability of each object to be simplified.
        fill: What vacated pixels become: "neighbor" (the label of the nearest other object),
            "void", or a class id.
        classes: Ids of the classes whose objects are simplified; None stands for all.
        regions: What an object is: "components" or "instances", see `RegionSwap`.
        ignore_index: Void; stays as it is.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import CoarsePolygon, generator
        >>> mask = np.zeros((5, 9), np.uint8)
        >>> mask[1:4, 1:6] = 1
        >>> mask[1, 3] = 0  # a notch
        >>> CoarsePolygon(tolerance=1.5, classes=[1])(mask, generator(0))[1:4].tolist()
        [[0, 1, 1, 1, 1, 1, 0, 0, 0], [0, 1, 1, 1, 1, 1, 0, 0, 0], [0, 1, 1, 1, 1, 1, 0, 0, 0]]
    """

    DOSE = Dose("tolerance", high=1 << 12)

    tolerance: float = parameters.number(0, DOSE.high)
    rate: float = parameters.rate(default=1.0)
    fill: str | int = parameters.fill()
    classes: tuple[int, ...] | None = parameters.classes()
    regions: str = parameters.regions("components", "instances")
    ignore_index: int = parameters.void()

    def _alters(self, objects: Components) -> NDArray[np.bool_]:
        # Four vertices are the fewest that may become three.
        return super()._alters(objects) & (objects.area > 3) & (self.tolerance > 0)

    def _outlines(self, objects: Components, number: int) -> Sequence[Outline]:
        return [simplified(outline, self.tolerance) for outline in trace(objects, number)]


@register
@dataclasses.dataclass(frozen=True)
class BoxMask(_Replacement):
    """Each object is replaced, with probability `rate`, by its bounding box.

    An object is an 8-connected region of one class, or an instance. Its box is the smallest
    rectangle of rows and columns around it.

    Objects are a pile with the largest at the bottom (see `layers.redraw`): a box covers larger
    objects only, and smaller ones lie on it, whether they were replaced or not. So the box of a
    car hides the road around the car, and a person in front of the car stays visible; the box of
    the road hides what is larger than the road, and nothing that stands on it. The boxes of such
    stuff still mean little: to simulate box annotation, list the things in `classes`.

    Source: weak-annotation practice.

    Args:
        rate: Probability of each object to be replaced.
        classes: Ids of the classes whose objects are replaced; None stands for all.
        regions: What an object is: "components" or "instances", see `RegionSwap`.
        ignore_index: Void; stays as it is.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import BoxMask, generator
        >>> mask = np.array([[0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]], np.uint8)
        >>> BoxMask()(mask, generator(0)).tolist()
        [[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    """

    DOSE = Dose("rate", high=1.0)

    rate: float = parameters.rate(default=1.0)
    classes: tuple[int, ...] | None = parameters.classes()
    regions: str = parameters.regions("components", "instances")
    ignore_index: int = parameters.void()

    def _outlines(self, objects: Components, number: int) -> Sequence[Outline]:
        return [rectangle(objects.box[number])]


@register
@dataclasses.dataclass(frozen=True)
class HullMask(_Replacement):
    """Each object is replaced, with probability `rate`, by its convex hull.

    An object is an 8-connected region of one class, or an instance. Its hull is the smallest
    convex polygon around the centres of its pixels; the object becomes the pixels in it and those
    that its edges pass through: of two pixels to either side of an edge, the nearer one. So bays
    are filled, and the parts of an instance joined.

    Objects are a pile with the largest at the bottom (see `layers.redraw`): a hull covers larger
    objects only, and smaller ones lie on it, whether they were replaced or not. Hulls of stuff,
    such as a road, mean little: to simulate hasty outlines, list the things in `classes`.

    Source: weak-annotation practice.

    Args:
        rate: Probability of each object to be replaced.
        classes: Ids of the classes whose objects are replaced; None stands for all.
        regions: What an object is: "components" or "instances", see `RegionSwap`.
        ignore_index: Void; stays as it is.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import HullMask, generator
        >>> mask = np.array([[0, 1, 1, 1], [0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]], np.uint8)
        >>> HullMask()(mask, generator(0)).tolist()
        [[0, 1, 1, 1], [0, 1, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    """

    DOSE = Dose("rate", high=1.0)

    rate: float = parameters.rate(default=1.0)
    classes: tuple[int, ...] | None = parameters.classes()
    regions: str = parameters.regions("components", "instances")
    ignore_index: int = parameters.void()

    def _outlines(self, objects: Components, number: int) -> Sequence[Outline]:
        return [hull(trace(objects, number, holes=False))]
