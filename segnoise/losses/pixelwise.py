"""Losses with a value for every pixel, reduced by void and weights."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from segnoise.losses.base import SegmentationLoss, pixel_weights_of, product, reduced
from segnoise.losses.core import LabelModel
from segnoise.losses.elementwise import in_blocks
from segnoise.losses.paths import computed
from segnoise.losses.statistics import PixelStatistics, pixel_statistics
from segnoise.losses.sums import ClassMax, ClassSum
from segnoise.losses.target import Target


class PixelwiseLoss(SegmentationLoss):
    """A loss that is a map over the pixels before it is reduced.

    Args, Shape, Raises: see ``SegmentationLoss``.
    """

    @abstractmethod
    def loss_map(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of every pixel, without void and weights, from the core's shapes."""

    def forward(
        self, y_pred: Tensor, y_true: Tensor, pixel_weights: Tensor | None = None
    ) -> Tensor:
        """Return the reduced loss; see the class for the shapes."""
        # Labels are checked before: a graph could only assert, without saying which pixel.
        return computed(self, self.prepare(y_pred, y_true), pixel_weights)

    def value(self, target: Target, pixel_weights: Tensor | None = None) -> Tensor:
        """Return the reduced loss of a target that has been prepared."""
        labels, weights = self.labels_and_weights(target)
        return self.reduce(self.loss_map(target.logits, labels), target, weights, pixel_weights)

    def labels_and_weights(self, target: Target) -> tuple[Tensor, Tensor | None]:
        """Return the core's labels and the weight that the classes give each pixel.

        Soft labels t come back as ``w_k t_k / sum_k w_k t_k`` with the sum as the pixel's weight,
        so that one-hot labels give what ids give.
        """
        labels, weights = target.labels, self.weights_of_classes(target)
        soft_binary = target.soft and self.mode != "multiclass"
        if soft_binary:
            labels = torch.stack((1 - labels, labels))
        if weights is None:
            return labels, None
        if self.mode == "multilabel":
            spatial = (1,) * (target.logits.dim() - 2)
            return labels, weights.view(1, -1, *spatial).expand_as(target.logits)
        if target.soft:
            axis = 0 if soft_binary else 1
            ones = (1,) * (labels.dim() - axis - 1)
            labels = labels * weights.view(-1, *ones)
            mass = labels.sum(axis)
            return labels / torch.where(mass > 0, mass, 1).unsqueeze(axis), mass
        return labels, weights[labels.long().clamp(0, len(weights) - 1)]

    def all_weights(
        self,
        loss: Tensor,
        target: Target,
        weights: Tensor | None,
        pixel_weights: Tensor | None,
    ) -> Tensor | None:
        """Return the product of the classes' and the pixels' weights; None if all are 1."""
        if pixel_weights is not None:
            pixel_weights = pixel_weights_of(pixel_weights, loss, target.valid, self.mode)
        return product(weights, pixel_weights)

    def reduce(
        self,
        loss: Tensor,
        target: Target,
        weights: Tensor | None,
        pixel_weights: Tensor | None,
    ) -> Tensor:
        """Weigh the map and reduce it as ``reduction`` says."""
        weights = self.all_weights(loss, target, weights, pixel_weights)
        if weights is not None:
            loss = loss * weights
        return reduced(loss, target.valid, weights, self.reduction)


class StatisticsLoss(PixelwiseLoss):
    """A loss that is a function of per-pixel statistics; subclasses say which, and which function.

    Args, Shape, Raises: see ``SegmentationLoss``.
    """

    sums: tuple[ClassSum | ClassMax, ...] = ()
    label_model: LabelModel | None = None

    @abstractmethod
    def pixel_loss(self, statistics: PixelStatistics) -> Tensor:
        """Return the loss of every pixel from its statistics, without void and weights."""

    def loss_map(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of every pixel, without void and weights."""
        if self.mode != "multiclass" and not labels.is_floating_point():
            return in_blocks(self._of_pixels, logits, labels)
        return self._of_pixels(logits, labels)

    def _of_pixels(self, logits: Tensor, labels: Tensor) -> Tensor:
        statistics = pixel_statistics(
            logits,
            labels,
            self.sums,
            binary=self.mode != "multiclass",
            logit_map=self.logit_map,
            label_model=self.label_model,
        )
        return self.pixel_loss(statistics)
