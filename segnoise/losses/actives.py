"""The active losses by name: what a normalised loss can be made of."""

from __future__ import annotations

from typing import Any

from segnoise.losses.active import ActiveLoss
from segnoise.losses.asymmetric import (
    AsymmetricExponentialLoss,
    AsymmetricGeneralizedCrossEntropyLoss,
    AsymmetricUnhingedLoss,
)
from segnoise.losses.bounded import (
    GeneralizedCrossEntropyLoss,
    MeanAbsoluteErrorLoss,
    PartiallyHuberisedCrossEntropyLoss,
    TaylorCrossEntropyLoss,
)
from segnoise.losses.cross_entropy import CrossEntropyLoss
from segnoise.losses.focal import FocalLoss
from segnoise.losses.jensen_shannon import JensenShannonLoss
from segnoise.losses.signatures import own_parameters, unknown_parameter
from segnoise.naming import did_you_mean

ACTIVE_LOSSES: dict[str, type[ActiveLoss]] = {
    "CE": CrossEntropyLoss,
    "FL": FocalLoss,
    "MAE": MeanAbsoluteErrorLoss,
    "GCE": GeneralizedCrossEntropyLoss,
    "TaylorCE": TaylorCrossEntropyLoss,
    "PHuberCE": PartiallyHuberisedCrossEntropyLoss,
    "JS": JensenShannonLoss,
    "AGCE": AsymmetricGeneralizedCrossEntropyLoss,
    "AUL": AsymmetricUnhingedLoss,
    "AEL": AsymmetricExponentialLoss,
}


def build_active(base: str, mode: str, own: dict[str, Any]) -> ActiveLoss:
    """Build the base of a normalised loss.

    Args:
        base: a key of ``ACTIVE_LOSSES``.
        mode: the whole's mode.
        own: the base's own parameters.

    Raises:
        ValueError: if there is no such base.
        TypeError: if it has no parameter of such a name.

    Example:
        >>> build_active("GCE", "multiclass", {"q": 0.5})
        GeneralizedCrossEntropyLoss('multiclass', q=0.5)
    """
    if base not in ACTIVE_LOSSES:
        raise ValueError(f"unknown base {base!r}: {did_you_mean(base, ACTIVE_LOSSES)}")
    loss = ACTIVE_LOSSES[base]
    known = own_parameters(loss)
    for name in own:
        if name not in known:
            raise TypeError(unknown_parameter(base, name, known))
    return loss(mode, **own)
