"""Keep the last and the best checkpoint."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook

from segnoise.engine.launch import on_main


class Checkpoints(Hook):
    """Write ``last.pth`` every ``interval`` iterations and ``best.pth`` when a score is beaten.

    mmengine's own hook deletes the old checkpoint before it writes the new one, so a full disk
    or a kill in between leaves nothing; here a file is replaced in one step. ``best.pth`` holds
    weights only (averaged ones, under EMA), ``last.pth`` all that a resume needs. A score that is
    beaten writes both, ``last.pth`` first: if nothing comes after it, a resume takes the best
    weights from there.

    Args:
        interval: iterations between two writings of ``last.pth``; the end always writes, an
            interrupt, and a new best.
        metric: validation score that ``best.pth`` maximises.
    """

    priority = "VERY_LOW"  # after the schedulers have stepped and EMA has averaged

    def __init__(self, interval: int, metric: str = "mIoU") -> None:
        self.interval = interval
        self.metric = metric
        self.best: dict[str, Any] | None = None

    def after_resume(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Know the best score so far, if its weights are in this folder."""
        if on_main(lambda: (Path(runner.work_dir) / "best.pth").is_file()):
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
        loop = runner.train_loop
        beaten = self.best is not None and self.best["iter"] == runner.iter
        ends = runner.iter == runner.max_iters or loop.interrupted or loop.stop_training
        if beaten or ends or runner.iter % self.interval == 0:
            runner.average_buffers()
            runner.call_hook("before_checkpoint")  # in all processes; only the main one saves
            runner.save(folder / "last.pth", meta)
        if beaten:
            runner.save(folder / "best.pth", meta, training_state=False)
