"""The statistics of one block of logits, and their gradient in closed form.

With p = softmax(z), e_y the one-hot target and S a sum of f over the classes:

    d log p_y / dz = e_y - p            dS / dz_k = f'(log p_k) - p_k sum_j f'(log p_j)

in general ``w - p sum_k w_k`` where w is the gradient in the log-probabilities.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor

from segnoise.losses.core.blocking import (
    class_index,
    compute_dtype,
    log_softmax,
    softmax,
    two_logits,
)
from segnoise.losses.core.logit_maps import LogitMap
from segnoise.losses.core.terms import ClassMax, ClassSum, Term


class LabelModel(NamedTuple):
    """What takes the place of ``log p_y`` where a label y is not simply the true class.

    Args:
        kind: "mixture", ``log sum_k M_yk p_k``; "linear", ``sum_k M_yk log p_k``; or "margin", the
            log-odds ``log p_y - log(1 - p_y)``, which are exact where p_y is next to 1.
        matrix: M, (K, K), rows of the labels; of a mixture its logarithm, -inf for 0; None for the
            margin.
    """

    kind: str
    matrix: Tensor | None = None


class Core(NamedTuple):
    """The computation on one block, forwards and backwards.

    Args:
        sums: the numbers over the classes to compute; none is computed unasked.
        binary: whether the logits are of two classes with one score.
        logit_map: what the logits go through before the softmax.
        label_model: how class ids are read, where not as the true class.
    """

    sums: tuple[ClassSum | ClassMax, ...] = ()
    binary: bool = False
    logit_map: LogitMap | None = None
    label_model: LabelModel | None = None

    def statistics(self, logits: Tensor, target: Tensor) -> tuple[Tensor, ...]:
        """Maps (N, P): the log-likelihood of the target, then the sums."""
        logits = self._mapped(logits)
        log_p = log_softmax(logits, self.binary)
        known: dict[Term, Tensor] = {}
        maps = []
        for s in self.sums:
            if isinstance(s, ClassMax):
                maps.append(log_p.amax(1))
            else:
                maps.append(s.terms(log_p, known).sum(1))
        return (self._likelihood(log_p, target), *maps)

    def gradient(self, logits: Tensor, target: Tensor, grads: tuple[Tensor | None, ...]) -> Tensor:
        """Gradient of ``sum_i grads_i statistic_i`` in the logits: ``w - p sum_k w_k``.

        Here w is the gradient in the log-probabilities. Its parts are kept apart, to spare passes
        over the block: ``dense`` (N, K, P), ``constant`` over the classes (N, 1, P), and those of
        single classes: the target's, the greatest's.
        """
        mapped = self._mapped(logits)
        p = softmax(mapped, self.binary)
        num_classes = p.shape[1]
        likelihood = grads[0]
        dense: Tensor | None = None
        constant: Tensor | None = None
        total = torch.zeros_like(p[:, :1])
        class_sums = [s for s in self.sums if isinstance(s, ClassSum)]
        for term in dict.fromkeys(s.term for s in class_sums):
            parts = [
                (s, g)
                for s, g in zip(self.sums, grads[1:], strict=True)
                if isinstance(s, ClassSum) and s.term == term
            ]
            w_dense, w_constant = _term_gradient(p, term, parts)
            if w_dense is not None:
                total.add_(w_dense.sum(1, keepdim=True))
                dense = w_dense if dense is None else dense.add_(w_dense)
            if w_constant is not None:
                total.add_(w_constant, alpha=num_classes)
                constant = w_constant if constant is None else constant + w_constant
        weights: Tensor | None = None
        if likelihood is not None:
            weights = self._target_weights(mapped, target, p)
            total.add_(likelihood if weights is None else likelihood * weights.sum(1, keepdim=True))
        greatest = grads[1 + self.sums.index(ClassMax())] if ClassMax() in self.sums else None
        if greatest is not None:
            total.add_(greatest)

        gradient = p.mul_(total.neg_()) if dense is None else dense.addcmul_(p, total.neg_())
        if constant is not None:
            gradient.add_(constant)
        if likelihood is not None:
            if weights is None:
                gradient.scatter_add_(1, class_index(target, num_classes), likelihood)
            else:
                gradient.addcmul_(likelihood, weights)
        if greatest is not None:
            gradient.addcmul_(greatest, self._share_of_greatest(mapped, p.dtype))
        if self.binary:  # of the two classes' logits (0, z) only the second is a variable
            gradient = gradient[:, 1:]
        if self.logit_map is None:
            return gradient
        return self.logit_map.pull_back(logits.to(gradient.dtype), gradient)

    def _mapped(self, logits: Tensor) -> Tensor:
        if self.logit_map is None:
            return logits
        return self.logit_map(logits.to(compute_dtype(logits)))

    def _share_of_greatest(self, logits: Tensor, dtype: torch.dtype) -> Tensor:
        """1 at the greatest logit and 0 elsewhere, (N, K, P); equal ones share."""
        if self.binary:
            logits = two_logits(logits)
        # Not argmax, which takes ten times as long along an axis with a stride on a CPU.
        share = (logits == logits.amax(1, keepdim=True)).to(dtype)
        return share.div_(share.sum(1, keepdim=True))

    def _likelihood(self, log_p: Tensor, target: Tensor) -> Tensor:
        if target.is_floating_point():
            return (log_p * target).sum(1)
        if self.label_model is None:
            return log_p.gather(1, class_index(target, log_p.shape[1])).squeeze(1)
        if self.label_model.kind == "linear":
            return (log_p * _label_rows(self.label_model, target, log_p)).sum(1)
        if self.label_model.kind == "mixture":
            return torch.logsumexp(log_p + _label_rows(self.label_model, target, log_p), 1)
        index = class_index(target, log_p.shape[1])
        others = torch.logsumexp(log_p.scatter(1, index, -torch.inf), 1)
        return log_p.gather(1, index).squeeze(1) - others

    def _target_weights(self, logits: Tensor, target: Tensor, p: Tensor) -> Tensor | None:
        """Gradient of the log-likelihood in the log-probabilities; None stands for one-hot."""
        if target.is_floating_point():
            return target.to(p.dtype)
        if self.label_model is None:
            return None
        if self.label_model.kind == "linear":
            return _label_rows(self.label_model, target, p)
        # From the logits, not from p: where p underflows, the classes' shares are still known.
        logits = logits.to(p.dtype)
        if self.binary:
            logits = two_logits(logits)
        if self.label_model.kind == "mixture":
            return torch.softmax(logits + _label_rows(self.label_model, target, p), 1)
        index = class_index(target, p.shape[1])
        others = torch.softmax(logits.scatter(1, index, -torch.inf), 1)
        return others.neg_().scatter_(1, index, 1.0)


def _label_rows(model: LabelModel, target: Tensor, like: Tensor) -> Tensor:
    """The matrix's rows for the labels of all pixels, (N, K, P)."""
    matrix = cast(Tensor, model.matrix).to(like.dtype)
    return matrix[class_index(target, like.shape[1]).squeeze(1)].movedim(-1, 1)


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
