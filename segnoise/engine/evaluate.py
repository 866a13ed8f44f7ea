"""Measure a checkpoint on a labelled split: the work behind tools/test.py."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.device import get_device
from mmengine.dist import is_main_process
from tqdm import tqdm

from segnoise.datasets import collate
from segnoise.datasets.files.palettes import palette_image
from segnoise.engine import checkpoint as checkpoints
from segnoise.engine import data
from segnoise.engine.config import with_options
from segnoise.engine.config_files import trusted
from segnoise.engine.launch import claim_on_main, init_processes, on_main
from segnoise.engine.model import build_model
from segnoise.errors import CheckpointError
from segnoise.files import replacing
from segnoise.metrics.segmentation import SegmentationMetric, per_class
from segnoise.records import Maybe, find_fault, parse
from segnoise.registry import import_module

SCORES = {"mIoU": Maybe(float), "classes": dict, "samples": int}
"""Schema of what :func:`evaluate` returns, as a file holds it."""


def evaluate(
    config: Mapping[str, Any],
    checkpoint: str | Path,
    *,
    split: str = "test",
    out: str | Path | None = None,
    report: str | Path | None = None,
    overwrite: bool = False,
    launcher: str = "none",
) -> dict[str, Any]:
    """Score a checkpoint at the masks' original size.

    Args:
        config: from :func:`segnoise.engine.config.load_config`.
        checkpoint: file with the weights.
        split: "test" or "val": which data set of the config.
        out: folder for coloured predictions, ``<sample id>.png`` with the classes' palette.
        report: file to which the caller will write the scores.
        overwrite: replace predictions that an earlier call has left in ``out``.
        launcher: how the processes were started.

    Returns:
        mIoU, mDice, pixel_accuracy and classes, as an entry of ``scores.json``, in percent;
        and the number of samples.

    Raises:
        CheckpointError: if the checkpoint is damaged or belongs to another model or classes.
        ConfigError: if ``out`` holds predictions already, or anything else, or another process
            writes there; if it or ``report`` lies among the data set's files.
        DatasetError: if a file is missing or unreadable.
    """
    init_processes(launcher)
    dataset = data.build_dataset(config, f"{split}_data")
    if report is not None:
        data.keep_apart(report, "--json", dataset)
    model = build_model(config, dataset.metainfo)
    stored = checkpoints.load(checkpoint)
    checkpoints.check_classes(stored, dataset.metainfo, checkpoint, f"{split}_data")
    checkpoints.load_weights(model, stored["state_dict"], checkpoint)
    model.to(get_device()).eval()
    metric = SegmentationMetric()
    metric.dataset_meta = dataset.metainfo
    batches = data.eval_loader(dataset, config)
    with torch.no_grad(), _claimed(out, dataset, overwrite) as folder:
        for batch in tqdm(batches, desc=f"{split} set", disable=not is_main_process()):
            samples = model.val_step(batch)
            if folder is not None:
                # Class ids that are there are counted faster than probabilities.
                keys = ("prediction", "sample_id")
                samples = [{key: sample[key] for key in keys} for sample in samples]
                for sample in samples:
                    _write_prediction(folder, sample, dataset.metainfo)
            metric.process(batch, samples)
        means = metric.evaluate(len(dataset))  # once all processes have written theirs
    assert metric.matrix is not None
    return {
        **{k: None if math.isnan(v) else v for k, v in means.items()},
        "classes": per_class(metric.matrix, dataset.metainfo["classes"]),
        "samples": len(dataset),
    }


def checkpoint_in(path: str | Path) -> Path:
    """The checkpoint that a path names: a file, or best.pth or else last.pth of a run's folder."""
    path = Path(path)
    held = [path / name for name in ("best.pth", "last.pth") if (path / name).is_file()]
    return held[0] if held else path


# What of a stored config an evaluation looks at; the rest may name what is not to be had here.
_EVALUATED = (
    "data_root", "train_data", "val_data", "test_data", "eval_batch_size", "num_workers", "model",
    "inference", "methods",
)  # fmt: skip


def stored_config(
    checkpoint: str | Path, options: Mapping[str, Any], allow_imports: Sequence[str] = ()
) -> dict[str, Any]:
    """The config for an evaluation that a checkpoint holds; it is data, and runs nothing.

    Args:
        checkpoint: file with the weights.
        options: as of :func:`segnoise.engine.config.load_config`.
        allow_imports: as of :func:`segnoise.engine.config.load_config`.

    Raises:
        CheckpointError: if the file is damaged or holds no config.
        ConfigError: if the config names what it may not, or does not fit.
    """
    text = checkpoints.load(checkpoint).get("meta", {}).get("config")
    if text is None:
        raise CheckpointError(
            f"{checkpoint}: holds weights without a config: segnoise test CONFIG {checkpoint}"
        )
    try:
        config = parse(text)
        if fault := find_fault(config, dict):
            raise ValueError(fault)
    except ValueError as error:
        raise CheckpointError(
            f"{checkpoint}: its config is damaged ({error}): segnoise test CONFIG {checkpoint}"
        ) from None
    for module in allow_imports:
        import_module(module, "--allow-imports")
    found = {key: config[key] for key in _EVALUATED if key in config}
    return with_options(trusted(found, str(checkpoint), allow_imports), options)


def with_test_time_augmentation(
    config: Mapping[str, Any], scales: Sequence[float] | None, flip: bool
) -> dict[str, Any]:
    """The config with several views of each image in its inference, where they are given."""
    given = {**({"scales": list(scales)} if scales else {}), **({"flip": True} if flip else {})}
    return {**config, "inference": {**config["inference"], **given}}


@contextlib.contextmanager
def _claimed(out: str | Path | None, dataset: Any, overwrite: bool) -> Iterator[Path | None]:
    """The folder of the predictions, claimed by the main process for all; None for none."""
    if out is None:
        yield None
        return
    data.keep_apart(out, "--out", dataset)
    names = [_file_name(dataset.sample_id(index)) for index in range(len(dataset))]
    with claim_on_main(out, "predictions") as folder:

        def ready() -> None:
            assert folder is not None  # in the main process, which alone is asked
            if not overwrite:
                folder.refuse_finished()
            folder.clear()
            folder.expect(names)

        on_main(ready)
        yield Path(out)
        if folder is not None:
            folder.finish()


def _file_name(sample_id: str) -> str:
    return f"{sample_id}.png"


def _write_prediction(folder: Path, sample: Mapping[str, Any], metainfo: Mapping[str, Any]) -> None:
    """A palette PNG: colours to look at, class ids to compute with."""
    labels = sample["prediction"].cpu().numpy()
    with replacing(folder / _file_name(sample["sample_id"])) as temporary:
        palette_image(labels.astype(np.uint8), metainfo["palette"]).save(temporary, format="PNG")


def predictions(
    config: Mapping[str, Any], checkpoint: str | Path, dataset: Any, indices: Sequence[int]
) -> list[np.ndarray]:
    """Predicted labels, (H, W), of some samples of a data set; for pictures."""
    model = build_model(config, dataset.metainfo)
    stored = checkpoints.load(checkpoint)
    checkpoints.load_weights(model, stored["state_dict"], checkpoint)
    model.to(get_device()).eval()
    with torch.no_grad():
        found = [model.val_step(collate([dataset[i]]))[0]["prediction"] for i in indices]
    return [prediction.cpu().numpy() for prediction in found]
