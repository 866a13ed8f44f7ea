"""How long iterations take."""

from __future__ import annotations

import time
from typing import Any

from mmengine.hooks import IterTimerHook


class IterationTimer(IterTimerHook):
    """mmengine's timer, without the time of validations, checkpoints and other hooks.

    The parent's clock of an iteration starts where the last iteration, or the last batch of a
    validation, has ended: scores, pictures and checkpoints would count as time of the training.
    """

    def before_batch(self, runner: Any) -> None:
        """Start the clock of an iteration before its batch is read."""
        self.t = time.time()
