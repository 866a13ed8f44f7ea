"""Going on with a run: from which checkpoint, and whether it is still the same run."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from segnoise.engine import checkpoint as checkpoints
from segnoise.engine import run_folder
from segnoise.engine.schema import storable
from segnoise.errors import CheckpointError, ConfigError
from segnoise.noise import expanded
from segnoise.output_folder import OutputFolder
from segnoise.records import Within, as_text, find_fault, parse

_LENGTH = ("max_iters", "max_epochs")
_CONFIG = {"train_cfg": {"max_iters?": Within(1), "max_epochs?": Within(1)}}


class Start(NamedTuple):
    """A checkpoint to go on from, and what it says of its run."""

    path: Path
    meta: dict[str, Any]
    config: dict[str, Any]


def find(out: OutputFolder, resume: bool | str) -> Start | None:
    """The checkpoint to go on from; None to start at the beginning."""
    if not resume:
        return None
    path = Path(resume) if isinstance(resume, str) else out.path / "last.pth"
    if not path.is_file():
        if resume is True and not (out.path / "best.pth").exists():
            return None  # killed before its first checkpoint
        raise CheckpointError(
            f"--resume: no checkpoint {path}; name one by --resume PATH, or start anew by "
            "--overwrite"
        )
    if path.parent.resolve() != out.path.resolve():
        run_folder.check_unused(out)
    stored = checkpoints.load(path)
    if "optimizer" not in stored:
        raise CheckpointError(f"--resume: {path} holds weights only; resume from last.pth")
    try:
        if fault := find_fault(stored, checkpoints.RESUMABLE):
            raise ValueError(fault)
        config = parse(stored["meta"]["config"])
        if fault := find_fault(config, _CONFIG):
            raise ValueError(f"its config: {fault}")
        if not set(_LENGTH) & config["train_cfg"].keys():
            raise ValueError("its config: train_cfg has neither max_iters nor max_epochs")
    except ValueError as error:
        raise CheckpointError(
            f"--resume: {path}: damaged: {error}; name another one by --resume PATH, or start anew "
            "by --overwrite"
        ) from None
    return Start(path, stored["meta"], config)


def check_same_run(
    start: Start,
    config: Mapping[str, Any],
    global_batch: int,
    keys: Collection[str],
    extended: bool = False,
) -> None:
    """Refuse to go on under another config: the numbers would be neither run's.

    Args:
        start: the checkpoint.
        config: the config of now.
        global_batch: samples an iteration over all processes.
        keys: the config's keys to compare.
        extended: the run is to become longer, and may have other schedules from here on.
    """
    path, meta, before = start
    now = json.loads(as_json(config))
    longer = [_without_length(each) for each in (before, now)]
    one, other = longer if extended else (before, now)
    different = [
        f"{key} (was {_short(before.get(key))}, is {_short(now[key])})"
        for key in keys
        if comparable(one.get(key)) != comparable(other.get(key))
    ]
    if meta["global_batch"] != global_batch:
        different.append(
            f"samples an iteration, all processes (was {meta['global_batch']}, is {global_batch})"
        )
    if different:
        same = all(comparable(longer[0].get(k)) == comparable(longer[1].get(k)) for k in keys)
        length, before_it = now["train_cfg"], before.get("train_cfg", {})
        shorter = any(
            length[k] < before_it.get(k, 0) for k in ("max_iters", "max_epochs") if k in length
        )
        extend = ", make it longer by --extend" if same and not (extended or shorter) else ""
        raise ConfigError(
            f"--resume: {path} is of another run: {'; '.join(different)}. Go on with "
            f"{path.parent / 'config.py'}{extend}, or start a new run with load_from={path}"
        )


def _without_length(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config but for how long it trains, and the schedules over that time."""
    train_cfg = {k: v for k, v in config["train_cfg"].items() if k not in _LENGTH}
    return {**{k: v for k, v in config.items() if k != "param_scheduler"}, "train_cfg": train_cfg}


def is_extended(before: int, now: int) -> bool:
    """Whether a run of ``before`` iterations is to have more of them: --extend may be repeated."""
    if now < before:
        raise ConfigError(
            f"--extend makes a run longer: it has {before} iterations, and train_cfg asks for {now}"
        )
    return now > before


def as_json(config: Mapping[str, Any]) -> str:
    """The config as text that a checkpoint can hold and a resume can compare."""
    return as_text(storable(config))


def comparable(value: Any) -> Any:
    """A value of a config as it is compared: without the place of a data set's files.

    Types of ours are compared by name, for a module may have moved since the run began, and noise
    by today's names of its parameters.

    Example:
        >>> comparable({"type": "segnoise.datasets.Phantoms", "root": "/data", "size": 64})
        {'type': 'Phantoms', 'size': 64}
    """
    value = _by_name(expanded(value) if isinstance(value, dict) else value)
    return {k: v for k, v in value.items() if k != "root"} if isinstance(value, dict) else value


def _by_name(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _by_name(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_by_name(item) for item in value]
    ours = key == "type" and isinstance(value, str) and value.startswith("segnoise.")
    return value.rpartition(".")[2] if ours else value


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else text[:77] + "..."
