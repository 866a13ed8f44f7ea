"""The table of all losses, under their class names and under the short names of the papers."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial

from torch import nn

from segnoise.losses.bounded import (
    GeneralizedCrossEntropyLoss,
    MeanAbsoluteErrorLoss,
    ReverseCrossEntropyLoss,
)
from segnoise.losses.composition import ActiveNegativeLoss, ActivePassiveLoss
from segnoise.losses.cross_entropy import CrossEntropyLoss
from segnoise.losses.entropy import EntropyRegularizer
from segnoise.losses.focal import FocalLoss
from segnoise.losses.naming import did_you_mean
from segnoise.losses.normalized import NormalizedCrossEntropyLoss, NormalizedFocalLoss
from segnoise.losses.normalized_negative import (
    NormalizedNegativeCrossEntropyLoss,
    NormalizedNegativeFocalLoss,
)

_SHORT: dict[str, Callable[..., nn.Module]] = {
    "CE": CrossEntropyLoss,
    "FL": FocalLoss,
    "MAE": MeanAbsoluteErrorLoss,
    "RCE": ReverseCrossEntropyLoss,
    "GCE": GeneralizedCrossEntropyLoss,
    "NCE": NormalizedCrossEntropyLoss,
    "NFL": NormalizedFocalLoss,
    "NNCE": NormalizedNegativeCrossEntropyLoss,
    "NNFL": NormalizedNegativeFocalLoss,
    "NCE+MAE": partial(ActivePassiveLoss, active="NCE", passive="MAE"),
    "NCE+RCE": partial(ActivePassiveLoss, active="NCE", passive="RCE"),
    "NFL+MAE": partial(ActivePassiveLoss, active="NFL", passive="MAE"),
    "NFL+RCE": partial(ActivePassiveLoss, active="NFL", passive="RCE"),
    "ANL-CE": partial(ActiveNegativeLoss, base="CE"),
    "ANL-FL": partial(ActiveNegativeLoss, base="FL"),
    "ER": EntropyRegularizer,
}
_CLASSES: tuple[type[nn.Module], ...] = (
    *(builder for builder in _SHORT.values() if isinstance(builder, type)),
    ActivePassiveLoss,
    ActiveNegativeLoss,
)

LOSSES: dict[str, Callable[..., nn.Module]] = {c.__name__: c for c in _CLASSES} | _SHORT
"""What builds each loss, by class name and by short name; call it with the loss's arguments."""


def build_loss(name: str, /, **parameters: object) -> nn.Module:
    """Build a loss by its class name or short name.

    Args:
        name: a key of ``LOSSES``, such as "ANL-CE" or "ActiveNegativeLoss".
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
    if name not in LOSSES:
        raise ValueError(f"unknown loss {name!r}: {did_you_mean(name, LOSSES)}")
    builder = LOSSES[name]
    known = inspect.signature(builder).parameters
    if "mode" not in parameters:
        raise TypeError(f"{name} needs a mode: binary, multiclass or multilabel")
    # The compositions pass names on to their terms (**own) and complain themselves.
    if not any(p.kind is p.VAR_KEYWORD for p in known.values()):
        for parameter in parameters:
            if parameter not in known:
                raise TypeError(
                    f"{name} has no parameter {parameter!r}: {did_you_mean(parameter, known)}"
                )
    return builder(**parameters)
