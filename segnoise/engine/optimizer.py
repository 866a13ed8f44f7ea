"""Optimizer, schedules and averaging: checked before anything is written."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.hooks import EMAHook
from mmengine.model import ExponentialMovingAverage
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, PARAM_SCHEDULERS
from torch import nn

from segnoise.engine.checkpoint import plain
from segnoise.engine.hooks import HOOKS
from segnoise.errors import ConfigError
from segnoise.naming import near

# What mmengine's DefaultOptimWrapperConstructor reads.
_PARAMWISE = {
    "custom_keys", "bias_lr_mult", "bias_decay_mult", "norm_decay_mult", "flat_decay_mult",
    "dwconv_decay_mult", "dcn_offset_lr_mult", "bypass_duplicate",
}  # fmt: skip


def optim_wrapper(config: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of mmengine's optimizer wrapper, with mixed precision where asked for."""
    wrapper = copy.deepcopy(dict(config["optim_wrapper"]))
    if config["amp"] == "fp16":
        wrapper.update(type="AmpOptimWrapper", dtype="float16")
    elif config["amp"] == "bf16":  # has float32's range: no loss scaling
        wrapper.update(type="AmpOptimWrapper", dtype="bfloat16", loss_scale={"enabled": False})
    return wrapper


def schedulers(config: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Arguments of mmengine's schedulers, by iteration."""
    return [{"by_epoch": False, **s} for s in config["param_scheduler"]] or None


def check_training(model: nn.Module, config: Mapping[str, Any], max_iters: int) -> None:
    """Build optimizer, schedules and averaging once, on trial."""
    clip = config["optim_wrapper"].get("clip_grad") or {}
    taken = _names(torch.nn.utils.clip_grad_norm_)
    _check_names(clip, "optim_wrapper.clip_grad", taken | {"type"})
    averages = _averages(config)
    for where, arguments in averages.items():
        if arguments.get("begin_epoch"):
            raise ConfigError(f"{where}.begin_epoch: trainings run by iteration; write begin_iter")
        _check_names(arguments, where, _names(EMAHook) | _names(ExponentialMovingAverage))
    if "constructor" not in config["optim_wrapper"]:  # mmengine's own passes over what it lacks
        parts = config["optim_wrapper"].get("paramwise_cfg") or {}
        _check_names(parts, "optim_wrapper.paramwise_cfg", _PARAMWISE)
        place = "optim_wrapper.paramwise_cfg.custom_keys"
        custom = parts.get("custom_keys") or {}
        _check_names(custom, place)
        parameters = [parameter for parameter, _ in model.named_parameters()]
        for name, factors in custom.items():
            _check_names(factors, f"{place}.{name}", {"lr_mult", "decay_mult"})
            if not any(name in parameter for parameter in parameters):
                raise ConfigError(
                    f"{place}: no parameter's name holds {name!r}; one is {parameters[0]!r}"
                )
    where = "optim_wrapper"
    try:
        wrapper = build_optim_wrapper(model, optim_wrapper(config))
        for number, scheduler in enumerate(schedulers(config) or []):
            where = f"param_scheduler.{number}"
            if "ReduceOnPlateau" in str(scheduler["type"]):
                raise ConfigError(f"{where}: schedules run by iteration; take PolyLR or another")
            built = PARAM_SCHEDULERS.build(
                {"optimizer": wrapper.optimizer, "end": max_iters, **scheduler}
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that no optimizer step came first
                built.step()
            plain(built.state_dict())
        for where, arguments in averages.items():
            hook = EMAHook(**arguments)
            if hook.begin_iter > max_iters:
                raise ConfigError(
                    f"{where}.begin_iter={hook.begin_iter} is after the last, {max_iters}"
                )
            MODELS.build(hook.ema_cfg, default_args={"model": nn.Linear(1, 1)})
    except ConfigError:
        raise
    except Exception as error:  # whatever somebody's class raises for arguments that do not fit
        given = f", in {config['optim_wrapper']}" if where == "optim_wrapper" else ""
        what = str(error) if isinstance(error, (TypeError, ValueError)) else repr(error)
        raise ConfigError(f"{where}: {what}{given}") from error


def _averages(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Arguments of mmengine's EMAHook, which takes any, by the place that they are at."""
    found = {} if config["ema"] is None else {"ema": config["ema"]}
    for number, hook in enumerate(config["custom_hooks"]):
        if isinstance(hook, dict) and HOOKS.find(hook["type"]) is EMAHook:
            given = {key: value for key, value in hook.items() if key not in ("type", "priority")}
            found[f"custom_hooks.{number}"] = given
    return found


def _names(function: Any) -> set[str]:
    return set(inspect.signature(function).parameters)


def _check_names(node: Any, where: str, known: set[str] | None = None) -> None:
    if not isinstance(node, dict):
        raise ConfigError(f"{where} must be a dict, got {node!r}")
    for key in node:
        if known is not None and key not in known:
            raise ConfigError(f"unknown config key {where}.{key}{near(key, known)}")
