"""Curves over a training, as means over the seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from segnoise.benchmark.charts import Point
from segnoise.benchmark.results import Row

Entries = Sequence[Mapping[str, Any]]


def score_curve(rows: Sequence[Row]) -> list[Point]:
    """Mean IoU over iterations."""
    return _mean_curve(rows, lambda row: row.scores, "iter", "mIoU")


def share_curve(rows: Sequence[Row], share: str) -> list[Point]:
    """A share of ``memorisation.json`` over epochs."""
    return _mean_curve(rows, lambda row: row.memorisation, "epoch", share)


def _mean_curve(
    rows: Sequence[Row], entries: Callable[[Row], Entries], x: str, y: str
) -> list[Point]:
    """Means at the places that all rows have a value for."""
    curves = [
        {entry[x]: entry[y] for entry in entries(row) if entry[y] is not None}
        for row in rows
        if row.result
    ]
    if not curves:
        return []
    shared = sorted(set(curves[0]).intersection(*curves[1:]))
    values = {place: [curve[place] for curve in curves] for place in shared}
    return [
        Point(place, math.fsum(found) / len(found), min(found), max(found))
        for place, found in values.items()
    ]
