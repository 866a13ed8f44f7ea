"""The table of all losses, under their class names and under the short names of the papers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

from segnoise.losses.asymmetric import (
    AsymmetricExponentialLoss,
    AsymmetricGeneralizedCrossEntropyLoss,
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
from segnoise.losses.composition import (
    ActiveNegativeLoss,
    ActivePassiveLoss,
    JointAsymmetricLoss,
    SymmetricCrossEntropyLoss,
)
from segnoise.losses.correction import (
    BackwardCorrectionLoss,
    ForwardCorrectionLoss,
    NegativeLearningLoss,
)
from segnoise.losses.cross_entropy import (
    CrossEntropyLoss,
    HardBootstrapLoss,
    LabelSmoothingLoss,
    SoftBootstrapLoss,
)
from segnoise.losses.dice import DiceLoss, NoiseRobustDiceLoss
from segnoise.losses.early_learning import EarlyLearningRegularizedLoss
from segnoise.losses.entropy import EntropyRegularizer
from segnoise.losses.eps_softmax import EpsSoftmaxLoss
from segnoise.losses.focal import FocalLoss
from segnoise.losses.jensen_shannon import GeneralizedJensenShannonLoss, JensenShannonLoss
from segnoise.losses.logit_clip import LogitClipLoss
from segnoise.losses.missing_labels import (
    AsymmetricFocalLoss,
    HillLoss,
    SelfPacedCorrectionLoss,
)
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
from segnoise.losses.passive import AsymmetricMeanSquaredErrorLoss, AsymmetricNormLoss
from segnoise.losses.signatures import parameters as parameters_of
from segnoise.losses.signatures import required, unknown_parameter
from segnoise.losses.sparse import SparseRegularizationLoss
from segnoise.losses.t_loss import TLoss
from segnoise.registry import Registry


def _apl(active: str, passive: str, **defaults: Any) -> Callable[..., nn.Module]:
    return partial(ActivePassiveLoss, active=active, passive=passive, **defaults)


def _clipped(mode: str, *, base: str = "CE", tau: float = 1.0, **own: Any) -> LogitClipLoss:
    """Build a loss by name and clip its logits."""
    inner = build_loss(base, mode=mode, **own)
    if not isinstance(inner, SegmentationLoss):
        raise TypeError(f"LogitClip wraps a loss of logits, got {base!r}")
    return LogitClipLoss(inner, tau=tau)


# The papers' parameters beside an active loss, CIFAR-10.
_AGCE = {"alpha": 1.0, "beta": 4.0, "a": 6.0, "q": 1.5}
_AUL = {"alpha": 1.0, "beta": 4.0, "a": 6.3, "q": 1.5}
_AEL = {"alpha": 1.0, "beta": 4.0, "a": 5.0}

_SHORT: dict[str, Callable[..., nn.Module]] = {
    "CE": CrossEntropyLoss,
    "FL": FocalLoss,
    "MAE": MeanAbsoluteErrorLoss,
    "RCE": ReverseCrossEntropyLoss,
    "GCE": GeneralizedCrossEntropyLoss,
    "SCE": SymmetricCrossEntropyLoss,
    "TaylorCE": TaylorCrossEntropyLoss,
    "PHuberCE": PartiallyHuberisedCrossEntropyLoss,
    "JS": JensenShannonLoss,
    "GJS": GeneralizedJensenShannonLoss,
    "AGCE": AsymmetricGeneralizedCrossEntropyLoss,
    "AUL": AsymmetricUnhingedLoss,
    "AEL": AsymmetricExponentialLoss,
    "ANorm": AsymmetricNormLoss,
    "AMSE": AsymmetricMeanSquaredErrorLoss,
    "NCE": NormalizedCrossEntropyLoss,
    "NFL": NormalizedFocalLoss,
    "NGCE": NormalizedGeneralizedCrossEntropyLoss,
    "NNCE": NormalizedNegativeCrossEntropyLoss,
    "NNFL": NormalizedNegativeFocalLoss,
    "NCE+MAE": _apl("NCE", "MAE"),
    "NCE+RCE": _apl("NCE", "RCE"),
    "NCE+AGCE": _apl("NCE", "AGCE", **_AGCE),
    "NCE+AUL": _apl("NCE", "AUL", **_AUL),
    "NCE+AEL": _apl("NCE", "AEL", **_AEL),
    "NFL+MAE": _apl("NFL", "MAE"),
    "NFL+RCE": _apl("NFL", "RCE"),
    "NFL+AGCE": _apl("NFL", "AGCE", **_AGCE),
    "NFL+AUL": _apl("NFL", "AUL", **_AUL),
    "NFL+AEL": _apl("NFL", "AEL", **_AEL),
    "ANL-CE": partial(ActiveNegativeLoss, base="CE"),
    "ANL-FL": partial(ActiveNegativeLoss, base="FL"),
    "JAL-CE": partial(JointAsymmetricLoss, base="CE"),
    "JAL-FL": partial(JointAsymmetricLoss, base="FL"),
    "SR": SparseRegularizationLoss,
    "LogitClip": _clipped,
    "EpsSoftmax": EpsSoftmaxLoss,
    "LabelSmoothing": LabelSmoothingLoss,
    "SoftBootstrap": SoftBootstrapLoss,
    "HardBootstrap": HardBootstrapLoss,
    "ForwardCorrection": ForwardCorrectionLoss,
    "BackwardCorrection": BackwardCorrectionLoss,
    "NLNL": NegativeLearningLoss,
    "ELR": EarlyLearningRegularizedLoss,
    "Dice": DiceLoss,
    "NRDice": NoiseRobustDiceLoss,
    "TLoss": TLoss,
    "Hill": HillLoss,
    "SPLC": SelfPacedCorrectionLoss,
    "ASL": AsymmetricFocalLoss,
    "ER": EntropyRegularizer,
}
_CLASSES: tuple[type[nn.Module], ...] = (
    *(builder for builder in _SHORT.values() if isinstance(builder, type)),
    ActivePassiveLoss,
    ActiveNegativeLoss,
    JointAsymmetricLoss,
    NormalizedLoss,
    NormalizedNegativeLoss,
)

LOSSES = Registry(
    "loss", {**{c.__name__: c for c in _CLASSES}, "LogitClipLoss": _clipped, **_SHORT}
)
"""What builds each loss, by class name and by short name; call it with the loss's arguments.

``@LOSSES.register`` above a class of your own adds it.
"""


def build_loss(name: str | Callable[..., nn.Module], /, **parameters: object) -> nn.Module:
    """Build a loss by its class name or short name.

    Args:
        name: a key of ``LOSSES``, such as "ANL-CE" or "ActiveNegativeLoss"; the dotted path of a
            class, or a class.
        **parameters: the loss's arguments, ``mode`` among them.

    Returns:
        The loss, a module called as ``loss(y_pred, y_true, pixel_weights=None)``.

    Raises:
        ValueError: if there is no loss of that name, or a parameter is out of its domain.
        TypeError: if the loss has no parameter of such a name, or ``mode`` is missing.

    Example:
        >>> build_loss("GCE", mode="multiclass", ignore_index=255, q=0.5)
        GeneralizedCrossEntropyLoss('multiclass', q=0.5, ignore_index=255)
        >>> build_loss("GCE", mode="multiclass", ignore_indx=255)
        Traceback (most recent call last):
        ...
        TypeError: GCE has no parameter 'ignore_indx': did you mean ignore_index? Known: mode, q, \
ignore_index, reduction, class_weights
    """
    builder: Callable[..., nn.Module] = LOSSES.find(name)
    name = name if isinstance(name, str) else getattr(builder, "__name__", repr(builder))
    known = parameters_of(builder)
    if "mode" not in parameters and (known is None or "mode" in known):
        raise TypeError(f"{name} needs a mode: binary, multiclass or multilabel")
    missing = [n for n in required(builder) if n not in parameters]
    if missing:
        raise TypeError(f"{name} needs {missing[0]}")
    # The compositions pass names on to their terms (**own) and complain themselves.
    if known is not None:
        for parameter in parameters:
            if parameter not in known:
                raise TypeError(unknown_parameter(name, parameter, known))
    return builder(**parameters)
