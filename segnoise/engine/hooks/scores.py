"""The history of validation scores of a run, by class, in one file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from segnoise.files import write_json
from segnoise.metrics.segmentation import SegmentationMetric, per_class
from segnoise.records import Each, Maybe, Within

PERCENT = Maybe(Within(0, 100, float))
ENTRY = {"iter": Within(0), "mIoU": PERCENT, "classes": Each({"IoU": PERCENT})}
"""Schema of an entry of ``scores.json``."""


class Scores(Hook):
    """Write ``scores.json``: mIoU, mDice, pixel accuracy and per-class values of each validation.

    All in percent, measured on clean labels at the masks' original size.
    """

    def __init__(self) -> None:
        self.history: list[dict[str, Any]] = []

    def after_resume(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Take over the scores up to the iteration resumed from."""
        self.history = list(checkpoint["meta"].get("history", []))

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Let a resumed run know the scores before it."""
        checkpoint["meta"]["history"] = self.history

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Add the scores of this validation."""
        evaluator = runner.val_loop.evaluator
        metric = next(m for m in evaluator.metrics if isinstance(m, SegmentationMetric))
        classes = evaluator.dataset_meta["classes"]
        assert metric.matrix is not None  # the evaluation has just filled it
        table = per_class(metric.matrix, classes)
        means = {k: None if math.isnan(v) else v for k, v in (metrics or {}).items()}
        entry = {"iter": runner.iter, **means, "classes": table}
        self.history.append(entry)
        if not is_main_process():
            return
        write_json(Path(runner.work_dir) / "scores.json", self.history)
        scalars = {f"IoU/{c}": v["IoU"] for c, v in table.items() if v["IoU"] is not None}
        runner.visualizer.add_scalars(scalars, step=runner.iter)
