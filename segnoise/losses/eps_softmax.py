"""Cross-entropy and MAE of predictions that are pushed towards one-hot vectors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from segnoise.checks import check_float
from segnoise.losses.pixelwise import StatisticsLoss
from segnoise.losses.statistics import PixelStatistics
from segnoise.losses.sums import ClassMax

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from segnoise.losses.base import CommonArguments


class EpsSoftmaxLoss(StatisticsLoss):
    """eps-softmax, ``-alpha log p'_y + beta (1 - p_y)`` with p' pushed towards the predicted class.

    ``p' = (p + m e_yhat) / (1 + m)``, p = softmax(logits), yhat the class predicted now (each of
    equally likely ones), y the pixel's label. p' is within 1/(1 + m) of a one-hot vector. Where the
    label is predicted the first part has hardly a gradient left; elsewhere it is cross-entropy's.

    Use it to learn hard pixels without fitting the wrong ones further, beside MAE's steady pull.

    Args:
        mode: "binary", "multiclass" or "multilabel".
        alpha: weight of cross-entropy, >= 0.
        beta: weight of MAE, >= 0.
        m: push, >= 0; the paper: 1e5 for symmetric noise, 1e3 for asymmetric.
        **common: ``ignore_index``, ``reduction``, ``class_weights``, see ``SegmentationLoss``.

    Source: Wang et al., eps-Softmax: Approximating One-Hot Vectors for Mitigating Label Noise,
    NeurIPS 2024; the default weights are ours.

    Example:
        >>> loss = EpsSoftmaxLoss("multiclass", m=1.0)
        >>> loss(torch.tensor([[[0.0], [2.0]]]), torch.tensor([[0]]))
        tensor(3.7009)
    """

    own_parameters = ("alpha", "beta", "m")
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
