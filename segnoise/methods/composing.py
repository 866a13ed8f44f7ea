"""Which methods of a training, and which of its losses, work together."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from typing import Any

from torch import nn

from segnoise.errors import ConfigError
from segnoise.losses.base import says


def check_methods(
    methods: Mapping[str, Any], losses: Mapping[str, nn.Module], num_classes: int
) -> None:
    """Refuse methods that would not do together, or with these losses, what each does alone."""
    for name in methods:
        check_name(name, "methods")
        if name in losses:
            raise ConfigError(f"a method and a loss are called {name!r}; set the 'name' of one")
    greedy = [name for name, method in methods.items() if method.extra_outputs(num_classes)]
    if len(greedy) > 1:
        raise ConfigError(
            f"{' and '.join(greedy)} each want outputs of the network beyond the classes', which "
            "only one can have: keep one of them"
        )
    for number, (name, method) in enumerate(methods.items()):
        if not method.second_network:
            continue
        after = list(methods)[number + 1 :]
        if after:
            raise ConfigError(
                f"{', '.join(after)} after {name} would not reach its second network: list {name} "
                "last"
            )
        for other, one in methods.items():
            if one.per_pixel:
                raise ConfigError(
                    f"{other} reads outputs and losses of one network, and {name} trains two: keep "
                    "one of them"
                )
        for label, loss in losses.items():
            if needs := says(loss, "needs"):
                raise ConfigError(
                    f"the loss {label!r} ({type(loss).__name__}, which asks for "
                    f"{', '.join(needs)}) would mix what it remembers of {name}'s two networks: "
                    "take another loss"
                )


def check_name(name: object, where: str) -> None:
    """Refuse what cannot name a part of a model."""
    if not isinstance(name, str) or not name.isidentifier():
        raise ConfigError(
            f"{where}.name must be an identifier, such as 'warm_up' or 'again', got {name!r}"
        )
    if hasattr(nn.ModuleDict(), name):
        raise ConfigError(
            f"{where}: no method or loss can be called {name!r}; set its 'name' to another "
            f"identifier, such as 'my_{name}'"
        )


def check_class_weights(where: str, weights: object, num_classes: int) -> None:
    """Refuse class weights in a config that are not one a class; a scheme's name passes."""
    if isinstance(weights, Sized) and not isinstance(weights, str) and len(weights) != num_classes:
        raise ConfigError(
            f"{where}.class_weights has {len(weights)} numbers for {num_classes} classes; give one "
            "a class, or a scheme such as 'inverse_sqrt'"
        )


def keep_maps(method: str, losses: Mapping[str, nn.Module]) -> None:
    """Let the losses stay maps over the pixels, which a method reduces; regularisers stay as is."""
    for name, loss in losses.items():
        if says(loss, "regularizer"):
            continue
        if not says(loss, "per_pixel"):
            raise ConfigError(
                f"{method} needs losses with a value for every pixel, and {name!r} "
                f"({type(loss).__name__}) has none: take another, such as 'GCE'"
            )
        for part in loss.modules():  # a loss may be around another, as LogitClip is
            part.reduction = "none"  # type: ignore[assignment]
