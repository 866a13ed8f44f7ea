"""Pixel-wise robust losses for segmentation with noisy labels; needs torch and nothing else.

Every loss is called as ``loss(y_pred, y_true, pixel_weights=None)`` on logits; the arguments that
all of them share are described in ``SegmentationLoss``.

Example:
    >>> import torch
    >>> from segnoise.losses import ActiveNegativeLoss
    >>> loss = ActiveNegativeLoss("multiclass", ignore_index=255)
    >>> logits = torch.zeros(2, 21, 8, 8, requires_grad=True)
    >>> loss(logits, torch.randint(21, (2, 8, 8))).backward()
"""

from segnoise.losses.base import SegmentationLoss
from segnoise.losses.bounded import (
    GeneralizedCrossEntropyLoss,
    MeanAbsoluteErrorLoss,
    ReverseCrossEntropyLoss,
)
from segnoise.losses.composition import ActiveNegativeLoss, ActivePassiveLoss
from segnoise.losses.cross_entropy import CrossEntropyLoss
from segnoise.losses.entropy import EntropyRegularizer
from segnoise.losses.focal import FocalLoss
from segnoise.losses.l1 import L1Penalty
from segnoise.losses.normalized import NormalizedCrossEntropyLoss, NormalizedFocalLoss
from segnoise.losses.normalized_negative import (
    NormalizedNegativeCrossEntropyLoss,
    NormalizedNegativeFocalLoss,
)
from segnoise.losses.table import LOSSES, build_loss
from segnoise.losses.target import check_labels
from segnoise.losses.weighting import class_weights

__all__ = [
    "LOSSES",
    "ActiveNegativeLoss",
    "ActivePassiveLoss",
    "CrossEntropyLoss",
    "EntropyRegularizer",
    "FocalLoss",
    "GeneralizedCrossEntropyLoss",
    "L1Penalty",
    "MeanAbsoluteErrorLoss",
    "NormalizedCrossEntropyLoss",
    "NormalizedFocalLoss",
    "NormalizedNegativeCrossEntropyLoss",
    "NormalizedNegativeFocalLoss",
    "ReverseCrossEntropyLoss",
    "SegmentationLoss",
    "build_loss",
    "check_labels",
    "class_weights",
]
