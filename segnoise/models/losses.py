"""The losses of a config, built for a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from segnoise.errors import ConfigError
from segnoise.losses import LOSSES, GeneralizedJensenShannonLoss, L1Penalty, build_loss
from segnoise.models.composing import check_name


def build_losses(
    losses: Sequence[dict[str, Any]], mode: str, ignore_index: int, num_classes: int
) -> tuple[nn.ModuleDict, dict[str, float]]:
    """Build losses, and return them and their weights by name.

    Args:
        losses: dicts ``dict(type=<name or class>, weight=1.0, name=None, **arguments)``.
        mode: "multiclass" or "binary".
        ignore_index: label of void.
        num_classes: K.

    Raises:
        ConfigError: for an unknown name, an argument that does not fit, a name that no loss can
            have, a second loss of one name, or class weights that are not one a class.

    Example:
        >>> build_losses([dict(type="ANL-CE", weight=2)], "multiclass", 255, 3)[1]
        {'anl_ce': 2.0}
    """
    built = nn.ModuleDict()
    weights = {}
    for number, entry in enumerate(losses):
        where = f"losses.{number}"
        arguments = dict(entry)
        kind = arguments.pop("type", None)
        if kind is None:
            raise ConfigError(f"{where} has no 'type'; name one of {', '.join(LOSSES)}")
        weight = arguments.pop("weight", 1.0)
        label = kind if isinstance(kind, str) else kind.__name__
        name = arguments.pop("name", None) or label.lower().replace("-", "_").replace("+", "_")
        loss = _built(where, kind, {"mode": mode, "ignore_index": ignore_index}, arguments)
        check_name(name, where)
        if name in built:
            raise ConfigError(f"{where}: a second loss called {name!r}; set its 'name'")
        class_weights = getattr(loss, "class_weights", None)
        if class_weights is not None and len(class_weights) != num_classes:
            raise ConfigError(
                f"{where}.class_weights has {len(class_weights)} numbers for {num_classes} "
                "classes; give one a class, or a scheme such as 'inverse_sqrt'"
            )
        built[name] = loss
        weights[name] = float(weight)
    return built, weights


def _built(where: str, kind: Any, common: dict[str, Any], arguments: dict[str, Any]) -> nn.Module:
    try:
        if kind in ("L1", "L1Penalty", L1Penalty):
            return L1Penalty(**arguments)
        arguments = {**common, **arguments}
        loss = build_loss(kind, **arguments) if isinstance(kind, str) else kind(**arguments)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: {error}") from error
    if isinstance(loss, GeneralizedJensenShannonLoss):
        raise ConfigError(
            f"{where}: GJS compares two views of an image, and a training step sees one; take "
            "JS, or GJS in a loop of your own"
        )
    built: nn.Module = loss
    return built
