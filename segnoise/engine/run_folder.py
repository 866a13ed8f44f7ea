"""A run's folder: what it says of the run and its data, besides checkpoints and scalars."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from segnoise.engine import checkpoint as checkpoints
from segnoise.engine import data
from segnoise.engine.config import dump_config
from segnoise.engine.launch import on_main
from segnoise.errors import CheckpointError, ConfigError, RecordError
from segnoise.files import replacing, write_json, write_text
from segnoise.inspection.remarks import remarks_across, sentences
from segnoise.noise import NoiseReport
from segnoise.output_folder import OutputFolder
from segnoise.records import Maybe, Within, read_lines, read_record
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


def check_unused(folder: OutputFolder) -> None:
    """Refuse a run's folder that holds another run's results."""
    held = [name for name in folder.held() if name in _RESULTS]
    if held:
        raise ConfigError(
            f"{folder.path} holds a run already ({', '.join(held)}); go on with it by --resume, "
            "take another --work-dir, or replace it by --overwrite"
        )


def rewind(folder: Path, checkpoint: Path, meta: Mapping[str, Any]) -> None:
    """Bring a folder to where a run goes on: all that it had then, and nothing later."""
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


CHECK = {
    "num_samples": Within(1),
    "histogram": [Within(0)],
    "remarks": [dict],
    "noise": Maybe(dict),
    "fingerprint": str,
}
"""Schema of ``data.json``."""


def inspect(
    config: Mapping[str, Any], dataset: Any, validation: Any, folder: Path, reuse: bool
) -> tuple[dict[str, Any], str | None]:
    """Open all files: label counts and realised noise as numbers and text.

    A resumed run has them already, and gets no text.
    """
    key = data.fingerprint(config, dataset)
    known = on_main(lambda: _known_check(folder / "data.json", key)) if reuse else None
    if known:
        return known, None
    check = data.inspect(dataset, config, "training set")
    classes = dataset.metainfo["classes"]
    found, text = check.to_dict(), check.table(classes)
    if check.noise is not None:
        text += "\n\n" + check.noise.table(classes)
    if validation is not None:
        other = data.inspect(validation, config, "validation set")
        remarks = [*other.file_remarks, *remarks_across(check.seen, other.seen)]
        found["remarks"] += [remark.to_dict() for remark in remarks]
        text += "".join(f"\n\nNote, validation set: {words}" for words in sentences(remarks))
    return {**found, "fingerprint": key}, text


def _known_check(path: Path, key: str) -> dict[str, Any] | None:
    try:
        stored: dict[str, Any] = read_record(path, CHECK)
        if stored["noise"] is not None:
            NoiseReport.from_dict(stored["noise"])
    except (RecordError, ValueError, TypeError):
        return None  # not there, damaged, or another version's: look again
    return stored if stored["fingerprint"] == key else None


def prepare(
    out: OutputFolder,
    config: Mapping[str, Any],
    check: Mapping[str, Any],
    report: str | None,
    classes: Sequence[str],
    start: Any,  # what it goes on from, if anything: its path and meta
) -> None:
    """Ready the run's folder, now that nothing known in advance stands in the way."""
    folder = out.path
    if start is None:
        out.clear()
    out.expect(RECORDS)
    if start is not None:
        rewind(folder, start.path, start.meta)
    record(folder, config)
    if report is not None:
        print(report, flush=True)
        samples = check["num_samples"]
        if config["batch_size"] > samples:
            print(
                f"Note: batch_size={config['batch_size']} is more than the {samples} samples: a "
                "batch holds some of them several times. Take a smaller one."
            )
    write_json(folder / "data.json", check)
    if check["noise"] is not None:
        write_json(folder / "noise.json", check["noise"])
        noise = NoiseReport.from_dict(check["noise"])
        write_text(folder / "noise.md", noise.table(classes) + "\n")
