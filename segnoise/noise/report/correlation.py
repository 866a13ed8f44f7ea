"""How far errors reach: the spatial autocorrelation of the map of wrong pixels."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from segnoise.noise.geometry.bit_maps import BitMap, count, shifted

LAGS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""Pixels along rows and columns at which errors are compared."""


def count_pairs(valid: BitMap, wrong: BitMap) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count the valid pixels at each lag to the left, to the right, above and below wrong ones."""
    pairs, both = np.zeros(len(LAGS), np.int64), np.zeros(len(LAGS), np.int64)
    if not wrong.any():
        return pairs, both
    for index, lag in enumerate(LAGS):
        ways = (
            (valid[:-lag], wrong[:-lag], valid[lag:], wrong[lag:]),
            (valid, wrong, shifted(valid, -lag), shifted(wrong, -lag)),
        )
        for near, near_wrong, far, far_wrong in ways:
            pairs[index] += count(near_wrong & far) + count(near & far_wrong)
            both[index] += 2 * count(near_wrong & far_wrong)
    return pairs, both


def autocorrelation(
    pairs: NDArray[np.int64], both: NDArray[np.int64], rate: float
) -> NDArray[np.float64]:
    """Return rho(lag) = (P(wrong at x + lag | wrong at x) - p) / (1 - p) for each of `LAGS`.

    NaN where there are no pairs, or p, the rate, is 1.
    """
    if not rate < 1:
        return np.full(len(LAGS), np.nan)
    given = np.where(pairs > 0, both / np.maximum(pairs, 1), np.nan)
    return (given - rate) / (1 - rate)


def correlation_length(rho: NDArray[np.float64]) -> float:
    """Return the lag at which the autocorrelation falls below 1/e, in pixels.

    Linear between the lags, with rho(0) = 1. Errors that are independent from pixel to pixel
    have a length of 1 - 1/e = 0.63.
    """
    before, rho_before = 0, 1.0
    for lag, value in zip(LAGS, map(float, rho), strict=True):
        if math.isnan(value):
            break
        if value < 1 / math.e:
            return before + (lag - before) * (rho_before - 1 / math.e) / (rho_before - value)
        before, rho_before = lag, value
    return math.inf if before else math.nan
