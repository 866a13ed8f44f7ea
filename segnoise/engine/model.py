"""From a config to a Segmentor."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from segnoise.errors import ConfigError, SegnoiseError, words_of
from segnoise.losses import LOSSES, class_weights
from segnoise.methods import METHODS, Method
from segnoise.methods.composing import check_name
from segnoise.models import MODELS, Segmentor


def build_model(
    config: Mapping[str, Any], metainfo: Mapping[str, Any], training: bool = False
) -> Segmentor:
    """Build the model for a data set's classes; a training also starts from published weights.

    For evaluation ``encoder_weights`` is left out, since a checkpoint brings all weights.
    """
    arguments = {"type": "Segmentor", **copy.deepcopy(dict(config["model"]))}
    cls = MODELS.find(arguments.pop("type"), "model")
    arguments.setdefault("num_classes", len(metainfo["classes"]))
    arguments.setdefault("ignore_index", metainfo["ignore_index"])
    arguments.setdefault("inference", dict(config["inference"]))
    channels = metainfo.get("image", {}).get("channels", 3)
    if arguments.get("network") is None and channels != 3:
        arguments["options"] = {"in_channels": channels, **(arguments.get("options") or {})}
    normalized = dict(arguments.get("preprocessor") or {})
    if "image" in metainfo and not normalized.keys() & {"mean", "std", "normalize"}:
        numbers = channels != 3 or metainfo["image"]["dtype"] != "uint8"
        normalized["normalize"] = "dataset" if numbers else "given"  # ImageNet's are of 8-bit RGB
    if normalized.get("normalize") == "dataset":
        normalized["channels"] = channels
    arguments["preprocessor"] = normalized
    if arguments["num_classes"] != len(metainfo["classes"]):
        raise ConfigError(
            f"model.num_classes is {arguments['num_classes']}, the data set has "
            f"{len(metainfo['classes'])} classes"
        )
    arguments["extra_outputs"] = sum(
        method.extra_outputs(arguments["num_classes"])
        for method in build_methods(config["methods"]).values()
    )
    network = arguments.get("network")
    if network is not None:
        spare = {"architecture", "encoder", "encoder_weights", "options"} & arguments.keys()
        if spare:
            raise ConfigError(f"model.network stands alone; drop {', '.join(sorted(spare))}")
    if training:
        arguments["losses"] = [without_scheme(loss) for loss in resolve_losses(config["losses"])]
    elif network is None:
        arguments["encoder_weights"] = None
    try:
        if isinstance(network, dict):
            own = {k: v for k, v in network.items() if k != "type"}
            arguments["network"] = MODELS.find(network.get("type"), "model.network")(**own)
        return cls(**arguments)
    except SegnoiseError:
        raise
    except Exception as error:  # whatever somebody's class raises for arguments that do not fit
        words = words_of(error)
        if isinstance(error, OSError):
            words += (
                "; to begin from random ones, give its encoder_weights=None, or what it is called"
            )
        raise ConfigError(f"model: {words}") from error


def resolve_losses(losses: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Losses whose dotted types are classes, as the Segmentor takes them."""
    found = []
    for number, loss in enumerate(losses):
        entry = dict(loss)
        if "." in str(entry.get("type")):
            entry["type"] = LOSSES.find(entry["type"], f"losses.{number}")
        found.append(entry)
    return found


def build_methods(methods: Sequence[Mapping[str, Any]]) -> dict[str, Method]:
    """Build the methods of a config, by name.

    Example:
        >>> build_methods([dict(type="WarmUp", end=0.2)])
        {'warm_up': WarmUp(start=0.1, end=0.2, shape='linear')}
    """
    built: dict[str, Method] = {}
    for number, entry in enumerate(methods):
        where, arguments = f"methods.{number}", dict(entry)
        cls = METHODS.find(arguments.pop("type", None), where)
        if not (isinstance(cls, type) and issubclass(cls, Method)):
            raise ConfigError(
                f"{where}.type: {entry['type']!r} is no method; derive it from "
                "segnoise.methods.Method"
            )
        given = arguments.pop("name", None)
        if isinstance(arguments.get("loss"), Mapping):
            (arguments["loss"],) = resolve_losses([without_scheme(arguments["loss"])])
        try:
            method = cls(**arguments)
        except Exception as error:
            raise ConfigError(f"{where}: {words_of(error)}") from error
        own = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()
        name = own if given is None else given
        check_name(name, where)
        if name in built:
            raise ConfigError(f"{where}: a second method called {name!r}; set its 'name'")
        built[name] = method
    return built


def set_methods(
    model: Segmentor, methods: Sequence[Mapping[str, Any]], max_iters: int, epoch_iters: float
) -> None:
    """Let a model train with the methods of a config."""
    try:
        model.set_methods(build_methods(methods), max_iters, epoch_iters)
    except (SegnoiseError, ValueError) as error:
        text = str(error)
        raise ConfigError(text if text.startswith("methods.") else f"methods: {text}") from error


def without_scheme(loss: Mapping[str, Any]) -> dict[str, Any]:
    """The loss without class weights that wait for a histogram."""
    if _waits_for_histogram(loss):
        return {k: v for k, v in loss.items() if k != "class_weights"}
    return dict(loss)


def _waits_for_histogram(loss: Mapping[str, Any]) -> bool:
    """Whether class weights are of the training set, not of each batch ("batch_...") or given."""
    scheme = loss.get("class_weights")
    return isinstance(scheme, str) and not scheme.startswith("batch_")


def resolve_class_weights(
    losses: Sequence[Mapping[str, Any]], histogram: Sequence[int]
) -> list[dict[str, Any]]:
    """Turn ``class_weights="inverse_sqrt"`` into the numbers it means for these labels.

    Example:
        >>> resolve_class_weights([dict(type="CE", class_weights="inverse")], [3, 1])
        [{'type': 'CE', 'class_weights': [0.6667, 2.0]}]
    """
    resolved = []
    for number, loss in enumerate(losses):
        entry = dict(loss)
        if _waits_for_histogram(entry):
            try:
                weights = class_weights(np.asarray(histogram).tolist(), entry["class_weights"])
            except ValueError as error:
                raise ConfigError(f"losses.{number}.class_weights: {error}") from error
            entry["class_weights"] = [float(f"{float(w):.4g}") for w in weights]
        resolved.append(entry)
    return resolved


def resolve_method_weights(
    methods: Sequence[Mapping[str, Any]], histogram: Sequence[int]
) -> list[dict[str, Any]]:
    """Do what :func:`resolve_class_weights` does to the losses that methods have of their own."""
    resolved = []
    for number, method in enumerate(methods):
        entry = dict(method)
        if isinstance(entry.get("loss"), Mapping):
            try:
                (entry["loss"],) = resolve_class_weights([entry["loss"]], histogram)
            except ConfigError as error:
                raise ConfigError(f"methods.{number}.loss: {error}") from error
        resolved.append(entry)
    return resolved
