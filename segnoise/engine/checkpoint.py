"""Checkpoints that are plain, whole, and safe to load.

A checkpoint holds tensors, numbers, strings, lists and dicts, nothing else, so it loads with
``torch.load(..., weights_only=True)``, which runs no code from the file. It is written to a
temporary name and renamed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from segnoise.errors import CheckpointError
from segnoise.files import replacing


def plain(value: Any) -> Any:
    """Turn scalars into Python's own, and tensors into CPU tensors, throughout.

    Raises:
        TypeError: for anything that a safe load would refuse.

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
    scalars: tuple[Any, ...] = (bool, int, float, str, bytes)
    for kind in scalars:
        if isinstance(value, kind):
            return kind(value)  # not a subclass, such as torch's TorchVersion
    if value is None:
        return None
    raise TypeError(f"a checkpoint cannot hold a {type(value).__name__}: {value!r}")


def save(checkpoint: Mapping[str, Any], path: str | Path) -> None:
    """Write a checkpoint atomically.

    Raises:
        CheckpointError: if it cannot be written (a full disk); an older file of that name is
            untouched.
    """
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


def load(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU without running code from it.

    Raises:
        CheckpointError: if the file is missing, damaged, or no checkpoint of segnoise.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises half a dozen types for a damaged file
        raise CheckpointError(
            f"{path}: damaged or not a checkpoint ({_first_line(error)}); use another one"
        ) from error
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise CheckpointError(f"{path}: holds no 'state_dict', so it is no checkpoint of segnoise")
    return checkpoint


def load_weights(
    model: nn.Module, state: Mapping[str, Any], path: str | Path, new_losses: bool = False
) -> None:
    """Put a checkpoint's weights into a model, all of them.

    State of losses and methods that the model does not have, as in an evaluation, is left out.
    With ``new_losses`` the model's own may lack theirs: a training that starts from another's
    weights.

    Raises:
        CheckpointError: if weights are missing, left over, or of another shape.
    """
    own = model.state_dict()
    given = {
        k: v for k, v in state.items() if k in own or not k.startswith(("losses.", "methods."))
    }
    missing = sorted(
        k for k in own.keys() - given.keys() if not (new_losses and k.startswith("losses."))
    )
    surplus = sorted(given.keys() - own.keys())
    reshaped = [
        f"{k} {tuple(given[k].shape)} instead of {tuple(own[k].shape)}"
        for k in own.keys() & given.keys()
        if isinstance(own[k], torch.Tensor) and given[k].shape != own[k].shape
    ]
    if missing or surplus or reshaped:
        parts = [
            f"{len(names)} {what} ({', '.join(sorted(names)[:2])})"
            for what, names in (
                ("missing", missing),
                ("left over", surplus),
                ("of another shape", reshaped),
            )
            if names
        ]
        raise CheckpointError(f"{path}: does not fit the config's model: {'; '.join(parts)}")
    model.load_state_dict(given, strict=False)  # what strict would say has been said


def _cause(error: BaseException) -> str:
    """The operating system's words, where they are at the bottom of an error."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, OSError) and found.strerror:
            return found.strerror
        found = found.__cause__ or found.__context__
    return _first_line(error)


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    refused = re.search(r"Unsupported global: GLOBAL (\S+)", text)
    if refused:
        return f"it holds a {refused[1]}, and a safe load reads plain data only"
    return re.sub(r"\s+", " ", text.splitlines()[0])[:200]
