"""Masks whose labels are taken from elsewhere: layers that move, and regions that turn."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segnoise.noise.geometry.gaps import close_gaps
from segnoise.noise.mask import Mask, is_any_of

_PIXELS_AT_ONCE = 1 << 16  # bounds the memory of the coordinates

Coordinates = Callable[[int, int], tuple[NDArray[Any], NDArray[Any]]]
"""Given top and bottom, returns the rows and columns that the pixels in the rows from top to
before bottom are taken from: whole numbers, in arrays that broadcast to these rows."""


def warp(
    mask: Mask,
    source: Coordinates,
    fill: str | int,
    classes: tuple[int, ...] | None,
    ignore_index: int,
) -> Mask:
    """Return a mask whose moving classes have been laid down elsewhere.

    A valid pixel takes the label of its source, if that is of a moving class. A pixel that a
    moving class left and on which none was laid takes the fill: with "neighbor", the nearest label
    that stayed or, if none did, the nearest one of the result. All others stay. With "neighbor",
    sources outside the mask stand for the nearest pixel of its border; otherwise nothing comes
    from there.

    Coordinates are whole numbers of our own rather than maps for cv2.remap, whose rounding depends
    on the version, whose maps end at 32767 and which has no 32-bit integers.
    """
    height, width = mask.shape
    labels = mask.ravel()
    noisy = np.empty_like(mask)
    gaps = np.empty(mask.shape, bool)
    layered = fill == "neighbor" and classes is not None
    stays = np.empty(mask.shape if layered else (0, 0), bool)
    step = max(1, _PIXELS_AT_ONCE // width)
    for top in range(0, height, step):
        strip = slice(top, min(top + step, height))
        old = mask[strip]
        rows, columns = source(strip.start, strip.stop)
        near_rows = np.clip(rows, 0, height - 1).astype(np.intp)
        near_rows *= width
        moved = labels[near_rows + np.clip(columns, 0, width - 1)]
        valid = old != ignore_index
        lands = _moves(moved, classes, ignore_index) & valid
        if fill != "neighbor":
            lands &= (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        leaves = _moves(old, classes, ignore_index)
        np.logical_and(leaves, ~lands, out=gaps[strip])
        if layered:
            np.logical_and(valid, ~(leaves | lands), out=stays[strip])
        np.copyto(noisy[strip], old)
        np.copyto(noisy[strip], moved, where=lands)
    if stays.any() and gaps.any():
        # What the layer uncovers is what it lay on, not the layer itself.
        gone = labels[gaps.argmax()]
        below = np.where(stays, mask, gone)
        np.copyto(noisy, close_gaps(below, gaps, fill, int(gone)), where=gaps)
        return noisy
    return close_gaps(noisy, gaps, fill, ignore_index)


def _moves(labels: Mask, classes: tuple[int, ...] | None, ignore_index: int) -> NDArray[np.bool_]:
    """Return which labels are those of moving classes."""
    return np.asarray(labels != ignore_index) if classes is None else is_any_of(labels, classes)


def rotation(angle: float, centre: tuple[float, float], left: int, right: int) -> Coordinates:
    """Return where pixels in some columns come from: the pixel nearest to c + R (p - c).

    The angle is in radians; a positive one turns the result counterclockwise.
    """
    cosine, sine = math.cos(angle), math.sin(angle)
    # Fixed-point numbers, several times faster than rounding floats, and as exact as int32 lets.
    farthest = sum(abs(c) for c in centre) + max(abs(left), abs(right))

    def source(top: int, bottom: int) -> tuple[NDArray[Any], NDArray[Any]]:
        bits = 29 - math.ceil(farthest + max(abs(top), abs(bottom))).bit_length()
        unit = 1 << bits
        across = (np.arange(left, right) - centre[1]) * unit
        down = ((np.arange(top, bottom) - centre[0]) * unit)[:, None]
        half = unit / 2
        rows = _whole(sine * across) + _whole(cosine * down + (centre[0] * unit + half))
        columns = _whole(cosine * across) + _whole(centre[1] * unit + half - sine * down)
        rows >>= bits
        columns >>= bits
        return rows, columns

    return source


def _whole(values: NDArray[Any]) -> NDArray[np.int32]:
    return np.asarray(np.rint(values), np.int32)


def rotated(
    region: NDArray[np.bool_], angle: float, window: tuple[slice, slice]
) -> tuple[int, int, NDArray[np.bool_]]:
    """Return top, left and the pixels of a region turned about its centroid, within a window."""
    height, width = region.shape
    moments = cv2.moments(region.view(np.uint8), binaryImage=True)
    centre = moments["m01"] / moments["m00"], moments["m10"] / moments["m00"]
    cosine, sine = math.cos(angle), math.sin(angle)
    corners = [
        (cosine * y - sine * x + centre[0], sine * y + cosine * x + centre[1])
        for y in (-centre[0], height - 1 - centre[0])
        for x in (-centre[1], width - 1 - centre[1])
    ]
    # One pixel more to every side: what is rounded into the region.
    top = max(math.floor(min(y for y, _ in corners)) - 1, window[0].start)
    bottom = min(math.ceil(max(y for y, _ in corners)) + 2, window[0].stop)
    left = max(math.floor(min(x for _, x in corners)) - 1, window[1].start)
    right = min(math.ceil(max(x for _, x in corners)) + 2, window[1].stop)
    turned = np.empty((max(bottom - top, 0), max(right - left, 0)), bool)
    # All that is outside of the region is taken from an empty row and column at its end.
    framed = np.zeros((height + 1, width + 1), bool)
    framed[:-1, :-1] = region
    source = rotation(angle, centre, left, right)
    step = max(1, _PIXELS_AT_ONCE // max(right - left, 1))
    for start in range(top, bottom, step):
        stop = min(start + step, bottom)
        # Negative coordinates become large when they are read as unsigned.
        rows, columns = (part.view(np.uint32) for part in source(start, stop))
        pixel = np.minimum(rows, height).astype(np.intp)
        pixel *= width + 1
        pixel += np.minimum(columns, width)
        np.take(framed.ravel(), pixel, out=turned[start - top : stop - top], mode="wrap")
    return top, left, turned
