"""Whole regions that are given another class."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from segnoise.noise import parameters
from segnoise.noise.base import Dose, Noise, register
from segnoise.noise.geometry.categorical import table_of
from segnoise.noise.geometry.regions import find_regions, of_each_pixel
from segnoise.noise.geometry.transitions import Rows, matrix_rows
from segnoise.noise.mask import Mask, check_class_ids, check_storable
from segnoise.noise.sources import Sources


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
        found = find_regions(mask, self.regions, self.size, sources, self.ignore_index)
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
        return of_each_pixel(label, found, self.ignore_index)
