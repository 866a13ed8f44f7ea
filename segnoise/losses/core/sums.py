"""What the losses need over all classes of a pixel: sums of a term, and the greatest."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from segnoise.losses.core.terms import BoundedTerm, Term


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
