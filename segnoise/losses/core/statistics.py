"""The shared core: per-pixel statistics of the logits with an analytic backward.

Every loss of this package is a cheap function of ``log p_y`` and of a few numbers over the classes.
This file says what those are, who computes them, and how PyTorch's operators do: block by block.
Nothing of the logits' size is kept for the backward pass: the softmax is recomputed, so that a
block and its temporaries stay in the processor's cache and the peak memory is the gradient plus one
block.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from segnoise.kernels import use_triton
from segnoise.losses.core.blocking import blocks, compute_dtype
from segnoise.losses.core.derivatives import by_operators, twice_differentiable
from segnoise.losses.core.graph import fits, graph_statistics
from segnoise.losses.core.label_statistics import Core
from segnoise.losses.core.terms import ClassMax, ClassSum


@dataclass(frozen=True)
class PixelStatistics:
    """What a loss sees of the logits: maps with one number a pixel, in float32 or float64.

    Args:
        log_p: log-probability of the target class, ``log p_y``; for a soft target t the
            log-likelihood ``sum_k t_k log p_k``; under a label model, what that says.
        num_classes: K; 2 in binary and multilabel mode.
        sums: the numbers over the classes, by what they are: ``statistics[ClassSum(LogTerm())]``.
    """

    log_p: Tensor
    num_classes: int
    sums: dict[ClassSum | ClassMax, Tensor] = field(default_factory=dict)

    def __getitem__(self, key: ClassSum | ClassMax) -> Tensor:
        return self.sums[key]


def pixel_statistics(logits: Tensor, target: Tensor, core: Core) -> PixelStatistics:
    """Compute ``log p_y`` and numbers over the classes for every pixel.

    Args:
        logits: (N, K, *) scores, K >= 2; of a binary core scores z of any shape, which stand for
            the two classes' logits (0, z).
        target: class ids as integers, (N, *), of a binary core of the logits' shape. Ids outside
            0..K-1 (void) are read as the nearest id: the caller masks those pixels. A floating
            tensor is a soft target of weights t_k >= 0: (N, K, *), of a binary core (2, *logits'
            shape), the negative class's weights first.
        core: what to compute.

    Returns:
        Maps of the target's shape without its class axis, in float32 (float64 for float64 logits);
        gradients arrive at the logits in the logits' dtype.
    """
    if core.binary:
        shape = logits.shape
        flat = logits.reshape(1, 1, -1)
        flat_target = target.reshape(1, *((2, -1) if target.is_floating_point() else (-1,)))
    else:
        shape = logits[:, 0].shape
        flat = logits.reshape(*logits.shape[:2], logits.shape[2:].numel())
        flat_target = target.reshape(*target.shape[: target.dim() - len(shape) + 1], flat.shape[2])
    if torch.compiler.is_compiling():
        # A compiler fuses plain operations. An exported graph has no backward pass of ours.
        by_graph = fits(core) and not (torch.compiler.is_exporting() or by_operators(target))
        if by_graph:
            maps = graph_statistics(flat, flat_target, core)
        else:
            maps = core.statistics(flat, flat_target)
    elif by_operators(target):
        maps = core.statistics(flat, flat_target)
    else:
        maps = _by_triton(flat, flat_target, core) or eager_statistics(flat, flat_target, core)
    maps = tuple(m.reshape(shape) for m in maps)
    num_classes = 2 if core.binary else logits.shape[1]
    return PixelStatistics(maps[0], num_classes, dict(zip(core.sums, maps[1:], strict=True)))


def _by_triton(logits: Tensor, target: Tensor, core: Core) -> tuple[Tensor, ...] | None:
    """The maps by Triton kernels; None where they are not wanted or not known."""
    if not use_triton(logits, _check_kernels):
        return None
    from segnoise.losses.core.triton_path import supports, triton_statistics

    return triton_statistics(logits, target, core) if supports(logits, target, core) else None


def _check_kernels(device: torch.device) -> None:
    from segnoise.losses.core.triton_path import check_kernels

    check_kernels(device)


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
