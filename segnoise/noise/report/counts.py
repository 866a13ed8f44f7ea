"""Counts that add up over images and processes: the base of reports."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

import numpy as np

from segnoise.checks import check_integer

C = TypeVar("C", bound="Counts")


@dataclasses.dataclass(frozen=True, eq=False)
class Counts:
    """A frozen dataclass of integer arrays and integers that adds with `+` and `sum`.

    Sums are exact and do not depend on the order. Arrays are copied, as int64, and read-only.

    Attributes:
        SHAPES: The shape of each field; "K" stands for the number of classes, () for an integer.

    Example:
        >>> import numpy as np
        >>> @dataclasses.dataclass(frozen=True, eq=False)
        ... class Seen(Counts):
        ...     SHAPES = {"pixels": ("K",), "masks": ()}
        ...     pixels: np.ndarray
        ...     masks: int
        >>> total = sum([Seen([3, 4], 1), Seen([5, 0], 1)], Seen.empty(2))
        >>> total.to_counts()
        {'pixels': [8, 4], 'masks': 2}
        >>> Seen.from_dict(total.to_counts()) == total
        True
    """

    SHAPES: ClassVar[Mapping[str, tuple[str | int, ...]]] = {}

    def __post_init__(self) -> None:
        size = None
        for name, shape in self.SHAPES.items():
            value = getattr(self, name)
            if not shape:
                object.__setattr__(self, name, check_integer(name, value, 0))
                continue
            array = np.array(value)
            if "K" in shape and size is None and array.ndim:
                size = len(array)
            expected = tuple(size if side == "K" else side for side in shape)
            if array.shape != expected or array.dtype.kind not in "iu":
                raise ValueError(
                    f"{name} must be integers of shape ({', '.join(map(str, shape))}) with one K "
                    f"for all counts, not {array.dtype} of shape {array.shape}"
                )
            if array.size and array.min() < 0:
                raise ValueError(f"{name} must be counts, not {array.min()}")
            array = array.astype(np.int64)
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @classmethod
    def empty(cls: type[C], num_classes: int) -> C:
        """Return the counts of nothing, the start of a sum."""
        size = check_integer("num_classes", num_classes, 1)
        sides = {
            name: [size if side == "K" else int(side) for side in shape]
            for name, shape in cls.SHAPES.items()
        }
        return cls(**{name: np.zeros(shape, int) if shape else 0 for name, shape in sides.items()})

    @property
    def num_classes(self) -> int:
        """K."""
        name, axis = next((n, s.index("K")) for n, s in self.SHAPES.items() if "K" in s)
        return int(getattr(self, name).shape[axis])

    def __add__(self: C, other: object) -> C:
        if not isinstance(other, type(self)):
            return NotImplemented
        if other.num_classes != self.num_classes:
            raise ValueError(
                f"cannot add reports on {self.num_classes} and {other.num_classes} classes"
            )
        return type(self)(**{n: getattr(self, n) + getattr(other, n) for n in self.SHAPES})

    def __radd__(self: C, other: object) -> C:
        # sum() starts from 0.
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self.to_counts() == other.to_counts()

    def __hash__(self) -> int:
        return hash(tuple(np.asarray(getattr(self, name)).tobytes() for name in self.SHAPES))

    def to_counts(self) -> dict[str, Any]:
        """Return all counts as plain integers, in lists."""
        return {name: np.asarray(getattr(self, name)).tolist() for name in self.SHAPES}

    @classmethod
    def from_dict(cls: type[C], data: Mapping[str, Any]) -> C:
        """Return the counts that `to_counts` gave; all other entries are passed over.

        Raises:
            TypeError: If what should be an integer is none.
            ValueError: If a count is missing, as in what another version wrote, or of the wrong
                shape or type.
        """
        if missing := [name for name in cls.SHAPES if name not in data]:
            raise ValueError(
                f"the noise report lacks {', '.join(missing)}: it is no report, or another version "
                "of segnoise wrote it; measure the noise again"
            )
        return cls(**{name: data[name] for name in cls.SHAPES})
