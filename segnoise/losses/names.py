"""The losses by name, and how one is built from its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from torch import nn

from segnoise.losses.signatures import parameters as parameters_of
from segnoise.losses.signatures import required, unknown_parameter
from segnoise.registry import Registry

Builder = TypeVar("Builder", bound=Callable[..., nn.Module])

LOSSES = Registry("loss")
"""What builds each loss, by class name and by short name; call it with the loss's arguments.

``@LOSSES.register`` above a class of your own adds it.
"""


def register(*names: str) -> Callable[[Builder], Builder]:
    """Enter a loss in ``LOSSES`` under its own name and under short ones (a decorator)."""

    def enter(builder: Builder) -> Builder:
        LOSSES.register(builder)
        for name in names:
            LOSSES.register(name=name)(builder)
        return builder

    return enter


def short_names() -> list[str]:
    """Return the losses' names as papers print them, in the order of the table.

    Example:
        >>> "ANL-CE" in short_names(), "ActiveNegativeLoss" in short_names()
        (True, False)
    """
    return [name for name in LOSSES if not name.endswith(("Loss", "Regularizer", "Penalty"))]


def build_loss(name: str | Callable[..., nn.Module], /, **parameters: object) -> nn.Module:
    """Build a loss by its class name or short name.

    Args:
        name: a key of ``LOSSES``, such as "ANL-CE" or "ActiveNegativeLoss"; the dotted path of a
            class, or a class.
        **parameters: the loss's arguments, ``mode`` among them.

    Returns:
        The loss, a module called as ``loss(y_pred, y_true, pixel_weights=None)``.

    Raises:
        ValueError: if there is no loss of that name, or a parameter is out of its domain.
        TypeError: if the loss has no parameter of such a name, or ``mode`` is missing.

    Example:
        >>> build_loss("GCE", mode="multiclass", ignore_index=255, q=0.5)
        GeneralizedCrossEntropyLoss('multiclass', q=0.5, ignore_index=255)
        >>> build_loss("GCE", mode="multiclass", ignore_indx=255)
        Traceback (most recent call last):
        ...
        TypeError: GCE has no parameter 'ignore_indx': did you mean ignore_index? Known: mode, q, \
ignore_index, reduction, class_weights
    """
    builder: Callable[..., nn.Module] = LOSSES.find(name)
    name = name if isinstance(name, str) else getattr(builder, "__name__", repr(builder))
    known = parameters_of(builder)
    if "mode" not in parameters and (known is None or "mode" in known):
        raise TypeError(f"{name} needs a mode: binary, multiclass or multilabel")
    missing = [n for n in required(builder) if n not in parameters]
    if missing:
        raise TypeError(f"{name} needs {missing[0]}")
    # The compositions pass names on to their terms (**own) and complain themselves.
    if known is not None:
        for parameter in parameters:
            if parameter not in known:
                raise TypeError(unknown_parameter(name, parameter, known))
    return builder(**parameters)
