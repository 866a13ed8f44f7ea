"""Normalised losses: the share that the label has of the losses of all labels."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from typing_extensions import Unpack

from segnoise.checks import check_float
from segnoise.losses.asymmetric import (
    AsymmetricExponentialLoss,
    AsymmetricGeneralizedCrossEntropyLoss,
    AsymmetricUnhingedLoss,
)
from segnoise.losses.base import CommonArguments, StatisticsLoss, TermLoss
from segnoise.losses.bounded import (
    GeneralizedCrossEntropyLoss,
    MeanAbsoluteErrorLoss,
    PartiallyHuberisedCrossEntropyLoss,
    TaylorCrossEntropyLoss,
)
from segnoise.losses.core import ClassSum, FocalTerm, LogTerm, PixelStatistics, PowerTerm, Term
from segnoise.losses.cross_entropy import CrossEntropyLoss, FocalLoss
from segnoise.losses.jensen_shannon import JensenShannonLoss
from segnoise.losses.names import chosen, own_parameters, register, split_common, unknown_parameter


def share(statistics: PixelStatistics, of: ClassSum) -> Tensor:
    """Return the label's share ``f(log p_y) / sum_k f(log p_k)`` of a sum over the classes."""
    return of.terms(statistics.log_p) / statistics[of]


class ShareLoss(StatisticsLoss):
    """The label's share of a term's sum over the classes; the base of the normalised losses.

    Args, Shape, Raises: see ``SegmentationLoss``.
    """

    term: Term

    @property
    def normalizer(self) -> ClassSum:
        """The sum that the loss is divided by."""
        return ClassSum(self.term)

    @property
    def sums(self) -> tuple[ClassSum, ...]:  # type: ignore[override]
        """What the loss needs of the core."""
        return (self.normalizer,)

    def pixel_loss(self, statistics: PixelStatistics) -> Tensor:
        """Return ``f(log p_y) / sum_k f(log p_k)``."""
        return share(statistics, self.normalizer)


@register()
class NormalizedLoss(ShareLoss):
    """Normalised loss, ``L_y / sum_k L_k`` of any active loss L: its share of all labels' losses.

    L_k is the base loss of the pixel if its label were k, which runs over the K classes. Values in
    0..1; summed over all labels it is 1: symmetric, hence robust, but on its own it underfits.

    Use it to make a robust loss of one that fits well, beside a passive loss.

    Args:
        mode: "binary", "multiclass" or "multilabel".
        base: a loss of the label's probability alone: "CE", "FL", "MAE", "GCE", "TaylorCE",
            "PHuberCE", "JS", "AGCE", "AUL" or "AEL".
        **own: the base loss's parameters and ``ignore_index``, ``reduction``, ``class_weights``,
            see ``SegmentationLoss``.

    Raises:
        ValueError: if there is no such base.
        TypeError: if the base has no parameter of such a name.

    Source: Ma et al., Normalized Loss Functions for Deep Learning with Noisy Labels, ICML 2020,
    equation 5.

    Example:
        >>> import torch
        >>> loss = NormalizedLoss("multiclass", base="TaylorCE", t=3)
        >>> loss(torch.zeros(1, 4, 1), torch.tensor([[3]]))
        tensor(0.2500)
    """

    def __init__(self, mode: str, *, base: str = "CE", **own: Any) -> None:
        own, common = split_common(own)
        super().__init__(mode, **common)
        self.base = build_term_loss(base, mode, own)
        self.term = self.base.term


@register("NCE")
class NormalizedCrossEntropyLoss(ShareLoss):
    """Normalised cross-entropy (NCE), ``log p_y / sum_k log p_k``.

    y is the pixel's label, p = softmax(logits), k runs over the K classes. Values in 0..1; summed
    over all labels it is 1: symmetric, hence robust, but on its own it underfits. Admits soft
    labels t: ``sum_k t_k log p_k / sum_k log p_k``.

    Use it as the active part of another loss ("NCE+RCE", "NCE+AGCE", "ANL-CE").

    Args, Shape, Raises: see ``SegmentationLoss``.

    Source: Ma et al., Normalized Loss Functions for Deep Learning with Noisy Labels, ICML 2020,
    equation 6.

    Example:
        >>> import torch
        >>> NormalizedCrossEntropyLoss("multiclass")(torch.zeros(1, 4, 1), torch.tensor([[3]]))
        tensor(0.2500)
    """

    admits_soft_labels = True
    term = LogTerm()


@register("NFL")
class NormalizedFocalLoss(ShareLoss):
    """Normalised focal loss (NFL), ``f_y / sum_k f_k`` with ``f_k = (1 - p_k)^gamma log p_k``.

    y is the pixel's label, p = softmax(logits), k runs over the K classes. Values in 0..1; summed
    over all labels it is 1. NCE at gamma = 0.

    Use it as the active part of another loss ("NFL+RCE", "ANL-FL").

    Args:
        gamma: >= 0.
        mode, **common: see ``SegmentationLoss``.

    Source: Ma et al., Normalized Loss Functions for Deep Learning with Noisy Labels, ICML 2020.

    Example:
        >>> import torch
        >>> NormalizedFocalLoss("multiclass")(torch.zeros(1, 4, 1), torch.tensor([[3]]))
        tensor(0.2500)
    """

    def __init__(self, mode: str, *, gamma: float = 0.5, **common: Unpack[CommonArguments]) -> None:
        super().__init__(mode, **common)
        self.gamma = check_float("gamma", gamma, least=0)
        self.term = FocalTerm(self.gamma)


@register("NGCE")
class NormalizedGeneralizedCrossEntropyLoss(ShareLoss):
    """Normalised generalised cross-entropy (NGCE), ``(1 - p_y^q) / (K - sum_k p_k^q)``.

    y is the pixel's label, p = softmax(logits), k runs over the K classes. Values in 0..1; summed
    over all labels it is 1. Its bound at q = 1 is ``(1 - p_y) / (K - 1)``.

    Use it as the active part of another loss.

    Args:
        q: 0 < q <= 1.
        mode, **common: see ``SegmentationLoss``.

    Source: Ma et al., Normalized Loss Functions for Deep Learning with Noisy Labels, ICML 2020.

    Example:
        >>> import torch
        >>> loss = NormalizedGeneralizedCrossEntropyLoss("multiclass")
        >>> loss(torch.zeros(1, 4, 1), torch.tensor([[3]]))
        tensor(0.2500)
    """

    def __init__(self, mode: str, *, q: float = 0.7, **common: Unpack[CommonArguments]) -> None:
        super().__init__(mode, **common)
        self.q = check_float("q", q, above=0, most=1)
        self.term = PowerTerm(self.q)


TERM_LOSSES: dict[str, type[TermLoss]] = {
    "CE": CrossEntropyLoss,
    "FL": FocalLoss,
    "MAE": MeanAbsoluteErrorLoss,
    "GCE": GeneralizedCrossEntropyLoss,
    "TaylorCE": TaylorCrossEntropyLoss,
    "PHuberCE": PartiallyHuberisedCrossEntropyLoss,
    "JS": JensenShannonLoss,
    "AGCE": AsymmetricGeneralizedCrossEntropyLoss,
    "AUL": AsymmetricUnhingedLoss,
    "AEL": AsymmetricExponentialLoss,
}


def build_term_loss(base: str, mode: str, own: dict[str, Any]) -> TermLoss:
    """Build the base of a normalised loss."""
    loss = chosen("base", base, TERM_LOSSES)
    known = own_parameters(loss)
    for name in own:
        if name not in known:
            raise TypeError(unknown_parameter(base, name, known))
    return loss(mode, **own)
