"""Objects of masks by definition: pixel by pixel, vertex by vertex."""

import numpy as np


def objects(mask, void=255, instances=None):
    """Return (label, set of (row, column)) of each object, by its first pixel in reading order."""
    found, seen = [], set()
    number = np.zeros(mask.shape, int) if instances is None else instances
    for start in np.ndindex(mask.shape):
        if start in seen or mask[start] == void:
            continue
        alike = {
            p
            for p in np.ndindex(mask.shape)
            if mask[p] == mask[start] and number[p] == number[start]
        }
        if number[start] > 0:
            region = alike
        else:
            region, stack = {start}, [start]
            while stack:
                y, x = stack.pop()
                around = {(y + i, x + j) for i in (-1, 0, 1) for j in (-1, 0, 1)}
                new = (around & alike) - region
                region |= new
                stack.extend(new)
        seen |= region
        found.append((int(mask[start]), region))
    return found


def pile(mask, found, shapes, fill, void=255):
    """Redraw objects: shapes maps numbers to (bool map, label); gaps take a class id."""
    order = sorted(range(len(found)), key=lambda n: (len(found[n][1]), -n), reverse=True)
    noisy = np.full_like(mask, fill)
    for number in order:
        label, region = found[number]
        if number in shapes:
            where, label = shapes[number]
        else:
            where = as_map(region, mask.shape)
        noisy[where] = label
    noisy[mask == void] = void
    return noisy


def as_map(pixels, shape):
    where = np.zeros(shape, bool)
    for p in pixels:
        where[p] = True
    return where


def drawn(outlines, shape):
    """Return the pixels that an odd number of (n, 2) polygons encloses, and those on a line."""
    edges = [
        (tuple(map(int, a)), tuple(map(int, b)))
        for line in outlines
        for a, b in zip(line, np.roll(line, -1, axis=0), strict=True)
    ]
    where = np.zeros(shape, bool)
    for y, x in np.ndindex(shape):
        crossings = 0
        for (x0, y0), (x1, y1) in edges:
            if (y0 <= y) != (y1 <= y):
                side = (y - y0) * (x1 - x0) - (x - x0) * (y1 - y0)
                crossings += (side > 0) == (y1 > y0)
        where[y, x] = crossings % 2
    for a, b in edges:
        for x, y in _line(a, b):
            if 0 <= y < shape[0] and 0 <= x < shape[1]:
                where[y, x] = True
    return where


def _line(a, b):
    """Yield the pixels of a line: one for each step along its longer axis, the nearest to it."""
    (x0, y0), (x1, y1) = sorted([a, b], key=lambda point: point[0])  # ties lean to the left end
    dx, dy, down = x1 - x0, abs(y1 - y0), 1 if y1 >= y0 else -1
    major, minor = max(dx, dy), min(dx, dy)
    for step in range(major + 1):
        aside = -((major - 2 * step * minor) // (2 * major)) if major else 0
        yield (x0 + step, y0 + down * aside) if dx >= dy else (x0 + aside, y0 + down * step)


def simplified(points, tolerance):
    """Return the vertices of a closed polygon that Douglas-Peucker keeps, in order."""
    points = [tuple(map(int, p)) for p in points]
    if tolerance == 0 or len(points) < 4:
        return points
    first, second = _halves(points)
    thickness = max(_from_segment(p, first[0], second[0]) for p in points)
    for limit in (tolerance, 0.999999 * thickness):
        kept = [first[0]]
        if np.hypot(*np.subtract(first[0], second[0])) > limit:
            kept = _chain(first, limit) + _chain(second, limit)
        kept = _without_nearly_straight(kept, limit)
        if len(kept) >= 3:
            return kept
    return points


def _halves(points):
    """Cut a closed polygon in two at vertices far from each other, found in three hops."""
    for _ in range(3):
        distance = [np.hypot(*np.subtract(p, points[0])) for p in points]
        far = int(np.argmax(distance))
        halves = points[: far + 1], [*points[far:], points[0]]
        points = points[far:] + points[:far]
    return halves


def _chain(points, tolerance):
    """Return what is kept of an open chain, without its end."""
    distance = [_from_segment(p, points[0], points[-1]) for p in points]
    farthest = int(np.argmax(distance))
    if distance[farthest] <= tolerance:
        return [points[0]]
    return _chain(points[: farthest + 1], tolerance) + _chain(points[farthest:], tolerance)


def _from_segment(p, a, b):
    along, length = np.dot(np.subtract(p, a), np.subtract(b, a)), np.hypot(*np.subtract(b, a))
    if not 0 < along < length**2:
        return min(np.hypot(*np.subtract(p, a)), np.hypot(*np.subtract(p, b)))
    return _from_line(p, a, b)


def _from_line(p, a, b):
    dx, dy = b[0] - a[0], b[1] - a[1]
    return abs((p[1] - a[1]) * dx - (p[0] - a[0]) * dy) / np.hypot(dx, dy)


def _without_nearly_straight(points, tolerance):
    """Drop vertices near the slanted line between their neighbours, no two in a row."""
    points = list(points)  # written over as it is read: the last vertex meets the new first one
    before, here = points[-1], points[0]
    read = write = 0
    left = len(points)
    while read < len(points):
        after = points[(read + 1) % len(points)]
        (dx, dy), (dx2, dy2) = np.subtract(here, before), np.subtract(after, here)
        slanted = after[0] != before[0] and after[1] != before[1]
        near = slanted and _from_line(here, before, after) <= tolerance / np.sqrt(2)
        if left > 2 and near and dx * dx2 + dy * dy2 >= 0:
            left -= 1
            points[write] = before = after
            here = points[(read + 2) % len(points)]
            read += 2
        else:
            points[write] = before = here
            here = after
            read += 1
        write = (write + 1) % len(points)
    return points[:left]


def chamfer(down, right):
    """OpenCV's 5 x 5 distance: steps of 1, 1.4 and, for a knight's move, 2.1969."""
    far, near = np.maximum(abs(down), abs(right)), np.minimum(abs(down), abs(right))
    flat = far - 2 * near + 2.1969 * near
    return np.where(far >= 2 * near, flat, 2.1969 * (far - near) + 1.4 * (2 * near - far))
