"""Cross-entropy, the focal loss, and cross-entropy with softened or bootstrapped labels."""

from __future__ import annotations

from torch import Tensor
from typing_extensions import Unpack

from segnoise.checks import check_float
from segnoise.losses.base import CommonArguments, StatisticsLoss, TermLoss
from segnoise.losses.core import (
    ClassMax,
    ClassSum,
    EntropyTerm,
    FocalTerm,
    LogTerm,
    PixelStatistics,
)
from segnoise.losses.names import register


@register("CE")
class CrossEntropyLoss(TermLoss):
    """Cross-entropy (CE), ``-log p_y``; not robust: the gradient of a wrong label never fades.

    y is the pixel's label, p = softmax(logits). Values >= 0, unbounded. Admits soft labels t:
    ``-sum_k t_k log p_k``; class weights w make that ``-sum_k w_k t_k log p_k``, and the mean
    divides by ``sum w_k t_k``, so that one-hot labels give what ids give (PyTorch's own mean
    divides by the number of pixels there). With ids it equals ``torch.nn.CrossEntropyLoss``.

    Use it as the baseline that every other loss must beat, and where labels are right.

    Args, Shape, Raises: see ``SegmentationLoss``.

    Example:
        >>> import torch
        >>> loss = CrossEntropyLoss("multiclass", ignore_index=255)
        >>> loss(torch.zeros(1, 4, 1, 2), torch.tensor([[[3, 255]]]))
        tensor(1.3863)
    """

    admits_soft_labels = True
    term = LogTerm()


@register("LabelSmoothing")
class LabelSmoothingLoss(StatisticsLoss):
    """Label smoothing (LS), ``-(1 - t) log p_y - t/K sum_k log p_k``: some of the label for all.

    y is the pixel's label, p = softmax(logits), k runs over the K classes. Values >= 0, unbounded.
    Cross-entropy at t = 0; admits soft labels. Equals PyTorch's ``label_smoothing=t``
    where there are no class weights, which here weigh the pixel by its label, all of the loss.

    Use it against over-confident predictions; against wrong labels it is a mild remedy.

    Args:
        t: share of the label that is spread over all classes, 0 <= t < 1.
        mode, **common: see ``SegmentationLoss``.

    Source: Szegedy et al., Rethinking the Inception Architecture for Computer Vision, CVPR 2016,
    section 7.

    Example:
        >>> import torch
        >>> LabelSmoothingLoss("multiclass", t=0.1)(torch.zeros(1, 4, 1), torch.tensor([[3]]))
        tensor(1.3863)
    """

    admits_soft_labels = True
    sums = (ClassSum(LogTerm()),)

    def __init__(self, mode: str, *, t: float = 0.1, **common: Unpack[CommonArguments]) -> None:
        super().__init__(mode, **common)
        self.t = check_float("t", t, least=0, below=1)

    def pixel_loss(self, statistics: PixelStatistics) -> Tensor:
        """Return ``-(1 - t) log p_y - t/K sum_k log p_k``."""
        uniform = statistics[self.sums[0]] / statistics.num_classes
        return -((1 - self.t) * statistics.log_p + self.t * uniform)


@register("SoftBootstrap")
class SoftBootstrapLoss(StatisticsLoss):
    """Soft bootstrapping, ``-(1 - t) log p_y - t sum_k p_k log p_k``: the prediction is heard too.

    The cross-entropy of p = softmax(logits) and the target ``(1 - t) e_y + t p``; the gradient
    passes through both p, so the second part is t times the prediction's entropy. y is the pixel's
    label, k runs over the classes. Values >= 0, unbounded; cross-entropy at t = 0; admits soft
    labels.

    Use it with little noise, after a warm-up: the prediction must be better than the label.

    Args:
        t: the prediction's share of the target, 0 <= t < 1; the paper's beta is 1 - t.
        mode, **common: see ``SegmentationLoss``.

    Source: Reed et al., Training Deep Neural Networks on Noisy Labels with Bootstrapping, ICLR
    workshop 2015, equation 5.

    Example:
        >>> import torch
        >>> SoftBootstrapLoss("multiclass")(torch.zeros(1, 4, 1), torch.tensor([[3]]))
        tensor(1.3863)
    """

    admits_soft_labels = True
    sums = (ClassSum(EntropyTerm()),)

    def __init__(self, mode: str, *, t: float = 0.05, **common: Unpack[CommonArguments]) -> None:
        super().__init__(mode, **common)
        self.t = check_float("t", t, least=0, below=1)

    def pixel_loss(self, statistics: PixelStatistics) -> Tensor:
        """Return ``-(1 - t) log p_y - t sum_k p_k log p_k``."""
        return -((1 - self.t) * statistics.log_p + self.t * statistics[self.sums[0]])


@register("HardBootstrap")
class HardBootstrapLoss(StatisticsLoss):
    """Hard bootstrapping, ``-(1 - t) log p_y - t max_k log p_k``: the predicted class is heard too.

    The cross-entropy of p = softmax(logits) and the target ``(1 - t) e_y + t e_yhat``, yhat the
    class predicted now. y is the pixel's label. Values >= 0, unbounded; cross-entropy at t = 0;
    admits soft labels.

    Use it with little noise, after a warm-up: the prediction must be better than the label.

    Args:
        t: the predicted class's share of the target, 0 <= t < 1; the paper's beta is 1 - t.
        mode, **common: see ``SegmentationLoss``.

    Source: Reed et al., Training Deep Neural Networks on Noisy Labels with Bootstrapping, ICLR
    workshop 2015, equation 6.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[[2.0], [0.0]]])
        >>> HardBootstrapLoss("multiclass", t=0.2)(logits, torch.tensor([[1]]))
        tensor(1.7269)
    """

    admits_soft_labels = True
    sums = (ClassMax(),)

    def __init__(self, mode: str, *, t: float = 0.2, **common: Unpack[CommonArguments]) -> None:
        super().__init__(mode, **common)
        self.t = check_float("t", t, least=0, below=1)

    def pixel_loss(self, statistics: PixelStatistics) -> Tensor:
        """Return ``-(1 - t) log p_y - t max_k log p_k``."""
        return -((1 - self.t) * statistics.log_p + self.t * statistics[ClassMax()])


@register("FL")
class FocalLoss(TermLoss):
    """Focal loss (FL), ``-(1 - p_y)^gamma log p_y``: cross-entropy that spends less on easy pixels.

    y is the pixel's label, p = softmax(logits). Values >= 0, unbounded; cross-entropy at gamma = 0.

    Use it where classes are imbalanced and labels are right: like cross-entropy it fits wrong
    labels in the end.

    Args:
        gamma: >= 0; 2 as in detection, 0.5 in the papers on noisy labels.
        mode, **common: see ``SegmentationLoss``.

    Source: Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, equation 4.

    Example:
        >>> import torch
        >>> FocalLoss("multiclass", gamma=2)(torch.zeros(1, 4, 2), torch.tensor([[3, 0]]))
        tensor(0.7798)
    """

    def __init__(self, mode: str, *, gamma: float = 2.0, **common: Unpack[CommonArguments]) -> None:
        super().__init__(mode, **common)
        self.gamma = check_float("gamma", gamma, least=0)
        self.term = FocalTerm(self.gamma)
