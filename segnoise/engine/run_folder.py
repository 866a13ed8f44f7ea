"""What a run's folder says about the run, besides checkpoints and scalars."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from segnoise.engine.config import dump_config
from segnoise.errors import ConfigError
from segnoise.files import write_json, write_text
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
# Files whose presence means that a training has been here.
_RESULTS = ("last.pth", "best.pth", "scores.json", "scalars.json")


def claim(folder: Path, resume: bool, overwrite: bool) -> None:
    """Make a run's folder, unless it holds another run's results.

    Raises:
        ConfigError: if the folder holds results and neither ``resume`` nor ``overwrite`` is set.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"--work-dir {folder} is a file")
    held = [name for name in _RESULTS if (folder / name).exists()]
    if held and not (resume or overwrite):
        raise ConfigError(
            f"{folder} holds a run already ({', '.join(held)}); go on with it by --resume, take "
            "another --work-dir, or replace it by --overwrite"
        )
    if overwrite and not resume:
        for name in held:
            (folder / name).unlink()
    folder.mkdir(parents=True, exist_ok=True)


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
