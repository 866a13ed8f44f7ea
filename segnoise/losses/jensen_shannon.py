"""Jensen-Shannon losses: of a label and a prediction (JS), and of several views too (GJS)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from typing_extensions import Unpack

from segnoise.checks import check_float
from segnoise.losses.base import CommonArguments, PixelwiseLoss, TermLoss
from segnoise.losses.core import (
    FLOOR,
    BoundedTerm,
    LogitMap,
    blocks,
    by_operators,
    class_index,
    compute_dtype,
    softmax,
    twice_differentiable,
)
from segnoise.losses.names import register


@dataclass(frozen=True)
class JensenShannonTerm(BoundedTerm):
    """Minus the scaled Jensen-Shannon divergence of the one-hot label and p.

    With m = pi + (1 - pi) p, what the label and the prediction give the label's class on average:
    ``-(pi KL(e_y, m) + (1 - pi) KL(p, m)) / Z``, ``Z = -(1 - pi) log(1 - pi)``.

    Args:
        pi: the label's weight, 0 < pi < 1.

    Example:
        >>> JensenShannonTerm(pi=0.5)(torch.tensor([0.5, 1.0]).log())
        tensor([-0.6226, -0.0000])
    """

    pi: float

    def __call__(self, log_p: Tensor) -> Tensor:
        """Return minus the scaled divergence."""
        pi, rest = self.pi, math.log1p(-self.pi)
        p = torch.exp(log_p)
        log_m = torch.log(pi + (1 - pi) * p)
        divergence = (1 - pi) * (p * (log_p - log_m) - (1 - p) * rest) - pi * log_m
        return divergence / ((1 - pi) * rest)

    def at(self, p: float) -> float:
        """Return minus the scaled divergence."""
        pi, rest = self.pi, math.log1p(-self.pi)
        log_m = math.log(pi + (1 - pi) * p)
        mixed = p * (math.log(p) - log_m) if p > 0 else 0.0
        return ((1 - pi) * (mixed - (1 - p) * rest) - pi * log_m) / ((1 - pi) * rest)

    def slope(self, p: Tensor) -> Tensor | None:
        """Return ``p log(m / ((1 - pi) p)) / -log(1 - pi)``."""
        log_p = p.clamp_min(torch.finfo(p.dtype).tiny).log_()
        log_m = torch.log(self.pi + (1 - self.pi) * p)
        return (log_m - log_p - math.log1p(-self.pi)).mul_(p).div_(-math.log1p(-self.pi))

    def rise(self, log_p: Tensor) -> Tensor:
        """Return the divergence at p = 0 minus the one at p."""
        pi, rest = self.pi, math.log1p(-self.pi)
        p = torch.exp(log_p)
        log_m = torch.log(pi + (1 - pi) * p)
        mixed = (1 - pi) * p * (log_m - log_p - rest)
        return (pi * torch.log1p(p * ((1 - pi) / pi)) + mixed) / (-(1 - pi) * rest)


@register("JS")
class JensenShannonLoss(TermLoss):
    """Jensen-Shannon loss (JS), ``(pi KL(e_y, m) + (1 - pi) KL(p, m)) / Z``.

    m = pi e_y + (1 - pi) p is the mean of the one-hot label e_y and p = softmax(logits), and
    ``Z = -(1 - pi) log(1 - pi)``. A function of p_y alone, since off the label m is a multiple of
    p. Values >= 0 and bounded. Cross-entropy as pi -> 0, MAE as pi -> 1.

    Use it as GCE: pi slides from cross-entropy to MAE.

    Args:
        pi: the label's weight, 0.001 <= pi < 1; higher for more noise.
        mode, **common: see ``SegmentationLoss``.

    Source: Englesson and Azizpour, Generalized Jensen-Shannon Divergence Loss for Learning with
    Noisy Labels, NeurIPS 2021, equation 5.

    Example:
        >>> JensenShannonLoss("multiclass", pi=0.5)(torch.zeros(1, 4, 1), torch.tensor([[3]]))
        tensor(1.0976)
    """

    def __init__(self, mode: str, *, pi: float = 0.7, **common: Unpack[CommonArguments]) -> None:
        super().__init__(mode, **common)
        self.pi = check_float("pi", pi, least=1e-3, below=1)
        self.term = JensenShannonTerm(self.pi)


@register("GJS")
class GeneralizedJensenShannonLoss(PixelwiseLoss):
    """Generalised Jensen-Shannon loss (GJS): the label and the predictions of several views agree.

    ``JS(e_y, pbar) + (1 - pi) (H(pbar) - mean_v H(p_v)) / Z`` with the views' predictions
    p_v = softmax(logits_v), their mean pbar, entropies H, and JS and Z of ``JensenShannonLoss``.
    That is the Jensen-Shannon divergence of e_y with weight pi and the V views with weights
    (1 - pi)/V, over Z. Values >= 0; JS where the views agree.

    Use it where two augmentations of an image can be had that leave every pixel in its place, such
    as changes of colour: their consistency is learned beside the labels.

    Args:
        pi: the label's weight, 0.001 <= pi < 1; higher for more noise.
        mode, **common: see ``SegmentationLoss``.

    Shape:
        - y_pred: the views' logits one after another, ``torch.cat((view_1, view_2))``: (V N, ...)
          with V >= 2, otherwise as in ``SegmentationLoss``.
        - y_true, pixel_weights: of the N images, as in ``SegmentationLoss``.

    Raises:
        ValueError: if the scores are not of two or more views for each label map.

    Source: Englesson and Azizpour, Generalized Jensen-Shannon Divergence Loss for Learning with
    Noisy Labels, NeurIPS 2021, equation 6.

    Example:
        >>> loss = GeneralizedJensenShannonLoss("multiclass", pi=0.5)
        >>> views = torch.zeros(2, 4, 1)
        >>> loss(views, torch.tensor([[3]]))
        tensor(1.0976)
    """

    inputs = ("views", "labels")

    def __init__(self, mode: str, *, pi: float = 0.7, **common: Unpack[CommonArguments]) -> None:
        super().__init__(mode, **common)
        self.pi = check_float("pi", pi, least=1e-3, below=1)
        self.term = JensenShannonTerm(self.pi)

    def forward(
        self, y_pred: Tensor, y_true: Tensor, pixel_weights: Tensor | None = None
    ) -> Tensor:
        """Return the reduced loss; see the class for the shapes."""
        images = len(y_true)
        number = len(y_pred) // images if images else 2
        if number < 2 or number * images != len(y_pred):
            raise ValueError(
                f"GJS compares views: scores of shape {tuple(y_pred.shape)} are not two or more "
                f"for each of {images} label maps; give torch.cat((view_1, view_2))"
            )
        target = self.prepare(y_pred[:images], y_true)
        labels, weights = self.labels_and_weights(target)
        views = y_pred.reshape(number, *target.logits.shape)
        loss = self.loss_map(views, labels)
        return self.reduce(loss, target, weights, pixel_weights)

    def loss_map(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of every pixel of views (V, N, ...)."""
        binary = self.mode != "multiclass"
        views = len(logits)
        if binary:
            flat, flat_labels = logits.reshape(views, 1, 1, -1), labels.reshape(1, -1)
        else:
            flat = logits.reshape(*logits.shape[:3], logits.shape[3:].numel())
            flat_labels = labels.reshape(flat.shape[1], flat.shape[3])
        if torch.compiler.is_compiling() or by_operators():
            label_prob, divergence = _agreement(flat, flat_labels, binary, self.logit_map)
        else:
            label_prob, divergence = _Agreement.apply(flat, flat_labels, binary, self.logit_map)
        to_label = -self.term(label_prob.clamp_min(FLOOR).log())
        # (1 - pi) / Z
        return (to_label + divergence / -math.log1p(-self.pi)).reshape(labels.shape)


def _agreement(
    logits: Tensor, labels: Tensor, binary: bool, logit_map: LogitMap | None
) -> tuple[Tensor, Tensor]:
    """Views (V, N, K, P) -> maps (N, P): the mean's label probability, the views' divergence."""
    p = torch.stack([softmax(_mapped(view, logit_map), binary) for view in logits])
    mean = p.mean(0)
    label_prob = mean.gather(1, class_index(labels, mean.shape[1])).squeeze(1)
    return label_prob, (_negative_entropy(p).mean(0) - _negative_entropy(mean)).sum(1)


def _mapped(logits: Tensor, logit_map: LogitMap | None) -> Tensor:
    return logits if logit_map is None else logit_map(logits.to(compute_dtype(logits)))


def _negative_entropy(p: Tensor) -> Tensor:
    return p * p.clamp_min(FLOOR).log()


class _Agreement(torch.autograd.Function):
    """The maps of ``_agreement``, block by block, recomputed for the backward pass."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, labels: Tensor, binary: bool, logit_map: LogitMap | None
    ) -> tuple[Tensor, ...]:
        ctx.save_for_backward(logits, labels)
        ctx.binary, ctx.logit_map = binary, logit_map
        shape = (logits.shape[1], logits.shape[3])
        maps = tuple(logits.new_empty(shape, dtype=compute_dtype(logits)) for _ in range(2))
        for rows, columns in blocks(logits[0], binary):
            parts = _agreement(
                logits[:, rows, :, columns], labels[rows, columns], binary, logit_map
            )
            for whole, part in zip(maps, parts, strict=True):
                whole[rows, columns] = part
        return maps

    @staticmethod
    @twice_differentiable(
        lambda ctx, logits, labels: _agreement(logits, labels, ctx.binary, ctx.logit_map)
    )
    def backward(ctx: Any, grad_label: Tensor, grad_divergence: Tensor) -> tuple[Any, ...]:
        """With q = p_v: d divergence / d q_k is (log q_k - log pbar_k) / V, up to a constant."""
        logits, labels = ctx.saved_tensors
        gradient = torch.empty_like(logits)
        views = len(logits)
        for rows, columns in blocks(logits[0], ctx.binary):
            block = logits[:, rows, :, columns]
            p = torch.stack([softmax(_mapped(view, ctx.logit_map), ctx.binary) for view in block])
            tiny = torch.finfo(p.dtype).tiny
            log_mean = p.mean(0).clamp_min(tiny).log()
            to_label, to_divergence = (
                g[rows, None, columns] / views for g in (grad_label, grad_divergence)
            )
            index = class_index(labels[rows, columns], p.shape[2])
            for view in range(views):
                w = (p[view].clamp_min(tiny).log() - log_mean) * to_divergence
                w.scatter_add_(1, index, to_label)
                slope = p[view] * (w - (p[view] * w).sum(1, keepdim=True))
                if ctx.binary:
                    slope = slope[:, 1:]
                if ctx.logit_map is not None:
                    slope = ctx.logit_map.pull_back(block[view].to(slope.dtype), slope)
                gradient[view, rows, :, columns] = slope
        return gradient, None, None, None
