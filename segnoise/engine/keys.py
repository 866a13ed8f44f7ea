"""The keys of a config, one table: their defaults, what each may be, and what it decides."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mmengine import registry as mm
from mmengine.optim import OptimWrapper

from segnoise.checks import MAX_SEED, check_choice, check_integer, check_number
from segnoise.datasets import DATASETS, LABELS, TRANSFORMS, CorrectedBoundaries
from segnoise.engine.hooks import HOOKS
from segnoise.engine.loop import IterationLoop
from segnoise.engine.mmengine_keys import TRACKERS
from segnoise.losses import LOSSES
from segnoise.methods import METHODS
from segnoise.models import MODELS, Inference, Preprocessor
from segnoise.registry import Registry

_NONE = object()
_LONGEST = 10**9  # iterations
_LARGEST = 1e30  # float32 holds it
_PATH = (str, Path)
_LIST = (list, dict)
# Those that this process may use: torch warns of more loaders.
_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Key(NamedTuple):
    """A key of a config; one below another, such as ``train_cfg.max_iters``, has no default.

    Attributes:
        default: of the key; None lets its value be None.
        kinds: types that the value may have; by default the default's.
        integer: least and greatest value of an integer.
        number: bounds of a number, as :func:`check_number` takes them.
        choices: the values that there are.
        registry: what its ``type`` may name.
        listed: whether it is a list of entries with a ``type``, of which one may stand alone.
        arguments_of: what takes a plain dict as its arguments.
        more: arguments that are taken besides.
        filled: arguments that the engine gives, and no config.
        decides: "weights": a resumed run has the same value; "result": a finished run of another
            value is another run, which a resume may go on with; or "nothing".
    """

    default: Any = _NONE
    kinds: tuple[type, ...] = ()
    integer: tuple[int, int] | None = None
    number: Mapping[str, float] | None = None
    choices: tuple[Any, ...] | None = None
    registry: Registry | None = None
    listed: bool = False
    arguments_of: Callable[..., Any] | None = None
    more: frozenset[str] = frozenset()
    filled: frozenset[str] = frozenset()
    decides: str = "weights"


def _data(decides: str) -> Key:
    return Key(None, (dict,), registry=DATASETS, decides=decides)


DATASETS.extend(mm.DATASETS.module_dict)
TRANSFORMS.extend(mm.TRANSFORMS.module_dict)
OPTIMIZERS = Registry("optimizer", mm.OPTIMIZERS.module_dict)
SCHEDULES = Registry("schedule", mm.PARAM_SCHEDULERS.module_dict)

KEYS: dict[str, Key] = {
    # Data; data_root is the root of the three sets, where they name none
    "data_root": Key(None, _PATH, decides="nothing"),
    "train_data": _data("weights"),
    "val_data": _data("result"),
    "test_data": _data("nothing"),
    "train_transform": Key(None, (dict,), registry=TRANSFORMS),
    # corrupts the training labels only
    "noise": Key(None, (dict,), registry=LABELS, filled=frozenset({"dataset"})),
    "noise_seed": Key(0, integer=(0, MAX_SEED)),
    # moves training boundaries
    "boundary_bias": Key(
        None, (dict,), arguments_of=CorrectedBoundaries, filled=frozenset({"dataset"})
    ),
    "batch_size": Key(8, integer=(1, 2**16)),  # per process
    "eval_batch_size": Key(1, integer=(1, 2**16), decides="nothing"),
    "num_workers": Key(min(4, _CORES), integer=(0, 256), decides="nothing"),
    # "full" opens all images and masks first, "masks" the masks only
    "check_data": Key("full", choices=("full", "masks"), decides="nothing"),
    # Model
    "model": Key({}, registry=MODELS, filled=frozenset({"extra_outputs"})),
    "model.num_classes": Key(integer=(1, 2**16 - 1)),
    "model.preprocessor": Key(arguments_of=Preprocessor),
    "model.preprocessor.size_divisor": Key(integer=(1, 2**12)),
    "inference": Key({}, arguments_of=Inference, decides="result"),
    "losses": Key([{"type": "CE"}], _LIST, registry=LOSSES, listed=True),
    # "auto" or a name: chooses losses and methods; see docs/recipes.md
    "recipe": Key(None, (str,)),
    # folder with clean masks of a few samples, for recipe="auto" to see
    "clean_masks": Key(None, _PATH),
    "methods": Key([], _LIST, registry=METHODS, listed=True, more=frozenset({"name"})),
    # what to take the weights from; without the layers for the classes where load_head is False
    "load_from": Key(None, _PATH, decides="result"),
    "load_head": Key(True, decides="result"),
    # Training
    "train_cfg": Key(
        {"max_iters": 20000, "val_interval": 2000},
        arguments_of=IterationLoop,
        more=frozenset({"max_epochs"}),
    ),
    "train_cfg.max_iters": Key(integer=(1, _LONGEST)),
    "train_cfg.max_epochs": Key(integer=(1, _LONGEST)),
    "train_cfg.val_interval": Key(integer=(1, _LONGEST)),
    "train_cfg.val_begin": Key(integer=(1, _LONGEST)),
    "optim_wrapper": Key(
        {"optimizer": {"type": "SGD", "lr": 0.01, "momentum": 0.9}},
        arguments_of=OptimWrapper,
        more=frozenset({"constructor", "paramwise_cfg"}),
    ),
    "optim_wrapper.accumulative_counts": Key(integer=(1, _LONGEST)),
    "optim_wrapper.optimizer": Key(registry=OPTIMIZERS),
    "optim_wrapper.optimizer.lr": Key(number={"least": 0, "most": _LARGEST}),
    "optim_wrapper.optimizer.momentum": Key(number={"least": 0, "most": 1}),
    "optim_wrapper.optimizer.dampening": Key(number={"least": 0, "most": 1}),
    "optim_wrapper.optimizer.weight_decay": Key(number={"least": 0, "most": _LARGEST}),
    "optim_wrapper.optimizer.eps": Key(number={"least": 0, "most": _LARGEST}),
    "optim_wrapper.clip_grad.max_norm": Key(number={"above": 0}),
    "param_scheduler": Key([], _LIST, registry=SCHEDULES, listed=True),
    "amp": Key(None, (str,), choices=(None, "bf16", "fp16")),
    "ema": Key(None, (dict,)),  # arguments of mmengine's EMAHook
    "ema.momentum": Key(number={"above": 0, "below": 1}),
    "ema.interval": Key(integer=(1, _LONGEST)),
    "ema.begin_iter": Key(integer=(0, _LONGEST)),
    "seed": Key(0, integer=(0, MAX_SEED)),
    "deterministic": Key(False),
    "sync_bn": Key(None, (str,), choices=(None, "torch")),
    "find_unused_parameters": Key(False),
    # Records
    "work_dir": Key(None, _PATH, decides="nothing"),
    "log_interval": Key(50, integer=(1, _LONGEST), decides="nothing"),
    # None: with every validation
    "checkpoint_interval": Key(None, integer=(1, _LONGEST), decides="nothing"),
    "num_pictures": Key(4, integer=(0, 1000), decides="nothing"),
    # mmengine's visualization backends, beside files and TensorBoard
    "trackers": Key([], _LIST, registry=TRACKERS, listed=True, decides="nothing"),
    "custom_hooks": Key([], registry=HOOKS, more=frozenset({"priority"}), decides="result"),
    # modules to import first, which register what the config names
    "custom_imports": Key([], (list, str, dict), decides="nothing"),
}
INFINITE = "optim_wrapper.clip_grad.norm_type"  # which may be: the greatest gradient's
DEFAULTS: dict[str, Any] = {k: key.default for k, key in KEYS.items() if key.default is not _NONE}
"""The keys of a config and their defaults."""


def check_bounds(config: Mapping[str, Any]) -> None:
    """Check all values of a config that have bounds."""
    for name, key in KEYS.items():
        value = get(config, name, _NONE)
        if value is _NONE or (value is None and key.default is None and not key.choices):
            continue
        if key.integer:
            check_integer(name, value, *key.integer)
        if key.number:
            check_number(name, value, **key.number)
        if key.choices:
            check_choice(name, value, key.choices)


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
