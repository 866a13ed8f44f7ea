"""Pictures of masks: colours, overlays, legends, and grids with captions.

All pictures are (H, W, 3) uint8 RGB. Stands on NumPy, OpenCV and Pillow only.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from segnoise.files import replacing
from segnoise.tables import printable

VOID_COLOR = (226, 226, 218)
PAPER, INK, FAINT = (255, 255, 255), (32, 34, 40), (120, 124, 134)
_DARK = 40  # colours with no channel above this are "no tint" in overlays
_GAP, _MARGIN = 8, 20


def colorize(
    mask: np.ndarray,
    palette: Sequence[Sequence[int]],
    ignore_color: Sequence[int] = VOID_COLOR,
) -> np.ndarray:
    """Return the classes' colours; ids without a colour, such as void, get `ignore_color`.

    Args:
        mask: (H, W) class ids, not negative.
        palette: K colours.
        ignore_color: The colour of ids from K on.

    Returns:
        (H, W, 3) uint8.

    Example:
        >>> colorize(np.array([[0, 255]]), [(10, 20, 30)], (9, 9, 9)).tolist()
        [[[10, 20, 30], [9, 9, 9]]]
    """
    table: np.ndarray = np.array([*palette, ignore_color], np.uint8)
    index: np.ndarray = np.minimum(mask, len(palette)).astype(np.intp)
    return np.asarray(table[index])


def overlay(
    image: np.ndarray,
    mask: np.ndarray,
    palette: Sequence[Sequence[int]],
    alpha: float = 0.45,
) -> np.ndarray:
    """Return the image tinted with its classes' colours, and outlined in them.

    Classes whose colour is near black are not tinted: black is the usual colour of background,
    and would only darken the picture.
    """
    colors = colorize(mask, palette)
    tinted = (colors.max(axis=2) > _DARK)[..., None]
    mixed = np.where(tinted, (1 - alpha) * image + alpha * colors, image)
    result = np.rint(mixed).astype(np.uint8)
    edge = boundaries(mask)[..., None] & tinted
    return np.where(edge, colors, result)


def boundaries(mask: np.ndarray) -> np.ndarray:
    """Return where a pixel's right or lower neighbour has another id, (H, W) bool.

    Example:
        >>> boundaries(np.array([[0, 0, 1]])).tolist()
        [[False, True, False]]
    """
    edge = np.zeros(mask.shape, bool)
    edge[:, :-1] |= mask[:, 1:] != mask[:, :-1]
    edge[:-1] |= mask[1:] != mask[:-1]
    return edge


def legend(
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
    width: int = 720,
    void: bool = True,
) -> np.ndarray:
    """Return a key of class names beside their colours, in as many lines as it takes."""
    font, swatch, line = _font(13), 14, 24
    entries = [(printable(name), color) for name, color in zip(classes, palette, strict=True)]
    if void:
        entries.append(("void", VOID_COLOR))
    places = []
    x = y = 0
    for name, color in entries:
        length = swatch + 6 + round(font.getlength(name))
        if x and x + length > width:
            x, y = 0, y + line
        places.append((x, y, name, color))
        x += length + 18
        width = max(width, length)
    picture = Image.new("RGB", (width, y + line), PAPER)
    draw = ImageDraw.Draw(picture)
    for x, y, name, color in places:
        box = (x, y + 5, x + swatch - 1, y + 4 + swatch)
        draw.rounded_rectangle(box, 3, fill=_rgb(color), outline=FAINT)
        draw.text((x + swatch + 6, y + line / 2), name, INK, font, anchor="lm")
    return np.array(picture)


def grid(
    rows: Sequence[Sequence[np.ndarray]],
    column_titles: Sequence[str] = (),
    row_titles: Sequence[str] = (),
    footer: np.ndarray | None = None,
    cell_width: int = 256,
) -> np.ndarray:
    """Return pictures in rows and columns with captions, on white.

    Pictures are fitted into cells of one size, shaped as most of them are: small ones are
    enlarged without smoothing, so that single pixels stay visible.

    Args:
        rows: Pictures, (H, W, 3) uint8 or (H, W) grey; sizes may differ.
        column_titles: Captions above the columns.
        row_titles: Captions above the rows.
        footer: A picture below all, such as a legend.
        cell_width: Width of a cell in pixels.

    Raises:
        ValueError: If there is no picture.
    """
    shapes = [picture.shape for row in rows for picture in row]
    if not shapes:
        raise ValueError("no pictures to lay out")
    aspect = float(np.median([height / width for height, width, *_ in shapes]))
    cell = (max(1, round(cell_width * min(aspect, 2.0))), cell_width)
    columns = max(len(row) for row in rows)
    head = 26 if column_titles else 0
    pitch = cell[0] + _GAP + (20 if row_titles else 0)
    inner = columns * (cell[1] + _GAP) - _GAP
    total = max(inner, footer.shape[1] if footer is not None else 0) + 2 * _MARGIN
    below = footer.shape[0] + _GAP if footer is not None else 0
    size = (total, 2 * _MARGIN + head + len(rows) * pitch - _GAP + below)
    canvas = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(canvas)
    for column, title in enumerate(column_titles):
        x = _MARGIN + column * (cell[1] + _GAP)
        _text(draw, (x, _MARGIN + 8), title, INK, 15, cell[1])
    for number, row in enumerate(rows):
        y = _MARGIN + head + number * pitch
        if number < len(row_titles):
            _text(draw, (_MARGIN, y + 8), row_titles[number], FAINT, 12, inner)
        for column, picture in enumerate(row):
            place = (_MARGIN + column * (cell[1] + _GAP), y + (20 if row_titles else 0))
            canvas.paste(Image.fromarray(_fit(picture, cell)), place)
    if footer is not None:
        canvas.paste(Image.fromarray(footer), (_MARGIN, size[1] - _MARGIN - footer.shape[0] + 4))
    return np.array(canvas)


def save_png(path: str | Path, picture: np.ndarray) -> None:
    """Write a picture as PNG, whole or not at all; makes missing folders."""
    with replacing(path) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG")


def _fit(picture: np.ndarray, cell: tuple[int, int]) -> np.ndarray:
    """Return the picture scaled to fit, centred on light grey."""
    rgb = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB) if picture.ndim == 2 else picture
    factor = min(cell[0] / rgb.shape[0], cell[1] / rgb.shape[1])
    height, width = (max(1, round(side * factor)) for side in rgb.shape[:2])
    how = cv2.INTER_NEAREST if factor >= 1 else cv2.INTER_AREA
    scaled = cv2.resize(rgb, (width, height), interpolation=how)
    top, left = (cell[0] - height) // 2, (cell[1] - width) // 2
    result = np.full((*cell, 3), 242, np.uint8)
    result[top : top + height, left : left + width] = scaled
    return result


def _text(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    color: tuple[int, int, int],
    size: int,
    width: float,
) -> None:
    """Write one line, shortened to a width."""
    font, text = _font(size), printable(text)
    if font.getlength(text) > width:
        while text and font.getlength(text + "...") > width:
            text = text[:-1]
        text += "..."
    draw.text(place, text, color, font, anchor="lm")


@lru_cache
def _font(size: int) -> Any:
    return ImageFont.load_default(size)


def _rgb(color: Sequence[int]) -> tuple[int, int, int]:
    return int(color[0]), int(color[1]), int(color[2])
