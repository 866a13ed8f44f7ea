"""Whether a run learns the truth or its labels' errors, where both are known."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_reduce, get_dist_info, is_main_process
from mmengine.hooks import Hook
from torch import Tensor

from segnoise.engine.hooks.scores import PERCENT
from segnoise.files import write_json
from segnoise.metrics.memorisation import OUTCOMES, memorisation_counts, memorisation_shares
from segnoise.metrics.scores import greatest_class
from segnoise.records import Within

ENTRY = {
    "iter?": Within(0),
    "epoch": Within(0, kind=float),
    **dict.fromkeys((*OUTCOMES[:3], "right_accuracy"), PERCENT),
}
"""Schema of an entry of ``memorisation.json``."""
_MOST = 200  # entries, but for the one at the end


class Memorisation(Hook):
    """Write ``memorisation.json``: what is predicted on pixels whose training label is wrong.

    Counted on the training batches that hold ``clean_mask``, from the logits that the loss sees
    (before the update, augmented, in training mode), against the labels as the data set gives
    them. One entry for each completed epoch, or for each iteration that completes one or several,
    and one for what is left at the end of the training; each is of the pixels since the entry
    before. Entries lie at least 1/200 of the training apart, since the file is written anew with
    each: of more epochs than that, several share one. Processes sum their counts. Shares are in
    percent, None where there is no such pixel::

        {"iter", "epoch", "wrong_pixels", "given", "true", "other", "right_accuracy",
         "classes": {<true class>: {"wrong_pixels", "given", "true", "other", "right_accuracy"}}}

    A run whose batches hold no ``clean_mask`` writes nothing.
    """

    def __init__(self) -> None:
        self.history: list[dict[str, Any]] = []
        self._counts: Tensor | None = None  # of this process, on its device
        self._carried: Tensor | None = None  # of all processes, until the last checkpoint
        self._epoch = 0

    def before_train(self, runner: Any) -> None:
        """Look at the logits of this run's losses."""
        self._epoch = runner.epoch
        runner.network.observers.append(self._observe)

    def after_train(self, runner: Any) -> None:
        """Look no longer."""
        runner.network.observers.remove(self._observe)

    def after_resume(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Take over the entries up to the iteration resumed from, and the counts since."""
        stored = checkpoint["meta"].get("memorisation")
        if stored:
            self.history = list(stored["history"])
            counts = stored["counts"]
            self._carried = None if counts is None else torch.tensor(counts, dtype=torch.int64)

    def before_checkpoint(self, runner: Any) -> None:
        """Sum the counts of all processes, while all are here."""
        self._gather(runner)

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Let a resumed run know the entries before it, and the counts since."""
        counts = None if self._carried is None else self._carried.tolist()
        checkpoint["meta"]["memorisation"] = {"history": self.history, "counts": counts}

    def after_iteration(self, runner: Any) -> None:
        """Add an entry where an epoch, or the training, is complete, and the last one is old."""
        completes, self._epoch = runner.epoch != self._epoch, runner.epoch
        before = self.history[-1]["iter"] if self.history else 0
        due = completes and (runner.iter - before) * _MOST >= runner.max_iters
        if not due and runner.iter != runner.max_iters:
            return
        total = self._gather(runner)
        self._carried = None
        if total is None or not total.any():
            return
        entry = self._entry(runner, total)
        self.history.append(entry)
        if not is_main_process():
            return
        write_json(Path(runner.work_dir) / "memorisation.json", self.history)
        names = (*OUTCOMES[:3], "right_accuracy")
        scalars = {f"memorisation/{n}": entry[n] for n in names if entry[n] is not None}
        runner.visualizer.add_scalars(scalars, step=runner.iter)

    def _observe(self, logits: Tensor, batch: dict[str, Any]) -> None:
        if batch["clean_mask"] is None:
            return
        # One logit stands for two classes.
        binary = logits.shape[1] == 1
        prediction = (logits[:, 0] > 0).long() if binary else greatest_class(logits)
        classes = 2 if binary else logits.shape[1]
        ignored = batch["ignore_index"]
        counted = memorisation_counts(
            prediction, batch["mask"], batch["clean_mask"], classes, ignored
        )
        self._counts = counted if self._counts is None else self._counts + counted

    def _gather(self, runner: Any) -> Tensor | None:
        """Counts of all processes since the last entry, which all processes get."""
        several = get_dist_info()[1] > 1
        counts, self._counts = self._counts, None
        if counts is None and several:  # others may have some
            classes = runner.network.num_classes
            device = next(runner.network.parameters()).device
            counts = torch.zeros(len(OUTCOMES), classes, dtype=torch.int64, device=device)
        if counts is not None:
            if several:
                all_reduce(counts)
            counts = counts.cpu()
            self._carried = counts if self._carried is None else self._carried + counts
        return self._carried

    def _entry(self, runner: Any, total: Tensor) -> dict[str, Any]:
        dataset = runner.train_dataloader.dataset
        classes = dataset.metainfo["classes"]
        return {
            "iter": runner.iter,
            "epoch": round(runner.train_loop.drawn / len(dataset), 4),
            **_row(total.sum(1)),
            "classes": {name: _row(total[:, k]) for k, name in enumerate(classes)},
        }


def _row(counts: Tensor) -> dict[str, Any]:
    shares = {name: float(value) for name, value in memorisation_shares(counts).items()}
    percent = {name: None if math.isnan(v) else 100 * v for name, v in shares.items()}
    return {"wrong_pixels": int(counts[:3].sum()), **percent}
