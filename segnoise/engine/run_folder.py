"""What a run's folder says about the run, besides checkpoints and scalars."""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from segnoise.engine import checkpoint as checkpoints
from segnoise.engine.config import dump_config
from segnoise.engine.launch import claim_on_main
from segnoise.errors import CheckpointError, ConfigError, RecordError
from segnoise.files import replacing, write_json, write_text
from segnoise.output_folder import OutputFolder
from segnoise.records import Within, read_lines, read_record
from segnoise.version import __version__

_RECORDED = (
    "albumentations",
    "mmengine",
    "numpy",
    "opencv-python",
    "segmentation-models-pytorch",
    "timm",
    "torch",
    "torchvision",
)
KIND = "a training"
# Files whose presence means that a training has been here, and all that one leaves; pictures and
# TensorBoard's files are listed as they are written.
_RESULTS = ("last.pth", "best.pth", "scores.json", "scalars.json")
RECORDS = (
    *_RESULTS, "config.py", "data.json", "noise.json", "noise.md", "versions.json",
    "train.log", "memorisation.json",
)  # fmt: skip

SCALARS = {"iter?": Within(0), "step?": Within(0), "time?": Within(0, kind=float)}
"""Schema of a line of ``scalars.json``."""


def claimed(folder: Path, resume: bool) -> contextlib.AbstractContextManager[OutputFolder | None]:
    """The run's folder, claimed by the main process; None in the others.

    A run of an earlier version, which has no list of its files, is known by its ``last.pth`` and
    ``versions.json``: to go on with it makes the list.

    Args:
        folder: the folder.
        resume: whether a run goes on in it.

    Raises:
        ConfigError: if it is somebody else's, or another process is writing there.
    """

    def adopt(place: Path) -> list[str] | None:
        names = _earlier_run(place)
        if names is not None and not resume:
            raise ConfigError(
                f"{folder} holds a run of an earlier version, which kept no list of its files: "
                "go on with it by --resume, take another --work-dir, or remove it by hand"
            )
        return names

    return claim_on_main(folder, KIND, flag="--work-dir", adopt=adopt)


def _earlier_run(folder: Path) -> list[str] | None:
    """Names of the files that a training of an earlier version has left; None if it is none."""
    try:
        read_record(folder / "versions.json", {"segnoise": str})
        known = "config" in checkpoints.load(folder / "last.pth")["meta"]
    except (RecordError, CheckpointError, LookupError, TypeError):
        return None
    return records(folder) if known else None


def records(folder: Path) -> list[str]:
    """Names of the files of a run's folder that are called as a training calls its own."""
    scores = [f"{split}_{which}.json" for split in ("test", "val") for which in ("best", "last")]
    found = [*folder.glob("pictures/iter_*.png"), *folder.glob("tensorboard/events.out.tfevents.*")]
    names = [path.relative_to(folder).as_posix() for path in found]
    return [name for name in (*RECORDS, *scores, *names) if (folder / name).is_file()]


def check_unused(folder: OutputFolder) -> None:
    """Refuse a run's folder that holds another run's results.

    Raises:
        ConfigError: if it does.
    """
    held = [name for name in folder.held() if name in _RESULTS]
    if held:
        raise ConfigError(
            f"{folder.path} holds a run already ({', '.join(held)}); go on with it by --resume, "
            "take another --work-dir, or replace it by --overwrite"
        )


def rewind(folder: Path, checkpoint: Path, meta: Mapping[str, Any]) -> None:
    """Bring a folder to where a run goes on: all that it had then, and nothing later.

    Args:
        folder: of the run.
        checkpoint: what it goes on from, in this folder or another one.
        meta: what the checkpoint says of its run.
    """
    _mend_best(folder, checkpoint, meta)
    for name, entries in {
        "scores.json": meta.get("history"),
        "memorisation.json": (meta.get("memorisation") or {}).get("history"),
    }.items():
        if entries:
            write_json(folder / name, entries)
        else:
            (folder / name).unlink(missing_ok=True)
    _rewind_scalars(folder / "scalars.json", meta["iter"])


def _mend_best(folder: Path, checkpoint: Path, meta: Mapping[str, Any]) -> None:
    """Let best.pth be the one that a checkpoint names, or not be there.

    It is written after the checkpoint of its own iteration, so whatever came between the two, its
    weights are in that. The best of an earlier iteration may lie beside the checkpoint.
    """
    best, target = meta.get("best"), folder / "best.pth"
    if not best:
        target.unlink(missing_ok=True)
    elif _is_best(target, meta):
        return
    elif best["iter"] == meta["iter"]:
        checkpoints.save(checkpoints.weights_only(checkpoints.load(checkpoint)), target)
    elif _is_best(beside := checkpoint.with_name("best.pth"), meta):
        with replacing(target) as temporary:
            shutil.copyfile(beside, temporary)
    else:
        target.unlink(missing_ok=True)
        print(
            f"note: the weights of iteration {best['iter']}, the best so far, are not in {beside}: "
            "best.pth will hold the best from here on"
        )


def _is_best(path: Path, meta: Mapping[str, Any]) -> bool:
    """Whether a file holds the weights that a checkpoint names as the best so far."""
    try:
        found = checkpoints.load(path)["meta"]
    except (CheckpointError, LookupError):
        return False
    history = found.get("history", [])  # whose run it is
    same = history == meta.get("history", [])[: len(history)]
    return same and found.get("best") == meta["best"] and found.get("iter") == meta["best"]["iter"]


def _rewind_scalars(path: Path, iteration: int) -> None:
    if not path.is_file():
        return
    kept = [
        line
        for line, entry in read_lines(path, SCALARS)
        if entry is not None and entry.get("iter", entry.get("step", 0)) <= iteration
    ]
    write_text(path, "".join(kept))


def record(folder: Path, config: Mapping[str, Any]) -> None:
    """Write the resolved config and the versions of all that decides the numbers."""
    write_text(folder / "config.py", dump_config(config))
    write_json(folder / "versions.json", versions())


def versions() -> dict[str, Any]:
    """Versions of Python, segnoise and the libraries below it, the device, and the command."""
    found: dict[str, Any] = {"segnoise": __version__, "python": platform.python_version()}
    for name in _RECORDED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    found["device"] = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    found["platform"] = platform.platform()
    found["command"] = sys.argv
    return found
