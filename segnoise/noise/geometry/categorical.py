"""One categorical draw per pixel, from the row of a matrix that the pixel's class names."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnoise.noise.mask import Mask, check_class_ids, check_storable

Draw = Callable[[NDArray[Any], np.random.Generator], NDArray[Any]]
"""Maps (n,) class ids and a generator to (n,) drawn class ids."""

# Pixels; blocks stay in the cache, and take little memory beside the mask's own. The number is
# part of what a seed means: each block draws its words, then what they leave undecided.
_BLOCK = 1 << 17

# Of 16 random bits a draw, a table of several rows is asked with 11: (row, bits) of up to 32 rows
# is a 16-bit position, and at 19 columns less than a hundredth of the draws is left undecided.
_BITS = 11


@dataclasses.dataclass(frozen=True)
class CategoricalTable:
    """An (R, C) matrix of R distributions, laid out so that one look-up decides most draws.

    Of the n = 2048 values of 11 random bits, floor(n p) stand for a column of probability p; of
    the n = 65536 values of 16 bits where there is one row only. The values left over, fewer than
    C a row, stand for "undecided": those draws search a 32-bit number in the distribution of what
    the table could not express. Probabilities are exact to within 2**-32, at little more than the
    price of 16 bits a draw.

    Attributes:
        table: (R, n); the column that a row's bits stand for, or C for "undecided".
        remainder: (R * C,) uint64; the cumulative distribution of what the table leaves open, in
            units of 2**-32, row after row, plus the row's number times 2**32, so that one sorted
            search serves all rows.
    """

    table: NDArray[np.unsignedinteger]
    remainder: NDArray[np.uint64]

    @classmethod
    def from_matrix(cls, matrix: NDArray[np.float64]) -> CategoricalTable:
        """Lay out an (R, C) matrix of non-negative rows; rows are scaled to sum to 1."""
        rows, columns = matrix.shape
        values = 1 << (_BITS if rows > 1 else 16)
        share = values * matrix / matrix.sum(axis=1, keepdims=True)
        whole = np.floor(share)
        table = np.full((rows, values), columns, np.min_scalar_type(columns))
        remainder = np.empty((rows, columns), np.uint64)
        for row, rest in enumerate(share - whole):
            decided = np.repeat(np.arange(columns), whole[row].astype(np.int64))
            table[row, : len(decided)] = decided
            # A row that the table decides altogether is never searched for.
            cumulative = np.cumsum(rest) / (rest.sum() or 1)
            # From the last possible column on it is exactly 1: rounding must not let a column of
            # probability 0 through.
            cumulative[np.max(np.flatnonzero(rest), initial=0) :] = 1
            remainder[row] = np.rint(cumulative * 2**32).astype(np.uint64) + np.uint64(row << 32)
        return cls(table, remainder.ravel())

    def draw(self, rows: NDArray[np.unsignedinteger], rng: np.random.Generator) -> NDArray[Any]:
        """Draw a column for each of a number of rows."""
        # Whole words are the cheapest draw; their parts in little-endian order on every platform.
        words = rng.integers(0, 2**64 - 1, -(-len(rows) // 4), np.uint64, endpoint=True)
        position = bits = words.astype("<u8", copy=False).view("<u2")[: len(rows)]
        if len(self.table) > 1:
            bits >>= 16 - _BITS
            # 16-bit positions where they suffice: a third of the time.
            position = rows.astype(np.uint16 if self.table.size <= 1 << 16 else np.intp)
            position <<= _BITS
            position |= bits
        drawn = self.table.ravel().take(position)
        columns = len(self.remainder) // len(self.table)
        undecided = np.flatnonzero(drawn == columns)
        row = rows[undecided].astype(np.uint64)
        number = rng.integers(0, 2**32 - 1, len(undecided), np.uint32, endpoint=True)
        found = np.searchsorted(self.remainder, (row << np.uint64(32)) | number, side="right")
        drawn[undecided] = found - row.astype(np.intp) * columns
        return drawn


@functools.lru_cache(maxsize=32)
def table_of(rows: tuple[tuple[float, ...], ...]) -> CategoricalTable:
    """Return the table of a matrix. It belongs to no model: those stay small to pickle."""
    return CategoricalTable.from_matrix(np.array(rows))


def redraw(
    mask: Mask, rng: np.random.Generator, draw: Draw, num_classes: int, ignore_index: int
) -> Mask:
    """Draw each valid pixel of a mask anew, by a function of (old ids, rng); void stays."""
    check_storable(num_classes - 1, mask, "num_classes - 1")
    source = mask.reshape(-1)
    noisy = np.empty_like(source)
    dtype = np.min_scalar_type(num_classes - 1)
    for start in range(0, source.size, _BLOCK):
        labels = source[start : start + _BLOCK]
        block = noisy[start : start + _BLOCK]
        void = labels == ignore_index
        # Void draws as class 0 does, and gets its label back.
        ids = labels * ~void
        if ids.min() < 0 or ids.max() >= num_classes:
            check_class_ids(mask, num_classes, ignore_index)
        block[:] = draw(ids.astype(dtype, copy=False), rng)
        np.copyto(block, labels, where=void)
    return noisy.reshape(mask.shape)


def coins(count: int, rate: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return independent truths of a given probability r, most of them from a single byte.

    A byte b decides by b < floor(256 r); where both are equal, a uniform number decides with the
    probability that is left.
    """
    drawn, whole = np.frombuffer(rng.bytes(count), np.uint8), int(256 * rate)
    truths: NDArray[np.bool_] = drawn < whole
    close = np.flatnonzero(drawn == whole)
    truths[close] = rng.random(close.size) < 256 * rate - whole
    return truths


def shifted(
    ids: NDArray[np.unsignedinteger], shift: NDArray[np.unsignedinteger], num_classes: int
) -> NDArray[np.unsignedinteger]:
    """Return (ids + shift) mod K, for numbers below K."""
    total = np.add(ids, shift, dtype=np.min_scalar_type(2 * num_classes - 2))
    # Unsigned, total - K is the larger of the two where it would be negative.
    wrapped: NDArray[np.unsignedinteger] = np.minimum(total, total - total.dtype.type(num_classes))
    return wrapped
