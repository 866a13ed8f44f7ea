"""The core's statistics by PyTorch's operators, block by block.

Nothing of the logits' size is kept for the backward pass: the softmax is recomputed, so that a
block and its temporaries stay in the processor's cache and the peak memory is the gradient plus one
block.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from segnoise.losses.core.blocking import blocks, compute_dtype
from segnoise.losses.core.derivatives import twice_differentiable
from segnoise.losses.core.label_statistics import Core


def eager_statistics(logits: Tensor, target: Tensor, core: Core) -> tuple[Tensor, ...]:
    """Compute the maps of ``Core.statistics`` block by block, for logits (N, K or 1, P)."""
    maps: tuple[Tensor, ...] = _Statistics.apply(logits, target, core)
    return maps


class _Statistics(torch.autograd.Function):
    """Logits (N, K or 1, P) and target (N, P) or (N, K, P) -> maps (N, P): log p_y, then sums."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, target: Tensor, core: Core) -> tuple[Tensor, ...]:
        ctx.save_for_backward(logits, target)
        ctx.core = core
        ctx.set_materialize_grads(False)
        shape = (logits.shape[0], logits.shape[2])
        maps = tuple(logits.new_empty(shape, dtype=compute_dtype(logits)) for _ in (0, *core.sums))
        for rows, columns in blocks(logits, core.binary):
            results = core.statistics(logits[rows, :, columns], target[rows, ..., columns])
            for whole, part in zip(maps, results, strict=True):
                whole[rows, columns] = part
        return maps

    @staticmethod
    @twice_differentiable(lambda ctx, logits, target: ctx.core.statistics(logits, target))
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor, None, None]:
        logits, target = ctx.saved_tensors
        core: Core = ctx.core
        gradient = torch.empty_like(logits)
        for rows, columns in blocks(logits, core.binary):
            parts = tuple(None if g is None else g[rows, None, columns] for g in grads)
            gradient[rows, :, columns] = core.gradient(
                logits[rows, :, columns], target[rows, ..., columns], parts
            )
        return gradient, None, None
