"""Stop a run whose loss is no longer finite."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from mmengine.hooks import Hook

from segnoise.errors import TrainingError

_ADVICE = (
    "Lower the learning rate, clip gradients (optim_wrapper.clip_grad.max_norm=5), or look at the "
    "samples; last.pth, where one was written, holds sound weights"
)


class _Pending(NamedTuple):
    iteration: int
    sample_ids: list[str]
    losses: dict[str, torch.Tensor]
    flags: torch.Tensor
    copied: torch.cuda.Event | None


class FiniteLoss(Hook):
    """Raise as soon as a loss is NaN or infinite, with the iteration and the samples' ids.

    On a GPU the flag of an iteration is copied without waiting and read one iteration later,
    so the check costs no synchronisation. No checkpoint is written in between: the flag is read
    before one is.
    """

    priority = "VERY_HIGH"

    def __init__(self) -> None:
        self._pending: _Pending | None = None

    def after_train_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: dict[str, Any] | None = None,
        outputs: dict[str, torch.Tensor] | None = None,
    ) -> None:
        """Look at the last iteration's flag, and put down this one's."""
        losses = {k: v.detach() for k, v in (outputs or {}).items() if torch.is_tensor(v)}
        if not losses:
            return
        finite = torch.stack([torch.isfinite(v).all() for v in losses.values()])
        ids = list((data_batch or {}).get("sample_id", []))
        flags = torch.empty(finite.shape, dtype=torch.bool, pin_memory=finite.is_cuda)
        flags.copy_(finite, non_blocking=True)
        copied = torch.cuda.current_stream().record_event() if finite.is_cuda else None
        previous, self._pending = (
            self._pending,
            _Pending(runner.iter + 1, ids, losses, flags, copied),
        )
        if copied:
            _raise_if_bad(previous)
        else:
            self._flush()

    def before_val(self, runner: Any) -> None:
        """Do not validate broken weights, nor call them the best."""
        self._flush()
        _check_weights(runner)

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Do not write broken weights over sound ones."""
        self._flush()
        _check_weights(runner)

    def _flush(self) -> None:
        pending, self._pending = self._pending, None
        _raise_if_bad(pending)


def _check_weights(runner: Any) -> None:
    """A finite loss can have a gradient that is not; looked at before weights are kept."""
    bad = [n for n, p in runner.network.named_parameters() if not torch.isfinite(p).all()]
    if bad:
        raise TrainingError(
            f"weights are not finite at iteration {runner.iter}: {', '.join(bad[:3])}"
            f"{', ...' if len(bad) > 3 else ''}. {_ADVICE}"
        )


def _raise_if_bad(pending: _Pending | None) -> None:
    if pending is None:
        return
    if pending.copied is not None:
        pending.copied.synchronize()
    if bool(pending.flags.all()):
        return
    values = ", ".join(f"{name}={float(value):g}" for name, value in pending.losses.items())
    raise TrainingError(
        f"the loss is not finite at iteration {pending.iteration}: {values}; samples: "
        f"{', '.join(pending.sample_ids)}. {_ADVICE}"
    )
