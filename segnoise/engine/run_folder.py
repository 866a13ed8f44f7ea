"""What a run's folder says about the run, besides checkpoints and scalars."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from segnoise.engine.config import dump_config
from segnoise.errors import ConfigError
from segnoise.files import write_json, write_text
from segnoise.records import Within, read_lines
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
# Files whose presence means that a training has been here, and all that one leaves.
_RESULTS = ("last.pth", "best.pth", "scores.json", "scalars.json")
_RECORDS = (
    *_RESULTS, "config.py", "data.json", "noise.json", "noise.md", "versions.json", "train.log",
    "memorisation.json", "pictures", "tensorboard",
)  # fmt: skip

SCALARS = {"iter?": Within(0), "step?": Within(0), "time?": Within(0, kind=float)}
"""Schema of a line of ``scalars.json``."""


def check_unused(folder: Path) -> None:
    """Refuse a run's folder that holds another run's results.

    Raises:
        ConfigError: if it does, or is no folder.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"--work-dir {folder} is a file")
    held = [name for name in _RESULTS if (folder / name).exists()]
    if held:
        raise ConfigError(
            f"{folder} holds a run already ({', '.join(held)}); go on with it by --resume, take "
            "another --work-dir, or replace it by --overwrite"
        )


def clear(folder: Path) -> None:
    """Remove what another run has left in a folder, and nothing else."""
    scores = (path for split in ("test", "val") for path in folder.glob(f"{split}_*.json"))
    for path in (*(folder / name for name in _RECORDS), *scores):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def rewind(folder: Path, iteration: int) -> None:
    """Forget the scalars after an iteration that a run goes on from."""
    path = folder / "scalars.json"
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
