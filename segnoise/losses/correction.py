"""Corrections for a known transition matrix, and learning from what a pixel is not."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor
from typing_extensions import Unpack

from segnoise.losses.base import CommonArguments, StatisticsLoss
from segnoise.losses.core import LabelModel, PixelStatistics
from segnoise.losses.names import register


class _MatrixLoss(StatisticsLoss):
    """A loss with a matrix as buffer, which moves with the module and is no state."""

    matrix: Tensor
    kind: ClassVar[str]
    plain_labels = False

    def __init__(
        self,
        mode: str,
        *,
        transition_matrix: Sequence[Sequence[float]] | Tensor,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(mode, **common)
        matrix = self._of_labels(check_transition_matrix(transition_matrix, mode))
        self.register_buffer("matrix", matrix, persistent=False)

    @abstractmethod
    def _of_labels(self, matrix: Tensor) -> Tensor:
        """Return the label model's matrix for a transition matrix, rows of the labels."""

    @property
    def label_model(self) -> LabelModel:  # type: ignore[override]
        """How a label is read."""
        return LabelModel(self.kind, self.matrix)

    def loss_map(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of every pixel, without void and weights."""
        classes = logits.shape[1] if self.mode == "multiclass" else 2
        if len(self.matrix) != classes:
            raise ValueError(
                f"the transition matrix is for {len(self.matrix)} classes, the scores of shape "
                f"{tuple(logits.shape)} are of {classes}"
            )
        return super().loss_map(logits, labels)

    def pixel_loss(self, statistics: PixelStatistics) -> Tensor:
        """Return minus the label's log-likelihood."""
        return -statistics.log_p

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"{super().extra_repr()}, transition_matrix of {len(self.matrix)} classes"


@register("ForwardCorrection")
class ForwardCorrectionLoss(_MatrixLoss):
    """Forward correction, ``-log sum_k p_k T_ky``: cross-entropy of what the noise would make of p.

    T_ky is the probability that a pixel of class k is labelled y, p = softmax(logits), y the
    pixel's label, k over the K classes. Values >= 0. Cross-entropy at T = 1. The true class
    probabilities minimise its expectation, whatever T, if T has an inverse.

    Use it where the confusion of the labels is known, such as from a second look at some of them.

    Args:
        transition_matrix: (K, K), rows of the true classes, each of numbers >= 0 that add up to 1;
            2 x 2 in binary mode and, for all channels alike, in multilabel mode.
        mode, **common: see ``SegmentationLoss``.

    Raises:
        ValueError: if it is no transition matrix, if a label can come from no class, or if it is
            for another number of classes than the scores.

    Source: Patrini et al., Making Deep Neural Networks Robust to Label Noise: a Loss Correction
    Approach, CVPR 2017, equation 5.

    Example:
        >>> loss = ForwardCorrectionLoss("multiclass", transition_matrix=[[0.9, 0.1], [0.2, 0.8]])
        >>> loss(torch.tensor([[[9.0], [0.0]]]), torch.tensor([[1]]))
        tensor(2.3017)
    """

    kind = "mixture"

    def _of_labels(self, matrix: Tensor) -> Tensor:
        reached = matrix.sum(0) > 0
        if not reached.all():
            label = int((~reached).nonzero()[0])
            raise ValueError(f"transition_matrix: no class is ever labelled {label}")
        return matrix.T.log()


@register("BackwardCorrection")
class BackwardCorrectionLoss(_MatrixLoss):
    """Backward correction, ``-sum_k (T^-1)_yk log p_k``: cross-entropy, unbiased by the noise.

    T_ky is the probability that a pixel of class k is labelled y, p = softmax(logits), y the
    pixel's label, k over the K classes. Averaged over the noise it is the cross-entropy of the true
    class. Not bounded below: T^-1 has negative entries. Cross-entropy at T = 1.

    Use it to compare with; forward correction is the stabler of the two.

    Args:
        transition_matrix: (K, K) with an inverse, rows of the true classes, each of numbers >= 0
            that add up to 1; 2 x 2 in binary mode and, for all channels alike, in multilabel mode.
        mode, **common: see ``SegmentationLoss``.

    Raises:
        ValueError: if it is no transition matrix, has no inverse, or is for another number of
            classes than the scores.

    Source: Patrini et al., Making Deep Neural Networks Robust to Label Noise: a Loss Correction
    Approach, CVPR 2017, equation 4.

    Example:
        >>> loss = BackwardCorrectionLoss("multiclass", transition_matrix=[[0.9, 0.1], [0.2, 0.8]])
        >>> loss(torch.tensor([[[0.0], [0.0]]]), torch.tensor([[1]]))
        tensor(0.6931)
    """

    kind = "linear"
    bounded_below = False

    def _of_labels(self, matrix: Tensor) -> Tensor:
        condition = float(torch.linalg.cond(matrix))
        if not condition < 1e6:
            raise ValueError(
                f"transition_matrix has no usable inverse (condition number {condition:.3g}): two "
                "classes are labelled alike; use ForwardCorrectionLoss"
            )
        inverse: Tensor = torch.linalg.inv(matrix)
        return inverse


@register("NLNL")
class NegativeLearningLoss(StatisticsLoss):
    """Negative learning (NLNL), ``-log(1 - p_ybar)``: the pixel is not of a class drawn at random.

    ybar is drawn uniformly from the classes other than the label at every call, by torch's global
    generator. p = softmax(logits). Values >= 0, unbounded. A wrong label makes a wrong statement
    in 1 of K - 1 draws only. With two classes it is cross-entropy.

    Use it for a warm-up on very noisy labels with many classes; it learns slowly.

    Args, Shape, Raises: see ``SegmentationLoss``.

    Source: Kim et al., NLNL: Negative Learning for Noisy Labels, ICCV 2019, equation 2.

    Example:
        >>> NegativeLearningLoss("multiclass")(torch.zeros(1, 4, 1), torch.tensor([[3]]))
        tensor(0.2877)
    """

    label_model = LabelModel("margin")
    plain_labels = False

    def loss_map(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of every pixel for complementary labels drawn now."""
        classes = logits.shape[1] if self.mode == "multiclass" else 2
        labels = labels.long().clamp(0, classes - 1)
        others = torch.randint(1, classes, labels.shape, device=labels.device)
        return super().loss_map(logits, (labels + others) % classes)

    def pixel_loss(self, statistics: PixelStatistics) -> Tensor:
        """Return ``-log(1 - p_ybar)`` of the complementary label's log-odds."""
        return F.softplus(statistics.log_p)


def check_transition_matrix(matrix: Sequence[Sequence[float]] | Tensor, mode: str) -> Tensor:
    """Return a transition matrix as float64.

    Example:
        >>> check_transition_matrix([[0.9, 0.2], [0.0, 1.0]], "multiclass")
        Traceback (most recent call last):
        ...
        ValueError: transition_matrix: row 0 must be numbers >= 0 that add up to 1, got [0.9, 0.2]
    """
    values = torch.as_tensor(matrix, dtype=torch.float64).detach().clone()
    if values.dim() != 2 or values.shape[0] != values.shape[1] or len(values) < 2:
        raise ValueError(f"transition_matrix must be square, got the shape {tuple(values.shape)}")
    if mode != "multiclass" and len(values) != 2:
        raise ValueError(
            f"transition_matrix must be 2 x 2 in {mode} mode, got {len(values)} classes"
        )
    for number, row in enumerate(values):
        if not ((row >= 0).all() and abs(float(row.sum()) - 1) < 1e-6):
            raise ValueError(
                f"transition_matrix: row {number} must be numbers >= 0 that add up to 1, got "
                f"{[round(x, 6) for x in row.tolist()]}"
            )
    return values
