"""Robust losses for segmentation with noisy labels; needs torch and nothing else.

Every loss is called as ``loss(y_pred, y_true, pixel_weights=None)`` on logits; the arguments that
all of them share are described in ``SegmentationLoss``.

Example:
    >>> import torch
    >>> from segnoise.losses import ActiveNegativeLoss
    >>> loss = ActiveNegativeLoss("multiclass", ignore_index=255)
    >>> logits = torch.zeros(2, 21, 8, 8, requires_grad=True)
    >>> loss(logits, torch.randint(21, (2, 8, 8))).backward()
"""

from segnoise.losses.asymmetric import (
    AsymmetricExponentialLoss,
    AsymmetricGeneralizedCrossEntropyLoss,
    AsymmetricMeanSquaredErrorLoss,
    AsymmetricNormLoss,
    AsymmetricUnhingedLoss,
)
from segnoise.losses.base import SegmentationLoss
from segnoise.losses.bounded import (
    GeneralizedCrossEntropyLoss,
    MeanAbsoluteErrorLoss,
    PartiallyHuberisedCrossEntropyLoss,
    ReverseCrossEntropyLoss,
    TaylorCrossEntropyLoss,
)
from segnoise.losses.changed_predictions import (
    EpsSoftmaxLoss,
    LogitClipLoss,
    SparseRegularizationLoss,
)
from segnoise.losses.composition import (
    ActiveNegativeLoss,
    ActivePassiveLoss,
    JointAsymmetricLoss,
    SymmetricCrossEntropyLoss,
)
from segnoise.losses.core import check_labels
from segnoise.losses.correction import (
    BackwardCorrectionLoss,
    ForwardCorrectionLoss,
    NegativeLearningLoss,
)
from segnoise.losses.cross_entropy import (
    CrossEntropyLoss,
    FocalLoss,
    HardBootstrapLoss,
    LabelSmoothingLoss,
    SoftBootstrapLoss,
)
from segnoise.losses.dice import DiceLoss, NoiseRobustDiceLoss
from segnoise.losses.early_learning import EarlyLearningRegularizedLoss
from segnoise.losses.epoch import EpochAware, set_epochs
from segnoise.losses.jensen_shannon import GeneralizedJensenShannonLoss, JensenShannonLoss
from segnoise.losses.missing_labels import (
    AsymmetricFocalLoss,
    HillLoss,
    SelfPacedCorrectionLoss,
)
from segnoise.losses.names import LOSSES, build_loss
from segnoise.losses.normalized import (
    NormalizedCrossEntropyLoss,
    NormalizedFocalLoss,
    NormalizedGeneralizedCrossEntropyLoss,
    NormalizedLoss,
)
from segnoise.losses.normalized_negative import (
    NormalizedNegativeCrossEntropyLoss,
    NormalizedNegativeFocalLoss,
    NormalizedNegativeLoss,
)
from segnoise.losses.regularizers import EntropyRegularizer, L1Penalty
from segnoise.losses.t_loss import TLoss
from segnoise.losses.upsampled import UpsampledLoss
from segnoise.losses.weighting import class_weights

__all__ = [
    "LOSSES",
    "ActiveNegativeLoss",
    "ActivePassiveLoss",
    "AsymmetricExponentialLoss",
    "AsymmetricFocalLoss",
    "AsymmetricGeneralizedCrossEntropyLoss",
    "AsymmetricMeanSquaredErrorLoss",
    "AsymmetricNormLoss",
    "AsymmetricUnhingedLoss",
    "BackwardCorrectionLoss",
    "CrossEntropyLoss",
    "DiceLoss",
    "EarlyLearningRegularizedLoss",
    "EntropyRegularizer",
    "EpochAware",
    "EpsSoftmaxLoss",
    "FocalLoss",
    "ForwardCorrectionLoss",
    "GeneralizedCrossEntropyLoss",
    "GeneralizedJensenShannonLoss",
    "HardBootstrapLoss",
    "HillLoss",
    "JensenShannonLoss",
    "JointAsymmetricLoss",
    "L1Penalty",
    "LabelSmoothingLoss",
    "LogitClipLoss",
    "MeanAbsoluteErrorLoss",
    "NegativeLearningLoss",
    "NoiseRobustDiceLoss",
    "NormalizedCrossEntropyLoss",
    "NormalizedFocalLoss",
    "NormalizedGeneralizedCrossEntropyLoss",
    "NormalizedLoss",
    "NormalizedNegativeCrossEntropyLoss",
    "NormalizedNegativeFocalLoss",
    "NormalizedNegativeLoss",
    "PartiallyHuberisedCrossEntropyLoss",
    "ReverseCrossEntropyLoss",
    "SegmentationLoss",
    "SelfPacedCorrectionLoss",
    "SoftBootstrapLoss",
    "SparseRegularizationLoss",
    "SymmetricCrossEntropyLoss",
    "TLoss",
    "TaylorCrossEntropyLoss",
    "UpsampledLoss",
    "build_loss",
    "check_labels",
    "class_weights",
    "set_epochs",
]
