"""An object as an unsteady hand draws it anew."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from segnoise.noise.geometry.components import Components
from segnoise.noise.geometry.layers import Shape
from segnoise.noise.geometry.smooth_field import LARGEST_LENGTH, SmoothField

# Along a slope, the greatest depth within 5 x 5 pixels is greater by 2; on a ridge it is not, and
# steps of an outline drawn in pixels leave half of it.
_AROUND = np.ones((5, 5), np.uint8)
_RISE = np.float32(1.0)
_SLIGHTEST = np.float32(1.0)
_THINNING = np.float32(0.75)


class Hand(NamedTuple):
    """How far off somebody draws an object, in pixels.

    Attributes:
        down: How far down the object lies.
        right: How far to the right.
        growth: By how much it is too large, all around; negative if it is too small.
        wobble: Standard deviation of the outline around that.
        length: Distance over which the wobble stays alike.
    """

    down: int
    right: int
    growth: float
    wobble: float
    length: float


def redrawn(objects: Components, number: int, hand: Hand, rng: np.random.Generator) -> Shape | None:
    """Return the shape of an object that is drawn anew.

    Let phi(p) be the distance of p to the object's outline, positive inside: to the nearest pixel
    outside less 1/2, or minus (to the nearest pixel of the object less 1/2), Euclidean in OpenCV's
    5 x 5 approximation. Before the shift, the new object is { p : phi(p) + f(p) > 0 }, where

        f(p) = max(growth + wobble g(p), -3/4 R(p))

    with a `SmoothField` g: its outline lies f(p) further out than the object's own, in the sense of
    `boundary_displacement`. R(p) is phi at the nearest point of the object's ridge (where phi
    rises by less than 1 within 5 x 5 pixels, and is 1 or more, if it is anywhere): people follow an
    arm even if it is thin, so that it keeps a quarter of its width; only burrs of one or two pixels
    are lost.

    People close one line around one thing: of the pieces of the new object, and of its holes, the
    largest remain, as many as there were; smaller crumbs go and smaller holes are filled.

    Where the object meets the image's border, it is taken to go on beyond.
    """
    height, width = objects.index.shape
    # Beyond 4 standard deviations there is next to nothing, beyond the image nothing to see.
    reach = min(max(hand.growth + 4 * hand.wobble, 0), height + width)
    margin = math.ceil(reach) + 1
    top, left, bottom, right = objects.box[number].tolist()
    rows = _span(top, bottom, hand.down, margin, height)
    columns = _span(left, right, hand.right, margin, width)
    if not rows.size or not columns.size:
        return None
    region = _window(objects.index, rows - hand.down, columns - hand.right) == number
    if not region.any():
        return None
    drawn = region
    if (hand.growth or hand.wobble) and not region.all():
        growth = np.full(region.shape, hand.growth, np.float32)
        if hand.wobble:
            # Far beyond the region's size the wobble is the same all over it.
            length = min(hand.length, LARGEST_LENGTH, 64.0 * max(region.shape))
            field = SmoothField(region.shape, length, rng)
            growth += np.float32(hand.wobble) * field.rows(0, rows.size)
        drawn = _with_pieces_of(region, _grown(region, growth))
    return Shape(int(rows[0]), int(columns[0]), drawn, int(objects.label[number]))


def _span(start: int, stop: int, shift: int, margin: int, size: int) -> NDArray[np.intp]:
    """Return the rows (or columns) of the image that an object may come to lie in."""
    first = start - margin + shift if start > 0 else 0
    last = stop + margin + shift if stop < size else size
    return np.arange(max(first, 0), min(last, size))


def _window(
    index: NDArray[np.int32], rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> NDArray[np.int32]:
    """Return some rows and columns of a map; those beyond its border are like the border."""
    rows, columns = rows.clip(0, index.shape[0] - 1), columns.clip(0, index.shape[1] - 1)
    window = index[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    if window.shape == (rows.size, columns.size):
        return window
    return window[np.ix_(rows - rows[0], columns - columns[0])]


def _grown(region: NDArray[np.bool_], growth: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return a region whose outline is moved outwards, but not across its ridge."""
    inside, outside = (
        cv2.distanceTransform(part.view(np.uint8), cv2.DIST_L2, 5) for part in (region, ~region)
    )
    depth = np.subtract(inside, outside, dtype=np.float32)
    depth += np.where(region, np.float32(-0.5), np.float32(0.5))
    grown: NDArray[np.bool_] = depth + growth > 0
    left, top, width, height = cv2.boundingRect(region.view(np.uint8))
    inner = slice(top, top + height), slice(left, left + width)
    grown[inner] |= _core(region[inner], depth[inner])
    return grown


def _core(region: NDArray[np.bool_], depth: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return the part of a region that nobody misses, around its ridge."""
    ridge = region & (cv2.dilate(depth, _AROUND) - depth < _RISE)
    ridge &= depth >= min(_SLIGHTEST, depth.max())
    _, number = cv2.distanceTransformWithLabels(
        (~ridge).view(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    width = np.zeros(np.count_nonzero(ridge) + 1, np.float32)
    width[number[ridge]] = depth[ridge]
    return np.asarray(region & (depth > _THINNING * width[number]))


def _with_pieces_of(region: NDArray[np.bool_], drawn: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a drawn region without the crumbs and the holes that its original did not have."""
    pieces, holes = _pieces_and_holes(drawn)
    if pieces + holes <= 1:
        return drawn
    pieces_before, holes_before = _pieces_and_holes(region)
    if pieces <= pieces_before and holes <= holes_before:
        return drawn
    kept = _largest(drawn, region, 8)
    # In a frame, all that touches the border is one piece, and no hole.
    outside, outside_before = (np.pad(~part, 1, constant_values=True) for part in (kept, region))
    return ~_largest(outside, outside_before, 4)[1:-1, 1:-1]


def _pieces_and_holes(region: NDArray[np.bool_]) -> tuple[int, int]:
    lines, tree = cv2.findContours(region.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    holes = int(np.count_nonzero(tree[0, :, 3] >= 0)) if lines else 0
    return len(lines) - holes, holes


def _largest(
    drawn: NDArray[np.bool_], region: NDArray[np.bool_], connectivity: int
) -> NDArray[np.bool_]:
    """Return the largest pieces of a region, as many as another region has."""
    count, index, stats, _ = cv2.connectedComponentsWithStats(
        drawn.view(np.uint8), connectivity=connectivity
    )
    if count <= 2:
        return drawn
    allowed = cv2.connectedComponents(region.view(np.uint8), connectivity=connectivity)[0] - 1
    if count - 1 <= allowed:
        return drawn
    area = stats[:, cv2.CC_STAT_AREA]
    chosen = np.zeros(count, bool)
    chosen[1 + np.argsort(-area[1:], kind="stable")[:allowed]] = True
    return np.asarray(chosen[index])
