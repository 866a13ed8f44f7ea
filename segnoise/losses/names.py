"""The losses by name, how one is built from its name, and the parameters that each takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from torch import nn

from segnoise.naming import did_you_mean
from segnoise.registry import Registry

if TYPE_CHECKING:
    from segnoise.losses.base import CommonArguments

COMMON = ("ignore_index", "reduction", "class_weights")
T = TypeVar("T")
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


def parameters_of(loss: Callable[..., Any]) -> list[str] | None:
    """Return the names of a loss's parameters; None if it passes some on and checks them itself.

    Example:
        >>> from segnoise.losses import FocalLoss
        >>> parameters_of(FocalLoss)
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
        raise TypeError(unknown_parameter(loss.__name__, name, parameters_of(loss)))


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
    return [name for name in parameters_of(loss) or [] if name not in ("mode", *COMMON)]


def chosen(what: str, name: str, table: Mapping[str, T]) -> T:
    """Return an entry of a table of losses; names near ones where there is no such entry."""
    if name not in table:
        raise ValueError(f"unknown {what} {name!r}: {did_you_mean(name, table)}")
    return table[name]


def split_common(arguments: Mapping[str, Any]) -> tuple[dict[str, Any], CommonArguments]:
    """Split keyword arguments into a loss's own and those that every loss has."""
    own = {name: value for name, value in arguments.items() if name not in COMMON}
    common: CommonArguments = {n: arguments[n] for n in COMMON if n in arguments}  # type: ignore[assignment]
    return own, common
