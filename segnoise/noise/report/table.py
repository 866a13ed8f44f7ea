"""The noise report as a table for people."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from segnoise.tables import markdown

if TYPE_CHECKING:
    from segnoise.noise.report.noise_report import NoiseReport


def report_table(report: NoiseReport, classes: Sequence[str] | None, distance: int) -> str:
    """Lay out a noise report: a few sentences, one row a class, and a row for all."""
    size = report.num_classes
    names = [str(i) for i in range(size)] if classes is None else list(classes)
    if len(names) != size:
        raise ValueError(f"{len(names)} class names for {size} classes")
    columns = {
        "class": [*names, "all"],
        "pixels": [f"{pixels:,}" for pixels in _with_sum(report.class_pixels)],
        "share %": _percents(_with_sum(report.class_pixels), [report.valid] * (size + 1)),
        "changed %": _percents(_with_sum(report.class_changed), _with_sum(report.class_pixels)),
        "to void %": _percents(_with_sum(report.to_void), _with_sum(report.class_pixels)),
        "IoU %": [_number(100 * iou) for iou in (*report.iou, report.mean_iou)],
        "objects": [f"{objects:,}" for objects in _with_sum(report.clean_objects)],
        "lost %": _percents(_with_sum(report.lost_objects), _with_sum(report.clean_objects)),
        "added": [f"{objects:,}" for objects in _with_sum(report.added_objects)],
        "often becomes": [*(_becomes(report, i, names) for i in range(size)), ""],
    }
    if not report.to_void.any():
        del columns["to void %"]
    rows = list(zip(*columns.values(), strict=True))
    table = markdown(list(columns), rows, left=(0, len(columns) - 1))
    return "\n".join([*_summary(report, distance), "", table])


def _summary(report: NoiseReport, distance: int) -> list[str]:
    masks = f"{report.num_masks:,} mask" + ("" if report.num_masks == 1 else "s")
    if not report.changed:
        return [f"Changed: none of {report.valid:,} valid pixels in {masks}."]
    changed, share, rate = (
        _number(100 * value)
        for value in (
            report.pixel_rate,
            report.boundary_share(distance),
            report.boundary_rate(distance),
        )
    )
    lines = [
        f"Changed: {changed} % of {report.valid:,} valid pixels in {masks}.",
        f"{share} % of the changes lie within {distance} px of a boundary, where {rate} % of the "
        "pixels changed.",
    ]
    reach = report.correlation_length
    if not math.isnan(reach):
        over = f"over {reach:.1f} px" if math.isfinite(reach) else "beyond the greatest lag"
        lines.append(
            f"Errors correlate {over} (autocorrelation along rows and columns down to 1/e)."
        )
    objects, lost = int(report.clean_objects.sum()), int(report.lost_objects.sum())
    same = int((report.matched_objects - report.changed_objects).sum())
    lines.append(
        f"Of {objects:,} objects {_percent(lost, objects)} % are lost and "
        f"{_percent(same, objects)} % unchanged; {int(report.added_objects.sum()):,} are added."
    )
    return lines


def _becomes(report: NoiseReport, label: int, names: Sequence[str]) -> str:
    others = report.confusion[label].copy()
    others[label] = 0
    top = int(others.argmax())
    share = _percent(int(others[top]), int(report.class_pixels[label]))
    return f"{names[top]} ({share} %)" if others[top] else "-"


def _with_sum(counts: NDArray[np.int64]) -> list[int]:
    return [*counts.tolist(), int(counts.sum())]


def _percents(parts: Sequence[int], wholes: Sequence[int]) -> list[str]:
    return [_percent(part, whole) for part, whole in zip(parts, wholes, strict=True)]


def _percent(part: int, whole: int) -> str:
    return _number(100 * part / whole if whole else math.nan)


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"
