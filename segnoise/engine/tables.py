"""The table of scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from segnoise.metrics.memorisation import memorisation_begins
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


def memorised(history: Sequence[Mapping[str, Any]]) -> str:
    """One line on what became of wrong labels; empty where nothing is known of them.

    Args:
        history: entries of ``memorisation.json``.

    Example:
        >>> entry = dict(epoch=3.0, given=20.0, true=70.0, other=10.0, right_accuracy=95.0)
        >>> print(memorised([entry]))
        wrong labels are predicted as given 20.0 %, as true 70.0 %, otherwise 10.0 % at the end; \
right ones 95.0 %; memorisation has not begun
    """
    if not history or history[-1]["given"] is None:
        return ""
    last, begins = history[-1], memorisation_begins(history)
    when = "has not begun" if begins is None else f"begins at epoch {begins:g}"
    return (
        f"wrong labels are predicted as given {percent(last['given'])} %, as true "
        f"{percent(last['true'])} %, otherwise {percent(last['other'])} % at the end; right ones "
        f"{percent(last['right_accuracy'])} %; memorisation {when}"
    )
