"""Losses of one pixel, computed block by block and recomputed for the backward pass.

The maps of a loss's formula are as large as the logits, and there are half a dozen of them: in
blocks they stay in the cache, and none is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from segnoise.losses.core.blocking import blocks, compute_dtype
from segnoise.losses.core.derivatives import by_operators, twice_differentiable

Function = Callable[[Tensor, Tensor], Tensor]


def in_blocks(function: Function, scores: Tensor, labels: Tensor, classes: bool = False) -> Tensor:
    """Return ``function(scores, labels)`` of a function of every score, or pixel, by itself.

    The values are in float32 (float64 for float64 scores); no gradient flows to the labels.

    Args:
        function: the same at every call.
        scores: of any shape; with ``classes`` (N, K, *).
        labels: of the scores' shape.
        classes: whether the function is of K scores and labels a pixel, and returns (N, *).
    """
    if torch.compiler.is_compiling() or by_operators():
        return function(scores, labels)
    shape = scores[:, 0].shape if classes else scores.shape
    flat = (*scores.shape[:2], scores.shape[2:].numel()) if classes else (1, 1, scores.numel())
    value: Tensor = _InBlocks.apply(scores.reshape(flat), labels.reshape(flat), function, classes)
    return value.reshape(shape)


class _InBlocks(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, scores: Tensor, labels: Tensor, function: Function, classes: bool
    ) -> Tensor:
        ctx.save_for_backward(scores, labels)
        ctx.function, ctx.classes = function, classes
        shape = scores[:, 0].shape if classes else scores.shape
        value = scores.new_empty(shape, dtype=compute_dtype(scores))
        for rows, part in blocks(scores, binary=not classes):
            value[rows, ..., part] = function(scores[rows, :, part], labels[rows, :, part])
        return value

    @staticmethod
    @twice_differentiable(lambda ctx, scores, labels: ctx.function(scores, labels))
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        scores, labels = ctx.saved_tensors
        gradient = torch.empty_like(scores)
        for rows, part in blocks(scores, binary=not ctx.classes):
            with torch.enable_grad():
                z = scores[rows, :, part].detach().requires_grad_()
                value = ctx.function(z, labels[rows, :, part])
            (gradient[rows, :, part],) = torch.autograd.grad(value, z, grad[rows, ..., part])
        return gradient, None, None, None
