"""Colours for classes: PASCAL VOC's own, and a default for sets that have none."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np
from PIL import Image

Color = tuple[int, int, int]
Palette = tuple[Color, ...]

_GOLDEN = 0.618033988749895  # steps of the golden ratio never bring two hues close together


def voc_palette(num_colors: int) -> Palette:
    """Return the first colours of PASCAL VOC's colour map (RGB, 0..255).

    Bit triples of the class id become the high bits of red, green and blue, as VOC's devkit does.

    Example:
        >>> voc_palette(4)
        ((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0))
    """
    colors = []
    for index in range(num_colors):
        red = green = blue = 0
        for bit in range(8):
            triple = index >> (3 * bit)
            red |= (triple & 1) << (7 - bit)
            green |= (triple >> 1 & 1) << (7 - bit)
            blue |= (triple >> 2 & 1) << (7 - bit)
        colors.append((red, green, blue))
    return tuple(colors)


def default_palette(num_colors: int) -> Palette:
    """Return distinct bright colours, after black for class 0 (RGB, 0..255).

    Example:
        >>> default_palette(3)
        ((0, 0, 0), (230, 80, 64), (80, 204, 128))
    """
    colors: list[Color] = [(0, 0, 0)]
    for index in range(1, num_colors):
        hue = (0.016 + (index - 1) * (1 - _GOLDEN)) % 1.0
        saturation, value = ((0.72, 0.9), (0.61, 0.8), (0.8, 1.0))[(index - 1) % 3]
        red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
        colors.append((round(red * 255), round(green * 255), round(blue * 255)))
    return tuple(colors[:num_colors])


def palette_image(mask: np.ndarray, palette: Sequence[Sequence[int]]) -> Image.Image:
    """Return 8-bit ids as a palette picture: colors to look at, ids to compute with; void white."""
    colors = np.full((256, 3), 255, np.uint8)
    colors[: len(palette)] = palette
    picture = Image.fromarray(mask)
    picture.putpalette(colors.tobytes())
    return picture
