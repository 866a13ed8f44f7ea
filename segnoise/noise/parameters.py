"""Parameters of noise models, declared once: their defaults, and what they may be."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from segnoise.checks import check_choice, check_flag, check_integer, check_number, check_rate
from segnoise.noise.mask import check_classes, check_fill, check_void

REQUIRED: Any = dataclasses.MISSING
_FIRST = ("num_classes", "ignore_index")  # others are checked against them


def parameter(check: Callable[[str, Any, Any], Any], default: Any = REQUIRED) -> Any:
    """Return a field of a noise model that is checked when the model is built.

    Args:
        check: Called as check(name, value, noise); returns the value to keep, or raises.
        default: Of the parameter.

    Example:
        >>> import dataclasses
        >>> from segnoise.noise import Noise
        >>> @dataclasses.dataclass(frozen=True)
        ... class Blank(Noise):
        ...     rate: float = rate()
        ...     label: int = integer(0, default=0)
        ...
        ...     def _corrupt(self, mask, rng, sources):
        ...         return mask
        >>> Blank(rate=2)
        Traceback (most recent call last):
        segnoise.errors.ConfigError: rate must be from 0 to 1, not 2
    """
    return dataclasses.field(default=default, metadata={"check": check})


def checked(check: Callable[[str, Any], Any], default: Any = REQUIRED) -> Any:
    """A field that is checked by itself, by a function of name and value."""
    return parameter(lambda name, value, _: check(name, value), default)


def rate(default: Any = REQUIRED) -> Any:
    """A probability or a share, from 0 to 1."""
    return checked(check_rate, default)


def number(least: float | None = None, most: float | None = None, default: Any = REQUIRED) -> Any:
    """A finite number within bounds."""
    return checked(lambda name, value: check_number(name, value, least, most), default)


def integer(least: int | None = None, most: int | None = None, default: Any = REQUIRED) -> Any:
    """An integer within bounds; or None, where that is the default."""

    def check(name: str, value: object) -> int | None:
        none = value is None and default is None
        return None if none else check_integer(name, value, least, most)

    return checked(check, default)


def flag(default: bool) -> Any:
    """True or false."""
    return checked(check_flag, default)


def choice(options: Sequence[str], default: str) -> Any:
    """One of several names."""
    return checked(lambda name, value: check_choice(name, value, options), default)


def regions(*options: str) -> Any:
    """What a model treats as a whole, the default first; `Noise.needs` follows from it."""
    return choice(options, options[0])


def void(default: int = 255) -> Any:
    """The id of void: `ignore_index`, none of the model's `num_classes` where it has such."""

    def check(_: str, value: object, noise: Any) -> int:
        return check_void(value, getattr(noise, "num_classes", None) or 0)

    return parameter(check, default)


def classes(default: tuple[int, ...] | None = None) -> Any:
    """Ids of the classes that may change; None for all."""
    return parameter(lambda _, value, noise: check_classes(value, noise.ignore_index), default)


def fill(default: str | int = "neighbor") -> Any:
    """What lost pixels become: "neighbor", "void" or the id of a class."""
    return parameter(lambda _, value, noise: check_fill(value, noise.ignore_index), default)


def check_parameters(noise: Any) -> None:
    """Check a noise model's parameters, and keep what the checks make of them."""
    fields = dataclasses.fields(noise)
    for field in sorted(fields, key=lambda f: f.name not in _FIRST):
        if check := field.metadata.get("check"):
            value = check(field.name, getattr(noise, field.name), noise)
            object.__setattr__(noise, field.name, value)
