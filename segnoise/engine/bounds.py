"""Bounds of a config's numbers, and the values that it can choose among."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segnoise.checks import MAX_SEED, check_choice, check_integer, check_number

_LONGEST = 10**9  # iterations
_LARGEST = 1e30  # float32 holds it
INTEGERS: dict[str, tuple[int, int]] = {
    "batch_size": (1, 2**16),
    "eval_batch_size": (1, 2**16),
    "num_workers": (0, 256),
    "seed": (0, MAX_SEED),
    "noise_seed": (0, MAX_SEED),
    "log_interval": (1, _LONGEST),
    "checkpoint_interval": (1, _LONGEST),
    "num_pictures": (0, 1000),
    "train_cfg.max_iters": (1, _LONGEST),
    "train_cfg.max_epochs": (1, _LONGEST),
    "train_cfg.val_interval": (1, _LONGEST),
    "train_cfg.val_begin": (1, _LONGEST),
    "optim_wrapper.accumulative_counts": (1, _LONGEST),
    "ema.interval": (1, _LONGEST),
    "ema.begin_iter": (0, _LONGEST),
    "model.num_classes": (1, 2**16 - 1),
    "model.preprocessor.size_divisor": (1, 2**12),
}
NUMBERS: dict[str, dict[str, float]] = {
    "optim_wrapper.optimizer.lr": {"least": 0, "most": _LARGEST},
    "optim_wrapper.optimizer.momentum": {"least": 0, "most": 1},
    "optim_wrapper.optimizer.dampening": {"least": 0, "most": 1},
    "optim_wrapper.optimizer.weight_decay": {"least": 0, "most": _LARGEST},
    "optim_wrapper.optimizer.eps": {"least": 0, "most": _LARGEST},
    "optim_wrapper.clip_grad.max_norm": {"above": 0},
    "ema.momentum": {"above": 0, "below": 1},
}
CHOICES: dict[str, tuple[Any, ...]] = {
    "amp": (None, "bf16", "fp16"),
    "sync_bn": (None, "torch"),
    "check_data": ("full", "masks"),
}
INFINITE = "optim_wrapper.clip_grad.norm_type"  # which may be: the greatest gradient's
_MISSING = object()


def check_bounds(config: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Check all values of a config that have bounds.

    Args:
        config: with all keys.
        defaults: where these say None, the config may leave a number to the engine.

    Raises:
        ConfigError: for a number out of bounds, or a choice that there is not; names the key.
    """
    for key, (least, most) in INTEGERS.items():
        value = get(config, key, _MISSING)
        left = value is None and defaults.get(key, _MISSING) is None
        if value is not _MISSING and not left:
            check_integer(key, value, least, most)
    for key, bounds in NUMBERS.items():
        if (value := get(config, key, _MISSING)) is not _MISSING:
            check_number(key, value, **bounds)
    for key, known in CHOICES.items():
        check_choice(key, config[key], known)


def get(config: Mapping[str, Any], path: str, missing: Any = None) -> Any:
    """The value at a dotted path through dicts; ``missing`` where there is none.

    Example:
        >>> get({"train_cfg": {"max_iters": 5}}, "train_cfg.max_iters")
        5
    """
    node: Any = config
    for part in path.split("."):
        node = node.get(part, missing) if isinstance(node, dict) else missing
    return node
