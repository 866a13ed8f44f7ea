"""Line charts as inline SVG, coloured by CSS classes so that one page serves light and dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from segnoise.pages import escape

_WIDTH, _HEIGHT = 420, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 12, 40


class Point(NamedTuple):
    """A mean at x, and the lowest and highest of what it is the mean of."""

    x: float
    y: float
    low: float
    high: float


class Series(NamedTuple):
    """A line of a chart."""

    name: str
    style: str
    points: Sequence[Point]


def line_chart(
    title: str, series: Sequence[Series], x_label: str, y_label: str, from_zero: bool = False
) -> str:
    """An SVG with axes, lines, bands from lowest to highest, and a tooltip on every point."""
    drawn = [line for line in series if line.points]
    if not drawn:
        return f'<p class="faint none">{escape(title)}: no data</p>'
    points = [point for line in drawn for point in line.points]
    right = max(point.x for point in points)
    xs = [x for x in ticks(0, right) if x <= right]
    low = 0.0 if from_zero else min(point.low for point in points)
    ys = ticks(low, max(point.high for point in points))
    box = _Box(0, right or 1, ys[0], ys[-1])
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">',
        *_axes(box, xs, ys, x_label, y_label),
        *(_line(box, line, x_label) for line in drawn),
        "</svg>",
    ]
    return "\n".join(parts)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers that enclose a range, about ``count`` steps apart.

    Example:
        >>> ticks(12.3, 58.0)
        [10.0, 20.0, 30.0, 40.0, 50.0, 60.0]
        >>> ticks(3.0, 3.0)
        [2.0, 3.0, 4.0]
    """
    if high <= low:
        return [low - 1, low, low + 1] if low else [0.0, 1.0]
    raw = (high - low) / count
    size = 10 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(float(number * step), 10) for number in range(first, last + 1)]


class _Box(NamedTuple):
    """The ranges of the axes, and where they lie in the picture."""

    left: float
    right: float
    bottom: float
    top: float

    def x(self, value: float) -> str:
        share = (value - self.left) / (self.right - self.left)
        return f"{_LEFT + share * (_WIDTH - _LEFT - _RIGHT):.1f}"

    def y(self, value: float) -> str:
        share = (value - self.bottom) / (self.top - self.bottom)
        return f"{_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM):.1f}"


def _axes(
    box: _Box, xs: Sequence[float], ys: Sequence[float], x_label: str, y_label: str
) -> list[str]:
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    parts = [
        f'<path class="grid" d="M{_LEFT} {box.y(y)}H{right}"/>'
        f'<text class="tick" x="{_LEFT - 6}" y="{box.y(y)}" text-anchor="end" '
        f'dominant-baseline="middle">{y:g}</text>'
        for y in ys
    ]
    parts += [
        f'<text class="tick" x="{box.x(x)}" y="{bottom + 15}" text-anchor="middle">{x:g}</text>'
        for x in xs
    ]
    middle = (_LEFT + right) / 2
    parts += [
        f'<path class="axis" d="M{_LEFT} {bottom}H{right}"/>',
        f'<text class="label" x="{middle}" y="{_HEIGHT - 6}" text-anchor="middle">'
        f"{escape(x_label)}</text>",
        f'<text class="label" transform="translate(11 {(_TOP + bottom) / 2}) rotate(-90)" '
        f'text-anchor="middle">{escape(y_label)}</text>',
    ]
    return parts


def _line(box: _Box, line: Series, x_label: str) -> str:
    places = [(box.x(point.x), box.y(point.y)) for point in line.points]
    path = "M" + "L".join(f"{x} {y}" for x, y in places)
    band = ""
    if any(point.low < point.high for point in line.points):
        over = [f"{box.x(point.x)} {box.y(point.high)}" for point in line.points]
        under = [f"{box.x(point.x)} {box.y(point.low)}" for point in reversed(line.points)]
        band = f'<path class="band" d="M{"L".join([*over, *under])}Z"/>'
    dots = "".join(
        f'<circle cx="{x}" cy="{y}" r="2.6"><title>{escape(line.name)}: {point.y:.1f} at '
        f"{escape(x_label)} {point.x:g}</title></circle>"
        for (x, y), point in zip(places, line.points, strict=True)
    )
    return f'<g class="line {line.style}">{band}<path class="stroke" d="{path}"/>{dots}</g>'
