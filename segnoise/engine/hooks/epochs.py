"""Tell the losses which epoch it is."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook

from segnoise.losses import set_epochs


class LossEpochs(Hook):
    """Tells losses that change over a training (SPLC, SR) how many passes are complete."""

    def __init__(self) -> None:
        self._told: int | None = None

    def before_train_iter(
        self, runner: Any, batch_idx: int, data_batch: dict[str, Any] | None = None
    ) -> None:
        """Pass the epoch on where it is a new one, the first after a resume included."""
        if runner.epoch != self._told:
            self._told = runner.epoch
            set_epochs(runner.model, runner.epoch)
