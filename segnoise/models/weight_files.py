"""Files of tensors: read whole and without running code from them, and matched to a network.

Read are what ``torch.save`` writes, ``.safetensors``, and the folders of SMP's
``save_pretrained``.
"""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from segnoise.errors import CheckpointError

_FOLDER = 0x10  # of a zip archive's attributes
_IN_FOLDER = ("model.safetensors", "pytorch_model.bin")
_INSIDE = ("state_dict", "model_state_dict", "model")


def read_weights(path: str | Path) -> Any:
    """Read a file of tensors and plain data onto the CPU.

    The checksums of the archive that ``torch.save`` writes are compared, which torch does not do.
    """
    path = Path(path)
    if path.is_dir():
        held = [name for name in _IN_FOLDER if (path / name).is_file()]
        if not held:
            raise CheckpointError(
                f"{path} is a folder without {' or '.join(_IN_FOLDER)}: give a file of weights"
            )
        path = path / held[0]
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        _compare_checksums(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file makes half a dozen types of error
        raise CheckpointError(
            f"{path}: damaged or not a checkpoint ({first_line(error)}); use another one"
        ) from error


def _compare_checksums(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(2) != b"PK":
            return  # as torch wrote before 1.6, without checksums
    with zipfile.ZipFile(path) as archive:
        bad = archive.testzip()
        for part in archive.infolist():
            # torch stores parts as they are. Of another size, or of what is marked as a folder, it
            # would leave memory as it finds it.
            plain = part.compress_type == zipfile.ZIP_STORED and not part.external_attr & _FOLDER
            if not plain or part.compress_size != part.file_size:
                bad = part.filename
        if bad:
            raise ValueError(f"{bad} is not what was written")


def first_line(error: BaseException) -> str:
    """The words of an error on one line; those of a refused pickle without torch's advice."""
    text = str(error).strip()
    if not text or isinstance(error, LookupError):
        text = f"{type(error).__name__} {text}".strip()
    if refused := re.search(r"Unsupported global: GLOBAL (\S+)", text):
        return (
            f"it holds a {refused[1]}, and a safe load reads plain data only: have it saved "
            "again as torch.save(model.state_dict(), ...)"
        )
    if "weights_only" in text:
        return "it is no file of tensors and plain data"
    return re.sub(r"\s+", " ", text.splitlines()[0])[:200]


def plain_state(value: Any) -> Mapping[str, Any] | None:
    """The state dict in what a file holds; None if there is none."""
    if not isinstance(value, Mapping):
        return None
    for inner in (*(value.get(name) for name in _INSIDE), value):
        if isinstance(inner, Mapping) and any(isinstance(x, Tensor) for x in inner.values()):
            return inner if all(isinstance(key, str) for key in inner) else None
    return None


def prefix_of(names: Collection[str], wanted: Collection[str]) -> str | None:
    """What stands before wanted names in others, as wrappers and larger models put it there.

    Example:
        >>> prefix_of(["module.head.w", "module.encoder.w", "module.encoder.b"], ["w", "b"])
        'module.encoder.'
        >>> prefix_of(["w", "b", "fc.w"], ["w", "b"])
        ''
    """
    known = set(names)
    prefixes = Counter[str]()
    for name in wanted:
        for other in names:
            before = other[: len(other) - len(name)]
            if other.endswith(name) and (not before or before.endswith(".")):
                prefixes[before] = 0
        if prefixes:
            break
    for prefix in prefixes:
        prefixes[prefix] = sum(prefix + name in known for name in wanted)
    # Of equals the shortest: a part may repeat the names of the whole.
    return min(prefixes, key=lambda prefix: (-prefixes[prefix], len(prefix)), default=None)


def misfits(
    own: Mapping[str, Any], given: Mapping[str, Any], may_lack: Collection[str] = ()
) -> str:
    """Say in words which tensors are missing, left over, of another shape or kind, or NaN.

    Example:
        >>> misfits({"w": torch.ones(2), "b": torch.ones(1)}, {"w": torch.ones(3)})
        '1 missing (b); 1 of another shape (w (3,) instead of (2,))'
    """
    shared = [name for name in own if name in given and isinstance(own[name], Tensor)]
    odd = [name for name in shared if not isinstance(given[name], Tensor)]
    # Quantised weights would be taken for what they stand for, of complex ones half would be lost.
    kinds = {
        name: f"{name} {given[name].dtype}, {given[name].layout}"
        for name in set(shared) - set(odd)
        if given[name].layout != torch.strided
        or given[name].is_complex() != own[name].is_complex()
        or given[name].is_floating_point() < own[name].is_floating_point()
    }
    odd += kinds
    found = {
        "missing": [name for name in own if name not in given and name not in may_lack],
        "left over": [name for name in given if name not in own],
        "no tensor": [
            f"{name} is a {type(given[name]).__name__}" for name in odd if name not in kinds
        ],
        "of another kind: save them as dense floats": list(kinds.values()),
        "of another shape": [
            f"{name} {tuple(given[name].shape)} instead of {tuple(own[name].shape)}"
            for name in shared
            if name not in odd and given[name].shape != own[name].shape
        ],
        "with NaN or inf, as from a training that diverged: take weights of before": [
            name
            for name in shared
            if name not in odd and not given[name].isfinite().all() and own[name].isfinite().all()
        ],
    }
    return "; ".join(
        f"{len(names)} {what} ({', '.join(sorted(names)[:2])})"
        for what, names in found.items()
        if names
    )


def batch_counts(own: Mapping[str, Any]) -> set[str]:
    """Names of batch norm's counters, which old files lack and only momentum=None needs."""
    return {name for name in own if name.endswith("num_batches_tracked")}
