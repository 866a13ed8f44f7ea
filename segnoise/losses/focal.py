"""Focal loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segnoise.checks import check_float
from segnoise.losses.active import ActiveLoss
from segnoise.losses.terms import FocalTerm

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from segnoise.losses.base import CommonArguments


class FocalLoss(ActiveLoss):
    """Focal loss (FL), ``-(1 - p_y)^gamma log p_y``: cross-entropy that spends less on easy pixels.

    y is the pixel's label, p = softmax(logits). Values >= 0, unbounded; cross-entropy at gamma = 0.

    Use it where classes are imbalanced and labels are right: like cross-entropy it fits wrong
    labels in the end.

    Args:
        mode: "binary", "multiclass" or "multilabel".
        gamma: >= 0; 2 as in detection, 0.5 in the papers on noisy labels.
        **common: ``ignore_index``, ``reduction``, ``class_weights``, see ``SegmentationLoss``.

    Source: Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, equation 4.

    Example:
        >>> import torch
        >>> FocalLoss("multiclass", gamma=2)(torch.zeros(1, 4, 2), torch.tensor([[3, 0]]))
        tensor(0.7798)
    """

    own_parameters = ("gamma",)

    def __init__(self, mode: str, *, gamma: float = 2.0, **common: Unpack[CommonArguments]) -> None:
        super().__init__(mode, **common)
        self.gamma = check_float("gamma", gamma, least=0)
        self.term = FocalTerm(self.gamma)
