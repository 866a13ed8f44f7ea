"""Square neighbourhoods: their half-width as a parameter, and the filters over them."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segnoise.checks import check_number
from segnoise.noise.mask import Mask

LARGEST_WIDTH = 1 << 14
"""Pixels; the greatest dose of models whose dose is a distance."""


def check_width(name: str, value: object) -> float:
    """Return a width in pixels; an integral one becomes an int."""
    width = check_number(name, value, 0)
    return int(width) if float(width).is_integer() else width


def drawn_width(width: float, rng: np.random.Generator) -> int:
    """Return the whole number of pixels that a mask gets: `width` on average.

    That is ceil(w) with probability w - floor(w), else floor(w). Only a width between two whole
    numbers draws from the generator.
    """
    if isinstance(width, int):
        return width
    whole = math.floor(width)
    return whole + int(rng.random() < width - whole)


def square_maximum(values: NDArray[Any], width: int) -> NDArray[Any]:
    """Return for each pixel the greatest value of the square of side 2 w + 1 around it."""
    return np.asarray(cv2.dilate(values, _square(width, values.shape)))


def square_minimum(values: NDArray[Any], width: int) -> NDArray[Any]:
    """Return for each pixel the least value of the square of side 2 w + 1 around it."""
    return np.asarray(cv2.erode(values, _square(width, values.shape)))


def comparable(mask: Mask) -> NDArray[Any]:
    """Return a mask's labels, or labels in the same order, in a type that OpenCV's filters take."""
    if mask.dtype == np.uint8:
        return mask
    low, high = mask.min(), mask.max()
    span = int(high) - int(low)
    if span < 1 << 16:
        return np.asarray(mask - low, np.uint8 if span < 1 << 8 else np.uint16)
    return mask.astype(np.float64)


def _square(width: int, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    # A neighbourhood beyond the image's size would add nothing but work.
    height, breadth = (2 * min(width, size - 1) + 1 for size in shape)
    return np.ones((height, breadth), np.uint8)
