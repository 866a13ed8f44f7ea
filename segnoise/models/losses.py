"""The losses of a config, built for a model."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from segnoise.errors import ConfigError, words_of
from segnoise.losses import LOSSES, build_loss
from segnoise.losses.base import says
from segnoise.losses.names import parameters_of
from segnoise.methods.composing import check_class_weights, check_name


def build_losses(
    losses: Sequence[dict[str, Any]], mode: str, ignore_index: int, num_classes: int
) -> tuple[nn.ModuleDict, dict[str, float]]:
    """Build losses, and return them and their weights by name.

    Args:
        losses: dicts ``dict(type=<name or class>, weight=1.0, name=None, **arguments)``. A class of
            another library gets ``mode`` and ``ignore_index`` if it takes them, and
            ``class_weights`` as ``weight`` where it calls them so.
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
        check_class_weights(where, arguments.get("class_weights"), num_classes)
        built[name] = loss
        weights[name] = float(weight)
    return built, weights


class ForeignLoss(nn.Module):
    """A loss of another library, such as torch's or SMP's, called as ours are.

    It sees float32 logits, and int64 ids (N, H, W); in binary mode floats (N, 1, H, W).

    Args:
        loss: the loss, which leaves void out by itself.
        mode: "multiclass" or "binary".

    Example:
        >>> import torch
        >>> loss = ForeignLoss(nn.CrossEntropyLoss(ignore_index=255), "multiclass")
        >>> loss(torch.zeros(1, 4, 1, 2), torch.tensor([[[3, 255]]]).byte())
        tensor(1.3863)
    """

    def __init__(self, loss: nn.Module, mode: str) -> None:
        super().__init__()
        self.loss = loss
        self.mode = mode

    def forward(
        self, y_pred: Tensor, y_true: Tensor, pixel_weights: Tensor | None = None
    ) -> Tensor:
        """Return the loss."""
        name = type(self.loss).__name__
        if pixel_weights is not None:
            raise ConfigError(
                f"{name} takes no pixel_weights, by which a method of this training weighs the "
                "pixels: take a loss of segnoise, such as 'CE' or 'Dice'"
            )
        binary = self.mode == "binary"
        value = self.loss(y_pred.float(), y_true.unsqueeze(1).float() if binary else y_true.long())
        if not (isinstance(value, Tensor) and value.dim() == 0):
            shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ConfigError(
                f"{name} must give one number a batch, not {shape}: set its reduction='mean'"
            )
        return value


def _built(where: str, kind: Any, common: dict[str, Any], arguments: dict[str, Any]) -> nn.Module:
    try:
        _check_meaning(common, arguments)
        found = LOSSES.find(kind)
        if "labels" in says(found, "inputs"):
            arguments = _arguments(parameters_of(found), common, arguments)
        loss = build_loss(kind, **arguments)
    except Exception as error:  # whatever somebody's class raises for arguments that do not fit
        raise ConfigError(f"{where}: {words_of(error)}") from error
    if not isinstance(loss, nn.Module):
        raise ConfigError(f"{where}: a loss is a torch.nn.Module, not {type(loss).__name__}")
    if isinstance(loss, nn.NLLLoss):
        raise ConfigError(f"{where}: it takes log-probabilities, not logits: take 'CE'")
    ours = "pixel_weights" in inspect.signature(loss.forward).parameters
    if not (ours or says(loss, "regularizer")):
        loss = ForeignLoss(loss, common["mode"])
    if "views" in says(loss, "inputs"):
        raise ConfigError(
            f"{where}: GJS compares two views of an image, and a training step sees one; take "
            "JS, or GJS in a loop of your own"
        )
    return loss


def _check_meaning(common: dict[str, Any], given: dict[str, Any]) -> None:
    """Raise if a loss would compute something else than the training needs, without a word."""
    for name, value in common.items():
        if given.get(name, value) != value:
            raise ValueError(
                f"{name}={given[name]!r}, and this training has {value!r}: leave it out"
            )
    if given.get("reduction") == "none":
        raise ValueError("reduction='none' gives no number to train on: take 'mean'")
    if given.get("from_logits") is False:
        raise ValueError("from_logits=False, but networks return logits: leave it out")


def _arguments(
    taken: Collection[str] | None, common: dict[str, Any], given: dict[str, Any]
) -> dict[str, Any]:
    """The arguments for a loss that takes these parameters; None stands for any."""
    if taken is None:
        return {**common, **given}
    if "ignore_index" not in taken:
        raise ValueError(
            "it takes no ignore_index, so that void would be learnt as a class: give a loss that "
            "does, or one of your own around it"
        )
    arguments = {k: v for k, v in common.items() if k in taken} | given
    weights = arguments.get("class_weights")
    if weights is not None and "class_weights" not in taken and "weight" in taken:
        if isinstance(weights, str):
            raise ValueError(
                f"class_weights={weights!r} is for losses of segnoise: give numbers, or a scheme "
                "for the whole training set such as 'inverse_sqrt'"
            )
        del arguments["class_weights"]
        arguments["weight"] = torch.as_tensor(weights, dtype=torch.float32)
    return arguments
