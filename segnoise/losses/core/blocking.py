"""Blocks of logits that fit into the cache, and what is computed of one.

Inside the losses logits have the shape (N, K, P), all spatial dimensions in one. Where two classes
share one score z, K is 1 and the score stands for the classes' logits (0, z).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor


def compute_dtype(logits: Tensor) -> torch.dtype:
    """Return the dtype to compute in: float64 for float64 logits, else float32."""
    return torch.float64 if logits.dtype == torch.float64 else torch.float32


def blocks(logits: Tensor, binary: bool) -> Iterator[tuple[slice, slice]]:
    """Cut logits of shape (N, K or 1, P) into (rows of N, columns of P) that fit into the cache."""
    rows, channels, columns = logits.shape
    pixels = max(1, block_elements(logits.device) // (2 if binary else channels))
    width = max(1, min(columns, pixels))
    height = max(1, min(rows, pixels // width))
    for row in range(0, rows, height):
        for column in range(0, columns, width):
            yield slice(row, row + height), slice(column, column + width)


def block_elements(device: torch.device) -> int:
    """Elements of a block.

    On a CPU 1 MiB of float32 for every thread: it stays in the core's L2 cache and is large enough
    to hide the cost of calling an operator. A GPU needs large blocks: there they only bound memory.
    """
    return 2**18 * torch.get_num_threads() if device.type == "cpu" else 2**25


def softmax(logits: Tensor, binary: bool) -> Tensor:
    """Return new class probabilities, (N, K, P), or (N, 2, P) of logits (0, z) with ``binary``."""
    if not binary:
        return torch.softmax(logits, 1, dtype=compute_dtype(logits))
    z = logits.to(compute_dtype(logits))
    return torch.cat((torch.sigmoid(-z), torch.sigmoid(z)), 1)


def two_logits(z: Tensor) -> Tensor:
    """Return the two classes' logits (0, z), (N, 2, P), of one score z, (N, 1, P)."""
    return torch.cat((torch.zeros_like(z), z), 1)


def log_softmax(logits: Tensor, binary: bool) -> Tensor:
    """Return the logarithm of what ``softmax`` returns, without its underflow."""
    if not binary:
        return torch.log_softmax(logits, 1, dtype=compute_dtype(logits))
    z = logits.to(compute_dtype(logits))
    return torch.cat((F.logsigmoid(-z), F.logsigmoid(z)), 1)


def class_index(target: Tensor, num_classes: int) -> Tensor:
    """Class ids (N, P) as an index (N, 1, P) that is never out of range, void included."""
    return target.long().clamp(0, num_classes - 1).unsqueeze(1)
