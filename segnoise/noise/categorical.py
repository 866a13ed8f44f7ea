"""One categorical draw per pixel, from the row of a matrix that the pixel's class names."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from segnoise.noise.mask import Mask, check_class_ids, check_storable

# Look-ups work in blocks that stay in the cache: faster, and little memory beside the mask's own.
_BLOCK = 1 << 16


@dataclasses.dataclass(frozen=True)
class CategoricalTable:
    """A row-stochastic (K, K) matrix, laid out so that one random byte decides most pixels.

    Of a byte's 256 values, floor(256 p) stand for a column of probability p. The values left over,
    fewer than K a row, stand for "undecided": those pixels draw a second byte from what the first
    could not express, and the few still undecided a uniform number. The result follows the matrix
    to within 2**-32, at little more than the price of one byte a pixel.

    Attributes:
        bytes_tables: Two tables of (K + 1, 256): the column that a row's byte stands for, or
            K + 1 for "undecided". Row K, void, always gives K.
        remainder: (K * K,); the cumulative distribution of what both bytes leave open, row after
            row, plus the row's number, so that one sorted search serves all rows.
    """

    bytes_tables: tuple[NDArray[np.unsignedinteger], NDArray[np.unsignedinteger]]
    remainder: NDArray[np.float64]

    @classmethod
    def from_matrix(cls, matrix: NDArray[np.float64]) -> CategoricalTable:
        """Lay out a (K, K) matrix of non-negative rows; rows are scaled to sum to 1."""
        size = len(matrix)
        first, rest = _byte_table(matrix)
        second, rest = _byte_table(rest)
        cumulative = np.cumsum(rest, axis=1)
        for row in range(size):
            # From the last possible column on it is exactly 1: rounding must not let a column of
            # probability 0 through.
            cumulative[row, np.flatnonzero(rest[row])[-1] :] = 1
        return cls((first, second), (cumulative + np.arange(size)[:, None]).ravel())

    def draw(self, mask: Mask, rng: np.random.Generator, ignore_index: int) -> Mask:
        """Redraw each valid pixel of a mask from its class's row.

        Args:
            mask: (H, W) contiguous class ids from 0 to K-1, or void.
            rng: The source of randomness.
            ignore_index: Void, which stays.

        Returns:
            The redrawn mask, of the same shape and dtype.

        Raises:
            ValueError: If the mask holds an id that is neither class nor void, or its dtype
                cannot hold K-1.
        """
        first, second = self.bytes_tables
        size = len(first) - 1
        check_class_ids(mask, size, ignore_index)
        check_storable(size - 1, mask, "num_classes - 1")
        source = mask.ravel()
        noisy = np.empty_like(source)
        # rng.bytes is specified byte by byte, so the draw is the same on every platform.
        random_bytes = np.frombuffer(rng.bytes(source.size), np.uint8)
        undecided = []
        for start in range(0, source.size, _BLOCK):
            block = slice(start, start + _BLOCK)
            drawn = _look_up(first, source[block], random_bytes[block], ignore_index)
            noisy[block] = drawn
            np.copyto(noisy[block], source[block], where=drawn == size)
            undecided.append(np.flatnonzero(drawn == size + 1) + start)
        pixels = np.concatenate(undecided)
        random_bytes = np.frombuffer(rng.bytes(pixels.size), np.uint8)
        drawn = _look_up(second, source[pixels], random_bytes, ignore_index)
        noisy[pixels] = drawn
        pixels = pixels[drawn == size + 1]
        # Float32 uniforms are multiples of 2**-24, so that adding the row's number is exact.
        uniform = rng.random(pixels.size, dtype=np.float32).astype(np.float64)
        row = source[pixels].astype(np.intp)
        noisy[pixels] = np.searchsorted(self.remainder, uniform + row, side="right") - row * size
        return noisy.reshape(mask.shape)


def _byte_table(
    matrix: NDArray[np.float64],
) -> tuple[NDArray[np.unsignedinteger], NDArray[np.float64]]:
    """Return the byte table of a matrix, and the distribution of what it leaves undecided."""
    size = len(matrix)
    share = 256 * matrix / matrix.sum(axis=1, keepdims=True)
    whole = np.floor(share)
    table = np.full((size + 1, 256), size + 1, np.min_scalar_type(size + 1))
    table[size] = size
    for row in range(size):
        columns = np.repeat(np.arange(size), whole[row].astype(np.int64))
        table[row, : len(columns)] = columns
    rest = share - whole
    total = rest.sum(axis=1, keepdims=True)
    # A row that is decided altogether is never asked again; the identity keeps it well formed.
    return table, np.where(total > 0, rest / np.where(total > 0, total, 1), np.eye(size))


def _look_up(
    table: NDArray[np.unsignedinteger],
    labels: Mask,
    random_bytes: NDArray[np.uint8],
    ignore_index: int,
) -> NDArray[np.unsignedinteger]:
    """Return what the table says for each label and its byte."""
    # 16-bit positions where they suffice: a third of the time.
    row = labels.astype(np.uint16 if len(table) <= 256 else np.intp)
    row[labels == ignore_index] = len(table) - 1
    return table.ravel().take((row << 8) | random_bytes)
