"""Redraw objects of a mask: smaller ones lie on larger ones, and gaps close from their rims.

A mask is seen as a pile of cut-outs, the largest at the bottom. An object that gets another shape
is cut out anew and put back into its place in the pile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from segnoise.noise.components import Components
from segnoise.noise.mask import Mask, check_storable


class Shape(NamedTuple):
    """What becomes of an object: its new region, and the class id to write there.

    Attributes:
        top: Row of the region's first line; may be negative.
        left: Column of the region's first pixel; may be negative.
        region: (h, w) bool; what lies outside the mask is cut off.
        label: The class id.
    """

    top: int
    left: int
    region: NDArray[np.bool_]
    label: int


def redraw(
    mask: Mask,
    components: Components,
    shapes: Mapping[int, Shape | None],
    fill: str | int,
    ignore_index: int,
) -> Mask:
    """Return the mask with some of its objects redrawn.

    1. The objects in `shapes` are taken off the pile.
    2. Their new shapes are painted from the largest object to the smallest (by area before the
       change; at equal areas the later one is on top). A shape covers larger objects and gaps; it
       does not cover smaller objects that stayed, nor void.
    3. Gaps that no shape covers take the fill.

    Args:
        mask: (H, W) contiguous label mask.
        components: Its objects.
        shapes: The new shape of each object that changes, by number; None removes the object.
        fill: What gaps become, see `close_gaps`.
        ignore_index: Void; stays.

    Returns:
        A new mask.
    """
    noisy: Mask = mask.copy()
    taken = np.zeros(mask.shape, bool)
    for number in shapes:
        taken[components.window(number)] |= components.region(number)
    gaps = taken.copy()
    order = np.argsort(-components.area, kind="stable")
    height = np.empty(len(order) + 1, np.intp)
    height[order] = np.arange(len(order))
    height[-1] = len(order)  # void's number is -1: on top of all
    for number in sorted(shapes, key=height.__getitem__):
        shape = shapes[number]
        if shape is None:
            continue
        top, left = max(shape.top, 0), max(shape.left, 0)
        region = shape.region[top - shape.top :, left - shape.left :]
        region = region[: max(mask.shape[0] - top, 0), : max(mask.shape[1] - left, 0)]
        place = slice(top, top + region.shape[0]), slice(left, left + region.shape[1])
        lower = height[components.index[place]] < height[number]
        paint = region & (taken[place] | lower)
        check_storable(shape.label, mask, "class id")
        noisy[place][paint] = shape.label
        gaps[place] &= ~paint
    return close_gaps(noisy, gaps, fill, ignore_index)


def close_gaps(mask: Mask, gaps: NDArray[np.bool_], fill: str | int, ignore_index: int) -> Mask:
    """Write what pixels become that no object claims any more.

    Args:
        mask: (H, W) contiguous label mask; changed in place.
        gaps: (H, W) bool; the pixels that lost their label.
        fill: "neighbor": the label of the nearest pixel that is neither gap nor void (Euclidean,
            in OpenCV's 5 x 5 approximation); where there is none in the whole mask, gaps keep
            what the mask holds. "void": void. A class id: that class.
        ignore_index: Void.

    Returns:
        The mask.

    Raises:
        ValueError: If the mask's dtype cannot hold the fill.

    Example:
        >>> import numpy as np
        >>> mask = np.array([[5, 9, 9, 9, 9, 255, 7]], np.uint8)
        >>> gaps = mask == 9
        >>> close_gaps(mask, gaps, "neighbor", 255).tolist()
        [[5, 5, 5, 5, 7, 255, 7]]
    """
    if not gaps.any():
        return mask
    if fill != "neighbor":
        label = ignore_index if isinstance(fill, str) else fill
        check_storable(label, mask, "ignore_index" if isinstance(fill, str) else "fill")
        mask[gaps] = label
        return mask
    place = _window_of(gaps, ignore_index, mask)
    hole, inner = gaps[place], mask[place]
    far = hole | (inner == ignore_index)
    if not far.all():
        _, nearest = cv2.distanceTransformWithLabels(
            far.view(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )
        label_of = np.empty(int(nearest.max()) + 1, mask.dtype)
        label_of[nearest[~far]] = inner[~far]
        inner[hole] = label_of[nearest[hole]]
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
