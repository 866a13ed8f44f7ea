"""Who gets what a class gives up: the class across the nearest boundary."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from segnoise.noise.geometry.cells import Cells
from segnoise.noise.geometry.ranks import RankMap
from segnoise.noise.geometry.squares import square_maximum, square_minimum


def hand_over(
    canvas: RankMap,
    given_up: Callable[[slice], NDArray[np.bool_]],
    own_ranks: Callable[[slice], RankMap],
    *,
    keep_ground: bool,
) -> None:
    """Give pixels that their class gave up to the class across the nearest boundary, in place.

    The boundary is one of the map before the change. Where three or more classes meet, the highest
    of the others gets the pixel if it has a higher rank than the pixel's own class, else the
    lowest. What is nearest is measured between cells, see `Cells`. In a map of a single class,
    pixels go back to it. The two functions return, for some rows, which pixels their class gave up
    and the ranks before the change, which are not written to.

    With `keep_ground` a pixel stays with its class where the one across the boundary has a higher
    rank and drew back too: of two classes that both drew back the lower keeps the ground, instead
    of each getting a stripe of the other's.
    """
    cells = Cells(canvas.shape)
    rows_of_gaps = [rows for rows in cells.strips() if given_up(rows).any()]
    if not rows_of_gaps:
        return
    # A boundary pixel's class, and the one that it would give pixels to, in one number.
    base = 1 << 8 * canvas.dtype.itemsize
    dtype = np.dtype(np.uint16 if base == 1 << 8 else np.float64)
    greatest, least = cells.empty(dtype), cells.empty(dtype)
    for rows in cells.strips():
        above, below = rows.start > 0, rows.stop < canvas.shape[0]
        window = slice(rows.start - above, rows.stop + below)
        own = own_ranks(window)
        taker, high = square_minimum(own, 1), square_maximum(own, 1)
        rim = taker != high
        upper = high > own
        if keep_ground:
            upper &= square_maximum(own * ~given_up(window), 1) == high
        high *= upper
        np.maximum(taker, high, out=taker)
        code = own.astype(dtype)
        code *= base
        code += taker
        inner = slice(int(above), int(above) + rows.stop - rows.start)
        code, rim = code[inner], rim[inner]
        cells.put_greatest(greatest, rows, code * rim)
        cells.put_greatest(least, rows, (base * base - 1 - code) * rim)
    spread = cells.spread(greatest > 0, greatest, base * base - 1 - least)
    pairs = [part.astype(canvas.dtype) for codes in spread for part in np.divmod(codes, base)]
    for rows in rows_of_gaps:
        free, own = given_up(rows), own_ranks(rows)
        heir = own
        if pairs:
            # A cell knows two of its classes. If the pixel's is none of them, the lower one gets
            # it. Arithmetic modulo the dtype's range: a branch at each pixel takes far longer.
            upper, from_upper, lower, from_lower = (cells.enlarge(part, rows) for part in pairs)
            heir = lower
            heir += (from_lower - lower) * (lower == own)
            heir += (from_upper - heir) * (upper == own)
        part = canvas[rows]
        part += (heir - part) * free
