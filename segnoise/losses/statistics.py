"""The shared core: per-pixel statistics of the logits with an analytic backward.

Every loss of this room is a cheap function of ``log p_y`` and of a few sums over the classes. This
file computes those from the logits and carries their gradient back. Nothing of the logits' size is
kept for the backward pass: the softmax is recomputed, block by block, so that a block and its
temporaries stay in the processor's cache and the peak memory is the gradient plus one block.

The gradients are closed forms. With p = softmax(z), e_y the one-hot target and S a sum of f:

    d log p_y / dz = e_y - p            dS / dz_k = f'(log p_k) - p_k sum_j f'(log p_j)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from segnoise.losses.sums import ClassSum, Term


@dataclass(frozen=True)
class PixelStatistics:
    """What a loss sees of the logits: maps with one number a pixel, in float32 or float64.

    Args:
        log_p: log-probability of the target class, ``log p_y``; for a soft target t the
            log-likelihood ``sum_k t_k log p_k``.
        sums: the sums over the classes, by what they are: ``statistics[ClassSum(LogTerm())]``.
        num_classes: K; 2 in binary and multilabel mode.
    """

    log_p: Tensor
    num_classes: int
    sums: dict[ClassSum, Tensor] = field(default_factory=dict)

    def __getitem__(self, key: ClassSum) -> Tensor:
        return self.sums[key]


def pixel_statistics(
    logits: Tensor, target: Tensor, sums: tuple[ClassSum, ...] = (), *, binary: bool = False
) -> PixelStatistics:
    """Compute ``log p_y`` and sums over the classes for every pixel.

    Args:
        logits: (N, K, *) scores, K >= 2; with ``binary`` scores z of any shape, which stand for the
            two classes' logits (0, z).
        target: class ids as integers, (N, *), or with ``binary`` of the logits' shape. Ids outside
            0..K-1 (void) are read as the nearest id: the caller masks those pixels. A floating
            tensor is a soft target of weights t_k >= 0: (N, K, *), with ``binary`` (2, *logits'
            shape), the negative class's weights first.
        sums: the sums over the classes to compute; none is computed unasked.
        binary: whether the logits are of two classes with one score.

    Returns:
        Maps of the target's shape without its class axis, in float32 (float64 for float64 logits);
        gradients arrive at the logits in the logits' dtype.

    Example:
        >>> from segnoise.losses.sums import ClassSum, LogTerm
        >>> log_sum = ClassSum(LogTerm())
        >>> s = pixel_statistics(torch.zeros(1, 4, 2), torch.tensor([[3, 255]]), (log_sum,))
        >>> s.log_p, s[log_sum]
        (tensor([[-1.3863, -1.3863]]), tensor([[-5.5452, -5.5452]]))
    """
    if binary:
        shape = logits.shape
        flat = logits.reshape(1, 1, -1)
        flat_target = target.reshape(1, *((2, -1) if target.is_floating_point() else (-1,)))
    else:
        shape = logits[:, 0].shape
        flat = logits.reshape(*logits.shape[:2], logits.shape[2:].numel())
        flat_target = target.reshape(*target.shape[: target.dim() - len(shape) + 1], flat.shape[2])
    if torch.compiler.is_compiling():
        # A compiler fuses the plain operations and decides by itself what to recompute.
        log_p = _log_softmax(flat, binary)
        maps = _block_statistics(log_p, flat_target, sums)
    else:
        maps = _Statistics.apply(flat, flat_target, sums, binary)
    maps = tuple(m.reshape(shape) for m in maps)
    return PixelStatistics(
        maps[0], 2 if binary else logits.shape[1], dict(zip(sums, maps[1:], strict=True))
    )


class _Statistics(torch.autograd.Function):
    """Logits (N, K or 1, P) and target (N, P) or (N, K, P) -> maps (N, P): log p_y, then sums."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, target: Tensor, sums: tuple[ClassSum, ...], binary: bool
    ) -> tuple[Tensor, ...]:
        ctx.save_for_backward(logits, target)
        ctx.sums, ctx.binary = sums, binary
        ctx.set_materialize_grads(False)
        shape = (logits.shape[0], logits.shape[2])
        maps = tuple(logits.new_empty(shape, dtype=compute_dtype(logits)) for _ in (0, *sums))
        for rows, columns in blocks(logits, binary):
            log_p = _log_softmax(logits[rows, :, columns], binary)
            results = _block_statistics(log_p, target[rows, ..., columns], sums)
            for whole, part in zip(maps, results, strict=True):
                whole[rows, columns] = part
        return maps

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor, None, None, None]:
        logits, target = ctx.saved_tensors
        gradient = torch.empty_like(logits)
        for rows, columns in blocks(logits, ctx.binary):
            p = softmax(logits[rows, :, columns], ctx.binary)
            parts = tuple(None if g is None else g[rows, None, columns] for g in grads)
            block = _block_gradient(p, target[rows, ..., columns], ctx.sums, parts)
            # Of the two classes' logits (0, z) only the second is a variable.
            gradient[rows, :, columns] = block[:, 1:] if ctx.binary else block
        return gradient, None, None, None


def compute_dtype(logits: Tensor) -> torch.dtype:
    """Return the dtype to compute in: float64 for float64 logits, else float32.

    Example:
        >>> compute_dtype(torch.zeros(1, dtype=torch.float16))
        torch.float32
    """
    return torch.float64 if logits.dtype == torch.float64 else torch.float32


def blocks(logits: Tensor, binary: bool) -> Iterator[tuple[slice, slice]]:
    """Cut logits of shape (N, K or 1, P) into (rows of N, columns of P) that fit into the cache.

    Example:
        >>> list(blocks(torch.zeros(2, 5, 3), binary=False))
        [(slice(0, 2, None), slice(0, 3, None))]
    """
    rows, channels, columns = logits.shape
    pixels = max(1, _block_elements(logits.device) // (2 if binary else channels))
    width = max(1, min(columns, pixels))
    height = max(1, min(rows, pixels // width))
    for row in range(0, rows, height):
        for column in range(0, columns, width):
            yield slice(row, row + height), slice(column, column + width)


def _block_elements(device: torch.device) -> int:
    """Elements of a block.

    On a CPU 1 MiB of float32 for every thread: it stays in the core's L2 cache and is large enough
    to hide the cost of calling an operator. A GPU needs large blocks: there they only bound memory.
    """
    return 2**18 * torch.get_num_threads() if device.type == "cpu" else 2**25


def softmax(logits: Tensor, binary: bool) -> Tensor:
    """Return new class probabilities, (N, K, P), or (N, 2, P) of logits (0, z) with ``binary``.

    Example:
        >>> softmax(torch.zeros(1, 1, 3), binary=True).shape
        torch.Size([1, 2, 3])
    """
    if not binary:
        return torch.softmax(logits, 1, dtype=compute_dtype(logits))
    z = logits.to(compute_dtype(logits))
    return torch.cat((torch.sigmoid(-z), torch.sigmoid(z)), 1)


def _log_softmax(logits: Tensor, binary: bool) -> Tensor:
    if not binary:
        return torch.log_softmax(logits, 1, dtype=compute_dtype(logits))
    z = logits.to(compute_dtype(logits))
    return torch.cat((F.logsigmoid(-z), F.logsigmoid(z)), 1)


def _class_index(target: Tensor, num_classes: int) -> Tensor:
    """Class ids (N, P) as an index (N, 1, P) that is never out of range, void included."""
    return target.long().clamp(0, num_classes - 1).unsqueeze(1)


def _block_statistics(
    log_p: Tensor, target: Tensor, sums: tuple[ClassSum, ...]
) -> tuple[Tensor, ...]:
    if target.is_floating_point():
        likelihood = (log_p * target).sum(1)
    else:
        likelihood = log_p.gather(1, _class_index(target, log_p.shape[1])).squeeze(1)
    values = {term: term(log_p) for term in dict.fromkeys(s.term for s in sums)}
    return (likelihood, *(s.flip(values[s.term]).sum(1) for s in sums))


def _block_gradient(
    p: Tensor,
    target: Tensor,
    sums: tuple[ClassSum, ...],
    grads: tuple[Tensor | None, ...],
) -> Tensor:
    """Gradient of ``sum_i grads_i statistic_i`` in a block: ``w - p sum_k w_k``; overwrites p.

    Here w is the gradient in the log-probabilities. Its three parts are kept apart, to spare
    passes over the block: ``dense`` (N, K, P), ``constant`` over the classes (N, 1, P), and the
    target's.
    """
    num_classes = p.shape[1]
    likelihood = grads[0]
    dense: Tensor | None = None
    constant: Tensor | None = None
    total = torch.zeros_like(p[:, :1])
    for term in dict.fromkeys(s.term for s in sums):
        parts = [(s, g) for s, g in zip(sums, grads[1:], strict=True) if s.term == term]
        w_dense, w_constant = _term_gradient(p, term, parts)
        if w_dense is not None:
            total.add_(w_dense.sum(1, keepdim=True))
            dense = w_dense if dense is None else dense.add_(w_dense)
        if w_constant is not None:
            total.add_(w_constant, alpha=num_classes)
            constant = w_constant if constant is None else constant + w_constant
    soft = target.is_floating_point()
    if likelihood is not None:
        total.add_(likelihood * target.sum(1, keepdim=True) if soft else likelihood)

    gradient = p.mul_(total.neg_()) if dense is None else dense.addcmul_(p, total.neg_())
    if constant is not None:
        gradient.add_(constant)
    if likelihood is not None and soft:
        gradient.addcmul_(likelihood, target.to(p.dtype))
    elif likelihood is not None:
        gradient.scatter_add_(1, _class_index(target, num_classes), likelihood)
    return gradient


def _term_gradient(
    p: Tensor, term: Term, parts: list[tuple[ClassSum, Tensor | None]]
) -> tuple[Tensor | None, Tensor | None]:
    """Gradient of the sums of one term in the log-probabilities: dense part, constant part."""
    dense: Tensor | None = None
    constant: Tensor | None = None
    for s, g in parts:
        if g is None:
            continue
        kept = s.kept(p)
        if kept is None:
            constant = g if constant is None else constant + g
        else:
            dense = kept.mul_(g) if dense is None else dense.addcmul_(kept, g)
    factors = [factor for factor in (dense, constant) if factor is not None]
    slope = term.slope(p) if factors else None
    if slope is None:
        return dense, constant
    return slope.mul_(factors[0] if len(factors) == 1 else factors[0].add_(factors[1])), None
