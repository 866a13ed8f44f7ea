"""A smooth random number for every pixel."""

from __future__ import annotations

import functools
import math
import statistics

import cv2
import numpy as np
from numpy.typing import NDArray

LARGEST_LENGTH = 1 << 14
"""Pixels; on any longer scale, a mask's field would be a constant."""

# Coarser grids would not save much, and leave too few bits for exact interpolation.
_LARGEST_STEP = 64


class SmoothField:
    """A Gaussian random field g of mean 0, variance 1 and a given correlation length.

    White noise is blurred by a Gaussian of sigma = length / 2, cut off at 3 sigma, which gives
    E[g(p) g(q)] = exp(-|p - q|^2 / length^2): 1 / e at a distance of `length` pixels (below 2
    pixels, neighbours correlate less). Where the length is 4 or more, the noise is drawn on a grid
    of step s, the greatest power of two up to length / 4 (at least 2, at most 64), and interpolated
    bilinearly, which is part of the blur; the variance then is 1 on average over the pixels, and
    within 4 % of that at each.

    The grid is rounded to so few binary digits that the interpolation is free of rounding errors:
    the field is the same on every processor and for any number of threads.
    """

    def __init__(self, shape: tuple[int, int], length: float, rng: np.random.Generator) -> None:
        self._step = 1 if length < 4 else 2
        while self._step < _LARGEST_STEP and 8 * self._step <= length:
            self._step *= 2
        self._width = shape[1]
        # Both axes' weights have log2(step) + 1 digits, a float32 24; 3 are left of the point.
        digits = min(12, 19 - 2 * (self._step.bit_length() - 1))
        self._unit = np.float32(2.0**-digits)
        kernel = _kernel(length, self._step)
        extra = int(self._step > 1)
        height, width = (math.ceil(size / self._step) + extra for size in shape)
        self._grid = _blurred_noise(height, width, kernel, 2.0**digits, rng)

    def rows(self, top: int, bottom: int) -> NDArray[np.float32]:
        """Return g in the rows from `top` to before `bottom`, as (bottom - top, W) float32."""
        step = self._step
        first = top // step
        grid = self._grid[first : math.ceil(bottom / step) + 1].astype(np.float32)
        np.multiply(grid, self._unit, out=grid)
        if step == 1:
            return grid[: bottom - top]
        # Grid point i lies at pixel i step - 1/2; cv2.resize puts it at (i + 1/2) step - 1/2.
        height, width = grid.shape
        fine = cv2.resize(grid, (width * step, height * step), interpolation=cv2.INTER_LINEAR)
        start = top - first * step + step // 2
        left = step // 2
        return np.asarray(fine[start : start + bottom - top, left : left + self._width], np.float32)


def _kernel(length: float, step: int) -> NDArray[np.float64]:
    """Return the blur along one axis of the grid that gives a field of variance 1."""
    # A pixel at a share t of the way between two grid points takes (1 - t) and t of them.
    place = (np.arange(step) + 0.5) / step if step > 1 else np.zeros(1)
    spread = float((place * (1 - place)).mean())
    sigma = math.sqrt((length / 2 / step) ** 2 - spread)
    offsets = np.arange(-math.ceil(3 * sigma), math.ceil(3 * sigma) + 1)
    kernel = np.exp(-0.5 * (offsets / max(sigma, 1e-9)) ** 2)
    kernel /= math.sqrt(float((kernel * kernel).sum()))
    correlation = float((kernel[1:] * kernel[:-1]).sum())
    variance = (1 - place) ** 2 + place**2 + 2 * place * (1 - place) * correlation
    return np.asarray(kernel / math.sqrt(float(variance.mean())))


def _blurred_noise(
    height: int, width: int, kernel: NDArray[np.float64], scale: float, rng: np.random.Generator
) -> NDArray[np.int16]:
    """Draw white noise, blur it, and round it to int16; in blocks of rows, to save memory."""
    margin = len(kernel) // 2
    breadth = width + 2 * margin
    rows = max(2 * margin, (1 << 16) // breadth, 1)
    grid = np.empty((height, width), np.int16)
    noise = np.empty((0, breadth))
    for top in range(0, height, rows):
        count = min(rows, height - top)
        kept = noise[len(noise) - 2 * margin :] if top else noise
        new = rng.integers(0, 1 << 16, (count + 2 * margin - len(kept), breadth), np.uint16)
        noise = np.concatenate([kept, _normal_quantiles()[new]])
        blurred = cv2.sepFilter2D(noise, -1, kernel, kernel)
        inner = blurred[margin : margin + count, margin : margin + width]
        grid[top : top + count] = np.rint(inner * scale)
    return grid


@functools.lru_cache(maxsize=1)
def _normal_quantiles() -> NDArray[np.float64]:
    """Return the centres of 65536 equally likely bins of the standard normal distribution.

    To look up 16 random bits here is several times faster than `standard_normal`.
    """
    normal = statistics.NormalDist()
    upper = np.array([normal.inv_cdf((i + 0.5) / (1 << 16)) for i in range(1 << 15, 1 << 16)])
    quantiles = np.concatenate([-upper[::-1], upper])
    return np.asarray(quantiles / quantiles.std())
