"""Pixel flips: each pixel is mislabelled on its own, independently of its neighbours."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnoise.checks import check_rate
from segnoise.noise import parameters
from segnoise.noise.base import Dose, Noise, register
from segnoise.noise.geometry.categorical import CategoricalTable, redraw, shifted, table_of
from segnoise.noise.geometry.transitions import Rows, confusions, matrix_rows, pair_flip
from segnoise.noise.mask import Mask
from segnoise.noise.sources import Sources


@register
@dataclasses.dataclass(frozen=True)
class SymmetricFlip(Noise):
    """Every valid pixel takes another class, drawn uniformly, with probability `rate`.

    P(noisy = j | true = i) = r / (K - 1) for j != i and 1 - r for j = i. With `include_self` the
    label is drawn from all K classes, so that T = (1 - r) I + r / K and only the share
    r (K - 1) / K of the pixels changes. Both are called "symmetric noise at rate r" in print:
    the first by the APL, ALF and ANL papers, the second by COCO-N (arXiv 2406.10891).

    Args:
        rate: r, from 0 to 1.
        num_classes: K, at least 2; ids 0 to K-1.
        include_self: Whether the drawn class may be the true one.
        ignore_index: Void; stays as it is.

    Raises:
        ValueError: On a call, if the mask holds an id that is neither a class nor void.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import SymmetricFlip, generator
        >>> noise = SymmetricFlip(rate=0.5, num_classes=4)
        >>> mask = np.array([[0, 0, 0, 0, 1, 1, 1, 1, 255, 255]], np.uint8)
        >>> noise(mask, generator(0, "street")).tolist()
        [[3, 3, 0, 0, 1, 0, 3, 3, 255, 255]]
    """

    DOSE = Dose("rate", high=1.0)
    VOLUMES = True

    rate: float = parameters.rate()
    num_classes: int = parameters.integer(2)
    include_self: bool = parameters.flag(default=False)
    ignore_index: int = parameters.void()

    def _corrupt(self, mask: Mask, rng: np.random.Generator, sources: Sources) -> Mask:
        table = _shift_table(self.num_classes, self.rate, self.include_self)

        def draw(ids: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
            # All classes flip alike, so that one row serves: that of the shift modulo K.
            shift = table.draw(np.zeros(len(ids), np.uint8), rng)
            return shifted(ids, shift, self.num_classes)

        return redraw(mask, rng, draw, self.num_classes, self.ignore_index)


@register
@dataclasses.dataclass(frozen=True, repr=False)
class AsymmetricFlip(Noise):
    """Every valid pixel is redrawn from its class's row of a transition matrix.

    P(noisy = j | true = i) = T[i, j]; rows sum to 1 (the ANL paper's T; cleanlab stores the
    transpose).

    Args:
        transition_matrix: T as K rows of K probabilities, or a short form for configs:
            {"confusions": "voc", "rate": 0.4}, {"pair": K, "rate": 0.4} or
            {"groups": [[1, 2]], "num_classes": K, "rate": 0.4}
            (see `segnoise.noise.transition_matrix`). Kept resolved, as a tuple of tuples.
        ignore_index: Void; stays as it is.

    Raises:
        ValueError: If T is not square, an entry is no probability, or a row does not sum to 1; on
            a call, if the mask holds an id that is neither a class of T nor void.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import AsymmetricFlip, generator
        >>> noise = AsymmetricFlip([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.0, 0.5, 0.5]])
        >>> mask = np.array([[0, 0, 0, 1, 1, 1, 2, 2, 2, 255]], np.uint8)
        >>> noise(mask, generator(0, "street")).tolist()
        [[0, 0, 0, 1, 1, 2, 2, 2, 2, 255]]
        >>> AsymmetricFlip.pair(num_classes=3, rate=0.25)
        AsymmetricFlip(3 classes, 0->1: 0.25, 1->2: 0.25, 2->0: 0.25, ignore_index=255)
    """

    DOSE = Dose("greatest chance of a flip", high=1.0)
    VOLUMES = True

    transition_matrix: Rows
    ignore_index: int = parameters.void()

    def __post_init__(self) -> None:
        object.__setattr__(self, "transition_matrix", matrix_rows(self.transition_matrix))
        super().__post_init__()

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.transition_matrix)

    @classmethod
    def pair(cls, num_classes: int, rate: float, ignore_index: int = 255) -> AsymmetricFlip:
        """Return the pair flip: class i becomes (i + 1) mod K with the given rate."""
        return cls(matrix_rows(pair_flip(num_classes, rate)), ignore_index)

    @classmethod
    def named(cls, name: str, rate: float, ignore_index: int = 255) -> AsymmetricFlip:
        """Return the usual confusions of "voc" or "cityscapes" at the given rate."""
        return cls(matrix_rows(confusions(name, rate)), ignore_index)

    @property
    def dose(self) -> float:
        """The greatest chance of a flip, max_i (1 - T[i, i])."""
        return max(1 - row[i] for i, row in enumerate(self.transition_matrix))

    def with_dose(self, dose: float) -> AsymmetricFlip:
        """Return I + s (T - I), with s such that the greatest chance of a flip is the dose."""
        factor = check_rate("dose", dose)
        if factor and not self.dose:
            raise ValueError(f"{self!r} flips nothing: there is no noise to scale")
        identity = np.eye(self.num_classes)
        scaled = identity + factor / (self.dose or 1) * (self.transition_matrix - identity)
        return AsymmetricFlip(matrix_rows(scaled.clip(0, 1)), self.ignore_index)

    def __repr__(self) -> str:
        matrix = self.transition_matrix
        flips = [
            f"{i}->{j}: {p:.4g}"
            for i, row in enumerate(matrix)
            for j, p in enumerate(row)
            if i != j and p > 0
        ]
        if len(flips) > 12:
            flips = [*flips[:11], f"... {len(flips) - 11} more"]
        shown = ", ".join(flips) or "no flips"
        return f"AsymmetricFlip({len(matrix)} classes, {shown}, ignore_index={self.ignore_index})"

    def _corrupt(self, mask: Mask, rng: np.random.Generator, sources: Sources) -> Mask:
        table = table_of(self.transition_matrix)
        return redraw(mask, rng, table.draw, self.num_classes, self.ignore_index)


@functools.lru_cache(maxsize=32)
def _shift_table(num_classes: int, rate: float, include_self: bool) -> CategoricalTable:
    others = rate / (num_classes if include_self else num_classes - 1)
    row = np.full((1, num_classes), others)
    row[0, 0] = 1 - rate + (others if include_self else 0)
    return CategoricalTable.from_matrix(row)
