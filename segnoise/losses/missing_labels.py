"""Losses for missing labels: what has not been marked may be there all the same. Hill, SPLC, ASL.

They treat positives and negatives differently and so are of binary and multilabel mode alone.
"""

from __future__ import annotations

from abc import abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor
from typing_extensions import Unpack

from segnoise.checks import check_float, check_integer
from segnoise.losses.base import CommonArguments, PixelwiseLoss
from segnoise.losses.core import FLOOR, compute_dtype, in_blocks
from segnoise.losses.epoch import EpochAware
from segnoise.losses.names import register


class ScoreLoss(PixelwiseLoss):
    """A loss of a single score and whether it is of a positive.

    Args, Shape, Raises: see ``SegmentationLoss``; mode "binary" or "multilabel".
    """

    def __init__(self, mode: str, **common: Unpack[CommonArguments]) -> None:
        super().__init__(mode, **common)
        if mode == "multiclass":
            raise ValueError(
                f"{type(self).__name__} is for labels that may be missing: mode must be 'binary' "
                "or 'multilabel', got 'multiclass'"
            )

    @abstractmethod
    def score_loss(self, z: Tensor, positive: Tensor) -> Tensor:
        """Return the loss of scores z, elementwise, where ``positive`` says which are labelled."""

    def loss_map(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of every score, without void and weights."""
        return in_blocks(self._of_scores, logits, labels)

    def _of_scores(self, logits: Tensor, labels: Tensor) -> Tensor:
        z = logits.to(compute_dtype(logits))
        if self.logit_map is not None:
            # Of one score (0, z) has the norm |z|: the map is elementwise.
            z = self.logit_map(z.unsqueeze(1)).squeeze(1)
        return self.score_loss(z, labels > 0)


@register("Hill")
class HillLoss(ScoreLoss):
    """Hill loss, ``-(1 - p_m)^gamma log p_m`` of a positive, ``(lam - p) p^2`` of a negative.

    p = sigmoid(z) of the score z and ``p_m = sigmoid(z - margin)``. The negatives' gradient climbs
    a hill and falls again: an unlabelled object that the network is sure of is left alone. Values
    >= 0.

    Use it where objects are missing from the labels, from the first epoch on.

    Args:
        mode: "binary" or "multilabel".
        lam: >= 1; with the paper's 1.5 the gradient vanishes at p = 1.
        margin: shift of the positives' scores.
        gamma: focus of the positives, >= 0.
        **common: ``ignore_index``, ``reduction``, ``class_weights``, see ``SegmentationLoss``.

    Source: Zhang et al., Simple and Robust Loss Design for Multi-Label Learning with Missing
    Labels, arXiv 2112.07368, equation 7.

    Example:
        >>> loss = HillLoss("multilabel", reduction="none")
        >>> loss(torch.zeros(1, 2), torch.tensor([[0, 1]]))
        tensor([[0.2500, 0.7019]])
    """

    def __init__(
        self,
        mode: str,
        *,
        lam: float = 1.5,
        margin: float = 1.0,
        gamma: float = 2.0,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(mode, **common)
        self.lam = check_float("lam", lam, least=1)
        self.margin = check_float("margin", margin)
        self.gamma = check_float("gamma", gamma, least=0)

    def score_loss(self, z: Tensor, positive: Tensor) -> Tensor:
        """Return the positives' focal margin loss and the negatives' hill."""
        p = torch.sigmoid(z)
        return torch.where(
            positive, _focal(z - self.margin, self.gamma), (self.lam - p) * p.square()
        )


@register("SPLC")
class SelfPacedCorrectionLoss(EpochAware, ScoreLoss):
    """Self-paced loss correction (SPLC): a negative the network is sure of counts as a positive.

    A positive has ``-(1 - p_m)^gamma log p_m`` with ``p_m = sigmoid(z - margin)``, a negative
    ``-p^gamma log(1 - p)`` with p = sigmoid(z). From ``start_epoch`` on (``set_epoch``) a negative
    with p > tau has a positive's loss. Values >= 0.

    Use it where objects are missing from the labels, and set the epoch: the first ones teach what
    the correction then relies on.

    Args:
        mode: "binary" or "multilabel".
        tau: probability above which a negative is corrected, 0 < tau < 1.
        margin: shift of the positives' scores.
        gamma: focus, >= 0.
        start_epoch: first epoch, counted from 0, that corrects.
        **common: ``ignore_index``, ``reduction``, ``class_weights``, see ``SegmentationLoss``.

    Source: Zhang et al., Simple and Robust Loss Design for Multi-Label Learning with Missing
    Labels, arXiv 2112.07368, equations 9 and 10; a corrected negative gets the margin, as there.

    Example:
        >>> loss = SelfPacedCorrectionLoss("multilabel", reduction="none")
        >>> loss(torch.tensor([[3.0]]), torch.tensor([[0]]))
        tensor([[2.7663]])
        >>> loss.set_epoch(1)
        >>> loss(torch.tensor([[3.0]]), torch.tensor([[0]]))
        tensor([[0.0018]])
    """

    def __init__(
        self,
        mode: str,
        *,
        tau: float = 0.6,
        margin: float = 1.0,
        gamma: float = 2.0,
        start_epoch: int = 1,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(mode, **common)
        self.tau = check_float("tau", tau, above=0, below=1)
        self.margin = check_float("margin", margin)
        self.gamma = check_float("gamma", gamma, least=0)
        self.start_epoch = check_integer("start_epoch", start_epoch, least=0)

    def score_loss(self, z: Tensor, positive: Tensor) -> Tensor:
        """Return the focal margin loss of labelled and of found positives, else the focal loss."""
        found = (torch.sigmoid(z.detach()) > self.tau) & (self.epoch >= self.start_epoch)
        return _focal(torch.where(positive | found, z - self.margin, -z), self.gamma)


@register("ASL")
class AsymmetricFocalLoss(ScoreLoss):
    """Asymmetric loss (ASL): a focal loss that forgives negatives more than positives.

    ``-(1 - p)^gamma_positive log p`` of a positive, p = sigmoid(z) of the score z, and
    ``-q^gamma_negative log(1 - q)`` with ``q = max(p - clip, 0)`` of a negative. Values >= 0.

    Use it where positives are rare among many channels, or some are missing.

    Args:
        mode: "binary" or "multilabel".
        gamma_positive: focus of the positives, >= 0.
        gamma_negative: focus of the negatives, >= 0.
        clip: probability up to which a negative counts as right, 0 <= clip < 1.
        **common: ``ignore_index``, ``reduction``, ``class_weights``, see ``SegmentationLoss``.

    Source: Ridnik et al., Asymmetric Loss for Multi-Label Classification, ICCV 2021, equation 7.

    Example:
        >>> loss = AsymmetricFocalLoss("multilabel", reduction="none")
        >>> loss(torch.zeros(1, 2), torch.tensor([[0, 1]]))
        tensor([[0.0245, 0.3466]])
    """

    def __init__(
        self,
        mode: str,
        *,
        gamma_positive: float = 1.0,
        gamma_negative: float = 4.0,
        clip: float = 0.05,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(mode, **common)
        self.gamma_positive = check_float("gamma_positive", gamma_positive, least=0)
        self.gamma_negative = check_float("gamma_negative", gamma_negative, least=0)
        self.clip = check_float("clip", clip, least=0, below=1)

    def score_loss(self, z: Tensor, positive: Tensor) -> Tensor:
        """Return the positives' focal loss and the negatives' shifted one."""
        if self.clip == 0:
            negative = _focal(-z, self.gamma_negative)
        else:
            q = (torch.sigmoid(z) - self.clip).clamp_min(0)
            # The floor keeps the power's derivatives finite; 1 - q >= clip the logarithm's.
            power = q.clamp_min(FLOOR).pow(self.gamma_negative)
            negative = -power * torch.log1p(-q)
        return torch.where(positive, _focal(z, self.gamma_positive), negative)


def _focal(z: Tensor, gamma: float) -> Tensor:
    """Return ``-(1 - p)^gamma log p`` with p = sigmoid(z), from log-probabilities."""
    log_p = F.logsigmoid(z)
    # log(1 - p) is log p - z.
    return -torch.exp(gamma * (log_p - z)) * log_p
