"""The losses, methods and noises of a grid, built once each before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from segnoise.benchmark.doses import check_dose
from segnoise.benchmark.grid import Grid
from segnoise.datasets.base import check_same_classes
from segnoise.datasets.labels.noisy_labels import built_noise
from segnoise.engine import data
from segnoise.engine.config import with_options
from segnoise.engine.model import (
    build_methods,
    resolve_class_weights,
    resolve_losses,
    resolve_method_weights,
)
from segnoise.errors import ConfigError, DataError
from segnoise.models import MODELS, Segmentor


def check_parts(grid: Grid, bases: Mapping[str, Mapping[str, Any]], folder: Path) -> None:
    """Build every loss with every method, and every noise, of the cells that there are.

    Where a data set's files are missing, only what needs no classes is checked: its cells fail.
    """
    splits = ["val_data", *(["test_data"] if grid.evaluate == "test" else [])]
    known = {n: _metainfo(f"datasets.{n}", base, splits, folder) for n, base in bases.items()}
    cells = grid.cells()
    for dataset, noise in dict.fromkeys((cell.dataset, cell.noise) for cell in cells):
        wanted = grid.noise_of(dataset, noise)
        try:
            if wanted is not None:
                _check_noise(wanted, bases[dataset], known[dataset])
        except (TypeError, ValueError) as error:
            raise ConfigError(f"noises.{noise} on {dataset}: {error}") from error
    for dataset, loss, method in dict.fromkeys((c.dataset, c.loss, c.method) for c in cells):
        try:
            config = with_options(bases[dataset], grid.training(loss, method))
            build_methods(config["methods"])
            if (metainfo := known[dataset]) is not None:
                resolve_method_weights(config["methods"], [1] * len(metainfo["classes"]))
            if not config["recipe"]:
                _check_losses(config, metainfo)
        except ConfigError as error:
            raise ConfigError(f"{dataset} / {loss} / {method}: {error}") from error


def _metainfo(
    where: str, base: Mapping[str, Any], splits: Sequence[str], folder: Path
) -> Mapping[str, Any] | None:
    """Classes of a data set; None where files are missing, of which its cells complain."""
    try:
        dataset = data.build_dataset(base, "train_data")
        metainfo: Mapping[str, Any] = dataset.metainfo
        for split in splits:
            other = data.build_dataset(base, split)
            data.keep_apart(folder, "--work-dir", dataset, other)
            names = f"{where}.train_data", f"{where}.{split}"
            check_same_classes(metainfo, other.metainfo, names)
    except DataError:
        return None
    return metainfo


def _check_noise(
    wanted: Mapping[str, Any], base: Mapping[str, Any], metainfo: Mapping[str, Any] | None
) -> None:
    dosed = "type" not in wanted
    noise = with_options(base, {"noise": wanted["noise"] if dosed else wanted})["noise"]
    if metainfo is None:
        return
    if dosed:
        check_dose(wanted, metainfo)
    elif not data.of_training_images(noise):
        built_noise(noise, metainfo)


def _check_losses(config: Mapping[str, Any], metainfo: Mapping[str, Any] | None) -> None:
    """Build the losses as the model would, on a network of a few weights."""
    model = {"type": "Segmentor", **config["model"]}
    cls: Any = MODELS.find(model["type"], "model")
    if not (isinstance(cls, type) and issubclass(cls, Segmentor)):
        return  # a model of the user's, which has losses of its own
    losses = [dict(loss) for loss in config["losses"]]
    if metainfo is None:  # how many weights there must be is not known
        losses = [{k: v for k, v in loss.items() if k != "class_weights"} for loss in losses]
    classes = 2 if metainfo is None else len(metainfo["classes"])
    Segmentor(
        classes,
        network=nn.Conv2d(3, classes, 1),
        losses=resolve_losses(resolve_class_weights(losses, [1] * classes)),
        mode=model.get("mode", "multiclass"),
    )
