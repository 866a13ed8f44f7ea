"""T-Loss: the residuals of an image under a Student-t distribution whose tail is learned."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from typing_extensions import Unpack

from segnoise.checks import check_float
from segnoise.losses.base import CommonArguments, StatisticsLoss
from segnoise.losses.core import ClassSum, PixelStatistics, PowerTerm, Target
from segnoise.losses.names import register


@register("TLoss")
class TLoss(StatisticsLoss):
    """T-Loss, minus the log-likelihood of an image's residuals under a multivariate Student-t.

    With D dimensions and the squared residual R of the image, ``log Gamma(nu/2) -
    log Gamma((nu + D)/2) + D/2 log(pi nu) + (nu + D)/2 log(1 + R/nu)``. In binary and multilabel
    mode R is the sum of ``(1 - p_y)^2`` over the image's valid pixels, and D their number. In
    multiclass mode, which the paper does not have, R is the sum of ``|e_y - p|^2 / 2`` and D is
    K - 1 a pixel, the dimension of the simplex: two classes are binary mode. Not bounded below.

    The tail nu is learned: the loss has a parameter ``log_nu``, which must be in the optimiser (the
    paper: a group of its own, Adam, rate 1e-3, no weight decay). The tools train it with the
    network; ``optim_wrapper.paramwise_cfg.custom_keys.log_nu.decay_mult=0`` spares it the decay.
    Smaller nu forgives larger residuals.

    Use it where whole images are badly labelled: they are outliers and lose their pull.

    Args:
        mode: "binary", "multiclass" or "multilabel", where each channel is an image.
        nu: initial nu, > 0.
        **common: ``ignore_index``, ``reduction``, ``class_weights``, see ``SegmentationLoss``. A
            pixel of weight w adds w times its residual to R and w times its dimensions to D.

    Shape:
        - y_pred, y_true, pixel_weights: as in ``SegmentationLoss``.
        - result: "mean" divides the images' sum by the number (weight) of all valid pixels, so that
          its size does not depend on the image's; "sum"; "none" gives (N,), in multilabel mode
          (N, C).

    Source: Gonzalez-Jimenez et al., Robust T-Loss for Medical Image Segmentation, MICCAI 2023,
    equation 4.

    Example:
        >>> loss = TLoss("binary")
        >>> loss(torch.zeros(1, 1, 2, 2), torch.tensor([[[0, 1], [1, 1]]])).detach()
        tensor(1.0775)
        >>> [name for name, _ in loss.named_parameters()]
        ['log_nu']
    """

    per_pixel = False
    bounded_below = False
    sums = (ClassSum(PowerTerm(2.0), 0.0),)

    def __init__(self, mode: str, *, nu: float = 1.0, **common: Unpack[CommonArguments]) -> None:
        super().__init__(mode, **common)
        self.log_nu = nn.Parameter(torch.tensor(math.log(check_float("nu", nu, above=0))))

    @property
    def nu(self) -> float:
        """The tail's present weight: degrees of freedom of the distribution."""
        return float(self.log_nu.detach().exp())

    def pixel_loss(self, statistics: PixelStatistics) -> Tensor:
        """Return half of ``|e_y - p|^2``; in binary mode that is ``(1 - p_y)^2``."""
        squares = 2 * statistics[self.sums[0]]
        return (0.5 + 0.5 * squares - statistics.log_p.exp()).clamp_min(0)

    def reduce(
        self,
        loss: Tensor,
        target: Target,
        weights: Tensor | None,
        pixel_weights: Tensor | None,
    ) -> Tensor:
        """Return the images' likelihood of their squared residuals, reduced over the images."""
        weights = self.all_weights(loss, target, weights, pixel_weights)
        if weights is None:
            weights = torch.ones_like(loss)
        if target.valid is not None:
            # Masked on its own: 0 times what stands at void may be no 0.
            loss = torch.where(target.valid, loss, 0)
            weights = torch.where(target.valid, weights, 0)
        axes = 2 if self.mode == "multilabel" else 1
        residual, pixels = (
            m.reshape(*m.shape[:axes], m.shape[axes:].numel()).sum(-1, dtype=torch.float64)
            for m in (loss * weights, weights)
        )
        likelihood = self._of_images(residual, pixels * (target.num_classes - 1))
        if self.reduction == "none":
            return likelihood.to(loss.dtype)
        total = likelihood.sum()
        if self.reduction == "mean":
            weight = pixels.sum()
            total = total / torch.where(weight > 0, weight, 1)
        return total.to(loss.dtype)

    def _of_images(self, residual: Tensor, dimensions: Tensor) -> Tensor:
        """Minus log-likelihoods; in float64, as terms of a size D log D cancel."""
        log_nu = self.log_nu.double()
        nu = log_nu.exp()
        half = (nu + dimensions) / 2
        return (
            torch.lgamma(nu / 2)
            - torch.lgamma(half)
            + dimensions / 2 * (math.log(math.pi) + log_nu)
            + half * torch.log1p(residual / nu)
        )

    def extra_repr(self) -> str:
        """Return the arguments and the present nu."""
        return f"{super().extra_repr()}, nu={self.nu:.4g}"
