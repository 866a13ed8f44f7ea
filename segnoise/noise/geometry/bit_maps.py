"""Maps of yes and no with 64 pixels a word: what is near what, and how often, at little cost."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

BitMap = NDArray[np.uint64]
"""(H, words); pixel x of a row is bit x % 64 of word x // 64, and bits from W on are
0 unless a function says otherwise."""

_WORD = np.dtype("<u8")  # little-endian anywhere, as packbits' bytes are
_COUNTED = 1 << 26  # bytes; OpenCV counts the bits of an array in 32 bits


def packed(region: NDArray[np.bool_], free: int = 0) -> BitMap:
    """Return a boolean map as bits, with so many free ones, or more, behind each row."""
    octets = np.packbits(region, axis=1, bitorder="little")
    rows = np.zeros((len(octets), -(-(region.shape[1] + free) // 64) * 8), np.uint8)
    rows[:, : octets.shape[1]] = octets
    return rows.view(_WORD)


def count(bits: BitMap) -> int:
    """Return how many pixels are set."""
    octets = np.ascontiguousarray(bits).reshape(1, -1).view(np.uint8)
    parts = range(0, octets.size, _COUNTED)
    return sum(int(cv2.norm(octets[:, i : i + _COUNTED], cv2.NORM_HAMMING)) for i in parts)


def shifted(bits: BitMap, columns: int) -> BitMap:
    """Return the map moved to the right, or left if negative; what enters is not set.

    To the right, pixels may get beyond the map's width, into the rest of the last word.
    """
    words, rest = divmod(abs(columns), 64)
    result = np.zeros_like(bits)
    size = bits.shape[1] - words
    if size <= 0:
        return result
    # A word's own pixels, and those that come from the next word.
    near, far, next_far = slice(words, None), slice(None, size), slice(None, size - 1)
    if columns >= 0:
        result[:, near] = bits[:, far] << np.uint64(rest)
        if rest:
            result[:, words + 1 :] |= bits[:, next_far] >> np.uint64(64 - rest)
        return result
    result[:, far] = bits[:, near] >> np.uint64(rest)
    if rest:
        result[:, next_far] |= bits[:, words + 1 :] << np.uint64(64 - rest)
    return result


def dilated(bits: BitMap) -> BitMap:
    """Return the pixels within Chebyshev distance 1; may set bits beyond the width."""
    wide = bits | shifted(bits, 1) | shifted(bits, -1)
    high: BitMap = wide.copy()
    high[1:] |= wide[:-1]
    high[:-1] |= wide[1:]
    return high
