"""Derivatives beyond the first, and those of torch.func: taken of plain operators.

The losses compute their gradient in closed form, in place and block by block, which autograd cannot
follow. Where somebody differentiates the gradient (``create_graph=True``), or where torch.func or
forward-mode differentiation must see every step, the same result is computed by plain operators
instead: slower and with more memory, but right.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

FLOOR = 1e-18
"""Floor of what has a power or a logarithm to be differentiated twice: 1 / FLOOR^2 is a float32."""


def by_operators(*labels: Tensor | None) -> bool:
    """Return whether every step must be a plain operator.

    That is so inside a transform of torch.func (grad, vmap, jvp, ...) or forward-mode
    differentiation, and where labels want a gradient.
    """
    return (
        torch._C._are_functorch_transforms_active()
        or torch.autograd.forward_ad._current_level >= 0
        or any(m is not None and m.requires_grad for m in labels)
    )


def unwrapped(tensor: Tensor) -> Tensor:
    """Return the values of a tensor as they are outside all transforms of torch.func.

    Inside ``vmap`` nobody may look at a tensor's values, but a check must.
    """
    while torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        tensor = torch._C._functorch.get_unwrapped(tensor)
    return tensor


def outside_transforms() -> AbstractContextManager[Any]:
    """Return a context outside all transforms of torch.func, to write unwrapped tensors in."""
    if not torch._C._are_functorch_transforms_active():
        return contextlib.nullcontext()
    from torch._functorch.pyfunctorch import temporarily_clear_interpreter_stack

    return temporarily_clear_interpreter_stack()


def twice_differentiable(
    operators: Callable[..., Tensor | tuple[Tensor, ...]],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a gradient in closed form be differentiated: a decorator of ``Function.backward``.

    Args:
        operators: called with the context and its saved tensors, returns what ``forward`` returns
            by plain operators. The saved tensors begin with the inputs, in their order.
    """

    def decorate(backward: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(backward)
        def chosen(ctx: Any, *grads: Tensor | None) -> Any:
            if torch.is_grad_enabled() or by_operators() or any(map(_batched, grads)):
                return _by_autograd(operators, ctx, grads)
            return backward(ctx, *grads)

        return chosen

    return decorate


def _batched(grad: Tensor | None) -> bool:
    """Whether a gradient is one of many at once, as ``is_grads_batched`` and vmap have them."""
    functorch = torch._C._functorch
    return grad is not None and (
        functorch.is_batchedtensor(grad) or functorch.is_legacy_batchedtensor(grad)
    )


def _by_autograd(
    operators: Callable[..., Tensor | tuple[Tensor, ...]],
    ctx: Any,
    grads: tuple[Tensor | None, ...],
) -> tuple[Tensor | None, ...]:
    create_graph = torch.is_grad_enabled()
    needed = ctx.needs_input_grad
    saved = ctx.saved_tensors
    with torch.enable_grad(), torch.autocast(saved[0].device.type, enabled=False):
        # Views, so that a tensor that is given twice gets each of its gradients once.
        inputs = [
            m.view_as(m) if need and m is not None else m
            for m, need in zip(saved, needed, strict=False)
        ]
        outputs = operators(ctx, *inputs, *saved[len(inputs) :])
        outputs = (outputs,) if isinstance(outputs, Tensor) else outputs
        pairs = [
            (o, g)
            for o, g in zip(outputs, grads, strict=False)
            if g is not None and o.requires_grad
        ]
        wanted = [n for n, m in enumerate(inputs) if needed[n] and m is not None]
        found = torch.autograd.grad(
            [o for o, _ in pairs],
            [inputs[n] for n in wanted],
            [g for _, g in pairs],
            create_graph=create_graph,
            allow_unused=True,
        )
    gradients: list[Tensor | None] = [None] * len(needed)
    for n, gradient in zip(wanted, found, strict=True):
        gradients[n] = gradient
    return tuple(gradients)
