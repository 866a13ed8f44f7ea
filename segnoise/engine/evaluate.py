"""Measure a checkpoint on a labelled split, and scores as a table: behind tools/test.py."""

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
from segnoise.metrics.memorisation import memorisation_begins
from segnoise.metrics.segmentation import SegmentationMetric, per_class
from segnoise.metrics.volumes import CaseScores
from segnoise.records import Maybe, find_fault, parse
from segnoise.registry import import_module
from segnoise.tables import markdown

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
    tolerance: float = 2.0,
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
        tolerance: within how many millimetres surfaces of volumes agree.

    Returns:
        mIoU, mDice, pixel_accuracy and classes, as an entry of ``scores.json``, in percent;
        and the number of samples. Of volumes also ``by_case``, see
        :func:`segnoise.metrics.volumes.volume_scores`.
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
    by_case = None if dataset.slice_of is None else CaseScores(dataset, tolerance)
    batches = data.eval_loader(dataset, config)
    with torch.no_grad(), _claimed(out, dataset, overwrite) as folder:
        for batch in tqdm(batches, desc=f"{split} set", disable=not is_main_process()):
            samples = model.val_step(batch)
            if by_case is not None:
                for sample, target in zip(samples, batch["mask"], strict=True):
                    labels = sample["prediction"].cpu().numpy()
                    by_case.add(sample["sample_id"], labels, target.numpy())
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
        **({} if by_case is None else {"by_case": by_case.result()}),
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
    """The config for an evaluation that a checkpoint holds; it is data, and runs nothing."""
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


def percent(value: float | None) -> str:
    """One decimal, or a dash where there is nothing to measure.

    Example:
        >>> percent(93.14), percent(None)
        ('93.1', '-')
    """
    return "-" if value is None else f"{value:.1f}"


def score_table(scores: Mapping[str, Mapping[str, Any]]) -> str:
    """Per-class IoU, and mIoU, mDice and pixel accuracy below, one column a result.

    Args:
        scores: name of the column -> an entry of ``scores.json``.

    Example:
        >>> entry = dict(mIoU=50.0, mDice=60.0, pixel_accuracy=70.0, classes={"a": {"IoU": 50.0}})
        >>> print(score_table({"best": entry}))
        | IoU, %         | best |
        | :------------- | ---: |
        | a              | 50.0 |
        | mIoU           | 50.0 |
        | mDice          | 60.0 |
        | pixel accuracy | 70.0 |
    """
    entries = list(scores.values())
    rows = [
        [name, *(percent(entry["classes"][name]["IoU"]) for entry in entries)]
        for name in entries[0]["classes"]
    ]
    rows += [
        [key.replace("_", " "), *(percent(entry[key]) for entry in entries)]
        for key in ("mIoU", "mDice", "pixel_accuracy")
    ]
    return markdown(["IoU, %", *scores], rows)


def case_table(by_case: Mapping[str, Any]) -> str:
    """Means over the cases of volumes, of each class.

    Example:
        >>> mean = {"liver": dict(Dice=50.0, IoU=33.3, surface_dice=None)}
        >>> print(case_table(dict(surface_tolerance_mm=2.0, cases={"a": {}}, mean=mean)))
        | mean of 1 cases, % | Dice |  IoU | surface Dice at 2 mm |
        | :----------------- | ---: | ---: | -------------------: |
        | liver              | 50.0 | 33.3 |                    - |
    """
    keys = ("Dice", "IoU", "surface_dice")
    rows = [
        [name, *(percent(scores[key]) for key in keys)] for name, scores in by_case["mean"].items()
    ]
    surface = f"surface Dice at {by_case['surface_tolerance_mm']:g} mm"
    return markdown([f"mean of {len(by_case['cases'])} cases, %", "Dice", "IoU", surface], rows)


def memorised(history: Sequence[Mapping[str, Any]]) -> str:
    """One line on what became of wrong labels; empty where nothing is known of them.

    Example:
        >>> entry = dict(epoch=3.0, given=20.0, true=70.0, other=10.0, right_accuracy=95.0)
        >>> print(memorised([entry]))
        wrong labels are predicted as given 20.0 %, as true 70.0 %, otherwise 10.0 % at the end; \
right ones 95.0 %; memorisation has not begun
    """
    if not history or history[-1]["given"] is None:
        return ""
    last, begins = history[-1], memorisation_begins(history)
    when = "has not begun" if begins is None else f"begins at epoch {begins:g}"
    return (
        f"wrong labels are predicted as given {percent(last['given'])} %, as true "
        f"{percent(last['true'])} %, otherwise {percent(last['other'])} % at the end; right ones "
        f"{percent(last['right_accuracy'])} %; memorisation {when}"
    )
