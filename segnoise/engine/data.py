"""From a config to data sets and loaders, and what is known about them before training."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Mapping
from inspect import Parameter, isroutine, signature
from pathlib import Path
from typing import Any

import cv2
import torch
from mmengine.dist import all_gather_object, get_dist_info
from torch.utils.data import DataLoader, Dataset

from segnoise import output_folder
from segnoise.datasets import (
    DATASETS,
    LABELS,
    TRANSFORMS,
    CorrectedBoundaries,
    NoisyCopy,
    NoisyLabels,
    RaterMasks,
    TrainingStream,
    Transformed,
    collate,
)
from segnoise.datasets.labels.known_masks import known_pairs
from segnoise.datasets.labels.noisy_copy import check_folder_classes
from segnoise.datasets.problems import DatasetError
from segnoise.datasets.wrapped import file_paths, labelled
from segnoise.engine.config import data_path
from segnoise.engine.loop import DrawSampler
from segnoise.errors import ConfigError, DataError, SegnoiseError, words_of
from segnoise.inspection import DatasetCheck, check_dataset
from segnoise.noise import NoiseReport, realised_noise
from segnoise.records import as_text


def build_dataset(config: Mapping[str, Any], key: str) -> Any:
    """Build ``train_data`` (clean, untransformed), ``val_data`` or ``test_data``."""
    node = config[key]
    if not node:
        split = key.removesuffix("_data")
        others = [s for s in ("train", "val", "test") if s != split and config[f"{s}_data"]]
        has = f"; it has {', '.join(f'{s}_data' for s in others)}" if others else ""
        raise ConfigError(f"the config has no {key}{has}")
    arguments = dict(node)
    cls = DATASETS.find(arguments.pop("type", None), key)
    taken = _takes(cls)
    rooted = "root" in taken or any(p.kind is p.VAR_KEYWORD for p in taken.values())
    if rooted and arguments.get("root") is None and config["data_root"] is not None:
        arguments["root"] = config["data_root"]
    if arguments.get("root") is not None:
        arguments["root"] = data_path(arguments["root"])
    return labelled(_call(cls, arguments, key))


def with_noise(dataset: Any, config: Mapping[str, Any]) -> Any:
    """Corrupt a training set's labels as ``noise`` says; the set itself where it says nothing.

    ``dict(type="NoisyCopy", folder=...)`` takes the labels from a copy that has been written,
    ``dict(type="RaterMasks", folders=[...])`` from people.
    """
    if not config["noise"]:
        return dataset
    try:
        noise = config["noise"]
        kind = LABELS.find(noise.get("type"), "noise")
        if kind is NoisyCopy:
            return NoisyCopy(dataset, **{k: v for k, v in noise.items() if k != "type"})
        if kind is RaterMasks:
            return _rater_masks(dataset, noise, config["noise_seed"])
        return NoisyLabels(dataset, noise, seed=config["noise_seed"])
    except SegnoiseError:
        raise
    except (TypeError, ValueError) as error:
        raise ConfigError(f"noise: {error}") from error


def of_training_images(noise: Mapping[str, Any]) -> bool:
    """Whether a noise is of masks in a folder, which only training images have."""
    return LABELS.find(noise.get("type"), "noise") in (NoisyCopy, RaterMasks)


def with_boundaries(dataset: Any, config: Mapping[str, Any]) -> Any:
    """Move a training set's boundaries as ``boundary_bias`` says, if it does."""
    if not config["boundary_bias"]:
        return dataset
    arguments = dict(config["boundary_bias"])
    if arguments.get("clean_masks") is not None:
        arguments["clean_masks"] = data_path(arguments["clean_masks"])
        check_folder_classes(dataset.metainfo, arguments["clean_masks"])
    return _call(CorrectedBoundaries, {"dataset": dataset, **arguments}, "boundary_bias")


def noise_of_clean_masks(dataset: Any, config: Mapping[str, Any]) -> NoiseReport | None:
    """The noise of a training set on the samples in ``clean_masks``; None without them."""
    if config["clean_masks"] is None:
        return None
    if dataset.load_masks is not None:
        raise ConfigError(
            "clean_masks is for data whose clean labels are not known, and this set knows them "
            "all: leave clean_masks out"
        )
    folder, classes = data_path(config["clean_masks"]), len(dataset.metainfo["classes"])
    check_folder_classes(dataset.metainfo, folder)
    report = NoiseReport.empty(classes)
    for known, given in known_pairs(dataset, folder):
        try:
            report += realised_noise(known, given, classes, dataset.metainfo["ignore_index"])
        except ValueError as error:
            raise DataError(f"clean_masks={folder}: {error}") from error
    if report.valid == 0:
        raise ConfigError(f"clean_masks={folder}: all pixels are void, in these or the set's masks")
    return report


def _rater_masks(dataset: Any, noise: Mapping[str, Any], seed: int) -> RaterMasks:
    """Find the raters' folders where the data lies; the noise's seed draws among them."""
    arguments = {"seed": seed, **noise}
    del arguments["type"]
    if isinstance(folders := arguments.get("folders"), (list, tuple)):
        arguments["folders"] = [data_path(folder) for folder in folders]
    return RaterMasks(dataset, **arguments)


def training_stream(
    dataset: Any, config: Mapping[str, Any], cell_stride: int | None = None
) -> TrainingStream:
    """Augment a data set and put it into the order of ``seed``; with cells, where asked for."""
    transform = None
    if config["train_transform"]:
        arguments = dict(config["train_transform"])
        cls = TRANSFORMS.find(arguments.pop("type", None), "train_transform")
        if "ignore_index" in _takes(cls):
            void = dataset.metainfo["ignore_index"]
            if arguments.setdefault("ignore_index", void) != void:
                raise ConfigError(
                    f"train_transform.ignore_index={arguments['ignore_index']!r}, and the data "
                    f"set's void is {void}: leave it out"
                )
        if isroutine(cls) and any(
            p.default is p.empty and p.name not in arguments for p in _takes(cls).values()
        ):  # a function of the sample, and no one that makes a transform
            transform = functools.partial(cls, **arguments)
        else:
            transform = _call(cls, arguments, "train_transform")
    seed = config["seed"]
    return TrainingStream(Transformed(dataset, transform, seed, cell_stride), seed=seed)


def _takes(thing: Any) -> Mapping[str, Parameter]:
    """Parameters of a class or function, by name; none where it is written in C."""
    try:
        return signature(thing).parameters
    except (TypeError, ValueError):
        return {}


def _call(cls: Any, arguments: dict[str, Any], where: str) -> Any:
    try:
        return cls(**arguments)
    except SegnoiseError:
        raise
    except Exception as error:  # whatever somebody's class raises for arguments that do not fit
        raise ConfigError(f"{where}: {words_of(error)}") from error


def train_loader(stream: TrainingStream, config: Mapping[str, Any], max_iters: int) -> DataLoader:
    """Batches of a training stream for this process."""
    rank, world_size = get_dist_info()
    sampler = DrawSampler(config["batch_size"], max_iters, rank, world_size)
    return DataLoader(stream, batch_sampler=sampler, **_loading(config["num_workers"]))


def eval_loader(dataset: Dataset, config: Mapping[str, Any]) -> DataLoader:
    """Batches of an evaluation set, each sample once over all processes, at the masks' own size."""
    rank, world_size = get_dist_info()
    return DataLoader(
        dataset,
        batch_size=config["eval_batch_size"],
        sampler=range(rank, len(dataset), world_size),  # type: ignore[arg-type]
        **_loading(config["num_workers"]),
    )


def _loading(workers: int) -> dict[str, Any]:
    return {
        "num_workers": workers,
        "collate_fn": collate,
        "pin_memory": torch.cuda.is_available(),
        "worker_init_fn": _start_worker,
    }


def _start_worker(_: int) -> None:
    cv2.setNumThreads(0)  # the workers are the parallelism


def inspect(dataset: Any, config: Mapping[str, Any], what: str) -> DatasetCheck:
    """Open a data set's files, all processes together, and count its labels."""
    rank, world_size = get_dist_info()
    part = check_dataset(
        dataset,
        images=config["check_data"] == "full",
        workers=min(config["num_workers"], os.cpu_count() or 1),
        indices=range(rank, len(dataset), world_size),
        progress=f"checking {what}" if rank == 0 else None,
    )
    parts = all_gather_object(part) if world_size > 1 else [part]
    check = sum(parts[1:], parts[0])
    if check.problems:
        raise DatasetError(check.problems, what)
    check_batches(check, config, what)
    return check


def keep_apart(folder: str | Path, flag: str, *datasets: Any) -> None:
    """Refuse a folder of results that lies among the files of data sets, or holds them."""
    for dataset in filter(None, datasets):
        pairs = [file_paths(dataset, index) for index in range(len(dataset))]
        output_folder.keep_apart(folder, *zip(*pairs, strict=True), flag=flag)


def check_batches(check: DatasetCheck, config: Mapping[str, Any], what: str) -> None:
    """Raise if images that would be in one batch differ in size."""
    samples = sorted(check.seen, key=lambda sample: sample.number)
    if what == "training set":
        size = config["batch_size"]
        remedy = "crop or resize them in a train_transform (RandomScaleCrop, ResizeFlip)"
        batches = [samples] if size > 1 and not config["train_transform"] else []
    else:
        size, remedy = config["eval_batch_size"], "set eval_batch_size=1"
        _, world_size = get_dist_info()
        shards = [samples[rank::world_size] for rank in range(world_size)]
        batches = [shard[i : i + size] for shard in shards for i in range(0, len(shard), size)]
    for batch in batches:
        for sample in batch:
            if sample.size != batch[0].size:
                (height, width), (other_height, other_width) = batch[0].size, sample.size
                raise ConfigError(
                    f"{what}: images of one batch of {size} differ in size: {batch[0].image} is "
                    f"{width}x{height}, {sample.image} {other_width}x{other_height}; {remedy}"
                )


def fingerprint(config: Mapping[str, Any], dataset: Any) -> str:
    """What a data check depends on: a resumed run with the same need not repeat it."""
    ids = [dataset.sample_id(i) for i in range(len(dataset))]
    keys = ("train_data", "val_data", "noise", "noise_seed")  # boundary_bias has a fingerprint
    # The same names may lie elsewhere, with other labels.
    where = str(file_paths(dataset, 0)[1].resolve())
    parts = [*(config[key] for key in keys), ids, where, dataset.fingerprint]
    return hashlib.sha256(as_text(parts).encode()).hexdigest()
