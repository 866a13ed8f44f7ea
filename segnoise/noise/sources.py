"""What a noise model may look at beside the mask itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnoise.noise.mask import MASK_DTYPES, Mask


@dataclasses.dataclass(frozen=True, eq=False)
class Sources:
    """The image of a mask, its instances, its name, and the masks it can borrow from.

    Attributes:
        image: (H, W, 3) uint8 RGB, or (H, W) grey.
        instances: (H, W) integers; pixels of one object share a number, 0 stands for no object.
        others: Masks of the same data set to borrow objects from; only those that are asked for
            are loaded. Data sets leave out the mask itself.
        sample_id: The sample's name.

    Example:
        >>> Sources(sample_id="street_1").with_names(["sample_id"])
        {'sample_id': 'street_1'}
    """

    image: NDArray[np.uint8] | None = None
    instances: NDArray[Any] | None = None
    others: Sequence[Mask] | None = None
    sample_id: str | None = None

    @classmethod
    def checked(
        cls, given: Mapping[str, Any], needed: Iterable[str], mask: Mask, noise: object
    ) -> Sources:
        """Return the sources that a model needs, or say what is wrong with them.

        Args:
            given: Sources by name; None counts as missing.
            needed: Names of those that must be there; the others are left out.
            mask: The mask that they belong to.
            noise: The model, for the errors.

        Raises:
            TypeError: If a name is unknown or a needed source is of the wrong type.
            ValueError: If a needed source is missing or does not have the mask's size.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        for name in given:
            if name not in names:
                raise TypeError(f"{name!r} is no source of noise: there are {', '.join(names)}")
        found = cls(**{name: given.get(name) for name in needed})
        for name in sorted(needed):
            if given.get(name) is None:
                raise ValueError(f"{noise!r} needs {name}: {_REMEDY[name]}")
        if found.image is not None:
            _check_map(found.image, "image", mask, (2, 3), (np.dtype(np.uint8),))
        if found.instances is not None:
            _check_map(found.instances, "instances", mask, (2,), MASK_DTYPES)
        if found.others is not None and not (
            hasattr(found.others, "__len__") and hasattr(found.others, "__getitem__")
        ):
            raise TypeError(f"others must be a sequence of masks, not {found.others!r}")
        if found.sample_id is not None and not isinstance(found.sample_id, str):
            raise TypeError(f"sample_id must be a string, not {found.sample_id!r}")
        return found

    def with_names(self, names: Iterable[str]) -> dict[str, Any]:
        """Return some of the sources by name, as `Noise.__call__` takes them."""
        return {name: getattr(self, name) for name in names}


_REMEDY = {
    "image": "call it with image=(H, W, 3) uint8, or use a data set that loads images",
    "instances": "call it with instances=(H, W) integers, or use a data set with instance maps",
    "others": "call it with others=[mask, ...], the masks that it may borrow objects from",
    "sample_id": 'call it with sample_id="...", the name of the sample',
}


def _check_map(
    array: object, name: str, mask: Mask, dimensions: Sequence[int], dtypes: Sequence[Any]
) -> None:
    if not isinstance(array, np.ndarray) or array.dtype not in dtypes:
        known = ", ".join(map(str, dtypes))
        kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise TypeError(f"{name} must be an array of {known}, not {kind}")
    if array.ndim not in dimensions or array.shape not in (mask.shape, (*mask.shape, 3)):
        raise ValueError(f"{name} has shape {array.shape}, but the mask {mask.shape}")
    if name == "instances" and array.size and array.min() < 0:
        raise ValueError(
            f"instances holds {array.min()}: objects are numbered from 1, and 0 stands for none"
        )
