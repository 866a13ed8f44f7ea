"""Sparse regularisation: cross-entropy of normalised logits and a pull towards one-hot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from segnoise.checks import check_float
from segnoise.losses.epoch import EpochAware, register_epoch
from segnoise.losses.logit_maps import UnitNorm
from segnoise.losses.pixelwise import StatisticsLoss
from segnoise.losses.statistics import PixelStatistics
from segnoise.losses.sums import ClassSum
from segnoise.losses.terms import PowerTerm

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from segnoise.losses.base import CommonArguments


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
    own_parameters = ("temperature", "p", "beta", "growth")

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
        register_epoch(self)

    def pixel_loss(self, statistics: PixelStatistics) -> Tensor:
        """Return ``-log p_y + beta growth^epoch sum_k p_k^p``."""
        sparse = self.p * statistics[self.sums[0]]
        weight = self.beta * self.growth ** self.epoch.to(sparse.dtype)
        return weight * sparse - statistics.log_p
