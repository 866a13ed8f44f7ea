"""Parameters are checked against their domain when a loss is built, not when it first fails."""

from __future__ import annotations

import math


def check_number(name: str, value: object, *, above: float = -math.inf, **bounds: float) -> float:
    """Return ``value`` as a float if it lies in the parameter's domain.

    Args:
        name: the parameter's name, for the message.
        value: the value to check.
        above: exclusive lower bound.
        **bounds: ``least`` (inclusive lower bound), ``most`` (inclusive upper bound), ``below``
            (exclusive upper bound).

    Raises:
        TypeError: if ``value`` is no number.
        ValueError: if ``value`` is not finite or outside the domain.

    Example:
        >>> check_number("q", 0.7, above=0, most=1)
        0.7
        >>> check_number("q", 0, above=0, most=1)
        Traceback (most recent call last):
        ...
        ValueError: q must satisfy q > 0 and q <= 1, got 0
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number, got {value!r}")
    limits = {">": above, ">=": bounds.pop("least", -math.inf)}
    limits |= {"<=": bounds.pop("most", math.inf), "<": bounds.pop("below", math.inf)}
    if bounds:
        raise TypeError(f"unknown bounds {sorted(bounds)}")
    inside = limits[">"] < value < limits["<"] and limits[">="] <= value <= limits["<="]
    if not (inside and math.isfinite(value)):
        domain = " and ".join(f"{name} {op} {b:g}" for op, b in limits.items() if math.isfinite(b))
        raise ValueError(f"{name} must satisfy {domain or 'be finite'}, got {value!r}")
    return float(value)


def check_min_prob(value: object) -> float:
    """Return ``min_prob``, the probability at which log p is cut off: 1e-30 <= min_prob < 1.

    The lower bound keeps it a normal number in float32.

    Example:
        >>> check_min_prob(1e-7)
        1e-07
    """
    return check_number("min_prob", value, least=1e-30, below=1)


def check_integer(name: str, value: object, *, least: int) -> int:
    """Return ``value`` if it is an integer in the parameter's domain.

    Raises:
        TypeError: if ``value`` is no integer.
        ValueError: if ``value`` is below ``least``.

    Example:
        >>> check_integer("t", 0, least=1)
        Traceback (most recent call last):
        ...
        ValueError: t must satisfy t >= 1, got 0
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must satisfy {name} >= {least}, got {value}")
    return value


def check_flag(name: str, value: object) -> bool:
    """Return ``value`` if it is True or False.

    Raises:
        TypeError: if it is anything else, such as the text "False".

    Example:
        >>> check_flag("object_wise", True)
        True
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return value
