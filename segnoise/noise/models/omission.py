"""Objects that nobody outlined."""

from __future__ import annotations

import dataclasses

import numpy as np

from segnoise.noise import parameters
from segnoise.noise.base import Dose, Noise, register
from segnoise.noise.geometry.components import connected_components
from segnoise.noise.geometry.gaps import close_gaps
from segnoise.noise.geometry.regions import of_each_pixel
from segnoise.noise.mask import Mask
from segnoise.noise.sources import Sources


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
        return close_gaps(noisy, of_each_pixel(omitted, found, False), self.fill, self.ignore_index)
