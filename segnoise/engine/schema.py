"""A config is filled in, and checked that nothing slips in that nobody reads.

mmengine itself accepts a misspelt key silently.
"""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any

from mmengine import registry as mm
from mmengine.hooks import Hook

from segnoise.checks import check_number
from segnoise.datasets import LABELS
from segnoise.engine.hooks import HOOKS
from segnoise.engine.keys import DEFAULTS, INFINITE, KEYS, Key, check_bounds, get
from segnoise.engine.mmengine_keys import (
    INSTEAD,
    TAKEN_OVER,
    TRACKERS,
    check_installed,
    import_all,
    taken_over,
)
from segnoise.engine.recipe import check_recipe
from segnoise.errors import ConfigError
from segnoise.losses import LOSSES
from segnoise.naming import near
from segnoise.noise import expanded
from segnoise.registry import Registry, path_of

_MMENGINES = ("OPTIM_WRAPPERS", "OPTIM_WRAPPER_CONSTRUCTORS")
_ALWAYS_THERE = ("segnoise.", "mmengine.", "torch.", "functools")
# Filled in by the engine or by mmengine, so neither asked for nor refused.
_PROVIDED = {"self", "runner", "dataloader", "optimizer"}


def registries() -> list[Registry]:
    """All tables of things that a config can name."""
    others = (Registry(name, getattr(mm, name).module_dict) for name in _MMENGINES)
    return [*(key.registry for key in KEYS.values() if key.registry is not None), *others]


def complete(config: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in :data:`DEFAULTS` and check every key; see :func:`load_config`.

    Names that begin with an underscore are the config's own, and left out; so are functions and
    classes that it defines.
    """
    given = taken_over(_known_keys(config))
    full = {**copy.deepcopy(DEFAULTS), **_named(given)}
    check_plain(full)
    _check_kinds(full)
    full["custom_imports"] = import_all(full["custom_imports"])
    check_recipe(full["recipe"], [key for key in given if given[key]], full["clean_masks"])
    if full["recipe"]:
        full.update(losses=[], methods=[])  # the recipe's, once the labels have been looked at
    if "val_interval" not in full["train_cfg"]:
        full["train_cfg"]["val_interval"] = DEFAULTS["train_cfg"]["val_interval"]
    if full["noise"]:
        full["noise"] = expanded(full["noise"])
    for key, of in KEYS.items():
        if of.listed and isinstance(full[key], dict):
            full[key] = [full[key]]
    for key, of in KEYS.items():
        node = get(full, key)
        if of.arguments_of is None:
            continue
        if node is not None and not isinstance(node, dict):
            raise ConfigError(f"{key} must be a dict, not {node!r}")
        if node:
            _check_keys(node, of.arguments_of, key)
    for key, of in KEYS.items():
        if (registry := of.registry) is None:
            continue
        value = get(full, key)
        for number, node in enumerate(value if isinstance(value, list) else [value]):
            where = f"{key}.{number}" if isinstance(value, list) else key
            if isinstance(node, dict) and node:
                default = "Segmentor" if key == "model" else None
                _check_typed(node, registry, where, default)
    _check_values(full)
    return full


def _known_keys(config: Mapping[str, Any]) -> dict[str, Any]:
    """The keys that say something; raises for those that nobody reads."""
    given = {}
    for key, value in config.items():
        if key in DEFAULTS or key in TAKEN_OVER:
            given[key] = value
            continue
        if not isinstance(key, str):
            raise ConfigError(f"a config's keys are names, not {key!r}")
        helper = inspect.isroutine(value) or inspect.isclass(value) or inspect.ismodule(value)
        if key.startswith("_") or helper:
            continue
        if key in INSTEAD:
            raise ConfigError(f"{key} is one of mmengine's keys, not of ours: {INSTEAD[key]}")
        hint = near(key, DEFAULTS) or _below(key)
        hint = hint or f"; a name of the config's own begins with an underscore: _{key}"
        raise ConfigError(f"unknown config key {key}{hint}")
    return given


def check_plain(value: Any, path: str = "") -> None:
    """Raise if a config holds a number that is none, or a text that no file can hold."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            check_plain(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            check_plain(item, f"{path}.{number}")
    elif isinstance(value, float) and path != INFINITE:
        check_number(path, value)
    elif isinstance(value, str):
        try:
            ok = "\0" not in value and bool(value.encode()) >= 0
        except UnicodeEncodeError:
            ok = False
        if not ok:
            raise ConfigError(f"{path}={value!r} holds a byte that is no text in UTF-8: rename it")


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


def _check_typed(
    node: dict[str, Any], registry: Registry, where: str, default: str | None = None
) -> None:
    kind = node.get("type", default)
    if kind is None:
        raise ConfigError(f"{where} has no 'type'; known: {', '.join(sorted(registry))}")
    cls = registry.find(kind, where)
    if registry is TRACKERS:
        check_installed(cls, where)
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
    own = KEYS.get(slot, Key())
    known = (_arguments(cls) - own.filled) | own.more | {"type"}
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
        if KEYS[key].integer:
            continue  # has a check of its own
        kinds = KEYS[key].kinds or (type(default),)
        value = config[key]
        fits = isinstance(value, kinds) and not (isinstance(value, bool) and bool not in kinds)
        if not fits and not (value is None and default is None):
            names = " or ".join(kind.__name__ for kind in kinds)
            raise ConfigError(f"{key} must be of type {names}, not {value!r}")
    for key, of in KEYS.items():
        listed = of.listed and isinstance(config[key], list)
        for number, entry in enumerate(config[key] if listed else []):
            if not isinstance(entry, dict) or "type" not in entry:
                raise ConfigError(f"{key}.{number} must be a dict with a 'type', got {entry!r}")
    if not config["losses"] and not config["recipe"]:
        raise ConfigError("losses is empty: name at least one, such as losses=[dict(type='CE')]")


def _check_values(config: Mapping[str, Any]) -> None:
    check_bounds(config)
    train = config["train_cfg"]
    if ("max_epochs" in train) == ("max_iters" in train):
        raise ConfigError("train_cfg: give either max_iters or max_epochs")
    if not (config["load_head"] or config["load_from"]):
        raise ConfigError("load_head=False leaves out a part of load_from, which is not given")
    for number, loss in enumerate(config["losses"]):
        check_number(f"losses.{number}.weight", loss.get("weight", 1.0), least=0)
    accumulated = config["optim_wrapper"].get("accumulative_counts", 1)
    interval = config["checkpoint_interval"] or train["val_interval"]
    if interval % accumulated:
        raise ConfigError(
            f"checkpoints every {interval} iterations do not fall on a step of the optimizer every "
            f"{accumulated} (optim_wrapper.accumulative_counts): a resume would lose gradients; "
            "choose a multiple"
        )
    for number, hook in enumerate(config["custom_hooks"]):
        if not (isinstance(hook, Hook) or (isinstance(hook, dict) and "type" in hook)):
            raise ConfigError(
                f"custom_hooks.{number} must be a dict with a 'type' or a hook of mmengine's, not "
                f"{hook!r}"
            )
        kind = HOOKS.find(hook["type"]) if isinstance(hook, dict) else None
        if isinstance(kind, type) and not issubclass(kind, Hook):
            raise ConfigError(
                f"custom_hooks.{number}.type: {hook['type']!r} is no hook; derive it from "
                "mmengine.hooks.Hook"
            )
        if kind:
            given = {key: value for key, value in hook.items() if key not in ("type", "priority")}
            try:
                inspect.signature(kind).bind(**given)
            except TypeError as error:
                raise ConfigError(f"custom_hooks.{number}: {hook['type']}: {error}") from None
    for number, scheduler in enumerate(config["param_scheduler"]):
        where = f"param_scheduler.{number}"
        for name, least in (("begin", 0), ("end", 1), ("eta_min", 0)):
            if scheduler.get(name) is not None:
                check_number(f"{where}.{name}", scheduler[name], least)
        if scheduler.get("by_epoch"):
            raise ConfigError(f"{where}: schedules run by iteration; drop by_epoch=True")
