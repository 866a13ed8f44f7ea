"""Numbers, rates and choices that a user gives: checked in one form of message.

Every message reads ``NAME must be WHAT, not VALUE``. Wrong values are a :class:`ConfigError`, which
is a ValueError; values of a wrong kind are a TypeError as well.
"""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Iterable
from typing import Any, NoReturn

from segnoise.errors import ConfigError

MAX_SEED = 2**32 - 1  # NumPy's generators take no more
_BOUNDS = (
    ("above", operator.gt), ("at least", operator.ge), ("at most", operator.le),
    ("below", operator.lt),
)  # fmt: skip


class KindError(ConfigError, TypeError):
    """A value that is not of the kind it has to be, such as a text for a number."""


def check_integer(
    name: str, value: object, least: int | None = None, most: int | None = None
) -> int:
    """Return an integer as an int; NumPy's are accepted, booleans are not.

    Example:
        >>> check_integer("batch_size", 0, 1, 64)
        Traceback (most recent call last):
        segnoise.errors.ConfigError: batch_size must be at least 1 and at most 64, not 0
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        _refuse(KindError, name, "an integer", value)
    _check_bounds(name, value, None, least, most, None)
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
    fine = math.isfinite(_float(value))
    _check_bounds(name, value, above, least, most, below, fine=fine)
    return int(value) if isinstance(value, numbers.Integral) else float(value)


def check_float(name: str, value: object, *bounds: float | None, **more: float | None) -> float:
    """Return a finite number as a float; otherwise as :func:`check_number`."""
    return float(check_number(name, value, *bounds, **more))


def check_rate(name: str, value: object) -> float:
    """Return a probability as a float."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        _refuse(KindError, name, "a number from 0 to 1", value)
    if not 0 <= _float(value) <= 1:  # NaN is not either
        _refuse(ConfigError, name, "from 0 to 1", value)
    return float(value)


def check_flag(name: str, value: object) -> bool:
    """Return ``value`` if it is True or False."""
    if not isinstance(value, bool):
        _refuse(KindError, name, "True or False", value)
    return value


def check_choice(name: str, value: Any, known: Iterable[Any]) -> Any:
    """Return ``value`` if it is one of those that there are."""
    options = list(known)
    # Not `value in options`, for which 1 is True and an array is an error.
    if not any(type(value) is type(option) and value == option for option in options):
        *first, last = map(repr, options)
        _refuse(ConfigError, name, f"{', '.join(first)} or {last}" if first else last, value)
    return value


def check_sides(name: str, value: object, least: int = 1, most: int = 2**15) -> tuple[int, int]:
    """Return a (height, width) in pixels; one number stands for both."""
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


def _check_bounds(name: str, value: Any, *bounds: float | None, fine: bool = True) -> None:
    """Refuse what is out of the bounds of _BOUNDS, or not fine: infinite."""
    given = [
        (*known, bound) for known, bound in zip(_BOUNDS, bounds, strict=True) if bound is not None
    ]
    if not (fine and all(holds(value, bound) for _, holds, bound in given)):
        what = " and ".join(f"{words} {bound}" for words, _, bound in given)
        _refuse(ConfigError, name, what or "finite", value)


def _float(value: Any) -> float:
    """Return a number as a float; infinity if it is too large for one."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
