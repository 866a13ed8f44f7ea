"""Losses of changed logits or probabilities: SR, LogitClip, EpsSoftmax."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import Unpack

from segnoise.checks import check_float
from segnoise.losses.base import CommonArguments, SegmentationLoss, StatisticsLoss
from segnoise.losses.core import ClassMax, ClassSum, NormClip, PixelStatistics, PowerTerm, UnitNorm
from segnoise.losses.epoch import EpochAware
from segnoise.losses.names import build_loss, register


@register("SR")
class SparseRegularizationLoss(EpochAware, StatisticsLoss):
    """Sparse regularisation (SR), ``-log p_y + beta growth^epoch sum_k p_k^p``.

    Here ``p_k = softmax(z / (temperature ||z||))`` of the logits z: their norm is fixed, so that
    the prediction can only become sharper by turning; the second part, a sparse norm, pulls it
    towards one-hot, more with every epoch (``set_epoch``). y is the pixel's label, k runs over the
    K classes. Admits soft labels. Multi-class only: the norm of a single logit leaves its sign.

    Use it for classification-like tasks with many classes; set the epoch.

    Args:
        mode: "multiclass".
        temperature: > 0; the logits' norm is its inverse.
        p: exponent, 0 < p <= 1.
        beta: weight of the sparse norm in epoch 0, >= 0; the paper's lambda.
        growth: factor of the weight at each epoch, >= 1; the paper's rho.
        **common: ``ignore_index``, ``reduction``, ``class_weights``, see ``SegmentationLoss``.

    Raises:
        ValueError: if the mode is another, or a parameter is out of its domain.

    Source: Zhou et al., Learning with Noisy Labels via Sparse Regularization, ICCV 2021.

    Example:
        >>> import torch
        >>> loss = SparseRegularizationLoss("multiclass", beta=0.0)
        >>> loss(torch.tensor([[[3.0], [4.0]]]), torch.tensor([[1]]))
        tensor(0.5130)
    """

    admits_soft_labels = True

    def __init__(
        self,
        mode: str,
        *,
        temperature: float = 0.5,
        p: float = 0.1,
        beta: float = 1.2,
        growth: float = 1.03,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(mode, **common)
        if mode != "multiclass":
            raise ValueError(
                f"sparse regularisation fixes the norm of a pixel's logits, and in {mode} mode "
                "there is one logit, of which only the sign would be left: use mode='multiclass'"
            )
        self.temperature = check_float("temperature", temperature, above=0)
        self.p = check_float("p", p, above=0, most=1)
        self.beta = check_float("beta", beta, least=0)
        self.growth = check_float("growth", growth, least=1)
        self.sums = (ClassSum(PowerTerm(self.p), 0.0),)
        self.logit_map = UnitNorm(self.temperature)

    def pixel_loss(self, statistics: PixelStatistics) -> Tensor:
        """Return ``-log p_y + beta growth^epoch sum_k p_k^p``."""
        sparse = self.p * statistics[self.sums[0]]
        weight = self.beta * self.growth ** self.epoch.to(sparse.dtype)
        return weight * sparse - statistics.log_p


@register("LogitClip")
class LogitClipLoss(SegmentationLoss):
    """Logit clipping (LogitClip), any loss on ``z min(1, tau / ||z||)``: a pixel's logits bounded.

    z are the logits of a pixel; in binary mode those are (0, z), in multilabel mode of every
    channel. Bounded logits bound the loss: for cross-entropy to 0..log(1 + (K-1) exp(sqrt(2) tau)).

    Use it to make an unbounded loss robust by one knob. Predictions of a trained network keep their
    order; their probabilities are those of the clipped logits.

    Args:
        mode: "binary", "multiclass" or "multilabel".
        base: the loss, by what ``build_loss`` knows it: a name, a dotted path, or a class.
        tau: greatest norm, > 0; the paper tunes 0.5 to 2.5.
        **own: the base's own parameters and ``ignore_index``, ``reduction``, ``class_weights``, see
            ``SegmentationLoss``.

    Shape: as the base's.

    Raises:
        ValueError: if there is no such base, or tau is out of its domain.
        TypeError: if the base is no loss of logits, maps its logits itself, or has no parameter of
            such a name.

    Source: Wei et al., Mitigating Memorization of Noisy Labels by Clipping the Model Prediction,
    ICML 2023, equation 4; where the published code differs from the paper, this is the paper's.

    Example:
        >>> import torch
        >>> loss = LogitClipLoss("multiclass", base="CE", tau=1.0)
        >>> loss(torch.tensor([[[300.0], [400.0]]]), torch.tensor([[0]]))
        tensor(0.7981)
    """

    def __init__(
        self,
        mode: str,
        *,
        base: str | Callable[..., nn.Module] = "CE",
        tau: float = 1.0,
        **own: Any,
    ) -> None:
        loss: Any = build_loss(base, mode=mode, **own)
        if not hasattr(loss, "logit_map"):
            raise TypeError(f"LogitClip wraps a loss of logits, got {base!r}")
        if loss.logit_map is not None:
            raise TypeError(f"{base!r} maps its logits itself: it cannot be clipped as well")
        super().__init__(mode, ignore_index=loss.ignore_index, reduction=loss.reduction)
        self.tau = check_float("tau", tau, above=0)
        self.logit_map = loss.logit_map = NormClip(self.tau)
        self.base = loss
        self.class_weights, self.batch_weights = loss.class_weights, loss.batch_weights
        self.inputs, self.needs = loss.inputs, loss.needs
        self.per_pixel, self.cell_stride = loss.per_pixel, loss.cell_stride

    def loss_map(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the base's loss of every pixel on clipped logits, if it has one."""
        value: Tensor = self.base.loss_map(logits, labels)
        return value

    def forward(
        self,
        y_pred: Tensor,
        y_true: Tensor,
        pixel_weights: Tensor | None = None,
        **more: Any,
    ) -> Tensor:
        """Return the base's loss on clipped logits."""
        value: Tensor = self.base(y_pred, y_true, pixel_weights, **more)
        return value


@register("EpsSoftmax")
class EpsSoftmaxLoss(StatisticsLoss):
    """eps-softmax, ``-alpha log p'_y + beta (1 - p_y)`` with p' pushed towards the predicted class.

    ``p' = (p + m e_yhat) / (1 + m)``, p = softmax(logits), yhat the class predicted now (each of
    equally likely ones), y the pixel's label. p' is within 1/(1 + m) of a one-hot vector. Where the
    label is predicted the first part has hardly a gradient left; elsewhere it is cross-entropy's.

    Use it to learn hard pixels without fitting the wrong ones further, beside MAE's steady pull.

    Args:
        alpha: weight of cross-entropy, >= 0.
        beta: weight of MAE, >= 0.
        m: push, >= 0; the paper: 1e5 for symmetric noise, 1e3 for asymmetric.
        mode, **common: see ``SegmentationLoss``.

    Source: Wang et al., eps-Softmax: Approximating One-Hot Vectors for Mitigating Label Noise,
    NeurIPS 2024; the default weights are ours.

    Example:
        >>> loss = EpsSoftmaxLoss("multiclass", m=1.0)
        >>> loss(torch.tensor([[[0.0], [2.0]]]), torch.tensor([[0]]))
        tensor(3.7009)
    """

    sums = (ClassMax(),)

    def __init__(
        self,
        mode: str,
        *,
        alpha: float = 1.0,
        beta: float = 1.0,
        m: float = 1e5,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(mode, **common)
        self.alpha = check_float("alpha", alpha, least=0)
        self.beta = check_float("beta", beta, least=0)
        self.m = check_float("m", m, least=0)

    def pixel_loss(self, statistics: PixelStatistics) -> Tensor:
        """Return ``-alpha log p'_y + beta (1 - p_y)``."""
        log_p = statistics.log_p
        p = log_p.exp()
        predicted = log_p >= statistics[ClassMax()]
        # Off the predicted class from log p itself, which does not underflow.
        pushed = torch.where(predicted, torch.log(torch.where(predicted, p, 1) + self.m), log_p)
        return self.alpha * (math.log1p(self.m) - pushed) + self.beta * (1 - p)
