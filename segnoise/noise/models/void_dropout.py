"""Labels that are withheld."""

from __future__ import annotations

import dataclasses

import numpy as np

from segnoise.noise import parameters
from segnoise.noise.base import Dose, Noise, register
from segnoise.noise.geometry.categorical import coins
from segnoise.noise.geometry.regions import find_regions, of_each_pixel
from segnoise.noise.mask import Mask, check_storable, is_any_of
from segnoise.noise.sources import Sources


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
            found = find_regions(mask, self.regions, self.size, sources, self.ignore_index)
            lost = of_each_pixel(rng.random(len(found)) < self.rate, found, False)
        if self.classes is not None:
            lost &= is_any_of(mask, self.classes)
        # Arithmetic, modulo the dtype's range: a branch at each pixel takes twenty times as long.
        noisy: Mask = mask.dtype.type(self.ignore_index) - mask
        noisy *= lost
        noisy += mask
        return noisy
