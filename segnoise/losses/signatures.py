"""The parameters that a loss takes, for the compositions that pass them on."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segnoise.losses.base import CommonArguments

COMMON = ("ignore_index", "reduction", "class_weights")


def parameters(loss: Callable[..., Any]) -> list[str] | None:
    """Return the names of a loss's parameters; None if it passes some on and checks them itself.

    Example:
        >>> from segnoise.losses import FocalLoss
        >>> parameters(FocalLoss)
        ['mode', 'gamma', 'ignore_index', 'reduction', 'class_weights']
    """
    names: list[str] = []
    for name, parameter in inspect.signature(loss).parameters.items():
        if parameter.kind is not parameter.VAR_KEYWORD:
            names.append(name)
        elif name == "common":
            names += COMMON
        else:
            return None
    return names


def required(loss: Callable[..., Any]) -> list[str]:
    """Return the names of the parameters that have no default.

    Example:
        >>> from segnoise.losses import ForwardCorrectionLoss
        >>> required(ForwardCorrectionLoss)
        ['mode', 'transition_matrix']
    """
    return [
        name
        for name, parameter in inspect.signature(loss).parameters.items()
        if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
    ]


def own_parameters(loss: Callable[..., Any]) -> list[str]:
    """Return the names of a loss's own parameters, those that not every loss has.

    Example:
        >>> from segnoise.losses import NormalizedNegativeFocalLoss
        >>> own_parameters(NormalizedNegativeFocalLoss)
        ['gamma', 'min_prob']
    """
    return [name for name in parameters(loss) or [] if name not in ("mode", *COMMON)]


def split_common(arguments: Mapping[str, Any]) -> tuple[dict[str, Any], CommonArguments]:
    """Split keyword arguments into a loss's own and those that every loss has.

    Example:
        >>> split_common({"q": 0.5, "reduction": "sum"})
        ({'q': 0.5}, {'reduction': 'sum'})
    """
    own = {name: value for name, value in arguments.items() if name not in COMMON}
    common: CommonArguments = {n: arguments[n] for n in COMMON if n in arguments}  # type: ignore[assignment]
    return own, common
