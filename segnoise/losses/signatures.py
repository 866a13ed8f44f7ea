"""The parameters that a loss takes, for the compositions that pass them on."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from torch import nn

from segnoise.naming import did_you_mean

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
    if getattr(loss, "__init__", None) is nn.Module.__init__:  # of any arguments, which it refuses
        return names
    for name, parameter in inspect.signature(loss).parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            continue
        if parameter.kind is not parameter.VAR_KEYWORD:
            names.append(name)
        elif name == "common":
            names += COMMON
        elif name != "unknown":
            return None
    return names


# What other libraries call it (segmentation-models-pytorch, torch, MONAI, mmsegmentation).
_LOGITS = "leave it out: the loss takes logits, the output without softmax or sigmoid"
_DICE = "Dice has eps for what keeps its quotient finite"
_HINTS = {
    "from_logits": _LOGITS,
    "sigmoid": _LOGITS,
    "softmax": _LOGITS,
    "use_sigmoid": _LOGITS,
    "other_act": _LOGITS,
    "smooth": _DICE,
    "smooth_nr": _DICE,
    "smooth_dr": _DICE,
    "smooth_factor": "use the loss LabelSmoothing with t",
    "label_smoothing": "use the loss LabelSmoothing with t",
    "weight": "class_weights has one number for each class",
    "class_weight": "class_weights has one number for each class",
    "pos_weight": "class_weights=(1, pos_weight) in binary mode",
    "alpha": "class_weights=(1 - alpha, alpha) in binary mode",
    "size_average": "reduction is 'mean', 'sum' or 'none'",
    "reduce": "reduction is 'mean', 'sum' or 'none'",
    "log_loss": "leave it out: the loss is one minus the overlap",
    "classes": "class_weights of 0 leave classes out",
    "include_background": "class_weights with 0 for the background leave it out",
    "to_onehot_y": "leave it out: labels are class ids",
    "ignore_label": "ignore_index is the label of void",
    "loss_weight": "multiply the loss where you add it to others",
    "avg_non_ignore": "leave it out: the mean is of the valid pixels",
    "num_classes": "leave it out: the scores' shape says it",
    "n_classes": "leave it out: the scores' shape says it",
}


def unknown_parameter(loss: str, name: str, known: Collection[str] | None) -> str:
    """Return what to say of a parameter that a loss does not have.

    Example:
        >>> unknown_parameter("FocalLoss", "from_logits", ["mode", "gamma"])
        "FocalLoss has no parameter 'from_logits': leave it out: the loss takes logits, the output \
without softmax or sigmoid"
    """
    hint = _HINTS.get(name) or did_you_mean(name, known or ("mode", *COMMON))
    return f"{loss} has no parameter {name!r}: {hint}"


def shown(module: nn.Module) -> list[str]:
    """Return ``name=value`` of what a module's own parameters have been set to, for its repr."""
    known = vars(module)
    names = [name for name in inspect.signature(type(module)).parameters if name in known]
    return [f"{name}={known[name]!r}" for name in names if name not in ("mode", *COMMON)]


def refuse_unknown(loss: type, given: Collection[str]) -> None:
    """Raise if a loss was given a parameter that it does not have."""
    for name in given:
        raise TypeError(unknown_parameter(loss.__name__, name, parameters(loss)))


def required(loss: Callable[..., Any]) -> list[str]:
    """Return the names of the parameters that have no default."""
    return [
        name
        for name, parameter in inspect.signature(loss).parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]


def own_parameters(loss: Callable[..., Any]) -> list[str]:
    """Return the names of a loss's own parameters, those that not every loss has."""
    return [name for name in parameters(loss) or [] if name not in ("mode", *COMMON)]


def split_common(arguments: Mapping[str, Any]) -> tuple[dict[str, Any], CommonArguments]:
    """Split keyword arguments into a loss's own and those that every loss has."""
    own = {name: value for name, value in arguments.items() if name not in COMMON}
    common: CommonArguments = {n: arguments[n] for n in COMMON if n in arguments}  # type: ignore[assignment]
    return own, common
