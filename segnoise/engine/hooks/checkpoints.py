"""Keep the last and the best checkpoint."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook


class Checkpoints(Hook):
    """Write ``last.pth`` every ``interval`` iterations and ``best.pth`` when a score is beaten.

    mmengine's own hook deletes the old checkpoint before it writes the new one, so a full disk
    or a kill in between leaves nothing; here a file is replaced in one step. ``best.pth`` holds
    weights only (averaged ones, under EMA), ``last.pth`` all that a resume needs.

    Args:
        interval: iterations between two writings of ``last.pth``; the end always writes, and an
            interrupt.
        metric: validation score that ``best.pth`` maximises.
    """

    priority = "VERY_LOW"  # after the schedulers have stepped and EMA has averaged

    def __init__(self, interval: int, metric: str = "mIoU") -> None:
        self.interval = interval
        self.metric = metric
        self.best: dict[str, Any] | None = None

    def after_resume(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Know the best score so far, if its weights are in this folder."""
        if (Path(runner.work_dir) / "best.pth").is_file():
            self.best = checkpoint["meta"].get("best")

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Remember a score that is the best so far."""
        score = (metrics or {}).get(self.metric, math.nan)
        if math.isnan(score) or (self.best and score <= self.best[self.metric]):
            return
        self.best = {"iter": runner.iter, self.metric: score}

    def after_iteration(self, runner: Any) -> None:
        """Write what is due, after a validation of the same iteration."""
        folder, meta = Path(runner.work_dir), {"best": self.best}
        due = runner.iter % self.interval == 0 or runner.iter == runner.max_iters
        if due or runner.train_loop.interrupted:
            runner.average_buffers()
            runner.call_hook("before_checkpoint")  # in all processes; only the main one saves
            runner.save(folder / "last.pth", meta)
        # After last.pth: a disk that fills up here leaves something to go on from.
        if self.best and self.best["iter"] == runner.iter:
            runner.save(folder / "best.pth", meta, training_state=False)
