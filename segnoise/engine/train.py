"""Train a model as a config says: the work behind tools/train.py."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.device import get_device
from mmengine.dist import get_dist_info
from mmengine.hooks import EMAHook
from mmengine.runner import ValLoop

from segnoise.datasets import TrainingStream
from segnoise.datasets.base import check_same_classes, check_same_images
from segnoise.datasets.phantoms import made_in
from segnoise.datasets.statistics import band_statistics
from segnoise.engine import checkpoint as checkpoints
from segnoise.engine import data, hooks, run_folder
from segnoise.engine import resume as resuming
from segnoise.engine.dry_run import dry_run
from segnoise.engine.evaluate import memorised, score_table
from segnoise.engine.keys import DEFAULTS, KEYS
from segnoise.engine.launch import claim_on_main, init_processes, on_main
from segnoise.engine.loop import IterationLoop
from segnoise.engine.mmengine_keys import visualizer
from segnoise.engine.model import (
    build_model,
    resolve_class_weights,
    resolve_losses,
    resolve_method_weights,
    set_methods,
)
from segnoise.engine.optimizer import check_training, optim_wrapper, schedulers
from segnoise.engine.recipe import with_recipe
from segnoise.engine.runner import Runner
from segnoise.engine.schema import storable
from segnoise.errors import CheckpointError, ConfigError
from segnoise.files import user_path
from segnoise.losses.base import says
from segnoise.metrics.segmentation import SegmentationMetric
from segnoise.models import Segmentor
from segnoise.output_folder import OutputFolder, look


@dataclass(frozen=True)
class Result:
    """What a training leaves: scores in percent on clean validation masks, and where it is.

    Attributes:
        folder: the run's folder.
        best: entry of ``scores.json`` with the highest mIoU, of the weights in ``best.pth``; None
            without validation data.
        last: entry of the last iteration.
        check: label histogram and realised noise of the training set.
        memorisation: entries of ``memorisation.json``; none where clean labels are not known.
        config: as it was trained, which ``config.py`` holds too.
    """

    folder: Path
    best: dict[str, Any] | None
    last: dict[str, Any] | None
    check: dict[str, Any]
    memorisation: list[dict[str, Any]]
    config: dict[str, Any]


def train(
    config: dict[str, Any],
    *,
    name: str = "run",
    resume: bool | str = False,
    extend: bool = False,
    overwrite: bool = False,
    launcher: str = "none",
    into: OutputFolder | None = None,
) -> Result:
    """Check the data, train, validate, and leave everything in ``config["work_dir"]``.

    Args:
        config: from :func:`segnoise.engine.config.load_config` or ``complete``.
        name: of the run, for logs and the default folder ``work_dirs/<name>``.
        resume: True goes on from ``last.pth`` in the run's folder, a path from that checkpoint.
        extend: resume a run that is to become longer than it was, or has become so. Iterations
            that are done stay as they are; from the checkpoint on, the learning rate and all that
            methods make of the length are what they would be in a run of the new length. The
            schedules may be others, too.
        overwrite: replace the results of another run in the folder.
        launcher: how the processes were started; see :func:`init_processes`.
        into: ``config["work_dir"]`` where the caller has claimed it already, in a single process.
    """
    config = dict(config)
    init_processes(launcher)
    folder = user_path(config["work_dir"] or Path("work_dirs", name))
    config["work_dir"] = str(folder)
    resume = resume or extend
    if resume and overwrite:
        flag = "--extend" if extend else "--resume"
        raise ConfigError(f"{flag} goes on with a run and --overwrite replaces it: give one")
    _check_device(config)
    if into is not None:
        return _train(config, name, resume, extend, overwrite, launcher, into)
    with claim_on_main(folder, run_folder.KIND, flag="--work-dir") as out:
        return _train(config, name, resume, extend, overwrite, launcher, out)


class Built(NamedTuple):
    """All that is there before the first iteration."""

    config: dict[str, Any]
    clean: Any
    dataset: Any
    validation: Any
    model: Segmentor
    stream: TrainingStream
    max_iters: int
    global_batch: int
    extended: bool
    check: dict[str, Any]
    report: str | None
    picked: str
    tried: str


def check(config: dict[str, Any], *, name: str = "run") -> str:
    """Do all that comes before the first iteration, write nothing, and return what was found.

    The data sets are opened, the recipe is chosen, everything is built, and a copy of the model
    takes a training step and looks at a validation batch. Phantoms that are missing are made for
    the time of it.
    """
    config = dict(config)
    init_processes("none")
    _check_device(config)
    folder = user_path(config["work_dir"] or Path("work_dirs", name))
    run_folder.check_unused(look(folder, run_folder.KIND, flag="--work-dir"))
    with tempfile.TemporaryDirectory() as place, made_in(Path(place)):
        built = _build({**config, "work_dir": str(folder)}, folder, None, False)
    found = [built.report or "", built.picked, built.tried]
    return "\n\n".join(text for text in found if text)


def _build(
    config: dict[str, Any], folder: Path, start: resuming.Start | None, extend: bool
) -> Built:
    """Open the data, build everything, and try a step; the run's folder stays as it is."""
    if not config["train_data"]:
        raise ConfigError("the config has no train_data")
    clean = data.build_dataset(config, "train_data")
    dataset = data.with_boundaries(data.with_noise(clean, config), config)
    if config["boundary_bias"]:
        config["boundary_bias"] = {"shift": dataset.shift}  # as measured: a resume compares it
    validation = data.build_dataset(config, "val_data") if config["val_data"] else None
    if validation is not None:
        check_same_classes(clean.metainfo, validation.metainfo, ("train_data", "val_data"))
        check_same_images(clean.metainfo, validation.metainfo, ("train_data", "val_data"))
    data.keep_apart(folder, "--work-dir", clean, dataset, validation)
    classes = clean.metainfo["classes"]
    inspected, picked = None, ""
    if config["recipe"]:  # what the network needs depends on it
        inspected = run_folder.inspect(config, dataset, validation, folder, reuse=bool(start))
        known = on_main(lambda: data.noise_of_clean_masks(dataset, config))
        config, picked = with_recipe(config, inspected[0], classes, known)
    torch.manual_seed(config["seed"])  # the first weights
    model = build_model(config, clean.metainfo, training=True)
    if config["load_from"] and not start:
        source = user_path(config["load_from"])
        stored = checkpoints.load(source)
        if config["load_head"]:
            try:
                checkpoints.check_classes(stored, clean.metainfo, source, "train_data")
            except CheckpointError as error:
                raise CheckpointError(f"{error}, or {checkpoints.WITHOUT_HEAD}") from None
        checkpoints.load_weights(
            model, stored["state_dict"], source, new_losses=True, head=config["load_head"]
        )
    if model.data_preprocessor.lacks_statistics:  # a resumed run then takes its checkpoint's
        bands = on_main(lambda: band_statistics(clean))
        model.data_preprocessor.set_statistics(bands.mean, bands.std)
    stream = data.training_stream(dataset, config, _cell_stride(model, config))
    max_iters = _max_iters(config, len(dataset))
    global_batch = config["batch_size"] * get_dist_info()[1]
    epoch_iters = len(dataset) / global_batch
    set_methods(model, config["methods"], max_iters, epoch_iters)
    check_training(model, config, max_iters)
    weighted = ["losses", "methods"]  # compared once class weights are numbers
    extended = False
    if start:
        length = {"train_cfg": start.config["train_cfg"]}
        before = _max_iters({**config, **length}, len(dataset))
        extended = extend and resuming.is_extended(before, max_iters)
        early = [k for k in DEFAULTS if KEYS[k].decides == "weights" and k not in weighted]
        resuming.check_same_run(start, config, global_batch, early, extended)

    check, report = inspected or run_folder.inspect(
        config, dataset, validation, folder, reuse=start is not None
    )
    config["losses"] = resolve_class_weights(config["losses"], check["histogram"])
    model.set_losses(resolve_losses(config["losses"]))
    config["methods"] = resolve_method_weights(config["methods"], check["histogram"])
    set_methods(model, config["methods"], max_iters, epoch_iters)
    if start:
        resuming.check_same_run(start, config, global_batch, weighted, extended)
    tried = dry_run(model, stream, validation, config)
    return Built(
        config, clean, dataset, validation, model, stream, max_iters, global_batch, extended,
        check, report, picked, tried,
    )  # fmt: skip


def _train(
    config: dict[str, Any],
    name: str,
    resume: bool | str,
    extend: bool,
    overwrite: bool,
    launcher: str,
    out: OutputFolder | None,
) -> Result:
    """Train in a folder that the main process has claimed, which alone gets it."""
    folder = Path(config["work_dir"])
    start = on_main(lambda: resuming.find(_own(out), resume))
    if resume and not start:
        on_main(lambda: print(f"nothing to resume in {folder}: from the beginning", flush=True))
    if not (resume or overwrite):
        on_main(lambda: run_folder.check_unused(_own(out)))
    built = _build(config, folder, start, extend)
    config, validation, max_iters = built.config, built.validation, built.max_iters
    followed = visualizer(folder, config["trackers"])
    found = built.check, built.report, built.clean.metainfo["classes"]
    on_main(lambda: run_folder.prepare(_own(out), config, *found, start))

    scores, memorisation = hooks.Scores(), hooks.Memorisation()
    kept = hooks.Checkpoints(config["checkpoint_interval"] or config["train_cfg"]["val_interval"])
    runner = Runner(
        name=name,
        extended=built.extended,
        record={"config": resuming.as_json(config), "global_batch": built.global_batch},
        model=built.model,
        work_dir=str(folder),
        train_dataloader=data.train_loader(built.stream, config, max_iters),
        train_cfg={
            "type": IterationLoop,
            **{k: v for k, v in config["train_cfg"].items() if k != "max_epochs"},
            "max_iters": max_iters,
        },
        val_dataloader=data.eval_loader(validation, config) if validation else None,
        val_cfg={"type": ValLoop} if validation else None,
        val_evaluator=[SegmentationMetric()] if validation else None,
        optim_wrapper=optim_wrapper(config),
        param_scheduler=schedulers(config),
        default_hooks={
            "timer": hooks.IterationTimer(),
            "sampler_seed": None,  # the order of the data is a function of the seed already
            "logger": hooks.ScalarLog(interval=config["log_interval"], log_metric_by_epoch=False),
            "checkpoint": kept,
            "finite": hooks.FiniteLoss(),
            "epochs": hooks.LossEpochs(),
            "memorisation": memorisation,
            "methods": hooks.MethodSteps(),
        },
        custom_hooks=_custom_hooks(config, scores, validation, built.dataset),
        load_from=str(start.path) if start else None,
        resume=start is not None,
        launcher=launcher,
        # A scalar is the mean since the one before it.
        log_processor={"by_epoch": False, "window_size": config["log_interval"]},
        visualizer=followed,
        randomness={"seed": config["seed"], "deterministic": config["deterministic"]},
        cfg=storable(config),
    )
    if built.picked:
        runner.logger.info(built.picked)
    runner.logger.info(built.tried)
    runner.logger.info(f"{built.clean!r}, noise {config['noise'] or 'none'}, run folder {folder}")
    runner.train()
    runner.visualizer.close()
    last = scores.history[-1] if scores.history else None
    held = (kept.best or {}).get("iter")  # what best.pth holds
    best = next((entry for entry in scores.history if entry["iter"] == held), None)
    return Result(folder, best, last, built.check, memorisation.history, config)


def _own(out: OutputFolder | None) -> OutputFolder:
    assert out is not None  # asked for by the main process alone
    return out


def _check_device(config: Mapping[str, Any]) -> None:
    if config["amp"] and get_device() != "cuda":
        raise ConfigError(
            f"--amp {config['amp']} needs a CUDA device, and this is {get_device()}; leave it out"
        )
    if config["amp"] == "bf16" and not torch.cuda.is_bf16_supported():
        raise ConfigError("--amp bf16: this GPU has no bfloat16; use --amp fp16")


def _cell_stride(model: Segmentor, config: Mapping[str, Any]) -> int | None:
    """Size of the cells by which a loss remembers pixels; None where no loss does."""
    strides: dict[int, int] = {}
    for number, loss in enumerate(model.losses.values()):
        stride = says(loss, "cell_stride")
        if stride is None:
            continue
        if (config["ema"] or {}).get("update_buffers"):
            raise ConfigError(
                f"losses.{number} has a memory that ema.update_buffers cannot average: leave it out"
            )
        strides[stride] = number
    if len(strides) > 1:
        named = " and ".join(f"losses.{n} stride={stride}" for stride, n in strides.items())
        raise ConfigError(f"{named}: losses that remember pixels share one stride")
    return next(iter(strides), None)


def _max_iters(config: Mapping[str, Any], samples: int) -> int:
    train_cfg = config["train_cfg"]
    if "max_epochs" not in train_cfg:
        return train_cfg["max_iters"]
    _, world_size = get_dist_info()
    return -(-train_cfg["max_epochs"] * samples // (config["batch_size"] * world_size))


def _custom_hooks(
    config: Mapping[str, Any], scores: hooks.Scores, validation: Any, dataset: Any
) -> list[Any]:
    found: list[Any] = list(config["custom_hooks"])
    if config["ema"] is not None:
        found.append(EMAHook(**config["ema"]))
    if validation is not None:
        found.append(scores)
        if config["num_pictures"]:
            noise = dataset.noise
            found.append(
                hooks.ValidationPictures(config["num_pictures"], noise, config["noise_seed"])
            )
    return found


def summary(result: Result) -> str:
    """The last words of a run: scores by class, where things are, how to go on."""
    folder, where = result.folder, shlex.quote(str(result.folder))
    lines = []
    if result.best and result.last:
        columns = {
            f"best (iteration {result.best['iter']})": result.best,
            f"last (iteration {result.last['iter']})": result.last,
        }
        lines += [score_table(columns), ""]
    if words := memorised(result.memorisation):
        lines += [words, ""]
    if remarks := len(result.check["remarks"]):
        lines += [f"data         {remarks} remark(s) on its files, in {folder / 'data.json'}"]
    lines += [f"run folder   {folder}", f"checkpoint   {folder / 'last.pth'}"]
    tested = "last.pth"
    if (folder / "best.pth").exists():
        tested = "best.pth"
        lines += [f"best         {folder / tested}"]
    lines.append(f"resume       segnoise train {where}/config.py --resume")
    if result.config["test_data"] or result.config["val_data"]:
        split = "" if result.config["test_data"] else " --split val"
        lines.append(f"test         segnoise test {where}/config.py {where}/{tested}{split}")
    return "\n".join(lines)
