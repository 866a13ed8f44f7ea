"""Losses, learning rate and progress, on the console and as scalars."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import LoggerHook


class ScalarLog(LoggerHook):
    """mmengine's logger without its second, time-stamped copy of scalars.json."""

    def before_run(self, runner: Any) -> None:
        """Set up as the parent does, but for the copy."""
        super().before_run(runner)
        self.json_log_path = None
