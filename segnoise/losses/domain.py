"""Domains of parameters that several losses have."""

from __future__ import annotations

from segnoise.checks import check_float


def check_min_prob(value: object) -> float:
    """Return ``min_prob``, the probability at which log p is cut off: 1e-30 <= min_prob < 1.

    The lower bound keeps it a normal number in float32.

    Example:
        >>> check_min_prob(1e-7)
        1e-07
    """
    return check_float("min_prob", value, 1e-30, below=1)
