"""Checkpoints that are plain, whole, and safe to load.

A checkpoint holds tensors, numbers, strings, lists and dicts, nothing else, so it loads with
``torch.load(..., weights_only=True)``, which runs no code from the file. It is written to a
temporary name and renamed.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import is_main_process
from torch import Tensor, nn

from segnoise.datasets.base import check_same_classes
from segnoise.engine.hooks import memorisation, scores
from segnoise.errors import CheckpointError, ConfigError, SegnoiseError
from segnoise.files import replacing
from segnoise.metrics.memorisation import OUTCOMES
from segnoise.models.weight_files import (
    batch_counts,
    first_line,
    misfits,
    plain_state,
    prefix_of,
    read_weights,
)
from segnoise.records import Each, Maybe, Within, find_fault


def plain(value: Any) -> Any:
    """Turn scalars into Python's own, and tensors into CPU tensors, throughout.

    Example:
        >>> plain({"best": np.float32(0.5), "shape": (1, 2)})
        {'best': 0.5, 'shape': (1, 2)}
    """
    if isinstance(value, torch.Tensor):
        return value.detach().cpu()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    if isinstance(value, Mapping):
        return {plain(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(plain(v) for v in value)
    if isinstance(value, str):
        return sys.intern(str(value))  # equal content makes an equal file
    scalars: tuple[Any, ...] = (bool, int, float, bytes)
    for kind in scalars:
        if isinstance(value, kind):
            return kind(value)  # not a subclass, such as torch's TorchVersion
    if value is None:
        return None
    raise TypeError(f"a checkpoint cannot hold a {type(value).__name__}: {value!r}")


def save(checkpoint: Mapping[str, Any], path: str | Path) -> None:
    """Write a checkpoint atomically: on a full disk, an older file of that name is untouched."""
    try:
        # To an open file: torch's own writer does not say why it failed.
        with replacing(path) as temporary, temporary.open("wb") as file:
            torch.save(plain(checkpoint), file)
    except (OSError, RuntimeError) as error:
        before = (
            "the one before it is untouched" if Path(path).exists() else "there was none before"
        )
        raise CheckpointError(
            f"{path}: cannot be written ({_cause(error)}); {before}: make room, then go on with "
            "--resume"
        ) from error


META = {
    "config?": str,
    "iter?": Within(0),
    "dataset?": {"classes": [str], "ignore_index?": int},
}
RESUMABLE = {
    "state_dict": Each(object),
    "ema_state_dict?": Each(object),
    "optimizer": {"state": Each(Each(object), keys=int), "param_groups": [{"params": [int]}]},
    "param_schedulers": [Each(object)],
    "meta": {
        "config": str,
        "iter": Within(0),
        "global_batch": Within(1),
        "dataset": {"classes": [str], "ignore_index": int},
        "best?": Maybe({"iter": Within(0), "mIoU": float}),
        "history?": [scores.ENTRY],
        "since_scalar?": Each(([float], [float])),
        "memorisation?": {
            "history": [memorisation.ENTRY],
            "counts": Maybe(([Within(0)],) * len(OUTCOMES)),
        },
    },
}
"""Schemas: what a checkpoint may say about itself, and what a training needs to go on."""


def load(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU without running code from it.

    Weights alone have no ``meta``: what ``torch.save(model.state_dict())``, safetensors or SMP's
    ``save_pretrained`` writes.
    """
    value = read_weights(path)
    if isinstance(value, Mapping) and "meta" in value:
        if fault := find_fault(value, {"state_dict": Each(object), "meta": META}):
            raise CheckpointError(f"{path}: damaged: {fault}; use another one")
        return dict(value)
    state = plain_state(value)
    if state is None:
        raise CheckpointError(
            f"{path}: holds no 'state_dict', so it is neither a checkpoint of segnoise nor weights"
        )
    return {"state_dict": state}


def check_classes(
    stored: Mapping[str, Any], metainfo: Mapping[str, Any], path: str | Path, which: str
) -> None:
    """Refuse weights that were trained on other classes, or in another order; void too."""
    trained = stored.get("meta", {}).get("dataset")
    if trained is None:
        if is_main_process():
            print(f"Note: {path} names no classes: taken to be those of {which}, in its order")
        return
    try:
        check_same_classes(trained, metainfo, (str(path), which))
    except ConfigError as error:
        raise CheckpointError(str(error)) from None


def weights_only(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """A checkpoint without what serves a resume alone, such as the memory of methods."""
    state = checkpoint["state_dict"].items()
    kept = {name: value for name, value in state if not name.startswith("methods.")}
    return {"meta": checkpoint["meta"], "state_dict": kept}


def load_weights(
    model: nn.Module,
    state: Mapping[str, Any],
    path: str | Path,
    new_losses: bool = False,
    head: bool = True,
) -> None:
    """Put a checkpoint's weights into a model, all of them.

    State of losses and methods that the model does not have, as in an evaluation, is left out. The
    names of a plain state dict may have anything before them (``module.``, ``model.``), and batch
    norm's counters may be missing. With ``new_losses`` the model's own losses may lack theirs;
    ``head=False`` leaves out the layers that give the classes (SMP's ``segmentation_head``, of
    another network its last layer) and the state of losses and methods.
    """
    # What a loss remembers of the samples grows with them: it is not in a new model yet.
    samples = tuple(
        f"{n}.{m.remembers}" for n, m in model.named_modules() if hasattr(m, "remembers")
    )
    own = {k: v for k, v in model.state_dict().items() if not k.startswith(samples)}
    remembered = {k: v for k, v in state.items() if head and k.startswith(samples)}
    given = {
        k: v for k, v in _named_as(own, state).items() if k in own or not k.startswith(_OF_TRAINING)
    }
    last = _head_names(model)
    may_lack = batch_counts(own)
    if new_losses:
        # Mean and std are those of the data that it is trained on now.
        given = {k: v for k, v in given.items() if not k.startswith(_OF_DATA)}
        may_lack |= {k for k in own if k.startswith(("losses.", _OF_DATA))}
    if not head:
        given = {k: v for k, v in given.items() if not (k in last or k.startswith(_OF_TRAINING))}
        may_lack |= last | {k for k in own if k.startswith(_OF_TRAINING)}
    if misfit := misfits(own, given, may_lack):
        remedy = ""
        body = {k: v for k, v in given.items() if k not in last}
        if head and new_losses and not misfits(own, body, may_lack | last):
            remedy = f"; {WITHOUT_HEAD}"
        raise CheckpointError(f"{path}: does not fit the config's model: {misfit}{remedy}")
    with fitting(path):
        model.load_state_dict(
            given | remembered, strict=False
        )  # what strict would say has been said


WITHOUT_HEAD = "take all but its head by --cfg-options load_head=False"
_OF_DATA = "data_preprocessor."
_OF_TRAINING = ("losses.", "methods.")


def _named_as(own: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
    """A state dict under the model's names, where it is of the network alone."""
    if any(name in own for name in state):
        return dict(state)
    inner = [name.removeprefix(_NETWORK) for name in own if name.startswith(_NETWORK)]
    prefix = prefix_of(state, inner)
    if prefix is None:
        return dict(state)
    return {
        _NETWORK + name.removeprefix(prefix): value
        for name, value in state.items()
        if name.startswith(prefix)
    }


_NETWORK = "network."


def _head_names(model: nn.Module) -> set[str]:
    """Names in the state dict of the layers that give the classes."""
    names = [name for name in model.state_dict() if name.startswith(_NETWORK)]
    head = {name for name in names if name.startswith(f"{_NETWORK}segmentation_head.")}
    parameters = [name for name, _ in model.named_parameters() if name.startswith(_NETWORK)]
    if head or not parameters:
        return head
    last = parameters[-1].rpartition(".")[0]
    return {name for name in names if name.rpartition(".")[0] == last}


@contextlib.contextmanager
def fitting(path: str | Path) -> Iterator[None]:
    """Let whatever a module, a hook or an optimizer says of a state in a file name the file."""
    try:
        yield
    except SegnoiseError:
        raise
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise CheckpointError(
            f"{path}: damaged, or of another config ({type(error).__name__}: {first_line(error)}); "
            "use another one"
        ) from error


# Of torch's optimizers; these have their parameter's shape.
_SHAPED = {
    "acc_delta", "ax", "exp_avg", "exp_avg_sq", "exp_inf", "grad_avg", "max_exp_avg_sq",
    "momentum_buffer", "prev", "square_avg", "step_size", "sum",
}  # fmt: skip


def training_fault(
    stored: Mapping[str, Any], optimizer: torch.optim.Optimizer, schedulers: Sequence[Any] | None
) -> str | None:
    """Say in words why the state of a training is not one of this optimizer and these schedules.

    torch itself takes state of other shapes, and fails at the next step. Schedules may be None.
    """
    state, groups = stored["optimizer"]["state"], stored["optimizer"]["param_groups"]
    own = optimizer.state_dict()["param_groups"]
    sizes = [[len(group["params"]) for group in each] for each in (groups, own)]
    if sizes[0] != sizes[1]:
        return f"its optimizer is of {sum(sizes[0])} parameters, the model has {sum(sizes[1])}"
    for number, (group, mine) in enumerate(zip(groups, own, strict=True)):
        known = {key: value for key, value in mine.items() if key in group and key != "params"}
        if fault := _unlike(group, known, f"param_groups.{number}"):
            return fault
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    kinds = {key: type(value) for each in state.values() for key, value in each.items()}
    for number, each in state.items():
        if number >= len(parameters) or number < 0:
            return f"optimizer.state.{number} is of no parameter"
        for key in kinds if each else ():
            value, place = each.get(key), f"optimizer.state.{number}.{key}"
            if type(value) is not kinds[key] or not isinstance(
                value, (Tensor, float, int, type(None))
            ):
                return f"{place} is a {type(value).__name__}"
            if (
                isinstance(value, Tensor)
                and key in _SHAPED
                and value.shape != parameters[number].shape
            ):
                return f"{place} has shape {tuple(value.shape)}, not the parameter's"
            if isinstance(value, Tensor) and key == "step" and value.numel() != 1:
                return f"{place} has shape {tuple(value.shape)}, not ()"
    if schedulers is None:
        return None
    given = stored["param_schedulers"]
    if len(given) != len(schedulers):
        return f"it has {len(given)} schedules, the config {len(schedulers)}"
    faults = (
        _unlike(each, scheduler.state_dict(), f"param_schedulers.{number}")
        for number, (each, scheduler) in enumerate(zip(given, schedulers, strict=True))
    )
    return next(filter(None, faults), None)


def _unlike(value: Any, mine: Any, place: str) -> str | None:
    """Say where a value is not built like another one; None in the other stands for anything."""
    return find_fault(value, _schema_of(mine), place)


def _schema_of(value: Any) -> Any:
    if value is None:
        return object
    if isinstance(value, Mapping):
        return {key: _schema_of(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return tuple(map(_schema_of, value))
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float if number else type(value)


def _cause(error: BaseException) -> str:
    """The operating system's words, where they are at the bottom of an error."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, OSError) and found.strerror:
            return found.strerror
        found = found.__cause__ or found.__context__
    return first_line(error)
