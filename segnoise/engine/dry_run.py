"""One training step and one validation batch on a copy of the model, before anything long."""

from __future__ import annotations

import copy
import random
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import torch
from mmengine.device import get_device
from mmengine.dist import get_dist_info

from segnoise.datasets import TrainingStream, collate
from segnoise.datasets.contract import check_kept, check_labels, check_sample
from segnoise.engine.loop import DrawSampler
from segnoise.engine.machine import what_it_lacks
from segnoise.errors import ConfigError, DataError, SegnoiseError
from segnoise.models import Segmentor
from segnoise.models.contract import check_logits, explained

_HALF = {"fp16": torch.float16, "bf16": torch.bfloat16}
_T = TypeVar("_T")


def dry_run(
    model: Segmentor, stream: TrainingStream, validation: Any, config: Mapping[str, Any]
) -> str:
    """Train one step and predict one validation batch, as the training will, and forget it.

    Batch, crop, precision and device are the training's. Weights, statistics, what losses and
    methods remember and all random numbers stay as they are, so a run is the same to the digit.
    """
    start = time.perf_counter()
    try:
        tried = copy.deepcopy(model)
    except Exception as error:
        return f"no dry run of a step: the model cannot be copied ({_located(error)})"
    with _same_random_numbers():
        _train(tried.to(get_device()), stream, config)
        if validation is not None:
            _predict(tried, validation, config)
    del tried
    if torch.cuda.is_available():
        torch.cuda.empty_cache()  # the training shall find the memory as it was
    seconds = time.perf_counter() - start
    what = "a training step" + (" and a validation batch" if validation is not None else "")
    return f"dry run of {what}: {seconds:.1f} s"


def _train(model: Segmentor, stream: TrainingStream, config: Mapping[str, Any]) -> None:
    draws = next(iter(DrawSampler(config["batch_size"], 1, *get_dist_info())))
    views = [_view(stream, draw) for draw in draws]
    batch = model.data_preprocessor(collate(views), training=True)
    returned: list[Any] = []
    watch = model.network.register_forward_hook(lambda _, __, outputs: returned.append(outputs))
    half = _HALF.get(config["amp"] or "")
    model.train()

    def step() -> None:
        with torch.autocast(torch.device(get_device()).type, half, enabled=half is not None):
            losses = model(**batch, mode="loss")
        if returned and isinstance(returned[0], torch.Tensor):  # else a Segmentor's own affair
            check_logits(returned[0])
        total, _ = model.parse_losses(losses)
        if not total.requires_grad:
            raise ConfigError(
                "no loss leads back to the network's weights (requires_grad is False): detach "
                "neither scores nor loss, and freeze not all of the network"
            )
        total.backward()

    _told("the training step fails", step, batch["image"])
    watch.remove()


def _view(stream: TrainingStream, draw: int) -> dict[str, Any]:
    """A sample of the stream, after a look at what data set and transform return."""
    data, transform = stream.dataset.dataset, stream.dataset.transform
    epoch, place = divmod(draw, len(data))
    index = int(stream.order(epoch)[place])
    given = _given(data, index, "train_data")
    classes, void = len(data.metainfo["classes"]), data.metainfo["ignore_index"]
    with _about("train_transform"):
        view: dict[str, Any] = _told(f"{transform!r} fails", lambda: stream[draw])
        check_sample(view)
        check_kept(view, given)
        check_labels(view, classes, void)
    return view


def _given(data: Any, index: int, key: str) -> dict[str, Any]:
    """A sample of a data set, after a look at it."""
    with _about(key):
        sample: dict[str, Any] = _told(f"{data!r} fails", lambda: data[index])
        check_sample(sample, transformed=False)
        check_labels(
            sample,
            len(data.metainfo["classes"]),
            data.metainfo["ignore_index"],
            transformed=False,
        )
    return sample


def _predict(model: Segmentor, data: Any, config: Mapping[str, Any]) -> None:
    rank, world_size = get_dist_info()
    indices = range(rank, len(data), world_size)[: config["eval_batch_size"]]
    if not indices:  # fewer samples than processes
        return
    samples = [_given(data, index, "val_data") for index in indices]
    with _about("val_data"):
        batch = collate(samples)
    model.eval()
    batch = model.data_preprocessor(batch)
    with torch.no_grad(), _about("val_data"):
        _told("prediction fails", lambda: model.probabilities(batch["image"]), batch["image"])


@contextmanager
def _about(key: str) -> Iterator[None]:
    """Say which key of the config an error is about."""
    try:
        yield
    except (ConfigError, DataError) as error:
        raise ConfigError(f"{key}: {error}") from error


def _told(what: str, run: Callable[[], _T], image: torch.Tensor | None = None) -> _T:
    """Run what the user may have written, and tell its errors in one line."""
    try:
        return run()
    except SegnoiseError:
        raise
    except Exception as error:
        if image is not None and (meaning := explained(error, image)):
            raise meaning from error
        if what_it_lacks(error):
            raise  # the tools say what to set
        on = "" if image is None else f" on images {tuple(image.shape)}"
        raise ConfigError(f"{what}{on}: {_located(error)}") from error


def _located(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in frame.filename]
    frame = (own or frames)[-1]
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text} ({frame.filename}:{frame.lineno})"


@contextmanager
def _same_random_numbers() -> Iterator[None]:
    """Put all global generators back afterwards."""
    states = random.getstate(), np.random.get_state()
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices):
        yield
    random.setstate(states[0])
    np.random.set_state(states[1])
