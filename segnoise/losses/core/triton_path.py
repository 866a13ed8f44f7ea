"""The core's statistics as Triton kernels: the logits read once forwards, once backwards.

The backward pass recomputes the softmax from the logits and two maps that the forward pass keeps,
the greatest logit and the logarithm of the sum of exp(z - greatest), and writes the gradient once.
(Their sum, the log-sum-exp, would lose the digits of logits that are large and close together.)
More classes than fit into a block are looped over, and read again where a sum needs them. Nothing
is added up across programs: the results do not depend on the order in which they run.

``supports`` says which statistics are computed here; the others are left to the eager core.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import triton
from torch import Tensor

from segnoise.losses.core import triton_kernels as kernels
from segnoise.losses.core.derivatives import twice_differentiable
from segnoise.losses.core.label_statistics import Core
from segnoise.losses.core.statistics import eager_statistics
from segnoise.losses.core.terms import ClassSum, EntropyTerm, FocalTerm, LogTerm, PowerTerm, Term

MOST_CLASSES = 1024
_TILE = 4096  # elements of a block of logits
_LOG, _FOCAL, _POWER, _ENTROPY, _NONE = range(5)  # as the kernels know them


class Sum(NamedTuple):
    """A class sum as the kernels know it.

    Args:
        code: which term.
        parameter: gamma or q.
        floor: f(log min_prob), subtracted before the cut at 0; or 0.
        min_prob: where the slope is cut off; -1 for nowhere.
        rise: whether the sum is of f(log p) - f(log 0).
    """

    code: int
    parameter: float
    floor: float
    min_prob: float
    rise: bool


_ABSENT = Sum(_NONE, 0.0, 0.0, -1.0, False)


def supports(logits: Tensor, target: Tensor, core: Core) -> bool:
    """Return whether these statistics are computed here."""
    return (
        logits.dtype in (torch.float32, torch.float16, torch.bfloat16)
        and not target.is_floating_point()
        and logits.shape[1] <= MOST_CLASSES
        and core.logit_map is None
        and core.label_model is None
        and len(core.sums) <= 2
        and all(isinstance(s, ClassSum) and _code(s.term) != _NONE for s in core.sums)
    )


def triton_statistics(logits: Tensor, target: Tensor, core: Core) -> tuple[Tensor, ...]:
    """Compute the maps of ``Core.statistics`` for logits (N, K, P), or (N, 1, P) of one score."""
    if not supports(logits, target, core):
        raise ValueError("these statistics have no Triton kernel: use the eager core")
    maps: tuple[Tensor, ...] = _TritonStatistics.apply(logits, target, core)
    return maps[: 1 + len(core.sums)]


class _TritonStatistics(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, target: Tensor, core: Core) -> tuple[Tensor, ...]:
        rows, classes, pixels = logits.shape
        target = target.contiguous()
        sums = tuple(_described(s) for s in core.sums)  # type: ignore[arg-type]
        ctx.sums, ctx.core = sums, core
        ctx.set_materialize_grads(False)
        maps = [logits.new_empty((rows, pixels), dtype=torch.float32) for _ in range(1 + len(sums))]
        lse = logits.new_empty((2, rows, pixels), dtype=torch.float32)
        padded = (*maps, *[lse] * (3 - len(maps)))  # unused pointers
        first, second = (*sums, _ABSENT, _ABSENT)[:2]
        if logits.numel():
            grid, blocks = _launch(rows, classes, pixels)
            kernel = kernels.forward_binary if core.binary else kernels.forward
            kernel[grid](
                logits, target, *padded, lse, rows * pixels, classes, pixels, *logits.stride(),
                *first, *second, **blocks,
            )  # fmt: skip
        ctx.save_for_backward(logits, target, lse)
        return tuple(maps)

    @staticmethod
    @twice_differentiable(lambda ctx, logits, target, _: ctx.core.statistics(logits, target))
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor, None, None]:
        logits, target, lse = ctx.saved_tensors
        rows, classes, pixels = logits.shape
        gradient = torch.empty_like(logits)
        # What has no gradient is read as 0 times what is at hand.
        flags = [g is not None for g in (*grads, None, None)[:3]]
        given = [lse if g is None else g.contiguous() for g in (*grads, None, None)[:3]]
        first, second = (*ctx.sums, _ABSENT, _ABSENT)[:2]
        if logits.numel():
            grid, blocks = _launch(rows, classes, pixels)
            kernel = kernels.backward_binary if ctx.core.binary else kernels.backward
            kernel[grid](
                logits, target, lse, *given, gradient, rows * pixels, classes, pixels,
                *logits.stride(),
                *gradient.stride(), *flags, *first, *second, **blocks,
            )  # fmt: skip
        return gradient, None, None


def _launch(rows: int, classes: int, pixels: int) -> tuple[tuple[int], dict[str, int]]:
    block_k = min(triton.next_power_of_2(classes), 128)
    block_p = max(16, min(_TILE // block_k, 1024))
    blocks = {"BLOCK_K": block_k, "BLOCK_P": block_p, "enable_fp_fusion": True}
    return (rows * triton.cdiv(pixels, block_p),), blocks


def _code(term: Term) -> int:
    codes = {LogTerm: _LOG, FocalTerm: _FOCAL, PowerTerm: _POWER, EntropyTerm: _ENTROPY}
    return codes.get(type(term), _NONE)


def _described(s: ClassSum) -> Sum:
    term = s.term
    parameter = getattr(term, "gamma", getattr(term, "q", 0.0))
    if s.min_prob is None or s.min_prob == 0:
        return Sum(_code(term), parameter, 0.0, -1.0, s.min_prob == 0)
    return Sum(_code(term), parameter, term.at(s.min_prob), s.min_prob, False)


_CASES = ((False, 21, torch.float32), (False, 150, torch.float16), (True, 1, torch.float32))


def check_kernels(device: torch.device) -> None:
    """Compare the Triton kernels with the eager core in float64 on a device."""
    # Whatever the caller is in the middle of, such as a validation without gradients.
    with torch.inference_mode(False), torch.enable_grad():
        for binary, channels, dtype in _CASES:
            error = _error(binary, channels, dtype, device)
            if not error <= max(1e-5, 2 * torch.finfo(dtype).eps):
                raise ArithmeticError(f"{dtype}, {channels} channels: off by {error:.1g}")


def _error(binary: bool, channels: int, dtype: torch.dtype, device: torch.device) -> float:
    """Greatest difference of the maps or the gradients, as a share of the greatest value."""
    random = torch.Generator().manual_seed(0)
    core = Core((ClassSum(LogTerm()), ClassSum(LogTerm(), 1e-7)), binary)
    scores = (4 * torch.randn(2, channels, 333, generator=random)).to(device, dtype)
    labels = torch.randint(2 if binary else channels, (2, 333), generator=random).to(device)
    weights = torch.randn(3, 2, 333, generator=random, dtype=torch.float64).to(device)
    results = []
    for compute, z in ((triton_statistics, scores), (eager_statistics, scores.double())):
        z.requires_grad_()
        maps = torch.stack(compute(z, labels, core)).double()
        (slope,) = torch.autograd.grad((maps * weights).sum(), z)
        results.append((maps.detach(), slope.double()))
    return max(
        float((one - other).abs().max() / other.abs().max())
        for one, other in zip(*results, strict=True)
    )
