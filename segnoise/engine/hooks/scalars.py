"""Losses, learning rate, progress and times, on the console and as scalars."""

from __future__ import annotations

import time
from typing import Any

from mmengine.hooks import IterTimerHook, LoggerHook
from mmengine.logging import HistoryBuffer


class ScalarLog(LoggerHook):
    """mmengine's logger without its second, time-stamped copy of scalars.json.

    A scalar is the mean since the one before it, times excepted also where a resume lies between.
    """

    def before_run(self, runner: Any) -> None:
        """Set up as the parent does, but for the copy."""
        super().before_run(runner)
        self.json_log_path = None

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Let a resumed run know the values since the last scalar."""
        count = runner.iter % self.interval
        values = {
            name: [part[-count:].tolist() for part in history.data]
            for name, history in runner.message_hub.log_scalars.items()
            if name.startswith("train/") and not name.endswith("time")
        }
        checkpoint["meta"]["since_scalar"] = values if count else {}

    def after_resume(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Go on with them."""
        for name, (values, counts) in checkpoint["meta"].get("since_scalar", {}).items():
            runner.message_hub.log_scalars[name] = HistoryBuffer(values, counts)

    def end_of_epoch(self, dataloader: Any, batch_idx: int) -> bool:
        """Whether the end of the training has a scalar of its own: in a short one."""
        last = dataloader.batch_sampler.max_iters
        return bool(batch_idx + 1 == last and last <= self.interval)


class IterationTimer(IterTimerHook):
    """mmengine's timer, without the time of validations, checkpoints and other hooks.

    The parent's clock of an iteration starts where the last iteration, or the last batch of a
    validation, has ended: scores, pictures and checkpoints would count as time of the training.
    """

    def before_batch(self, runner: Any) -> None:
        """Start the clock of an iteration before its batch is read."""
        self.t = time.time()
