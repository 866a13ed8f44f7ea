"""L1 norm of the parameters, the part of ANL's training loss that is no function of the pixels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from segnoise.losses.derivatives import by_operators, twice_differentiable


class L1Penalty(nn.Module):
    """L1 norm of the parameters, ``sum |theta|``: the sum of the absolute values of all of them.

    Give it the parameters of the unwrapped model, once a step. It computes in float32 (float64 for
    float64 parameters) whatever autocast does; its gradient is sign(theta), 0 at 0. Weigh it by
    about 1e-6 (ANL's papers: 5e-7 to 5e-5).

    Source: Ye et al., Active Negative Loss Functions for Learning with Noisy Labels, NeurIPS 2023.

    Example:
        >>> L1Penalty()([torch.tensor([1.0, -2.0]), torch.tensor([[0.5]])])
        tensor(3.5000)
    """

    def forward(self, parameters: Iterable[Tensor]) -> Tensor:
        """Return the norm as a scalar on the first parameter's device.

        Args:
            parameters: tensors of any shapes, at least one; ``model.parameters()``.

        Raises:
            ValueError: if there are no parameters (an iterator that was used up?).
            TypeError: if one of them is no floating tensor.
        """
        parameters = list(parameters)
        if not parameters:
            raise ValueError("no parameters to penalise: give model.parameters(), anew every step")
        for parameter in parameters:
            if not (isinstance(parameter, Tensor) and parameter.is_floating_point()):
                kind = getattr(parameter, "dtype", type(parameter).__name__)
                raise TypeError(f"parameters must be floating tensors, got {kind}")
        norm: Tensor = (
            _sum_of_absolutes(*parameters) if by_operators() else _L1Norm.apply(*parameters)
        )
        return norm


def _sum_of_absolutes(*parameters: Tensor) -> Tensor:
    double = any(p.dtype == torch.float64 for p in parameters)
    dtype = torch.float64 if double else torch.float32
    norms = [p.abs().sum(dtype=dtype).to(parameters[0].device) for p in parameters]
    return torch.stack(norms).sum()


class _L1Norm(torch.autograd.Function):
    """Sum of absolute values by few kernels for all parameters; autograd would keep |theta|."""

    @staticmethod
    def forward(ctx: Any, *parameters: Tensor) -> Tensor:
        ctx.save_for_backward(*parameters)
        double = any(p.dtype == torch.float64 for p in parameters)
        dtype = torch.float64 if double else torch.float32
        device = parameters[0].device
        norms = torch._foreach_norm(list(parameters), 1, dtype=dtype)
        return torch.stack([norm.to(device) for norm in norms]).sum()

    @staticmethod
    @twice_differentiable(lambda _, *parameters: _sum_of_absolutes(*parameters))
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        needed = [
            p for p, need in zip(ctx.saved_tensors, ctx.needs_input_grad, strict=True) if need
        ]
        signs = list(torch._foreach_sign(needed))
        torch._foreach_mul_(signs, grad)
        found = iter(signs)
        return tuple(next(found) if need else None for need in ctx.needs_input_grad)
