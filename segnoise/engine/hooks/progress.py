"""Tell the losses and methods of a training how far it is."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook

from segnoise.losses import set_epochs


class MethodSteps(Hook):
    """Give every method the iteration before it, and its ``after_step`` once weights are new.

    With accumulated gradients the weights are new only where the optimizer has stepped.
    """

    def before_train_iter(
        self, runner: Any, batch_idx: int, data_batch: dict[str, Any] | None = None
    ) -> None:
        """Pass on how many iterations are complete."""
        for method in runner.network.methods.values():
            method.iteration = runner.iter

    def after_train_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: dict[str, Any] | None = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Let the methods see the new weights."""
        if runner.optim_wrapper.should_update():
            for method in runner.network.methods.values():
                method.after_step(runner.network.network)


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
