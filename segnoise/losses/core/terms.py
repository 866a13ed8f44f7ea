"""Functions of one class's log-probability, their slopes and their sums: what losses are made of.

A loss that looks at the label's probability alone, ``L = -f(log p_y)``, is its term f. Normalised
losses sum the same term over the classes.

Powers of p are written with exp, not expm1: autograd recovers expm1's slope e^x as (e^x - 1) + 1,
which has no correct digit left in float32 where the probability is small.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from segnoise.checks import check_float
from segnoise.losses.core.derivatives import FLOOR


class Term(ABC):
    """A function f of a log-probability.

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
        """Return f'(log p) = p df/dp, elementwise, as a new tensor; None stands for 1."""


class BoundedTerm(Term):
    """A term that has a value at p = 0."""

    @abstractmethod
    def rise(self, log_p: Tensor) -> Tensor:
        """Return ``f(log p) - f(log 0)``, elementwise, with all its digits where p is small."""


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
        # The floor keeps the power's derivatives finite at p = 1, where they would give 0 * inf.
        return torch.expm1(log_p).neg().clamp_min_(FLOOR).pow_(self.gamma).mul_(log_p)

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
class PowerTerm(BoundedTerm):
    """The Box-Cox power, ``(p^q - 1) / q``: GCE's term, at q = 1 MAE's.

    Args:
        q: exponent, > 0; the term tends to log p as q -> 0.

    Example:
        >>> PowerTerm(q=2.0)(torch.tensor([0.5]).log())
        tensor([-0.3750])
    """

    q: float

    def __call__(self, log_p: Tensor) -> Tensor:
        """Return ``(p^q - 1) / q``."""
        if self.q < 0.01:  # next to log p: p^q is next to 1, and so is its slope
            return torch.expm1(self.q * log_p) / self.q
        return (torch.exp(self.q * log_p) - 1) / self.q

    def at(self, p: float) -> float:
        """Return ``(p^q - 1) / q``."""
        return float((p**self.q - 1) / self.q)

    def slope(self, p: Tensor) -> Tensor | None:
        """Return ``p^q``."""
        return p.clone() if self.q == 1 else p.pow(self.q)

    def rise(self, log_p: Tensor) -> Tensor:
        """Return ``p^q / q``."""
        return torch.exp(self.q * log_p) / self.q


@dataclass(frozen=True)
class TaylorTerm(BoundedTerm):
    """The first terms of log p's Taylor series at p = 1, ``-sum_{i=1..t} (1 - p)^i / i``.

    Args:
        t: number of terms, >= 1.

    Example:
        >>> TaylorTerm(t=2)(torch.tensor([0.5]).log())
        tensor([-0.6250])
    """

    t: int

    def __call__(self, log_p: Tensor) -> Tensor:
        """Return ``-sum_{i=1..t} (1 - p)^i / i``."""
        q = 1 - torch.exp(log_p)
        return -q * _polynomial(q, [1 / i for i in range(1, self.t + 1)])

    def at(self, p: float) -> float:
        """Return ``-sum_{i=1..t} (1 - p)^i / i``."""
        return -sum((1 - p) ** i / i for i in range(1, self.t + 1))

    def slope(self, p: Tensor) -> Tensor | None:
        """Return ``1 - (1 - p)^t``, as p times a polynomial of 1 - p."""
        return _polynomial(1 - p, [1.0] * self.t) * p

    def rise(self, log_p: Tensor) -> Tensor:
        """Return ``sum_{i=1..t} (1 - (1 - p)^i) / i``, as p times a polynomial of 1 - p."""
        p = torch.exp(log_p)
        return p * _polynomial(
            1 - p, [sum(1 / i for i in range(j + 1, self.t + 1)) for j in range(self.t)]
        )


@dataclass(frozen=True)
class EntropyTerm(BoundedTerm):
    """``p log p``: its sum over the classes is minus the prediction's entropy.

    Example:
        >>> EntropyTerm()(torch.tensor([0.5, 1.0]).log())
        tensor([-0.3466,  0.0000])
    """

    def __call__(self, log_p: Tensor) -> Tensor:
        """Return ``p log p``."""
        return torch.exp(log_p) * log_p

    def at(self, p: float) -> float:
        """Return ``p log p``."""
        return p * math.log(p) if p > 0 else 0.0

    def slope(self, p: Tensor) -> Tensor | None:
        """Return ``p (log p + 1)``."""
        return p.clamp_min(torch.finfo(p.dtype).tiny).log_().add_(1).mul_(p)

    def rise(self, log_p: Tensor) -> Tensor:
        """Return ``p log p``."""
        return self(log_p)


def _polynomial(x: Tensor, coefficients: list[float]) -> Tensor:
    """Return ``sum_i coefficients[i] x^i`` by Horner's rule, as a new tensor."""
    value = torch.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = value * x + coefficient
    return value


def check_min_prob(value: object) -> float:
    """Return ``min_prob``, the probability at which log p is cut off: 1e-30 <= min_prob < 1.

    The lower bound keeps it a normal number in float32.
    """
    return check_float("min_prob", value, 1e-30, below=1)


@dataclass(frozen=True)
class ClassSum:
    """One number a pixel: ``sum_k f(log p_k)``, or flipped ``sum_k max(f_k - f(log min_prob), 0)``.

    The flipped sum is ``K A + sum_k max(f_k, -A)`` with ``A = -f(log min_prob)``: the loss -f cut
    off at A and turned upside down. In this form nothing cancels in float32 when K is large. Sums
    are compared by value: they are the keys under which a loss finds its statistics.

    Args:
        term: the function f.
        min_prob: probability at which f is cut off below, 0 for a bounded f that needs no cut; None
            for the plain sum.

    Example:
        >>> from segnoise.losses.core.terms import LogTerm, PowerTerm
        >>> ClassSum(LogTerm()).terms(torch.tensor([-1.0, -20.0]))
        tensor([ -1., -20.])
        >>> ClassSum(LogTerm(), min_prob=1e-7).terms(torch.tensor([-1.0, -20.0]))
        tensor([15.1181,  0.0000])
        >>> ClassSum(PowerTerm(2.0), min_prob=0.0).terms(torch.tensor([0.0, -1.0]))
        tensor([0.5000, 0.0677])
    """

    term: Term
    min_prob: float | None = None

    def terms(self, log_p: Tensor, known: dict[Term, Tensor] | None = None) -> Tensor:
        """Return what is summed, elementwise."""
        if self.min_prob == 0 and isinstance(self.term, BoundedTerm):
            return self.term.rise(log_p)
        known = {} if known is None else known
        if self.term not in known:
            known[self.term] = self.term(log_p)
        if self.min_prob is None:
            return known[self.term]
        return (known[self.term] - self.term.at(self.min_prob)).relu_()

    def kept(self, p: Tensor) -> Tensor | None:
        """Return 1 where f is not cut off and 0 elsewhere, in p's dtype; None stands for all 1."""
        if not self.min_prob:
            return None
        # Written as floats at once: bool tensors are several times slower in what follows.
        return torch.gt(p, self.min_prob, out=torch.empty_like(p))


@dataclass(frozen=True)
class ClassMax:
    """One number a pixel: ``max_k log p_k``, the log-probability of the predicted class."""
