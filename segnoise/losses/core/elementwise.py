"""Losses of single scores, computed block by block and recomputed for the backward pass.

Where every score is a pixel of its own, the maps of a loss's formula are as large as the logits:
half a dozen of them. In blocks they stay in the cache, and none is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from segnoise.losses.core.blocking import blocks, compute_dtype
from segnoise.losses.core.derivatives import by_operators, twice_differentiable


def in_blocks(
    function: Callable[[Tensor, Tensor], Tensor], scores: Tensor, labels: Tensor
) -> Tensor:
    """Return ``function(scores, labels)`` of an elementwise function.

    Args:
        function: of scores and labels of any shape; elementwise, the same at every call.
        scores: of any shape.
        labels: of the same shape.

    Returns:
        The values, in float32 (float64 for float64 scores); no gradient flows to the labels.

    Example:
        >>> in_blocks(lambda z, y: z.square() * y, torch.tensor([3.0, 2.0]), torch.tensor([1, 0]))
        tensor([9., 0.])
    """
    if torch.compiler.is_compiling() or by_operators():
        return function(scores, labels)
    value: Tensor = _InBlocks.apply(scores.reshape(1, 1, -1), labels.reshape(1, 1, -1), function)
    return value.reshape(scores.shape)


class _InBlocks(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, scores: Tensor, labels: Tensor, function: Callable[[Tensor, Tensor], Tensor]
    ) -> Tensor:
        ctx.save_for_backward(scores, labels)
        ctx.function = function
        value = torch.empty_like(scores, dtype=compute_dtype(scores))
        for _, part in blocks(scores, binary=True):
            value[..., part] = function(scores[..., part], labels[..., part])
        return value

    @staticmethod
    @twice_differentiable(lambda ctx, scores, labels: ctx.function(scores, labels))
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        scores, labels = ctx.saved_tensors
        gradient = torch.empty_like(scores)
        for _, part in blocks(scores, binary=True):
            with torch.enable_grad():
                z = scores[..., part].detach().requires_grad_()
                value = ctx.function(z, labels[..., part])
            (gradient[..., part],) = torch.autograd.grad(value, z, grad[..., part])
        return gradient, None, None
