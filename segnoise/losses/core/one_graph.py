"""A whole loss as one graph of torch.compile.

The first call of a loss and of each shape compiles, for seconds to a minute; PyTorch keeps the code
on disk. (One graph for all shapes would be slower than none.) A process has at most :data:`GRAPHS`
of them; what comes later runs operation by operation.
"""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from segnoise.losses.core.derivatives import twice_differentiable
from segnoise.losses.core.target import Target

GRAPHS = 64  # PyTorch's own limit is 8, for all losses together

_compiled: weakref.WeakKeyDictionary[nn.Module, Callable[..., Tensor]] = weakref.WeakKeyDictionary()


def as_one_graph(loss: nn.Module, target: Target, pixel_weights: Tensor | None) -> Tensor:
    """Return ``loss.value(target, pixel_weights)``, by a compiled graph.

    Raises:
        torch._dynamo.exc.TorchDynamoException: where nothing can be compiled, such as on a CPU
            without a C++ compiler.
    """
    unbound: Any = type(loss)
    if loss not in _compiled:
        # The method as a function of the loss: a bound one would keep the loss alive for good.
        _compiled[loss] = torch.compile(unbound.value, dynamic=False)
    result: Tensor = _OfGraph.apply(target.logits, pixel_weights, loss, target)
    return result


class _OfGraph(torch.autograd.Function):
    """A graph's value and gradient; those of plain operators where it is differentiated again."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, pixel_weights: Tensor | None, loss: nn.Module, target: Target
    ) -> Tensor:
        ctx.save_for_backward(logits, pixel_weights)
        ctx.loss, ctx.target = loss, target
        leaf = logits.detach().requires_grad_(ctx.needs_input_grad[0])
        weights = pixel_weights
        if weights is not None:
            weights = weights.detach().requires_grad_(ctx.needs_input_grad[1])
        with (
            torch.set_grad_enabled(any(ctx.needs_input_grad)),
            torch._dynamo.config.patch(recompile_limit=GRAPHS),
        ):
            alone = dataclasses.replace(target, logits=leaf)
            ctx.value = _compiled[loss](loss, alone, weights)
        ctx.inputs = leaf, weights
        value: Tensor = ctx.value.detach()
        return value

    @staticmethod
    @twice_differentiable(
        lambda ctx, logits, weights: ctx.loss.value(
            dataclasses.replace(ctx.target, logits=logits), weights
        )
    )
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        wanted = [m for m in ctx.inputs if m is not None and m.requires_grad]
        found = iter(torch.autograd.grad(ctx.value, wanted, grad, retain_graph=True))
        gradients = [next(found) if need else None for need in ctx.needs_input_grad]
        return tuple(gradients)
