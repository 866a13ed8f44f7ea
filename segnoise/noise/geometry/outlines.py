"""Outlines of objects: closed polygons through the pixels of their edges.

OpenCV traces them (`cv2.findContours`), and `layers.Polygon` paints them again: an outline that
nobody touched gives back the very pixels that it came from.
"""

from __future__ import annotations

import functools
import math
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from segnoise.noise.geometry.components import Components
from segnoise.noise.geometry.layers import Polygon, Shape

Outline: TypeAlias = NDArray[np.int32]
"""(n, 1, 2) vertices (column, row) of a closed line."""

_SHORT = 8  # vertices of outlines that come in few forms


def trace(components: Components, number: int, *, holes: bool = True) -> list[Outline]:
    """Return the outlines of an object.

    An outline runs through the centres of the object's own pixels: its outermost ones, and those
    that line a hole. Its vertices are where the line changes direction.
    """
    mode = cv2.RETR_CCOMP if holes else cv2.RETR_EXTERNAL
    top, left = components.box[number, :2].tolist()
    found, _ = cv2.findContours(
        components.region(number).view(np.uint8), mode, cv2.CHAIN_APPROX_SIMPLE, offset=(left, top)
    )
    return list(found)  # type: ignore[arg-type]


def simplified(outline: Outline, tolerance: float) -> Outline:
    """Return a polygon with fewer vertices that stays near an outline (Douglas-Peucker).

    The outline is cut in two at a pair of vertices far from each other. A chain of vertices is
    replaced by the straight line from its first to its last one if the others lie within the
    tolerance of this line; else it is cut at the vertex farthest from it, and so on. In the end
    OpenCV drops vertices that lie within 0.71 tolerance of the line between their neighbours.

    Where fewer than three vertices would be left, the tolerance is lowered to just below the
    greatest distance from the first line, so that a third one is kept: however large it is,
    objects do not shrink to a line or a dot. If OpenCV drops even that one, the ends of the first
    line and the vertex farthest from it are what is left.
    """
    if tolerance <= 0 or len(outline) <= 3:
        return outline
    if len(outline) > _SHORT:
        return _simplified(outline, tolerance)
    # Noise leaves hundreds of thousands of holes and crumbs, of few forms.
    form = (outline - outline[:1]).astype(np.int32, copy=False)
    return outline[:1] + _simplified_form(form.tobytes(), tolerance)


@functools.lru_cache(maxsize=4096)
def _simplified_form(form: bytes, tolerance: float) -> Outline:
    return _simplified(np.frombuffer(form, np.int32).reshape(-1, 1, 2).copy(), tolerance)


def _simplified(outline: Outline, tolerance: float) -> Outline:
    coarse = cv2.approxPolyDP(outline, tolerance, closed=True)
    if len(coarse) < 3:
        thickness, triangle = _thickness(outline)
        if not thickness:
            return outline
        coarse = cv2.approxPolyDP(outline, 0.999999 * thickness, closed=True)
        if len(coarse) < 3:
            return triangle
    return coarse  # type: ignore[return-value]


def _thickness(outline: Outline) -> tuple[float, Outline]:
    """Return the greatest distance of a vertex from the line that Douglas-Peucker begins with.

    In plain Python: most outlines that need it have a dozen vertices.
    """
    points: list[list[int]] = outline[:, 0].tolist()
    for hop in range(3):  # to the farthest vertex; the third one spans the line, as in OpenCV
        x, y = points[0]
        squared = [(a - x) * (a - x) + (b - y) * (b - y) for a, b in points]
        far = squared.index(max(squared))
        if hop < 2:
            points = points[far:] + points[:far]
    length, dx, dy = squared[far], points[far][0] - x, points[far][1] - y
    greatest, farthest = 0.0, 0
    for place, ((a, b), from_start) in enumerate(zip(points, squared, strict=True)):
        along = (a - x) * dx + (b - y) * dy
        distance: float = from_start
        if along > length:
            distance = (a - x - dx) ** 2 + (b - y - dy) ** 2
        elif along > 0:
            distance = ((a - x) * dy - (b - y) * dx) ** 2 / length
        if distance > greatest:
            greatest, farthest = distance, place
    corners = [points[place] for place in sorted((0, far, farthest))]
    return math.sqrt(greatest), np.array(corners, np.int32)[:, None]


def hull(outlines: list[Outline]) -> Outline:
    """Return the convex hull of outlines, the smallest convex polygon around them."""
    around: Outline = cv2.convexHull(np.concatenate(outlines))  # type: ignore[assignment]
    return around


def rectangle(box: NDArray[np.int64]) -> Outline:
    """Return the outline of a bounding box, (top, left, bottom, right) with the last exclusive."""
    top, left, bottom, right = box.tolist()
    corners = [(left, top), (right - 1, top), (right - 1, bottom - 1), (left, bottom - 1)]
    return np.array(corners, np.int32)[:, None]


def drawn(outlines: list[Outline], label: int, shape: tuple[int, int]) -> Polygon | Shape:
    """Return an object of given outlines, which may stick out of a mask of the given shape."""
    left, top, width, height = cv2.boundingRect(np.concatenate(outlines))
    if left >= 0 and top >= 0 and left + width <= shape[1] and top + height <= shape[0]:
        return Polygon(outlines, label)
    region = np.zeros((height, width), np.uint8)
    cv2.fillPoly(region, outlines, 1, offset=(-left, -top))
    return Shape(top, left, region.view(np.bool_), label)
