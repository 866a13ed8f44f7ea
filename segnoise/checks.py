"""Numbers, rates and choices that a user gives: checked in one form of message.

Every message reads ``NAME must be WHAT, not VALUE``. Wrong values are a :class:`ConfigError`, which
is a ValueError; values of a wrong kind are a TypeError as well.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable
from typing import Any, NoReturn

from segnoise.errors import ConfigError

MAX_SEED = 2**32 - 1  # NumPy's generators take no more


class KindError(ConfigError, TypeError):
    """A value that is not of the kind it has to be, such as a text for a number."""


def check_integer(
    name: str, value: object, least: int | None = None, most: int | None = None
) -> int:
    """Return an integer as an int; NumPy's are accepted, booleans are not.

    Args:
        name: What the value is called, for the error.
        value: What the user gave.
        least: The smallest value allowed, if any.
        most: The largest value allowed, if any.

    Raises:
        KindError: If it is not an integer.
        ConfigError: If it is out of bounds.

    Example:
        >>> check_integer("batch_size", 0, 1, 64)
        Traceback (most recent call last):
        segnoise.errors.ConfigError: batch_size must be at least 1 and at most 64, not 0
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        _refuse(KindError, name, "an integer", value)
    if not _within(value, least, most):
        _refuse(ConfigError, name, _bounds(least, most), value)
    return int(value)


def check_number(
    name: str,
    value: object,
    least: float | None = None,
    most: float | None = None,
    *,
    above: float | None = None,
    below: float | None = None,
) -> float:
    """Return a finite number; an integer stays an int, all others become a float.

    Args:
        name: What the value is called, for the error.
        value: What the user gave; NumPy's numbers are accepted, booleans are not.
        least: The smallest value allowed, if any.
        most: The largest value allowed, if any.
        above: A value that it must exceed, if any.
        below: A value that it must not reach, if any.

    Raises:
        KindError: If it is not a number.
        ConfigError: If it is not finite, or out of bounds.

    Example:
        >>> check_number("q", 0.7, above=0, most=1)
        0.7
        >>> check_number("q", 0, above=0, most=1)
        Traceback (most recent call last):
        segnoise.errors.ConfigError: q must be above 0 and at most 1, not 0
        >>> check_number("lr", float("nan"))
        Traceback (most recent call last):
        segnoise.errors.ConfigError: lr must be finite, not nan
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        _refuse(KindError, name, "a number", value)
    if not (math.isfinite(_float(value)) and _within(value, least, most, above, below)):
        _refuse(ConfigError, name, _bounds(least, most, above, below) or "finite", value)
    return int(value) if isinstance(value, numbers.Integral) else float(value)


def check_float(name: str, value: object, *bounds: float | None, **more: float | None) -> float:
    """Return a finite number as a float; otherwise as :func:`check_number`.

    Example:
        >>> check_float("alpha", 5, above=0)
        5.0
    """
    return float(check_number(name, value, *bounds, **more))


def check_rate(name: str, value: object) -> float:
    """Return a probability as a float.

    Raises:
        KindError: If it is not a number.
        ConfigError: If it is not within 0..1.

    Example:
        >>> check_rate("rate", 1.5)
        Traceback (most recent call last):
        segnoise.errors.ConfigError: rate must be from 0 to 1, not 1.5
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        _refuse(KindError, name, "a number from 0 to 1", value)
    if not 0 <= _float(value) <= 1:  # NaN is not either
        _refuse(ConfigError, name, "from 0 to 1", value)
    return float(value)


def check_flag(name: str, value: object) -> bool:
    """Return ``value`` if it is True or False.

    Raises:
        KindError: If it is anything else, such as the text "False".

    Example:
        >>> check_flag("object_wise", True)
        True
    """
    if not isinstance(value, bool):
        _refuse(KindError, name, "True or False", value)
    return value


def check_choice(name: str, value: Any, known: Iterable[Any]) -> Any:
    """Return ``value`` if it is one of those that there are.

    Raises:
        ConfigError: If it is none of them.

    Example:
        >>> check_choice("amp", "bf8", (None, "bf16", "fp16"))
        Traceback (most recent call last):
        segnoise.errors.ConfigError: amp must be None, 'bf16' or 'fp16', not 'bf8'
    """
    options = list(known)
    # Not `value in options`, for which 1 is True and an array is an error.
    if not any(type(value) is type(option) and value == option for option in options):
        *first, last = map(repr, options)
        _refuse(ConfigError, name, f"{', '.join(first)} or {last}" if first else last, value)
    return value


def check_sides(name: str, value: object, least: int = 1, most: int = 2**15) -> tuple[int, int]:
    """Return a (height, width) in pixels; one number stands for both.

    Raises:
        KindError: If it is neither an integer nor two of them.
        ConfigError: If a side is out of bounds.

    Example:
        >>> check_sides("crop_size", 512)
        (512, 512)
        >>> check_sides("crop_size", (512, 0))
        Traceback (most recent call last):
        segnoise.errors.ConfigError: crop_size must be an integer from 1 to 32768, or two of them, \
not (512, 0)
    """
    sides = tuple(value) if isinstance(value, (list, tuple)) else (value, value)
    try:
        height, width = (check_integer(name, side, least, most) for side in sides)
    except (ConfigError, ValueError) as error:  # one of them, or not two
        kind = KindError if isinstance(error, KindError) else ConfigError
        _refuse(kind, name, f"an integer from {least} to {most}, or two of them", value)
    return height, width


def _refuse(kind: type[ConfigError], name: str, what: str, value: object) -> NoReturn:
    shown = repr(value)
    shown = shown if len(shown) <= 100 else f"{shown[:97]}..."
    raise kind(f"{name} must be {what}, not {shown}") from None


def _bounds(
    least: float | None,
    most: float | None,
    above: float | None = None,
    below: float | None = None,
) -> str:
    """The bounds in words; nothing where there are none."""
    words = [
        f"{word} {bound}"
        for word, bound in (
            ("above", above), ("at least", least), ("at most", most), ("below", below)
        )
        if bound is not None
    ]  # fmt: skip
    return " and ".join(words)


def _within(
    value: Any,
    least: float | None,
    most: float | None,
    above: float | None = None,
    below: float | None = None,
) -> bool:
    return (
        (least is None or value >= least)
        and (most is None or value <= most)
        and (above is None or value > above)
        and (below is None or value < below)
    )


def _float(value: Any) -> float:
    """Return a number as a float; infinity if it is too large for one."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
