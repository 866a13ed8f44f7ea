"""Losses made of two: active passive losses (APL) and active negative losses (ANL)."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from segnoise.losses.base import SegmentationLoss
from segnoise.losses.bounded import MeanAbsoluteErrorLoss, ReverseCrossEntropyLoss
from segnoise.losses.domain import check_number
from segnoise.losses.naming import did_you_mean
from segnoise.losses.normalized import NormalizedCrossEntropyLoss, NormalizedFocalLoss
from segnoise.losses.normalized_negative import (
    NormalizedNegativeCrossEntropyLoss,
    NormalizedNegativeFocalLoss,
)
from segnoise.losses.statistics import PixelStatistics

# The parameters of the whole, which are never a term's own.
COMMON_PARAMETERS = ("mode", "ignore_index", "reduction", "class_weights")

ACTIVE: dict[str, type[SegmentationLoss]] = {
    "NCE": NormalizedCrossEntropyLoss,
    "NFL": NormalizedFocalLoss,
}
PASSIVE: dict[str, type[SegmentationLoss]] = {
    "MAE": MeanAbsoluteErrorLoss,
    "RCE": ReverseCrossEntropyLoss,
}
NEGATIVE: dict[str, tuple[type[SegmentationLoss], type[SegmentationLoss]]] = {
    "CE": (NormalizedCrossEntropyLoss, NormalizedNegativeCrossEntropyLoss),
    "FL": (NormalizedFocalLoss, NormalizedNegativeFocalLoss),
}


class TwoTermLoss(SegmentationLoss):
    """``alpha active + beta passive``, both terms on one computation of the statistics.

    The base of the compositions: a subclass chooses the two terms' classes.

    Args:
        mode: as the other arguments of every loss, see ``SegmentationLoss``.
        active: class of the first term.
        passive: class of the second term.
        alpha: weight of the first term, >= 0.
        beta: weight of the second term, >= 0.
        own: the terms' own parameters by name; one that both have goes to both.
        ignore_index: see ``SegmentationLoss``.
        reduction: see ``SegmentationLoss``.
        class_weights: see ``SegmentationLoss``.

    Raises:
        TypeError: if neither term has a parameter of such a name.
        ValueError: if alpha or beta is negative.
    """

    own_parameters = ("alpha", "beta")

    def __init__(
        self,
        mode: str,
        active: type[SegmentationLoss],
        passive: type[SegmentationLoss],
        *,
        alpha: float,
        beta: float,
        own: dict[str, Any],
        ignore_index: int | None = None,
        reduction: str = "mean",
        class_weights: Sequence[float] | Tensor | None = None,
    ) -> None:
        super().__init__(
            mode, ignore_index=ignore_index, reduction=reduction, class_weights=class_weights
        )
        self.alpha = check_number("alpha", alpha, least=0)
        self.beta = check_number("beta", beta, least=0)
        names = [own_parameters(term) for term in (active, passive)]
        for name in own:
            if name not in names[0] + names[1]:
                known = dict.fromkeys(("alpha", "beta", *names[0], *names[1], *COMMON_PARAMETERS))
                raise TypeError(
                    f"{type(self).__name__} of {active.__name__} and {passive.__name__} has no "
                    f"parameter {name!r}: {did_you_mean(name, known)}"
                )
        self.active = active(mode, **{k: v for k, v in own.items() if k in names[0]})
        self.passive = passive(mode, **{k: v for k, v in own.items() if k in names[1]})
        self.sums = tuple(dict.fromkeys(self.active.sums + self.passive.sums))

    def pixel_loss(self, statistics: PixelStatistics) -> Tensor:
        """Return ``alpha active + beta passive``."""
        active = self.active.pixel_loss(statistics)
        return self.alpha * active + self.beta * self.passive.pixel_loss(statistics)


class ActivePassiveLoss(TwoTermLoss):
    """Active passive loss (APL), ``alpha active + beta passive``: robust, and fits better than one.

    The active term (NCE or NFL) looks at the label's probability alone, the passive one (MAE or
    RCE) also presses on the others'. Both are symmetric, hence so is the sum.

    Args:
        mode: as the other common arguments, see ``SegmentationLoss``, also for shapes and errors.
        active: "NCE" or "NFL".
        passive: "MAE" or "RCE".
        alpha: weight of the active term, >= 0. The paper: CIFAR-10 (1, 1), CIFAR-100 (10, 0.1),
            MNIST (1, 10), WebVision (50, 0.1) for (alpha, beta).
        beta: weight of the passive term, >= 0.
        ignore_index: see ``SegmentationLoss``.
        reduction: see ``SegmentationLoss``.
        class_weights: see ``SegmentationLoss``.
        **own: the terms' own parameters: ``gamma`` of NFL, ``scale`` of MAE, ``min_prob`` of RCE.

    Raises:
        TypeError: if neither term has a parameter of such a name.

    Source: Ma et al., Normalized Loss Functions for Deep Learning with Noisy Labels, ICML 2020.

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
        ignore_index: int | None = None,
        reduction: str = "mean",
        class_weights: Sequence[float] | Tensor | None = None,
        **own: Any,
    ) -> None:
        for name, value, table in (("active", active, ACTIVE), ("passive", passive, PASSIVE)):
            if value not in table:
                raise ValueError(f"unknown {name} term {value!r}: {did_you_mean(value, table)}")
        super().__init__(
            mode,
            ACTIVE[active],
            PASSIVE[passive],
            alpha=alpha,
            beta=beta,
            own=own,
            ignore_index=ignore_index,
            reduction=reduction,
            class_weights=class_weights,
        )


class ActiveNegativeLoss(TwoTermLoss):
    """Active negative loss (ANL), ``alpha N(base) + beta NN(base)``: ANL-CE and ANL-FL.

    A normalised active loss plus the normalised negative loss of the same base: ANL-CE = NCE +
    NNCE, ANL-FL = NFL + NNFL. The paper adds an L1 norm of the parameters (``L1Penalty``) and its
    sequel an entropy regulariser (``EntropyRegularizer``); both are terms of their own. On masks
    where classes are rare, give class weights: without them ANL never learns the rare ones.

    Args:
        mode: as the other common arguments, see ``SegmentationLoss``, also for shapes and errors.
        base: "CE" or "FL".
        alpha: weight of the active term, >= 0. The authors: CIFAR-10 (5, 5), CIFAR-100 (10, 1),
            MNIST (1, 1), WebVision (20, 1) for (alpha, beta).
        beta: weight of the negative term, >= 0.
        ignore_index: see ``SegmentationLoss``.
        reduction: see ``SegmentationLoss``.
        class_weights: see ``SegmentationLoss``.
        **own: the terms' own parameters: ``min_prob`` (1e-7), ``gamma`` (0.5) of the focal pair.

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
        ignore_index: int | None = None,
        reduction: str = "mean",
        class_weights: Sequence[float] | Tensor | None = None,
        **own: Any,
    ) -> None:
        if base not in NEGATIVE:
            raise ValueError(f"unknown base {base!r}: {did_you_mean(base, NEGATIVE)}")
        super().__init__(
            mode,
            *NEGATIVE[base],
            alpha=alpha,
            beta=beta,
            own=own,
            ignore_index=ignore_index,
            reduction=reduction,
            class_weights=class_weights,
        )


def own_parameters(loss: type[SegmentationLoss]) -> list[str]:
    """Return the names of a loss's own parameters, those that not every loss has.

    Example:
        >>> own_parameters(NormalizedNegativeFocalLoss)
        ['gamma', 'min_prob']
    """
    names = inspect.signature(loss).parameters
    return [name for name in names if name not in COMMON_PARAMETERS]
