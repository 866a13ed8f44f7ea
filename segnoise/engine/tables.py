"""The table of scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segnoise.tables import markdown


def percent(value: float | None) -> str:
    """One decimal, or a dash where there is nothing to measure.

    Example:
        >>> percent(93.14), percent(None)
        ('93.1', '-')
    """
    return "-" if value is None else f"{value:.1f}"


def score_table(scores: Mapping[str, Mapping[str, Any]]) -> str:
    """Per-class IoU, and mIoU, mDice and pixel accuracy below, one column a result.

    Args:
        scores: name of the column -> an entry of ``scores.json``.

    Example:
        >>> entry = dict(mIoU=50.0, mDice=60.0, pixel_accuracy=70.0, classes={"a": {"IoU": 50.0}})
        >>> print(score_table({"best": entry}))
        | IoU, %         | best |
        | :------------- | ---: |
        | a              | 50.0 |
        | mIoU           | 50.0 |
        | mDice          | 60.0 |
        | pixel accuracy | 70.0 |
    """
    entries = list(scores.values())
    rows = [
        [name, *(percent(entry["classes"][name]["IoU"]) for entry in entries)]
        for name in entries[0]["classes"]
    ]
    rows += [
        [key.replace("_", " "), *(percent(entry[key]) for entry in entries)]
        for key in ("mIoU", "mDice", "pixel_accuracy")
    ]
    return markdown(["IoU, %", *scores], rows)
