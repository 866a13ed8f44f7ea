"""Means, paired differences and intervals over seeds; nothing is made up where a number is missing.

A table of seeds -> values stands for the runs of one row of a report.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

# Two-sided 95 % quantiles of Student's t by degrees of freedom.
_T95 = (
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281,
    2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860,
    2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423,
)  # fmt: skip
_LEAST_DAMAGE = 1.0


def t95(freedom: int) -> float:
    """The two-sided 95 % quantile of Student's t; beyond 30 degrees of freedom that of 30.

    Example:
        >>> t95(2)
        4.3027
    """
    if freedom < 1:
        raise ValueError(f"at least 1 degree of freedom, got {freedom}")
    return _T95[min(freedom, len(_T95)) - 1]


class Spread(NamedTuple):
    """Mean and sample standard deviation (n - 1) of n values; no deviation of a single one."""

    mean: float
    std: float | None
    n: int


def spread(values: Sequence[float]) -> Spread | None:
    """Mean and standard deviation; None without a value.

    Example:
        >>> spread([1.0, 3.0])
        Spread(mean=2.0, std=1.4142135623730951, n=2)
    """
    if not values:
        return None
    mean = math.fsum(values) / len(values)
    if len(values) == 1:
        return Spread(mean, None, 1)
    squares = math.fsum((value - mean) ** 2 for value in values)
    return Spread(mean, math.sqrt(squares / (len(values) - 1)), len(values))


class Difference(NamedTuple):
    """Mean of paired differences, half of its 95 % interval (None of a single pair), pairs."""

    mean: float
    half: float | None
    n: int


def paired_difference(
    values: Mapping[int, float], baseline: Mapping[int, float]
) -> Difference | None:
    r"""The mean difference over the seeds that both have, with a 95 % confidence interval.

    .. math:: \bar d \pm t_{0.975, n - 1} \, s_d / \sqrt{n}

    Example:
        >>> paired_difference({0: 3.0, 1: 5.0}, {0: 1.0, 1: 2.0, 2: 9.0})
        Difference(mean=2.5, half=6.3530999999999995, n=2)
    """
    found = spread([values[seed] - baseline[seed] for seed in values if seed in baseline])
    if found is None:
        return None
    half = None
    if found.std is not None:
        half = t95(found.n - 1) * found.std / math.sqrt(found.n)
    return Difference(found.mean, half, found.n)


def damage_recovered(
    values: Mapping[int, float], noisy: Mapping[int, float], clean: Mapping[int, float]
) -> float | None:
    r"""Share of the damage that noise does to the baseline which a method makes good, in percent.

    .. math:: 100 \, (\bar m - \bar n) / (\bar c - \bar n)

    with the means of the method under the noise :math:`m`, the baseline under the noise :math:`n`
    and the baseline on clean labels :math:`c`, over the seeds that all three have.

    Example:
        >>> damage_recovered({0: 75.0}, {0: 70.0}, {0: 80.0})
        50.0
    """
    seeds = [seed for seed in values if seed in noisy and seed in clean]
    if not seeds:
        return None
    m, n, c = (math.fsum(table[s] for s in seeds) / len(seeds) for table in (values, noisy, clean))
    if c - n < _LEAST_DAMAGE:
        return None
    return 100 * (m - n) / (c - n)
