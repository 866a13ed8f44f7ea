"""Dice losses: the overlap of whole regions, plain and noise-robust."""

from __future__ import annotations

import torch
from torch import Tensor
from typing_extensions import Unpack

from segnoise.checks import check_float
from segnoise.losses.base import CommonArguments, SegmentationLoss, pixel_weights_of
from segnoise.losses.core import Target, compute_dtype, region_sums
from segnoise.losses.names import register
from segnoise.losses.weighting import label_counts


class RegionLoss(SegmentationLoss):
    """A loss of how a batch's regions match their labels; the base of the Dice losses.

    A class that has no label in the batch has the loss 0 and is left out of the mean.

    Args, Shape, Raises: see ``SegmentationLoss`` and ``DiceLoss``.
    """

    admits_soft_labels = True
    gamma: float | None = None
    eps: float = 1e-5

    def __init__(self, mode: str, **common: Unpack[CommonArguments]) -> None:
        super().__init__(mode, **common)
        if mode == "binary" and (self.class_weights is not None or self.batch_weights):
            raise ValueError(
                f"{type(self).__name__} has one region in binary mode, the positives': leave "
                "class_weights out, there is nothing that they could weigh"
            )

    def forward(
        self, y_pred: Tensor, y_true: Tensor, pixel_weights: Tensor | None = None
    ) -> Tensor:
        """Return the reduced loss; see the class for the shapes."""
        target = self.prepare(y_pred, y_true)
        logits, labels, valid = target.logits, target.labels, target.valid
        dtype = compute_dtype(logits)
        weights = None if valid is None else valid.to(dtype)
        if pixel_weights is not None:
            map_like = logits[:, 0] if self.mode == "multiclass" else logits
            given = pixel_weights_of(pixel_weights, map_like.to(dtype), valid, self.mode)
            weights = given if weights is None else weights * given
        if self.mode == "binary":
            logits, labels = logits.unsqueeze(1), labels.unsqueeze(1)
            weights = None if weights is None else weights.unsqueeze(1)
        sigmoid = self.mode != "multiclass"
        mass, match = region_sums(
            logits,
            labels,
            weights,
            gamma=self.gamma,
            sigmoid=sigmoid,
            logit_map=self.logit_map,
        )
        counted = "multilabel" if sigmoid else "multiclass"
        size = label_counts(labels, weights, counted, logits.shape[1]).to(dtype)
        present = size > 0
        total = mass + size + self.eps
        # From the overlap, not from its complement: nothing cancels where hardly anything overlaps.
        loss = 1 - (2 * match + self.eps) / total if self.gamma is None else match / total
        # An absent class stays in the graph, with a gradient of 0.
        loss = torch.where(present, loss, 0)
        return self._reduced(loss, present, target)

    def _reduced(self, loss: Tensor, present: Tensor, target: Target) -> Tensor:
        weights = self.weights_of_classes(target)
        if weights is not None:
            loss = loss * weights
        if self.reduction == "none":
            return loss
        if self.reduction == "sum":
            return loss.sum()
        counted = present.to(loss.dtype) if weights is None else torch.where(present, weights, 0)
        total = counted.sum()
        return loss.sum() / torch.where(total > 0, total, 1)


@register("Dice")
class DiceLoss(RegionLoss):
    """Dice loss (Dice), ``1 - (2 sum_i p_ik g_ik + eps) / (sum_i p_ik + sum_i g_ik + eps)``.

    The mean over the classes; i runs over all valid pixels of the batch, g is the one-hot label,
    p = softmax(logits), in binary and multilabel mode sigmoid(logits) and the positives' region
    alone. Classes without a label in the batch are left out. Values in 0..1. Admits soft labels.

    Use it as the baseline on imbalanced masks, where every class counts alike: plain Dice
    withstands object-wise label noise better than most pixel-wise losses.

    Args:
        mode: "binary", "multiclass" or "multilabel".
        eps: > 0; keeps the quotient finite.
        **common: ``ignore_index``, ``reduction``, ``class_weights``, see ``SegmentationLoss``; the
            class weights weigh the mean over the classes, of which there is one in binary mode.

    Shape:
        - y_pred, y_true, pixel_weights: as in ``SegmentationLoss``.
        - result: a scalar, or with "none" the classes' losses, (K,), in multilabel mode (C,), in
          binary mode (1,).

    Source: Milletari et al., V-Net: Fully Convolutional Neural Networks for Volumetric Medical
    Image Segmentation, 3DV 2016 (with squares in the denominator); Sudre et al., DLMIA 2017.

    Example:
        >>> DiceLoss("multiclass")(torch.zeros(1, 2, 2), torch.tensor([[0, 1]]))
        tensor(0.5000)
    """

    def __init__(self, mode: str, *, eps: float = 1e-5, **common: Unpack[CommonArguments]) -> None:
        super().__init__(mode, **common)
        self.eps = check_float("eps", eps, above=0)


@register("NRDice")
class NoiseRobustDiceLoss(RegionLoss):
    """Noise-robust Dice loss (NR-Dice), ``sum_i |p_ik - g_ik|^gamma / (sum_i p_ik + sum_i g_ik)``.

    The mean over the classes; i runs over all valid pixels of the batch, g is the one-hot label,
    p = softmax(logits), in binary and multilabel mode sigmoid(logits) and the positives' region
    alone. Classes without a label in the batch are left out. Values in 0..1. Dice at gamma = 1, for
    hard labels; admits soft ones.

    Use it as Dice; a gamma below 2 gives wrong labels less pull than a squared error does.

    Args:
        mode: "binary", "multiclass" or "multilabel".
        gamma: 1 <= gamma <= 2; the paper: 1.5.
        eps: > 0; added to the denominator.
        **common: ``ignore_index``, ``reduction``, ``class_weights``, see ``SegmentationLoss``; the
            class weights weigh the mean over the classes, of which there is one in binary mode.

    Shape: as in ``DiceLoss``.

    Source: Wang et al., A Noise-Robust Framework for Automatic Segmentation of COVID-19 Pneumonia
    Lesions from CT Images, TMI 2020; the denominator is that of the published code, without
    squares.

    Example:
        >>> loss = NoiseRobustDiceLoss("multiclass")
        >>> loss(torch.zeros(1, 2, 2), torch.tensor([[0, 1]]))
        tensor(0.3536)
    """

    def __init__(
        self,
        mode: str,
        *,
        gamma: float = 1.5,
        eps: float = 1e-5,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(mode, **common)
        self.gamma = check_float("gamma", gamma, least=1, most=2)
        self.eps = check_float("eps", eps, above=0)
