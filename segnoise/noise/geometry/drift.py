"""Boundaries that drift where the image hardly shows them."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from segnoise.noise.geometry.evidence import STRETCH, Boundaries, color_steps
from segnoise.noise.geometry.gaps import close_gaps
from segnoise.noise.geometry.smooth_field import SmoothField
from segnoise.noise.geometry.strips import strips
from segnoise.noise.mask import Mask


class Candidates(NamedTuple):
    """Pixels whose labels may flip.

    Attributes:
        at: (C,) flat positions.
        label: (C,) the labels that they would take.
        weakness: (C,) numbers; the greater, the sooner a pixel flips.
    """

    at: NDArray[np.intp]
    label: Mask
    weakness: NDArray[Any]


def drifting_pixels(
    mask: Mask,
    image: NDArray[np.uint8],
    rng: np.random.Generator,
    count: int,
    *,
    depth: int,
    reach: float,
    length: float,
    ignore_index: int,
) -> Candidates:
    """Return the pixels that drifting boundaries may run over, as `FeatureDependent` defines it."""
    seen = _without_void(mask, ignore_index)
    field = SmoothField((mask.shape[0], mask.shape[1]), length, rng)
    at, rival, strength = _strengths(seen, np.ascontiguousarray(image), field, depth)
    found = Candidates(at[:0], rival[:0], strength[:0])
    least = np.float32(0)
    width = mask.shape[1]
    for rows, window, inner in strips(mask.shape, math.ceil(reach)):
        start, stop = np.searchsorted(at, (window.start * width, window.stop * width)).tolist()
        if start == stop:
            continue
        shape = window.stop - window.start, width
        distance, number, numbers = _nearest(at[start:stop] - window.start * width, shape, inner)
        by_number = np.zeros(numbers.size + 1, np.float32)
        by_number[numbers] = strength[start:stop]
        weakness = np.take(by_number, number, mode="wrap")
        weakness /= distance + np.float32(1)
        drifts = (weakness >= least) & (weakness > 0) & (distance <= reach - 1)
        drifts &= mask[rows] != ignore_index
        pixel = np.flatnonzero(drifts)
        by_number = np.zeros(numbers.size + 1, mask.dtype)
        by_number[numbers] = rival[start:stop]
        rivals = by_number[number.ravel()[pixel]]
        new = Candidates(pixel + rows.start * width, rivals, weakness.ravel()[pixel])
        found = Candidates(*(np.concatenate(part) for part in zip(found, new, strict=True)))
        if found.at.size > 1.25 * count:
            least = np.partition(found.weakness, -count)[-count]
            keep = found.weakness >= least
            found = Candidates(*(part[keep] for part in found))
    return found


def _strengths(
    mask: Mask, image: NDArray[np.uint8], field: SmoothField, depth: int
) -> tuple[NDArray[np.intp], Mask, NDArray[np.float32]]:
    """Return where boundary pixels are, their rivals, and how strongly these push.

    One field moves both sides of a boundary: where it is positive, the lower id loses.
    """
    parts = []
    width = mask.shape[1]
    for rows, window, _ in strips(mask.shape, depth + STRETCH // 2 + 2):
        labels = mask[window]
        boundaries = Boundaries.of(labels)
        steps = color_steps(image[window], labels, boundaries, depth)
        at = boundaries.at + window.start * width
        own = slice(*np.searchsorted(at, (rows.start * width, rows.stop * width)).tolist())
        at, label, rival = at[own], boundaries.label[own], boundaries.rival[own]
        force = field.rows(rows.start, rows.stop).ravel()[at - rows.start * width]
        np.negative(force, out=force, where=label > rival)
        parts.append((at, rival, force / (1 + steps[own])))
    at, rival, strength = (np.concatenate(part) for part in zip(*parts, strict=True))
    return at, rival, strength


def _nearest(
    at: NDArray[np.intp], shape: tuple[int, int], rows: slice
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the way from pixels to the nearest boundary pixel, which always has their label.

    That is, for the pixels of some rows, the distance (Euclidean, in OpenCV's 5 x 5 approximation)
    and the number of the boundary pixel; and the boundary pixels' numbers, from 1 to B, in an order
    that OpenCV does not document.
    """
    inner = np.ones(shape, np.uint8)
    inner.ravel()[at] = 0
    distance, number = cv2.distanceTransformWithLabels(
        inner, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    return distance[rows], number[rows], number.ravel()[at]


def _without_void(mask: Mask, ignore_index: int) -> Mask:
    """Return the mask with void replaced by about the nearest label.

    On every second row and column only, in a quarter of the time: where exactly in void two
    labels meet changes no pixel that is valid.
    """
    void = mask == ignore_index
    if not void.any():
        return mask
    coarse = mask[::2, ::2].copy()
    close_gaps(coarse, coarse == ignore_index, "neighbor", ignore_index)
    filled: Mask = mask.copy()
    height, width = mask.shape
    np.copyto(filled, coarse.repeat(2, axis=0)[:height].repeat(2, axis=1)[:, :width], where=void)
    void = filled == ignore_index
    return close_gaps(filled, void, "neighbor", ignore_index)
