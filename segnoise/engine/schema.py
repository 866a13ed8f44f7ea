"""The keys of a config, their defaults, and the checks that nothing else slips in.

mmengine itself accepts a misspelt key silently.
"""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmengine import registry as mm
from mmengine.optim import OptimWrapper

from segnoise.datasets import DATASETS, LABELS, TRANSFORMS
from segnoise.engine.hooks import HOOKS
from segnoise.engine.loop import IterationLoop
from segnoise.engine.recipe import check_recipe
from segnoise.errors import ConfigError
from segnoise.losses import LOSSES
from segnoise.methods import METHODS, CorrectedBoundaries
from segnoise.models import MODELS, Inference, Preprocessor
from segnoise.naming import near
from segnoise.noise import expanded
from segnoise.registry import Registry, path_of

DEFAULTS: dict[str, Any] = {
    # Data
    "data_root": None,  # root of train_data, val_data and test_data, where they name none
    "train_data": None,
    "val_data": None,
    "test_data": None,
    "train_transform": None,
    "noise": None,  # corrupts the training labels only
    "noise_seed": 0,
    "boundary_bias": None,  # moves training boundaries; see segnoise.methods.CorrectedBoundaries
    "batch_size": 8,  # per process
    "eval_batch_size": 1,
    "num_workers": 4,
    "check_data": "full",  # "full" opens all images and masks first, "masks" the masks only
    # Model
    "model": {},
    "inference": {},  # how evaluation reads an image; see segnoise.models.Inference
    "losses": [{"type": "CE"}],
    "recipe": None,  # "auto" or a name: chooses losses and methods; see docs/recipes.md
    "clean_masks": None,  # folder with clean masks of a few samples, for recipe="auto" to see
    "methods": [],  # label correction, selection, teachers; see segnoise.methods
    "load_from": None,  # checkpoint to take the weights from
    "load_head": True,  # False: all weights of load_from but those of the layers for the classes
    # Training
    "train_cfg": {"max_iters": 20000, "val_interval": 2000},
    "optim_wrapper": {"optimizer": {"type": "SGD", "lr": 0.01, "momentum": 0.9}},
    "param_scheduler": [],
    "amp": None,  # None, "bf16" or "fp16"
    "ema": None,  # arguments of mmengine's EMAHook, such as dict(momentum=0.001)
    "seed": 0,
    "deterministic": False,
    "sync_bn": None,  # "torch" under data parallelism on GPUs
    "find_unused_parameters": False,
    # Records
    "work_dir": None,
    "log_interval": 50,
    "checkpoint_interval": None,  # None: with every validation
    "num_pictures": 4,
    "custom_hooks": [],
}

_LOWEST = {
    "batch_size": 1,
    "eval_batch_size": 1,
    "num_workers": 0,
    "log_interval": 1,
    "checkpoint_interval": 1,
    "num_pictures": 0,
    "seed": 0,
}
# Plain dicts inside a config whose keys are some class's arguments.
_SIGNATURES = {
    "train_cfg": IterationLoop,
    "optim_wrapper": OptimWrapper,
    "model.preprocessor": Preprocessor,
    "inference": Inference,
    "boundary_bias": CorrectedBoundaries,
}
DATASETS.extend(mm.DATASETS.module_dict)
TRANSFORMS.extend(mm.TRANSFORMS.module_dict)
_REGISTRIES: dict[str, Registry] = {
    "train_data": DATASETS,
    "val_data": DATASETS,
    "test_data": DATASETS,
    "train_transform": TRANSFORMS,
    "noise": LABELS,
    "model": MODELS,
    "losses": LOSSES,
    "methods": METHODS,
    "optim_wrapper.optimizer": Registry("optimizer", mm.OPTIMIZERS.module_dict),
    "param_scheduler": Registry("schedule", mm.PARAM_SCHEDULERS.module_dict),
    "custom_hooks": HOOKS,
}
_REGULARIZERS = ("L1", "L1Penalty")  # of the parameters: no losses of scores and labels
_DICTS = ("train_data", "val_data", "test_data", "train_transform", "noise", "boundary_bias")
_KINDS: dict[str, tuple[type, ...]] = {
    "data_root": (str, Path),
    **dict.fromkeys(_DICTS, (dict,)),
    "losses": (list, dict),
    "methods": (list, dict),
    "param_scheduler": (list, dict),
    "recipe": (str,),
    "clean_masks": (str, Path),
    "load_from": (str, Path),
    "work_dir": (str, Path),
    "amp": (str,),
    "ema": (dict,),
    "sync_bn": (str,),
    "checkpoint_interval": (int,),
}
_ALWAYS_THERE = ("segnoise.", "mmengine.", "torch.", "functools")
# Filled in by the engine or by mmengine, so neither asked for nor refused.
_PROVIDED = {"self", "runner", "dataloader", "optimizer"}
# Filled in by the engine only.
_OWN = {
    "noise": {"dataset"},
    "boundary_bias": {"dataset"},
    "model": {"extra_outputs"},
}
_EXTRA = {
    "train_cfg": {"max_epochs"},
    "optim_wrapper": {"constructor", "paramwise_cfg"},
    "custom_hooks": {"priority"},
    "methods": {"name"},
}


def complete(config: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in :data:`DEFAULTS` and check every key; see :func:`load_config`.

    Example:
        >>> complete({"train_cfg": {"max_iter": 5}})
        Traceback (most recent call last):
        segnoise.errors.ConfigError: unknown config key train_cfg.max_iter; did you mean max_iters?
    """
    for key in config:
        if key not in DEFAULTS:
            hint = near(key, DEFAULTS) or _below(key)
            raise ConfigError(f"unknown config key {key}{hint}")
    full = {**copy.deepcopy(DEFAULTS), **_named(dict(config))}
    _check_kinds(full)
    check_recipe(full["recipe"], [key for key in config if config[key]], full["clean_masks"])
    if full["recipe"]:
        full.update(losses=[], methods=[])  # the recipe's, once the labels have been looked at
    if "val_interval" not in full["train_cfg"]:
        full["train_cfg"]["val_interval"] = DEFAULTS["train_cfg"]["val_interval"]
    if full["noise"]:
        full["noise"] = expanded(full["noise"])
    for key in ("losses", "methods", "param_scheduler"):
        if isinstance(full[key], dict):
            full[key] = [full[key]]
    for key, cls in _SIGNATURES.items():
        node = _get(full, key)
        if node:
            _check_keys(node, cls, key)
    for key, registry in _REGISTRIES.items():
        value = _get(full, key)
        for number, node in enumerate(value if isinstance(value, list) else [value]):
            where = f"{key}.{number}" if isinstance(value, list) else key
            if isinstance(node, dict) and node:
                default = "Segmentor" if key == "model" else None
                _check_typed(node, registry, where, default)
    _check_values(full)
    return full


def _below(key: str, node: Mapping[str, Any] = DEFAULTS, path: str = "") -> str:
    """The end of an error message that suggests the same key deeper in the defaults."""
    for name, value in node.items():
        if path and name == key:
            return f"; did you mean {path}{key}?"
        if isinstance(value, Mapping) and (found := _below(key, value, f"{path}{name}.")):
            return found
    return ""


def _named(value: Any) -> Any:
    """A copy with classes and functions as dotted paths, which can be stored and compared."""
    if isinstance(value, Mapping):
        return {key: _named(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_named(item) for item in value)
    if inspect.isclass(value) or inspect.isroutine(value):
        return f"{value.__module__}.{value.__qualname__}"
    return value


def storable(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with hooks that were given as objects named by their class."""
    hooks = [
        hook if isinstance(hook, dict) else {"type": _named(type(hook))}
        for hook in config["custom_hooks"]
    ]
    return {**{key: config[key] for key in DEFAULTS}, "custom_hooks": hooks}


def _get(config: Mapping[str, Any], path: str) -> Any:
    node: Any = config
    for part in path.split("."):
        node = node.get(part) if isinstance(node, dict) else None
    return node


def _check_typed(
    node: dict[str, Any], registry: Registry, where: str, default: str | None = None
) -> None:
    kind = node.get("type", default)
    if kind is None:
        raise ConfigError(f"{where} has no 'type'; known: {', '.join(sorted(registry))}")
    if registry is LOSSES and kind in _REGULARIZERS:
        return
    cls = registry.find(kind, where)
    if "type" in node and not str(cls.__module__).startswith(_ALWAYS_THERE):
        node["type"] = path_of(cls)  # a name may be unknown where the stored config is read
    if registry is LOSSES:
        return  # whose arguments are known when it is built
    _check_keys(node, cls, where)
    if registry is LABELS:
        for child in _typed_children(node):
            _check_typed(child, registry, f"{where}.{child.get('type')}")


def _typed_children(node: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    for value in node.values():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict) and "type" in item:
                yield item


def _check_keys(node: Mapping[str, Any], cls: Any, where: str) -> None:
    slot = re.sub(r"\.\d+$", "", where)
    known = (_arguments(cls) - _OWN.get(slot, set())) | _EXTRA.get(slot, set()) | {"type"}
    if None in known:  # takes arbitrary keywords: it must check them itself
        return
    for key in node:
        if key not in known:
            options = sorted(str(k) for k in known - _PROVIDED)
            words = near(key, options) or f"; known: {options}"
            if slot == "noise":
                words += (
                    "; to replace a config's noise on the command line, give all of it: "
                    "--cfg-options \"noise={'type': ..., ...}\""
                )
            raise ConfigError(f"unknown config key {where}.{key}{words}")


def _arguments(cls: Any) -> set[str | None]:
    """Names of a callable's arguments; None among them if it takes any keyword."""
    names: set[str | None] = set()
    for owner in cls.__mro__ if inspect.isclass(cls) else [cls]:
        init = owner.__dict__.get("__init__") if inspect.isclass(cls) else owner
        if init is None:
            continue
        parameters = inspect.signature(init).parameters.values()
        names |= {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            return names  # arguments of classes further up are not reachable
    return names | {None}


def _check_kinds(config: Mapping[str, Any]) -> None:
    """Every value is of its default's kind; None where that is the default."""
    for key, default in DEFAULTS.items():
        kinds = _KINDS.get(key) or (type(default),)
        value = config[key]
        fits = isinstance(value, kinds) and not (isinstance(value, bool) and bool not in kinds)
        if not fits and not (value is None and default is None):
            names = " or ".join(kind.__name__ for kind in kinds)
            raise ConfigError(f"{key} must be of type {names}, got {value!r}")
    for key in ("losses", "methods", "param_scheduler"):
        for number, entry in enumerate(config[key] if isinstance(config[key], list) else []):
            if not isinstance(entry, dict) or "type" not in entry:
                raise ConfigError(f"{key}.{number} must be a dict with a 'type', got {entry!r}")
    if not config["losses"] and not config["recipe"]:
        raise ConfigError("losses is empty: name at least one, such as losses=[dict(type='CE')]")


def _check_values(config: Mapping[str, Any]) -> None:
    for key, lowest in _LOWEST.items():
        if config[key] is not None and config[key] < lowest:
            raise ConfigError(f"{key} must be an integer of at least {lowest}, got {config[key]!r}")
    train = config["train_cfg"]
    if ("max_epochs" in train) == ("max_iters" in train):
        raise ConfigError("train_cfg: give either max_iters or max_epochs")
    for key in ("max_iters", "max_epochs", "val_interval", "val_begin"):
        if key in train and (not isinstance(train[key], int) or train[key] < 1):
            raise ConfigError(f"train_cfg.{key} must be a positive integer, got {train[key]!r}")
    if not (config["load_head"] or config["load_from"]):
        raise ConfigError("load_head=False leaves out a part of load_from, which is not given")
    if config["amp"] not in (None, "bf16", "fp16"):
        raise ConfigError(f"amp must be None, 'bf16' or 'fp16', got {config['amp']!r}")
    if config["sync_bn"] not in (None, "torch"):
        raise ConfigError(f"sync_bn must be None or 'torch', got {config['sync_bn']!r}")
    for number, loss in enumerate(config["losses"]):
        weight = loss.get("weight", 1.0)
        if isinstance(weight, bool) or not isinstance(weight, (int, float)):
            raise ConfigError(f"losses.{number}.weight must be a number, got {weight!r}")
    accumulated = config["optim_wrapper"].get("accumulative_counts", 1)
    interval = config["checkpoint_interval"] or train["val_interval"]
    if not isinstance(accumulated, int) or accumulated < 1 or interval % accumulated:
        raise ConfigError(
            f"checkpoints every {interval} iterations do not fall on a step of the optimizer every "
            f"{accumulated} (optim_wrapper.accumulative_counts): a resume would lose gradients; "
            "choose a multiple"
        )
    if config["check_data"] not in ("full", "masks"):
        raise ConfigError(f"check_data must be 'full' or 'masks', got {config['check_data']!r}")
    for number, scheduler in enumerate(config["param_scheduler"]):
        if scheduler.get("by_epoch"):
            raise ConfigError(
                f"param_scheduler.{number}: schedules run by iteration; drop by_epoch=True"
            )
