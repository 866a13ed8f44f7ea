"""Train a model as a config says: the work behind tools/train.py."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.dist import barrier, get_dist_info, is_main_process
from mmengine.hooks import EMAHook
from mmengine.runner import ValLoop
from mmengine.visualization import LocalVisBackend, TensorboardVisBackend, Visualizer

from segnoise.datasets import DatasetCheck
from segnoise.engine import data, run_folder
from segnoise.engine.checkpoint import load as load_checkpoint
from segnoise.engine.config import storable
from segnoise.engine.hooks import Checkpoints, FiniteLoss, ScalarLog, Scores, ValidationPictures
from segnoise.engine.launch import init_processes
from segnoise.engine.loop import IterationLoop
from segnoise.engine.model import build_model, resolve_class_weights
from segnoise.engine.runner import Runner
from segnoise.engine.tables import score_table
from segnoise.errors import CheckpointError, ConfigError
from segnoise.files import write_json, write_text
from segnoise.metrics.segmentation import SegmentationMetric


@dataclass(frozen=True)
class Result:
    """What a training leaves: scores in percent on clean validation masks, and where it is.

    Attributes:
        folder: the run's folder.
        best: entry of ``scores.json`` with the highest mIoU; None without validation data.
        last: entry of the last iteration.
        check: label histogram and realised noise of the training set.
    """

    folder: Path
    best: dict[str, Any] | None
    last: dict[str, Any] | None
    check: dict[str, Any]


def train(
    config: dict[str, Any],
    *,
    name: str = "run",
    resume: bool | str = False,
    overwrite: bool = False,
    launcher: str = "none",
) -> Result:
    """Check the data, train, validate, and leave everything in ``config["work_dir"]``.

    Args:
        config: from :func:`segnoise.engine.config.load_config` or ``complete``.
        name: of the run, for logs and the default folder ``work_dirs/<name>``.
        resume: True goes on from ``last.pth`` in the run's folder, a path from that checkpoint.
        overwrite: replace the results of another run in the folder.
        launcher: how the processes were started; see :func:`init_processes`.

    Returns:
        The scores and the run's folder.

    Raises:
        SegnoiseError: for anything that is the user's to mend, before the first iteration
            wherever it can be known then.
    """
    config = dict(config)
    init_processes(launcher)
    folder = Path(config["work_dir"] or Path("work_dirs", name))
    config["work_dir"] = str(folder)
    _check_device(config)
    checkpoint = _resume_from(folder, resume)
    if not config["train_data"]:
        raise ConfigError("the config has no train_data")
    clean = data.build_dataset(config, "train_data")
    dataset = data.with_noise(clean, config)
    validation = data.build_dataset(config, "val_data") if config["val_data"] else None
    stream = data.training_stream(dataset, config)
    torch.manual_seed(config["seed"])  # the first weights
    model = build_model(config, clean.metainfo, training=True)
    max_iters = _max_iters(config, len(dataset))

    if is_main_process():
        run_folder.claim(folder, bool(resume), overwrite)
    barrier()
    check = _inspect(config, dataset, validation, folder, reuse=checkpoint is not None)
    config["losses"] = resolve_class_weights(config["losses"], check["histogram"])
    model.set_losses(config["losses"])
    if is_main_process():
        run_folder.record(folder, config)

    scores = Scores()
    runner = Runner(
        name=name,
        model=model,
        work_dir=str(folder),
        train_dataloader=data.train_loader(stream, config, max_iters),
        train_cfg={
            "type": IterationLoop,
            **{k: v for k, v in config["train_cfg"].items() if k != "max_epochs"},
            "max_iters": max_iters,
        },
        val_dataloader=data.eval_loader(validation, config) if validation else None,
        val_cfg={"type": ValLoop} if validation else None,
        val_evaluator=[SegmentationMetric()] if validation else None,
        optim_wrapper=_optim_wrapper(config),
        param_scheduler=[{"by_epoch": False, **s} for s in config["param_scheduler"]] or None,
        default_hooks={
            "sampler_seed": None,  # the order of the data is a function of the seed already
            "logger": ScalarLog(interval=config["log_interval"], log_metric_by_epoch=False),
            "checkpoint": Checkpoints(_checkpoint_interval(config, max_iters)),
            "finite": FiniteLoss(),
        },
        custom_hooks=_custom_hooks(config, scores, validation, dataset),
        load_from=checkpoint or config["load_from"],
        resume=checkpoint is not None,
        launcher=launcher,
        # A scalar is the mean since the one before it, not over a window that a resume would cut.
        log_processor={"by_epoch": False, "window_size": config["log_interval"]},
        visualizer=_visualizer(folder),
        randomness={"seed": config["seed"], "deterministic": config["deterministic"]},
        cfg=storable(config),
    )
    runner.logger.info(f"{clean!r}, noise {config['noise'] or 'none'}, run folder {folder}")
    runner.train()
    runner.visualizer.close()
    best, last = (scores.best, scores.last) if scores.history else (None, None)
    return Result(folder, best, last, check)


def _check_device(config: Mapping[str, Any]) -> None:
    if config["amp"] and get_device() != "cuda":
        raise ConfigError(
            f"--amp {config['amp']} needs a CUDA device, and this is {get_device()}; leave it out"
        )
    if config["amp"] == "bf16" and not torch.cuda.is_bf16_supported():
        raise ConfigError("--amp bf16: this GPU has no bfloat16; use --amp fp16")


def _resume_from(folder: Path, resume: bool | str) -> str | None:
    if not resume:
        return None
    path = Path(resume) if isinstance(resume, str) else folder / "last.pth"
    if not path.is_file():
        if resume is True and not any((folder / n).exists() for n in ("best.pth", "scores.json")):
            return None  # killed before its first checkpoint: start over
        raise CheckpointError(f"--resume: no checkpoint {path}")
    if "optimizer" not in load_checkpoint(path):  # damaged files show here, before all the work
        raise CheckpointError(f"--resume: {path} holds weights only; resume from last.pth")
    return str(path)


def _max_iters(config: Mapping[str, Any], samples: int) -> int:
    train_cfg = config["train_cfg"]
    if "max_epochs" not in train_cfg:
        return train_cfg["max_iters"]
    _, world_size = get_dist_info()
    return -(-train_cfg["max_epochs"] * samples // (config["batch_size"] * world_size))


def _checkpoint_interval(config: Mapping[str, Any], max_iters: int) -> int:
    return config["checkpoint_interval"] or config["train_cfg"].get("val_interval") or max_iters


def _inspect(
    config: Mapping[str, Any], dataset: Any, validation: Any, folder: Path, reuse: bool
) -> dict[str, Any]:
    """Open all files, and write label counts and realised noise; a resumed run has them."""
    path = folder / "data.json"
    key = data.fingerprint(config, dataset)
    if reuse and (known := _known_check(path, key)):
        return known
    check = data.inspect(dataset, config, "training set")
    if validation is not None:
        data.inspect(validation, config, "validation set")
    found = check.to_dict()
    if is_main_process():
        _write_check(folder, check, dataset.metainfo["classes"])
        write_json(path, {"fingerprint": key, "check": found})
    return found


def _known_check(path: Path, key: str) -> dict[str, Any] | None:
    import json

    if not path.is_file():
        return None
    stored = json.loads(path.read_text(encoding="utf-8"))
    return stored["check"] if stored["fingerprint"] == key else None


def _write_check(folder: Path, check: DatasetCheck, classes: tuple[str, ...]) -> None:
    text = check.table(classes)
    if check.noise is not None:
        text += "\n\n" + check.noise.table(classes)
        write_json(folder / "noise.json", check.noise.to_dict())
        write_text(folder / "noise.md", check.noise.table(classes) + "\n")
    print(text, flush=True)


def _optim_wrapper(config: Mapping[str, Any]) -> dict[str, Any]:
    wrapper = dict(config["optim_wrapper"])
    if config["amp"]:
        dtype = {"bf16": "bfloat16", "fp16": "float16"}[config["amp"]]
        wrapper.update(type="AmpOptimWrapper", dtype=dtype)
    return wrapper


def _custom_hooks(
    config: Mapping[str, Any], scores: Scores, validation: Any, dataset: Any
) -> list[Any]:
    hooks: list[Any] = list(config["custom_hooks"])
    if config["ema"] is not None:
        hooks.append(EMAHook(**config["ema"]))
    if validation is not None:
        hooks.append(scores)
        if config["num_pictures"]:
            noise = getattr(dataset, "noise", None)
            hooks.append(ValidationPictures(config["num_pictures"], noise, config["noise_seed"]))
    return hooks


def _visualizer(folder: Path) -> dict[str, Any]:
    backends: list[dict[str, Any]] = [{"type": LocalVisBackend, "save_dir": str(folder)}]
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        print("TensorBoard is not installed (segnoise[tracking]): scalars go to scalars.json only")
    else:
        backends.append({"type": TensorboardVisBackend, "save_dir": str(folder / "tensorboard")})
    return {"type": Visualizer, "vis_backends": backends}


def summary(result: Result, config_name: str, best_only: bool = False) -> str:
    """The last words of a run: scores by class, where things are, how to go on."""
    folder = result.folder
    lines = []
    if result.best and result.last:
        columns = {
            f"best (iteration {result.best['iter']})": result.best,
            f"last (iteration {result.last['iter']})": result.last,
        }
        lines += [score_table(columns), ""]
    where = shlex.quote(str(folder))
    lines += [
        f"run folder   {folder}",
        f"checkpoints  {folder / 'best.pth'}, {folder / 'last.pth'}",
        f"resume       segnoise train {config_name} --work-dir {where} --resume",
        f"test         segnoise test {where}/config.py {where}/best.pth",
    ]
    return "\n".join(lines)
