"""Whole regions that are left out, withheld, or given another class."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnoise.noise import parameters
from segnoise.noise.base import Dose, Noise, register
from segnoise.noise.geometry.categorical import coins, table_of
from segnoise.noise.geometry.components import Components, connected_components
from segnoise.noise.geometry.gaps import close_gaps
from segnoise.noise.geometry.superpixels import superpixels
from segnoise.noise.geometry.transitions import Rows, matrix_rows
from segnoise.noise.mask import Mask, check_class_ids, check_storable, is_any_of
from segnoise.noise.sources import Sources

_BLOCK = 1 << 17  # pixels; looking up numbers takes eight bytes for each


@register
@dataclasses.dataclass(frozen=True)
class Omission(Noise):
    """Each object is left out with a given probability.

    Every object of the listed classes disappears with probability r, independently of all others;
    its pixels take the fill. An object is an 8-connected region of one class, or an instance.
    With `vary`, r is drawn anew for each mask from U(0, rate): some masks are nearly complete,
    others lack many objects, and on average half the rate is missing.

    Source: AIO2 (Liu et al., arXiv 2403.01641) drops buildings of binary masks, r ~ U(0, 0.6) a
    mask: `Omission(0.6, fill=0, classes=[1], vary=True)`. It is the masks' analogue of missing
    labels in multi-label classification. With several classes an object gives way to whatever is
    around it, since there need be no background class.

    Args:
        rate: r, or the greatest r with `vary`; from 0 to 1.
        fill: What the pixels of an omitted object become: "neighbor" (the nearest label that
            remains; where no label remains in the whole mask, it stays), "void", or the id of a
            class, such as 0 for background.
        classes: Ids of the classes whose objects may be missing; None stands for all. List the
            things: stuff such as road is one large object, and whoever omits it drowns the street
            in its surroundings. With all classes and fill="neighbor" the damage stops growing as
            the rate nears 1, since ever fewer labels remain to take an object's place.
        max_area: Objects of more pixels are never omitted, since it is the small ones that people
            overlook; None for no limit.
        regions: What an object is: "components" or "instances", see `RegionSwap`.
        vary: Whether each mask draws its r.
        ignore_index: Void; stays as it is.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import Omission, generator
        >>> mask = np.array([[0, 1, 1, 0, 1, 0, 2, 2, 0, 1, 255]], np.uint8)
        >>> Omission(rate=0.5, classes=[1])(mask, generator(0, "b")).tolist()
        [[0, 1, 1, 0, 0, 0, 2, 2, 0, 0, 255]]
        >>> Omission(rate=1.0, classes=[1, 2], max_area=1)(mask, generator(0)).tolist()
        [[0, 1, 1, 0, 0, 0, 2, 2, 0, 0, 255]]
    """

    DOSE = Dose("rate", high=1.0)
    VOLUMES = True

    rate: float = parameters.rate()
    fill: str | int = parameters.fill()
    classes: tuple[int, ...] | None = parameters.classes()
    max_area: int | None = parameters.integer(1, default=None)
    regions: str = parameters.regions("components", "instances")
    vary: bool = parameters.flag(default=False)
    ignore_index: int = parameters.void()

    def _corrupt(self, mask: Mask, rng: np.random.Generator, sources: Sources) -> Mask:
        found = connected_components(mask, self.ignore_index, sources.instances)
        rate = self.rate * rng.random() if self.vary else self.rate
        omitted = rng.random(len(found)) < rate
        if self.classes is not None:
            omitted &= np.isin(found.label, self.classes)
        if self.max_area is not None:
            omitted &= found.area <= self.max_area
        noisy: Mask = mask.copy()
        return close_gaps(
            noisy, _of_each_pixel(omitted, found, False), self.fill, self.ignore_index
        )


def _check_matrix(_: str, value: Any, noise: Any) -> Rows | None:
    return None if value is None else matrix_rows(value, noise.num_classes)


@register
@dataclasses.dataclass(frozen=True, repr=False)
class RegionSwap(Noise):
    """Each region takes, as a whole, another class with a given probability.

    Independently of all others, a region of class i is redrawn with probability r: it becomes
    class j with probability T[i, j], where T is uniform over the K - 1 other classes unless a
    matrix is given. So P(region becomes j | it is i) = (1 - r) [i = j] + r T[i, j]; all its pixels
    change together. With rate=1 regions follow the given matrix itself. Holes of a region are
    regions of their own.

    Source: the class noise of COCO-N and Cityscapes-N (arXiv 2406.10891) flips whole instances,
    uniformly over all K classes: r = 1 and T = (1 - q) I + q / K there, or
    rate = q (K - 1) / K here. Components and superpixels are this library's, for data without
    instance maps.

    Args:
        rate: r, from 0 to 1.
        num_classes: K, at least 2; ids 0 to K-1.
        regions: What a region is. "components": an 8-connected region of one class. "instances":
            all pixels of one class and one instance number; pixels without a number, such as
            stuff, as components. Needs the instance map. "superpixels": all pixels of one class
            in a superpixel of the image; needs the image.
        transition_matrix: T as K rows of K probabilities, or a short form as `AsymmetricFlip`
            takes it, such as {"confusions": "voc", "rate": 0.4}. Kept resolved, as a tuple of
            tuples. None for the uniform draw.
        size: Side of a superpixel, in pixels, at least 1; of no effect for other regions.
        classes: Ids of the classes whose regions may change; None stands for all.
        ignore_index: Void; stays as it is.

    Raises:
        ValueError: If T is no transition matrix of K classes; on a call, if the mask holds an id
            that is neither a class nor void.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import RegionSwap, generator
        >>> mask = np.array([[0, 0, 1, 1, 0, 0, 2, 2, 255]], np.uint8)
        >>> RegionSwap(rate=0.5, num_classes=3)(mask, generator(0, "house")).tolist()
        [[0, 0, 0, 0, 2, 2, 2, 2, 255]]
        >>> confused = RegionSwap(1.0, 3, transition_matrix={"pair": 3, "rate": 1.0})
        >>> confused(mask, generator(0, "street")).tolist()
        [[1, 1, 2, 2, 1, 1, 0, 0, 255]]
    """

    DOSE = Dose("rate", high=1.0)
    VOLUMES = True

    rate: float = parameters.rate()
    num_classes: int = parameters.integer(2)
    regions: str = parameters.regions("components", "instances", "superpixels")
    transition_matrix: tuple[tuple[float, ...], ...] | None = parameters.parameter(
        _check_matrix, default=None
    )
    size: int = parameters.integer(1, default=24)
    classes: tuple[int, ...] | None = parameters.classes()
    ignore_index: int = parameters.void()

    def __repr__(self) -> str:
        shown = {field.name: repr(getattr(self, field.name)) for field in dataclasses.fields(self)}
        if self.transition_matrix is not None:
            shown["transition_matrix"] = f"<{self.num_classes} x {self.num_classes}>"
        return f"RegionSwap({', '.join(f'{name}={text}' for name, text in shown.items())})"

    def _corrupt(self, mask: Mask, rng: np.random.Generator, sources: Sources) -> Mask:
        check_class_ids(mask, self.num_classes, self.ignore_index)
        check_storable(self.num_classes - 1, mask, "num_classes - 1")
        found = _find_regions(mask, self.regions, self.size, sources, self.ignore_index)
        # All regions draw twice, so that a higher rate only adds regions to those that change.
        chosen = rng.random(len(found)) < self.rate
        if self.transition_matrix is None:
            shift = rng.integers(1, self.num_classes, len(found))
            drawn = (found.label + shift) % self.num_classes
        else:
            rows = found.label.astype(np.min_scalar_type(self.num_classes - 1))
            drawn = table_of(self.transition_matrix).draw(rows, rng)
        if self.classes is not None:
            chosen &= np.isin(found.label, self.classes)
        label = np.where(chosen, drawn, found.label).astype(mask.dtype)
        return _of_each_pixel(label, found, self.ignore_index)


@register
@dataclasses.dataclass(frozen=True)
class VoidDropout(Noise):
    """A share of the pixels or regions becomes void: partial labels, but no wrong ones.

    Every valid pixel, or every region of one class, becomes void with probability r, independently
    of all others. The labels that remain are right.

    Source: partial annotation with an ignore label, as nnU-Net (Isensee et al., 2021) trains on;
    the random choice of what is missing is this library's.

    Args:
        rate: r, from 0 to 1.
        regions: What becomes void as a whole: "pixels" (each on its own), "components", "instances"
            or "superpixels", see `RegionSwap`.
        size: Side of a superpixel, in pixels, at least 1; of no effect for other regions.
        classes: Ids of the classes that may become void; None stands for all.
        ignore_index: Void.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import VoidDropout, generator
        >>> mask = np.array([[0, 0, 0, 1, 1, 1, 2, 2]], np.uint8)
        >>> VoidDropout(rate=0.5)(mask, generator(0, "street")).tolist()
        [[0, 0, 0, 1, 1, 255, 255, 255]]
        >>> VoidDropout(0.5, regions="components")(mask, generator(0, "street")).tolist()
        [[255, 255, 255, 1, 1, 1, 255, 255]]
    """

    DOSE = Dose("rate", high=1.0)
    VOLUMES = True

    rate: float = parameters.rate()
    regions: str = parameters.regions("pixels", "components", "instances", "superpixels")
    size: int = parameters.integer(1, default=24)
    classes: tuple[int, ...] | None = parameters.classes()
    ignore_index: int = parameters.void()

    def _corrupt(self, mask: Mask, rng: np.random.Generator, sources: Sources) -> Mask:
        check_storable(self.ignore_index, mask, "ignore_index")
        if self.regions == "pixels":
            lost = coins(mask.size, self.rate, rng).reshape(mask.shape)
        else:
            found = _find_regions(mask, self.regions, self.size, sources, self.ignore_index)
            lost = _of_each_pixel(rng.random(len(found)) < self.rate, found, False)
        if self.classes is not None:
            lost &= is_any_of(mask, self.classes)
        # Arithmetic, modulo the dtype's range: a branch at each pixel takes twenty times as long.
        noisy: Mask = mask.dtype.type(self.ignore_index) - mask
        noisy *= lost
        noisy += mask
        return noisy


def _find_regions(
    mask: Mask, regions: str, size: int, sources: Sources, ignore_index: int
) -> Components:
    """Return the regions of a mask, each of a single class; void belongs to none."""
    numbers = sources.instances if regions == "instances" else None
    if regions == "superpixels" and sources.image is not None:
        numbers = superpixels(sources.image, size)
    return connected_components(mask, ignore_index, numbers)


def _of_each_pixel(values: NDArray[Any], regions: Components, void: int | bool) -> NDArray[Any]:
    """Return for each pixel the value of its region; that of void must fit if there is any."""
    table = np.empty(len(values) + 1, values.dtype)
    table[:-1] = values
    if regions.area.sum() < regions.index.size:
        if values.dtype != bool:
            check_storable(int(void), values, "ignore_index")
        table[-1] = void  # void's number is -1
    spread = np.empty(regions.index.shape, values.dtype)
    rows = max(1, _BLOCK // max(1, regions.index[0].size))
    for start in range(0, len(spread), rows):
        block = slice(start, start + rows)
        np.take(table, regions.index[block], mode="wrap", out=spread[block])
    return spread
