"""The main job of on_gpu.py: what the losses make of CamVid's clean, swapped and eroded labels."""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from mmengine.hooks import Hook

from segnoise.engine.schema import complete
from segnoise.engine.train import train

NOISES: dict[str, dict[str, Any] | None] = {
    "clean": None,
    "40 % of objects swapped": {"type": "RegionSwap", "rate": 0.4},
    "eroded": {"type": "BoundaryErosion", "width": 3},
}
LOSSES: dict[str, dict[str, Any]] = {
    "CE": {"losses": [{"type": "CE"}]},
    "Dice": {"losses": [{"type": "Dice"}]},
    "ANL-CE weighted": {"losses": [{"type": "ANL-CE", "class_weights": "inverse_sqrt"}]},
    "recipe=auto": {"recipe": "auto"},
}
_CALIBRATION, _WARM_UP = 30, 10


class _Pace(Hook):
    """Seconds of an iteration, without the first ones."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._last = 0.0

    def after_train_iter(self, runner: Any, batch_idx: int, **_: Any) -> None:
        now = time.perf_counter()
        if batch_idx >= _WARM_UP:
            self.seconds.append(now - self._last)
        self._last = now


def cells() -> Iterator[tuple[str, str]]:
    """All pairs of a noise and a loss; the wrong labels first, for which this is all about."""
    for noise in ("40 % of objects swapped", "clean", "eroded"):
        for loss in LOSSES:
            yield noise, loss


def iterations_for(seconds: float, data: str, cuda: bool) -> int:
    """How many iterations each cell may have, so that all end in time, by one short training."""
    if not cuda:
        return 2
    pace = _Pace()
    start = time.perf_counter()
    trained("clean", "CE", _CALIBRATION, data, cuda, pace)
    taken = time.perf_counter() - start
    iteration = sum(pace.seconds) / len(pace.seconds)
    around = taken - _CALIBRATION * iteration  # start, checks of the data, validation
    share = 0.95 * (seconds - taken) / (len(NOISES) * len(LOSSES))
    return max(_CALIBRATION, int((share - around) / iteration))


def trained(
    noise: str, loss: str, iterations: int, data: str, cuda: bool, *hooks: Hook
) -> dict[str, Any]:
    """Train one cell, and return its scores on the clean validation images."""
    size = (352, 480) if cuda else (64, 64)
    encoder = "resnet34" if cuda else "resnet18"
    config = {
        "data_root": data,
        "train_data": {"type": "CamVid", "split": "train"},
        "val_data": {"type": "CamVid", "split": "val"},
        "train_transform": {"type": "RandomScaleCrop", "crop_size": size, "scale": (0.75, 1.5)},
        "noise": NOISES[noise],
        "model": {"encoder": encoder, "encoder_weights": None, "channels_last": cuda},
        "optim_wrapper": {"optimizer": {"type": "AdamW", "lr": 1e-3, "weight_decay": 1e-4},
                          "clip_grad": {"max_norm": 5.0}},
        "param_scheduler": [{"type": "CosineAnnealingLR", "eta_min": 1e-6}],
        "train_cfg": {"max_iters": iterations, "val_interval": iterations},
        "batch_size": 8 if cuda else 1,
        "eval_batch_size": 8 if cuda else 1,
        "num_workers": 12 if cuda else 0,
        "amp": "bf16" if cuda else None,
        "check_data": "masks",
        "num_pictures": 0,
        "custom_hooks": list(hooks),
        **LOSSES[loss],
    }  # fmt: skip
    start = time.perf_counter()
    quiet = contextlib.redirect_stdout(io.StringIO())
    with tempfile.TemporaryDirectory() as folder, quiet:
        result = train(complete({**config, "work_dir": folder}))
    assert result.last is not None
    seconds = time.perf_counter() - start
    scores = {key: result.last[key] for key in ("mIoU", "mDice", "pixel_accuracy")}
    return {**scores, "seconds": seconds}
