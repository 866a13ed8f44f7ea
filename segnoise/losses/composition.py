"""Losses made of two: SCE, active passive losses (APL), active negative losses (ANL) and JAL."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor
from typing_extensions import Unpack

from segnoise.checks import check_float
from segnoise.losses.asymmetric import (
    AsymmetricExponentialLoss,
    AsymmetricGeneralizedCrossEntropyLoss,
    AsymmetricMeanSquaredErrorLoss,
    AsymmetricNormLoss,
    AsymmetricUnhingedLoss,
)
from segnoise.losses.base import CommonArguments, StatisticsLoss
from segnoise.losses.bounded import MeanAbsoluteErrorLoss, ReverseCrossEntropyLoss
from segnoise.losses.core import PixelStatistics
from segnoise.losses.cross_entropy import CrossEntropyLoss
from segnoise.losses.names import (
    COMMON,
    LOSSES,
    chosen,
    own_parameters,
    register,
    split_common,
    unknown_parameter,
)
from segnoise.losses.normalized import (
    NormalizedCrossEntropyLoss,
    NormalizedFocalLoss,
    NormalizedGeneralizedCrossEntropyLoss,
)
from segnoise.losses.normalized_negative import (
    NormalizedNegativeCrossEntropyLoss,
    NormalizedNegativeFocalLoss,
)

ACTIVE: dict[str, type[StatisticsLoss]] = {
    "NCE": NormalizedCrossEntropyLoss,
    "NFL": NormalizedFocalLoss,
    "NGCE": NormalizedGeneralizedCrossEntropyLoss,
}
PASSIVE: dict[str, type[StatisticsLoss]] = {
    "MAE": MeanAbsoluteErrorLoss,
    "RCE": ReverseCrossEntropyLoss,
    "AGCE": AsymmetricGeneralizedCrossEntropyLoss,
    "AUL": AsymmetricUnhingedLoss,
    "AEL": AsymmetricExponentialLoss,
    "ANorm": AsymmetricNormLoss,
    "AMSE": AsymmetricMeanSquaredErrorLoss,
}
NEGATIVE: dict[str, type[StatisticsLoss]] = {
    "CE": NormalizedNegativeCrossEntropyLoss,
    "FL": NormalizedNegativeFocalLoss,
}


class TwoTermLoss(StatisticsLoss):
    """``alpha first + beta second``, both terms on one computation of the statistics.

    The base of the compositions: a subclass chooses the two terms' classes.

    Args:
        mode: "binary", "multiclass" or "multilabel".
        first: class of the first term.
        second: class of the second term.
        alpha: weight of the first term, >= 0.
        beta: weight of the second term, >= 0.
        **own: the terms' own parameters, one that both have goes to both; and ``ignore_index``,
            ``reduction``, ``class_weights``, see ``SegmentationLoss``.

    Raises:
        TypeError: if neither term has a parameter of such a name.
        ValueError: if alpha or beta is negative.
    """

    def __init__(
        self,
        mode: str,
        first: type[StatisticsLoss],
        second: type[StatisticsLoss],
        *,
        alpha: float,
        beta: float,
        **own: Any,
    ) -> None:
        own, common = split_common(own)
        super().__init__(mode, **common)
        self.alpha = check_float("alpha", alpha, least=0)
        self.beta = check_float("beta", beta, least=0)
        names = [own_parameters(term) for term in (first, second)]
        for name in own:
            if name not in names[0] + names[1]:
                known = dict.fromkeys(("alpha", "beta", *names[0], *names[1], "mode", *COMMON))
                terms = f"{type(self).__name__} of {first.__name__} and {second.__name__}"
                raise TypeError(unknown_parameter(terms, name, known))
        self.first = first(mode, **{k: v for k, v in own.items() if k in names[0]})
        self.second = second(mode, **{k: v for k, v in own.items() if k in names[1]})
        self.sums = tuple(dict.fromkeys(self.first.sums + self.second.sums))

    def pixel_loss(self, statistics: PixelStatistics) -> Tensor:
        """Return ``alpha first + beta second``."""
        first = self.first.pixel_loss(statistics)
        return self.alpha * first + self.beta * self.second.pixel_loss(statistics)


@register("SCE")
class SymmetricCrossEntropyLoss(TwoTermLoss):
    """Symmetric cross-entropy (SCE), ``-alpha log p_y + beta A (1 - p_y)``: alpha CE + beta RCE.

    ``A = -log min_prob``, y is the pixel's label, p = softmax(logits). Values >= 0, unbounded: not
    robust in theory, since cross-entropy is not, but RCE's pull outweighs it.

    Use it to try how much of MAE's pull a cross-entropy needs: alpha and beta want tuning.

    Args:
        alpha: weight of cross-entropy, >= 0. The paper: CIFAR-10 (0.1, 1), CIFAR-100 (6, 0.1) for
            (alpha, beta).
        beta: weight of reverse cross-entropy, >= 0.
        min_prob: of RCE, 1e-30 <= min_prob < 1.
        mode, **common: see ``SegmentationLoss``.

    Source: Wang et al., Symmetric Cross Entropy for Robust Learning with Noisy Labels, ICCV 2019,
    equation 7.

    Example:
        >>> import torch
        >>> loss = SymmetricCrossEntropyLoss("multiclass")
        >>> loss(torch.zeros(1, 4, 1), torch.tensor([[3]]))
        tensor(7.0464)
    """

    def __init__(
        self,
        mode: str,
        *,
        alpha: float = 0.1,
        beta: float = 1.0,
        min_prob: float = 1e-4,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(
            mode,
            CrossEntropyLoss,
            ReverseCrossEntropyLoss,
            alpha=alpha,
            beta=beta,
            min_prob=min_prob,
            **common,
        )


@register()
class ActivePassiveLoss(TwoTermLoss):
    """Active passive loss (APL), ``alpha active + beta passive``: robust, and fits better than one.

    The active term (NCE, NFL, NGCE) is the label's share of all labels' losses; the passive one
    also presses on the other classes' probabilities. With MAE or RCE both are symmetric, hence so
    is the sum; with AGCE, AUL, AEL, ANorm or AMSE the sum is asymmetric.

    Use it with class weights on imbalanced masks: without them rare classes are not learned.

    Args:
        mode: "binary", "multiclass" or "multilabel".
        active: "NCE", "NFL" or "NGCE".
        passive: "MAE", "RCE", "AGCE", "AUL", "AEL", "ANorm" or "AMSE".
        alpha: weight of the active term, >= 0. The papers for (alpha, beta): with MAE or RCE
            CIFAR-10 (1, 1), CIFAR-100 (10, 0.1), MNIST (1, 10), WebVision (50, 0.1); with AGCE, AUL
            or AEL CIFAR-10 (1, 4), to which the short names "NCE+AGCE" and so on are set.
        beta: weight of the passive term, >= 0.
        **own: the terms' own parameters: ``gamma`` of NFL, ``q`` of NGCE; ``scale`` of MAE,
            ``min_prob`` of RCE, ``a`` and ``q`` of AGCE and AUL, ``a`` of AEL and AMSE, ``a`` and
            ``p`` of ANorm; and ``ignore_index``, ``reduction``, ``class_weights``, see
            ``SegmentationLoss``.

    Raises:
        TypeError: if neither term has a parameter of such a name.

    Source: Ma et al., Normalized Loss Functions for Deep Learning with Noisy Labels, ICML 2020;
    Zhou et al., Asymmetric Loss Functions for Learning with Noisy Labels, ICML 2021.

    Example:
        >>> import torch
        >>> loss = ActivePassiveLoss("multiclass", active="NFL", passive="MAE", gamma=1, scale=2)
        >>> loss(torch.zeros(1, 4, 1), torch.tensor([[3]]))
        tensor(1.7500)
    """

    def __init__(
        self,
        mode: str,
        *,
        active: str = "NCE",
        passive: str = "MAE",
        alpha: float = 1.0,
        beta: float = 1.0,
        **own: Any,
    ) -> None:
        first = chosen("active term", active, ACTIVE)
        second = chosen("passive term", passive, PASSIVE)
        super().__init__(mode, first, second, alpha=alpha, beta=beta, **own)


@register()
class ActiveNegativeLoss(TwoTermLoss):
    """Active negative loss (ANL), ``alpha N(base) + beta NN(base)``: ANL-CE and ANL-FL.

    A normalised active loss plus the normalised negative loss of the same base: ANL-CE = NCE +
    NNCE, ANL-FL = NFL + NNFL. The paper adds an L1 norm of the parameters (``L1Penalty``) and its
    sequel an entropy regulariser (``EntropyRegularizer``); both are terms of their own.

    Use it with class weights on imbalanced masks: without them ANL never learns the rare classes.

    Args:
        mode: "binary", "multiclass" or "multilabel".
        base: "CE" or "FL".
        alpha: weight of the active term, >= 0. The authors: CIFAR-10 (5, 5), CIFAR-100 (10, 1),
            MNIST (1, 1), WebVision (20, 1) for (alpha, beta).
        beta: weight of the negative term, >= 0.
        **own: the terms' own parameters, ``min_prob`` (1e-7), ``gamma`` (0.5) of the focal pair;
            and ``ignore_index``, ``reduction``, ``class_weights``, see ``SegmentationLoss``.

    Raises:
        TypeError: if neither term has a parameter of such a name.

    Source: Ye et al., Active Negative Loss Functions for Learning with Noisy Labels, NeurIPS 2023.

    Example:
        >>> import torch
        >>> loss = ActiveNegativeLoss("multiclass", ignore_index=255, alpha=5, beta=5)
        >>> loss(torch.zeros(1, 4, 2), torch.tensor([[3, 255]]))
        tensor(5.)
    """

    def __init__(
        self,
        mode: str,
        *,
        base: str = "CE",
        alpha: float = 5.0,
        beta: float = 5.0,
        **own: Any,
    ) -> None:
        negative = chosen("base", base, NEGATIVE)
        super().__init__(mode, ACTIVE["N" + base], negative, alpha=alpha, beta=beta, **own)


@register()
class JointAsymmetricLoss(TwoTermLoss):
    """Joint asymmetric loss (JAL), ``alpha N(base) + beta AMSE``: JAL-CE and JAL-FL.

    A normalised active loss plus the asymmetric mean squared error.

    Use it with class weights on imbalanced masks: without them rare classes are not learned.

    Args:
        mode: "binary", "multiclass" or "multilabel".
        base: "CE" or "FL".
        alpha: weight of the active term, >= 0. The paper: CIFAR-10 (1, 1), a = 30, CIFAR-100
            (5, 1), a = 20 for (alpha, beta).
        beta: weight of AMSE, >= 0.
        **own: the terms' own parameters, ``a`` (30), ``gamma`` (0.5) of the focal loss; and
            ``ignore_index``, ``reduction``, ``class_weights``, see ``SegmentationLoss``.

    Raises:
        TypeError: if neither term has a parameter of such a name.

    Source: Wang et al., Joint Asymmetric Loss for Learning with Noisy Labels, ICCV 2025.

    Example:
        >>> import torch
        >>> loss = JointAsymmetricLoss("multiclass", a=1.0)
        >>> loss(torch.zeros(1, 4, 1), torch.tensor([[3]]))
        tensor(0.4375)
    """

    def __init__(
        self,
        mode: str,
        *,
        base: str = "CE",
        alpha: float = 1.0,
        beta: float = 1.0,
        **own: Any,
    ) -> None:
        chosen("base", base, NEGATIVE)
        super().__init__(mode, ACTIVE["N" + base], PASSIVE["AMSE"], alpha=alpha, beta=beta, **own)


# The papers' parameters beside an active loss, CIFAR-10.
_BESIDE: dict[str, dict[str, Any]] = {
    "MAE": {},
    "RCE": {},
    "AGCE": {"alpha": 1.0, "beta": 4.0, "a": 6.0, "q": 1.5},
    "AUL": {"alpha": 1.0, "beta": 4.0, "a": 6.3, "q": 1.5},
    "AEL": {"alpha": 1.0, "beta": 4.0, "a": 5.0},
}
for _active in ("NCE", "NFL"):
    for _passive, _own in _BESIDE.items():
        LOSSES[f"{_active}+{_passive}"] = partial(
            ActivePassiveLoss, active=_active, passive=_passive, **_own
        )
for _base in ("CE", "FL"):
    LOSSES[f"ANL-{_base}"] = partial(ActiveNegativeLoss, base=_base)
    LOSSES[f"JAL-{_base}"] = partial(JointAsymmetricLoss, base=_base)
