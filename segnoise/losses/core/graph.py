"""The core's statistics for a compiler: backwards one pass over the logits, without a sum.

Of plain operations autograd makes a backward pass that scatters into a tensor of the logits' size
and sums over the classes before it writes. Here both sums of that pass are taken forwards, where
the logits are read anyway: the gradient is then elementwise, and one loop reads logits and writes
it. The label's class is compared with, not scattered to, because a compiler fuses that. As in the
other cores a gradient has no gradient of its own.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from segnoise.losses.core.blocking import class_index, compute_dtype
from segnoise.losses.core.label_statistics import Core
from segnoise.losses.core.terms import ClassSum


def fits(core: Core) -> bool:
    """Return whether :func:`graph_statistics` knows the statistics of this core."""
    plain = core.logit_map is None and core.label_model is None and not core.binary
    return plain and all(isinstance(s, ClassSum) for s in core.sums)


def graph_statistics(logits: Tensor, target: Tensor, core: Core) -> tuple[Tensor, ...]:
    """Compute the maps of ``Core.statistics``, for logits (N, K, P), by operations that fuse."""
    maps: tuple[Tensor, ...] = _Statistics.apply(logits, target, core.sums)
    return maps


class _Statistics(torch.autograd.Function):
    """Logits (N, K, P) and target (N, P) or (N, K, P) -> maps (N, P): log p_y, then sums."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, target: Tensor, sums: tuple[ClassSum, ...]
    ) -> tuple[Tensor, ...]:
        z = logits.to(compute_dtype(logits))
        greatest = z.amax(1, keepdim=True)
        # Not added to the greatest, beside which large logits would lose its digits.
        log_sum = (z - greatest).exp().sum(1, keepdim=True).log()
        log_p = z - greatest - log_sum
        if target.is_floating_point():
            likelihood, mass = (log_p * target).sum(1), target.sum(1).to(z.dtype)
        else:
            # Not of log_p, which would have to be written for it.
            own = z.gather(1, class_index(target, z.shape[1]))
            likelihood, mass = (
                (own - greatest - log_sum).squeeze(1),
                torch.ones_like(greatest[:, 0]),
            )
        if ctx.needs_input_grad[0]:
            p = log_p.exp()
            totals = [_total_slope(s, p) for s in sums]
            for total in totals:
                # A map that no output depends on would be computed in the backward pass, by a
                # further loop over the logits: so the likelihood depends on it, to no effect.
                likelihood = torch.where(total.isnan(), torch.nan, likelihood)
            ctx.save_for_backward(logits, target, greatest, log_sum, mass, *totals)
            ctx.sums = sums
        return (likelihood, *(s.terms(log_p).sum(1) for s in sums))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        logits, target, greatest, log_sum, mass, *totals = ctx.saved_tensors
        p = (logits.to(greatest.dtype) - greatest - log_sum).exp()
        total = sum((g * t for g, t in zip(grads[1:], totals, strict=True)), grads[0] * mass)
        own = grads[0].unsqueeze(1)
        if target.is_floating_point():
            gradient = own * target
        else:
            classes = torch.arange(p.shape[1], device=p.device)[:, None]
            gradient = torch.where(classes == class_index(target, p.shape[1]), own, 0.0)
        for s, g in zip(ctx.sums, grads[1:], strict=True):
            slope = _slope(s, p)
            gradient = gradient + (g[:, None] if slope is None else g[:, None] * slope)
        return (gradient - p * total[:, None]).to(logits.dtype), None, None


def _total_slope(s: ClassSum, p: Tensor) -> Tensor:
    slope = _slope(s, p)
    return torch.full_like(p[:, 0], p.shape[1]) if slope is None else slope.sum(1)


def _slope(s: ClassSum, p: Tensor) -> Tensor | None:
    """The slope of what a sum adds up in log p, elementwise; None stands for 1."""
    slope = s.term.slope(p)
    if not s.min_prob:
        return slope
    kept = (p > s.min_prob).to(p.dtype)
    return kept if slope is None else slope * kept
