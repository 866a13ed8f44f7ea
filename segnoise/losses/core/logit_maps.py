"""Maps of a pixel's logit vector that some losses see in place of the logits themselves.

In binary mode the two classes' logits are (0, z), so the vector's norm is |z|.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

# A vector of zeros has no direction to keep: its gradient, which grows as 1 / norm, stops here, in
# the range of float16.
_FLOOR = 1e-4


class LogitMap(ABC):
    """A function of each pixel's logit vector: of (N, K, P), the classes along axis 1."""

    @abstractmethod
    def __call__(self, logits: Tensor) -> Tensor:
        """Return the mapped logits, by operations that autograd can follow."""

    @abstractmethod
    def pull_back(self, logits: Tensor, gradient: Tensor) -> Tensor:
        """Return the gradient in the logits, of the one in the mapped logits."""


@dataclass(frozen=True)
class NormClip(LogitMap):
    """``z min(1, tau / ||z||)``: vectors longer than tau are shortened to it.

    Example:
        >>> NormClip(1.0)(torch.tensor([[[3.0], [4.0]], [[0.3], [0.4]]])).flatten()
        tensor([0.6000, 0.8000, 0.3000, 0.4000])
    """

    tau: float

    def __call__(self, logits: Tensor) -> Tensor:
        """Return the clipped vectors."""
        return logits * (self.tau / _norm(logits)).clamp_max(1)

    def pull_back(self, logits: Tensor, gradient: Tensor) -> Tensor:
        """Return the gradient; of a clipped vector without its part along the vector."""
        norm = _norm(logits)
        factor = self.tau / norm
        unit = logits / norm
        along = (gradient * unit).sum(1, keepdim=True)
        clipped = (gradient - unit * along) * factor
        return torch.where(factor < 1, clipped, gradient)


@dataclass(frozen=True)
class UnitNorm(LogitMap):
    """``z / (temperature ||z||)``: all vectors are brought to the length 1 / temperature.

    Example:
        >>> UnitNorm(0.5)(torch.tensor([[[3.0], [4.0]]])).flatten()
        tensor([1.2000, 1.6000])
    """

    temperature: float

    def __call__(self, logits: Tensor) -> Tensor:
        """Return the vectors of length 1 / temperature."""
        return logits / (_norm(logits, _FLOOR) * self.temperature)

    def pull_back(self, logits: Tensor, gradient: Tensor) -> Tensor:
        """Return the gradient without its part along the vector."""
        norm = _norm(logits, _FLOOR)
        unit = logits / norm
        along = (gradient * unit).sum(1, keepdim=True)
        return (gradient - unit * along) / (norm * self.temperature)


def _norm(logits: Tensor, floor: float = 1e-12) -> Tensor:
    """Euclidean norm over the classes, (N, 1, P), at least ``floor``."""
    # vector_norm over a strided axis takes thirty times as long on a CPU.
    return logits.square().sum(1, keepdim=True).clamp_min(floor**2).sqrt()
