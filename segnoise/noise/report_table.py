"""The noise report as a table for people."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segnoise.noise.report import NoiseReport

_HEAD = ("class", "pixels", "share %", "changed %", "to void %", "IoU %", "most often becomes")


def report_table(report: NoiseReport, classes: Sequence[str] | None, distance: int) -> str:
    """Lay out a noise report: a sentence, one row a class, and a row for all.

    Args:
        report: The report.
        classes: The K class names; None for their ids.
        distance: Pixels within which a change counts as near a boundary.

    Returns:
        Lines of text; the table is valid Markdown and aligned in a terminal.

    Raises:
        ValueError: If the number of names is not K.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import realised_noise
        >>> clean = np.array([[0, 0, 0, 0, 1, 1, 1, 255]], np.uint8)
        >>> noisy = np.array([[0, 0, 0, 1, 1, 1, 255, 255]], np.uint8)
        >>> print(realised_noise(clean, noisy, 3).table(["sky", "tree", "car"]))
        Changed: 28.57 % of 7 valid pixels in 1 mask; 100.00 % of them within 3 px of a boundary.
        <BLANKLINE>
        | class | pixels | share % | changed % | to void % | IoU % | most often becomes |
        | :---- | -----: | ------: | --------: | --------: | ----: | :----------------- |
        | sky   |      4 |   57.14 |     25.00 |      0.00 | 75.00 | tree (25.00 %)     |
        | tree  |      3 |   42.86 |     33.33 |     33.33 | 50.00 | -                  |
        | car   |      0 |    0.00 |         - |         - |     - | -                  |
        | all   |      7 |  100.00 |     28.57 |     14.29 | 62.50 |                    |
    """
    names = [str(i) for i in range(report.num_classes)] if classes is None else list(classes)
    if len(names) != report.num_classes:
        raise ValueError(f"{len(names)} class names for {report.num_classes} classes")
    rows: list[Sequence[str]] = [_HEAD]
    rows += [_class_row(report, i, names) for i in range(report.num_classes)]
    total = (
        "all",
        f"{report.valid:,}",
        _percent(report.valid, report.valid),
        _percent(report.changed, report.valid),
        _percent(int(report.to_void.sum()), report.valid),
        "-" if math.isnan(report.mean_iou) else f"{100 * report.mean_iou:.2f}",
        "",
    )
    rows.append(total)
    return _summary(report, distance) + "\n\n" + _align(rows)


def _summary(report: NoiseReport, distance: int) -> str:
    masks = f"{report.num_masks:,} mask" + ("" if report.num_masks == 1 else "s")
    if not report.changed:
        return f"Changed: none of {report.valid:,} valid pixels in {masks}."
    return (
        f"Changed: {_percent(report.changed, report.valid)} % of {report.valid:,} valid pixels in "
        f"{masks}; {_percent(report.near_boundary, report.changed)} % of them "
        f"within {distance} px of a boundary."
    )


def _class_row(report: NoiseReport, label: int, names: Sequence[str]) -> tuple[str, ...]:
    pixels = int(report.class_pixels[label])
    others = report.confusion[label].copy()
    others[label] = 0
    top = int(others.argmax())
    becomes = f"{names[top]} ({_percent(int(others[top]), pixels)} %)" if others[top] else "-"
    iou = report.iou[label]
    return (
        names[label],
        f"{pixels:,}",
        _percent(pixels, report.valid),
        _percent(int(report.class_changed[label]), pixels),
        _percent(int(report.to_void[label]), pixels),
        "-" if math.isnan(iou) else f"{100 * iou:.2f}",
        becomes,
    )


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f}" if whole else "-"


def _align(rows: list[Sequence[str]]) -> str:
    """Join rows into a Markdown table whose columns line up; the middle ones are numbers."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    last = len(widths) - 1
    left = [index in (0, last) for index in range(last + 1)]
    rule = [
        ":" + "-" * (width - 1) if is_left else "-" * (width - 1) + ":"
        for width, is_left in zip(widths, left, strict=True)
    ]
    lines = []
    for row in (rows[0], rule, *rows[1:]):
        cells = [
            cell.ljust(width) if is_left else cell.rjust(width)
            for cell, width, is_left in zip(row, widths, left, strict=True)
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
