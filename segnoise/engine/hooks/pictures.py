"""Pictures of a few validation images, to see what the numbers mean."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from segnoise.datasets import NoisyLabels
from segnoise.drawing import colorize, grid, legend, save_png
from segnoise.noise import Noise
from segnoise.output_folder import announce
from segnoise.pictures import shown


def _never_ends_a_training(step: Callable[..., None]) -> Callable[..., None]:
    """Let a hook that only illustrates log what goes wrong in it, in one line."""

    @functools.wraps(step)
    def tried(hook: Any, runner: Any, *args: Any, **kwargs: Any) -> None:
        try:
            step(hook, runner, *args, **kwargs)
        except Exception as error:  # whatever it is: the training is worth more than a picture
            cause = " ".join(f"{type(error).__name__}: {error}".split())
            runner.logger.warning(f"no picture of iteration {runner.iter}: {cause[:500]}")

    return tried


class ValidationPictures(Hook):
    """Write ``pictures/iter_<n>.png``: image, clean mask, noisy mask and prediction in a row.

    Validation labels are never corrupted: the noisy mask shows what the training's noise would
    make of this image's labels, for the eye only, and is left out of a training without noise, or
    with one that looks at what only training images have. Whatever goes wrong in drawing is logged
    in one line, and the training goes on.

    Args:
        count: number of images, spread evenly over this process's share of the validation set.
        noise: the training's noise model, or None.
        seed: its seed.
    """

    def __init__(self, count: int, noise: Any = None, seed: int = 0) -> None:
        self.count = count
        # What belongs to the training images, such as saved predictions, is not there for these.
        shown = isinstance(noise, Noise) and noise.needs <= {"image", "others"}
        self.noise = noise if shown else None
        self.seed = seed
        self._rows: dict[str, list[np.ndarray]] = {}
        self._wanted: dict[str, int] = {}

    @_never_ends_a_training
    def before_val(self, runner: Any) -> None:
        """Choose the images, the same at every validation."""
        self._rows = {}
        loader = runner.val_loop.dataloader
        indices = list(loader.sampler)
        chosen = np.linspace(0, len(indices) - 1, min(self.count, len(indices))).round()
        wanted = [indices[int(i)] for i in chosen]
        self._wanted = {loader.dataset.sample_id(index): index for index in wanted}

    @_never_ends_a_training
    def after_val_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: dict[str, Any] | None = None,
        outputs: Any = None,
    ) -> None:
        """Keep the chosen images of this batch."""
        if not is_main_process() or data_batch is None:
            return
        for i, name in enumerate(data_batch["sample_id"]):
            if name in self._wanted:
                image = data_batch["image"][i].permute(1, 2, 0).cpu().numpy()
                mask = data_batch["mask"][i].cpu().numpy()
                prediction = outputs[i]["prediction"].cpu().numpy().astype(mask.dtype)
                self._rows[name] = self._row(runner, name, image, mask, prediction)

    def _row(
        self, runner: Any, name: str, image: np.ndarray, mask: np.ndarray, prediction: np.ndarray
    ) -> list[np.ndarray]:
        masks, dataset = [mask], runner.val_loop.dataloader.dataset
        if self.noise is not None:
            noisy = NoisyLabels(dataset, self.noise, self.seed)
            masks.append(noisy.load_mask(self._wanted[name]))
        palette = dataset.metainfo["palette"]
        return [shown(image), *(colorize(m, palette) for m in [*masks, prediction])]

    @_never_ends_a_training
    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Write the picture."""
        if not self._rows:
            return
        noisy = ["its labels under the noise"] if self.noise is not None else []
        metainfo = runner.val_loop.dataloader.dataset.metainfo
        picture = grid(
            list(self._rows.values()),
            ["image", "clean labels", *noisy, "prediction"],
            list(self._rows),
            footer=legend(metainfo["classes"], metainfo["palette"]),
        )
        name = f"pictures/iter_{runner.iter}.png"
        announce(Path(runner.work_dir), name)
        save_png(Path(runner.work_dir) / name, picture)
        self._rows = {}
