"""The confusion matrix of scores as a Triton kernel: argmax and counting in one pass.

Where the matrix has at most 1023 cells, a program counts its pixels on its own and adds its counts
to the matrix once; larger ones, whose pixels meet in one cell less often, are counted in place. The
counts are integers: the order of the additions does not change them.
"""

from __future__ import annotations

import torch
import triton
from torch import Tensor

from segnoise.metrics.triton_kernels import count

MOST_CLASSES = 1024
_MOST_BINS = 1024
_TILE = 4096  # elements of a block of scores
_STEPS = 16  # blocks of pixels of a program


def supports(scores: Tensor) -> bool:
    """Return whether these scores (N, K or 1, P) are counted here."""
    known = scores.dtype in (torch.float32, torch.float16, torch.bfloat16)
    return known and scores.shape[1] <= MOST_CLASSES


def triton_counts(
    scores: Tensor, target: Tensor, ignore_index: int | None, above: float = 0.0
) -> Tensor:
    """Count scores (N, K or 1, P) against labels (N, P): (K, K); of one score, of two classes."""
    rows, channels, pixels = scores.shape
    classes = 2 if channels == 1 else channels
    matrix = torch.zeros(classes * classes + 1, dtype=torch.int64, device=scores.device)
    if scores.numel():
        block_k = min(triton.next_power_of_2(channels), 128)
        block_p = max(16, min(_TILE // block_k, 1024))
        bins = triton.next_power_of_2(classes * classes + 1)
        grid = (rows * triton.cdiv(pixels, _STEPS * block_p),)
        count[grid](
            scores, target.contiguous(), matrix, classes, pixels,
            0 if ignore_index is None else ignore_index, above, *scores.stride(),
            BINARY=channels == 1, VOID=ignore_index is not None,
            BINS=bins if bins <= _MOST_BINS else 0, STEPS=_STEPS,
            BLOCK_K=block_k, BLOCK_P=block_p, enable_fp_fusion=True,
        )  # fmt: skip
    return matrix[:-1].view(classes, classes)


def check_counts(device: torch.device) -> None:
    """Compare the kernel with PyTorch's operators on a device."""
    random = torch.Generator().manual_seed(0)
    for classes in (21, 150):
        scores = torch.randn(2, classes, 5000, generator=random).to(device)
        target = torch.randint(classes, (2, 5000), generator=random).to(device)
        target[:, :100] = 255
        cells = target * classes + scores.argmax(1)
        expected = torch.bincount(cells[target != 255], minlength=classes * classes)
        if not triton_counts(scores, target, 255).flatten().equal(expected):
            raise ArithmeticError(f"counts of {classes} classes differ")
