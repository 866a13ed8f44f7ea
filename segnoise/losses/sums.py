"""The sums over the classes that the losses are made of: ``sum_k f(log p_k)``, with f's slope."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor


class Term(ABC):
    """An increasing function f <= 0 of a log-probability: what an active loss is the negative of.

    Terms are compared by value: statistics that share a term are computed together.
    """

    @abstractmethod
    def __call__(self, log_p: Tensor) -> Tensor:
        """Return f(log_p), elementwise, by operations that autograd can follow."""

    @abstractmethod
    def at(self, p: float) -> float:
        """Return f(log p) of one probability."""

    @abstractmethod
    def slope(self, p: Tensor) -> Tensor | None:
        """Return f'(log p), elementwise, as a new tensor of p's dtype; None stands for 1."""


@dataclass(frozen=True)
class LogTerm(Term):
    """The log-probability itself, ``log p``: cross-entropy's term.

    Example:
        >>> LogTerm().at(1.0)
        0.0
    """

    def __call__(self, log_p: Tensor) -> Tensor:
        """Return log_p."""
        return log_p

    def at(self, p: float) -> float:
        """Return log p."""
        return math.log(p)

    def slope(self, p: Tensor) -> Tensor | None:
        """Return None, for 1."""
        return None


@dataclass(frozen=True)
class FocalTerm(Term):
    """The focal log-probability, ``(1 - p)^gamma log p``: focal loss's term.

    Its gradient is finite everywhere, p = 1 included.

    Args:
        gamma: exponent, >= 0.

    Example:
        >>> FocalTerm(gamma=0.5)(torch.tensor([-1.0, -2.0]))
        tensor([-0.7951, -1.8597])
    """

    gamma: float

    def __call__(self, log_p: Tensor) -> Tensor:
        """Return ``(1 - p)^gamma log p``."""
        # The floor keeps the power's gradient finite at p = 1, where gamma < 1 would give 0 * inf.
        tiny = torch.finfo(log_p.dtype).tiny
        return torch.expm1(log_p).neg().clamp_min_(tiny).pow_(self.gamma).mul_(log_p)

    def at(self, p: float) -> float:
        """Return ``(1 - p)^gamma log p``."""
        return float((1 - p) ** self.gamma * math.log(p))

    def slope(self, p: Tensor) -> Tensor | None:
        """Return ``q^gamma (1 - gamma p log p / q)`` with q = 1 - p."""
        tiny = torch.finfo(p.dtype).tiny
        q = torch.rsub(p, 1).clamp_min_(tiny)
        slope = p.clamp_min(tiny).log_().div_(q).mul_(p).mul_(-self.gamma).add_(1)
        return slope.mul_(q.pow_(self.gamma))


@dataclass(frozen=True)
class ClassSum:
    """One number a pixel: ``sum_k f(log p_k)``, or flipped ``sum_k max(f_k - f(log min_prob), 0)``.

    The flipped sum is ``K A + sum_k max(f_k, -A)`` with ``A = -f(log min_prob)``: the loss -f cut
    off at A and turned upside down. In this form nothing cancels in float32 when K is large. Sums
    are compared by value: they are the keys under which a loss finds its statistics.

    Args:
        term: the function f.
        min_prob: probability at which f is cut off below; None for the plain sum.

    Example:
        >>> ClassSum(LogTerm()).terms(torch.tensor([-1.0, -20.0]))
        tensor([ -1., -20.])
        >>> ClassSum(LogTerm(), min_prob=1e-7).terms(torch.tensor([-1.0, -20.0]))
        tensor([15.1181,  0.0000])
    """

    term: Term
    min_prob: float | None = None

    def terms(self, log_p: Tensor) -> Tensor:
        """Return what is summed, elementwise."""
        return self.flip(self.term(log_p))

    def flip(self, values: Tensor) -> Tensor:
        """Return what is summed, of values of f."""
        if self.min_prob is None:
            return values
        return (values - self.term.at(self.min_prob)).relu_()

    def kept(self, p: Tensor) -> Tensor | None:
        """Return 1 where f is not cut off and 0 elsewhere, in p's dtype; None stands for all 1."""
        if self.min_prob is None:
            return None
        # Written as floats at once: bool tensors are several times slower in what follows.
        return torch.gt(p, self.min_prob, out=torch.empty_like(p))
