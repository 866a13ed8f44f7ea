"""Pixels that nobody claims any more, and what is nearest to them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from segnoise.noise.mask import Mask, check_storable

_STRIP, _MARGIN = 96, 24  # rows


def close_gaps(mask: Mask, gaps: NDArray[np.bool_], fill: str | int, ignore_index: int) -> Mask:
    """Write, in place, what pixels become that no object claims any more; return the mask.

    With the fill "neighbor", that is the label of the nearest pixel that is neither gap nor void
    (Euclidean, in OpenCV's 5 x 5 approximation); where there is none, gaps keep what they hold.
    """
    if not gaps.any():
        return mask
    if mask.ndim == 3 and fill == "neighbor":
        return _close_gaps_of_volume(mask, gaps, ignore_index)
    if fill != "neighbor":
        label = ignore_index if isinstance(fill, str) else fill
        check_storable(label, mask, "ignore_index" if isinstance(fill, str) else "fill")
        mask[gaps] = label
        return mask
    place = _window_of(gaps, ignore_index, mask)
    hole, inner = gaps[place], mask[place]
    far = hole | (inner == ignore_index)
    if not far.all():
        nearest, _ = nearest_pixels(far, np.flatnonzero(hole))
        inner[hole] = inner.ravel()[nearest]
    return mask


def _close_gaps_of_volume(mask: Mask, gaps: NDArray[np.bool_], ignore_index: int) -> Mask:
    """Give gaps the label of the nearest voxel, all sides of a voxel counted alike.

    The nearest in each slice is known from the slice alone; along the slices, the least of
    d(z')^2 + (z - z')^2 is looked for from z on, until no slice so far off can be nearer.
    """
    far = gaps | (mask == ignore_index)
    square, label = np.where(far, np.float32(np.inf), np.float32(0)), mask.copy()
    for n, plane in enumerate(far):
        if plane.any() and not plane.all():
            nearest, distance = _nearest_within(plane, np.flatnonzero(plane))
            square[n][plane], label[n][plane] = distance**2, mask[n].ravel()[nearest]
    best, found = square.copy(), label.copy()
    for step in range(1, len(mask)):
        if not (best[gaps] > step**2).any():
            break
        for here, there in ((slice(step, None), slice(-step)), (slice(-step), slice(step, None))):
            other = square[there] + np.float32(step**2)
            nearer = other < best[here]
            best[here][nearer], found[here][nearer] = other[nearer], label[there][nearer]
    known = gaps & np.isfinite(best)
    mask[known] = found[known]
    return mask


def _window_of(gaps: NDArray[np.bool_], ignore_index: int, mask: Mask) -> tuple[slice, slice]:
    """Return a window that holds, with the gaps, the pixels nearest to them.

    That is the gaps' bounding box and a rim of one pixel: what is nearest to a gap can only lie
    outside if the rim holds void. Then it is the whole mask.
    """
    left, top, width, height = cv2.boundingRect(gaps.view(np.uint8))
    rows = slice(max(top - 1, 0), top + height + 1)
    columns = slice(max(left - 1, 0), left + width + 1)
    inner = mask[rows, columns]
    rim = (inner[0], inner[-1], inner[:, 0], inner[:, -1])
    if any((side == ignore_index).any() for side in rim):
        return slice(None), slice(None)
    return rows, columns


def nearest_pixels(
    far: NDArray[np.bool_], wanted: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return the nearest pixel that is not far to each of some pixels, and its distance.

    The distances are computed in strips of rows, which takes a fraction of the memory and, as
    most gaps are shallow, of the time; for what turns out to lie deeper, in the whole map. Pixels
    are ascending indices of the flattened map, of which not all is far.
    """
    height, width = far.shape
    nearest, distance = np.empty(wanted.size, np.intp), np.full(wanted.size, np.inf, np.float32)
    for top in range(0, height, _STRIP):
        some = slice(*np.searchsorted(wanted, (top * width, (top + _STRIP) * width)).tolist())
        first = max(top - _MARGIN, 0)
        strip = far[first : top + _STRIP + _MARGIN]
        if some.start < some.stop and not strip.all():
            found, distance[some] = _nearest_within(strip, wanted[some] - first * width)
            nearest[some] = found + first * width
    deep = np.flatnonzero(distance > _MARGIN)
    if deep.size:
        nearest[deep], distance[deep] = _nearest_within(far, wanted[deep])
    return nearest, distance


def _nearest_within(
    far: NDArray[np.bool_], wanted: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    distance, region = cv2.distanceTransformWithLabels(
        far.view(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    # The last step of a 5 x 5 chamfer path to the nearest pixel is at most a knight's move.
    rim = cv2.dilate(far.view(np.uint8), np.ones((5, 5), np.uint8)) > far.view(np.uint8)
    pixel = np.empty(int(region.max()) + 1, np.intp)
    pixel[region[rim]] = np.flatnonzero(rim)
    nearest = pixel[region.ravel()[wanted]]
    return nearest, np.asarray(distance.ravel()[wanted], np.float32)
