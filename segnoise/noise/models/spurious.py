"""Objects that are not there."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from segnoise.noise import parameters
from segnoise.noise.base import Dose, Noise, register
from segnoise.noise.geometry.components import Components, connected_components
from segnoise.noise.mask import Mask, check_mask, check_storable
from segnoise.noise.sources import Sources

_MOST = 1000.0


@register
@dataclasses.dataclass(frozen=True)
class SpuriousObjects(Noise):
    """Objects of other masks are pasted in at random places.

    First, `donors` masks are drawn uniformly from the others, with replacement. Then n objects,
    n ~ Poisson(count), are drawn uniformly from all objects of the listed classes in the donors,
    and pasted in turn. An object is an 8-connected region of one class, without what lies in its
    holes. It keeps its size and class; its bounding box lies uniformly within the mask, or where
    it is larger, covers the mask and is cropped. It covers what was there, objects pasted before
    it too, but not void. Where the donors have no such object, nothing is pasted: let rare classes
    have more donors.

    The result also depends on the masks that there are to borrow from: another selection of the
    data set gives other noise. Each mask costs the reading of `donors` others.

    Source: AIO2 (Liu et al., arXiv 2403.01641) inserts buildings of other masks into binary ones.
    With several classes the pasted object brings its own.

    Args:
        count: Expected number of pasted objects per mask, from 0 to 1000.
        classes: Ids of the classes whose objects are borrowed; None stands for all. List the
            things: stuff such as road is one large object that covers most of the mask.
        donors: Number of masks to borrow from, at least 1.
        ignore_index: Void; stays as it is, and is not borrowed.

    Raises:
        ValueError: On a call, if there is no mask to borrow from.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import SpuriousObjects, generator
        >>> mask = np.zeros((2, 9), np.uint8)
        >>> other = np.array([[0, 0, 7, 7], [0, 0, 7, 0]], np.uint8)
        >>> noise = SpuriousObjects(count=2, classes=[7])
        >>> noise(mask, generator(0, "street"), others=[other]).tolist()
        [[0, 7, 7, 0, 0, 7, 7, 7, 0], [0, 7, 0, 0, 0, 7, 7, 0, 0]]
    """

    DOSE = Dose("count", high=_MOST)
    VOLUMES = True

    count: float = parameters.number(0, _MOST)
    classes: tuple[int, ...] | None = parameters.classes()
    donors: int = parameters.integer(1, default=1)
    ignore_index: int = parameters.void()

    @property
    def needs(self) -> frozenset[str]:
        """The other masks."""
        return frozenset({"others"})

    def _corrupt(self, mask: Mask, rng: np.random.Generator, sources: Sources) -> Mask:
        others = sources.others
        if not others:
            raise ValueError(
                f"{self!r} has no mask to borrow from beside this one: others is empty"
            )
        chosen = rng.integers(len(others), size=self.donors).tolist()
        noisy: Mask = mask.copy()
        # The points of a Poisson process before `count`: a higher count only adds objects.
        time = rng.standard_exponential()
        if time >= self.count:
            return noisy  # before the donors are read
        objects = [item for index in chosen for item in self._objects(others[index], mask.ndim)]
        while time < self.count and objects:
            donor, number = objects[int(rng.integers(len(objects)))]
            self._paste(noisy, donor, number, rng)
            time += rng.standard_exponential()
        return noisy

    def _objects(self, donor: Mask, dims: int) -> Iterator[tuple[Components, int]]:
        """Yield the objects of a mask that may be borrowed: the mask's objects, and a number."""
        checked = check_mask(donor, "a mask of others", volume=dims == 3)
        if not checked.size:
            return
        found = connected_components(checked, self.ignore_index)
        for number, label in enumerate(found.label.tolist()):
            if self.classes is None or label in self.classes:
                yield found, number

    def _paste(self, mask: Mask, donor: Components, number: int, rng: np.random.Generator) -> None:
        """Write an object of a donor to a random place in a mask."""
        label, region = int(donor.label[number]), donor.region(number)
        check_storable(label, mask, "class id")
        # Along each axis, either the object lies within the mask or the mask within the object.
        seen, where = zip(
            *(_overlap(own, size, rng) for own, size in zip(region.shape, mask.shape, strict=True)),
            strict=True,
        )
        place = mask[where]
        place[region[seen] & (place != self.ignore_index)] = label


def _overlap(own: int, size: int, rng: np.random.Generator) -> tuple[slice, slice]:
    """Draw where on an axis an object lies; return which part of it is seen, and where."""
    start = int(rng.integers(min(0, size - own), max(0, size - own), endpoint=True))
    return slice(max(-start, 0), size - start), slice(max(start, 0), start + own)
