"""Tell the methods of a training how far it is, and when the network has new weights."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook


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
