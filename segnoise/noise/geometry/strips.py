"""Strips of rows, so that filters of a mask work within the processor's cache."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

_PIXELS = 1 << 17


class Strip(NamedTuple):
    """Some rows of an image, and the rows around them that a filter looks at.

    Attributes:
        rows: The rows themselves.
        window: They and up to `reach` rows above and below, as far as the image goes.
        inner: Where in the window the rows themselves are.
    """

    rows: slice
    window: slice
    inner: slice


def strips(shape: tuple[int, ...], reach: int) -> Iterator[Strip]:
    """Yield strips that together cover an image, from the top.

    Arrays of a strip's size stay in the cache and are used again by the allocator, where arrays of
    the image's size come from the operating system page by page.
    """
    height, width = shape
    # Strips lower than this would be more surroundings than rows.
    size = max(_PIXELS // width, 2 * reach, 1)
    for top in range(0, height, size):
        bottom = min(top + size, height)
        above = max(top - reach, 0)
        yield Strip(
            rows=slice(top, bottom),
            window=slice(above, min(bottom + reach, height)),
            inner=slice(top - above, bottom - above),
        )
