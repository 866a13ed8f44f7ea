"""Logit clipping, around any loss."""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor

from segnoise.checks import check_float
from segnoise.losses.base import SegmentationLoss
from segnoise.losses.logit_maps import NormClip


class LogitClipLoss(SegmentationLoss):
    """Logit clipping (LogitClip), any loss on ``z min(1, tau / ||z||)``: a pixel's logits bounded.

    z are the logits of a pixel; in binary mode those are (0, z), in multilabel mode of every
    channel. Bounded logits bound the loss: for cross-entropy to 0..log(1 + (K-1) exp(sqrt(2) tau)).

    Use it to make an unbounded loss robust by one knob. Predictions of a trained network keep their
    order; their probabilities are those of the clipped logits.

    Args:
        base: the loss, built: ``LogitClipLoss(build_loss("CE", mode="multiclass"))``; by
            ``build_loss("LogitClip", mode=..., base="CE", tau=..., ...)`` its name, the other
            arguments being the base's.
        tau: greatest norm, > 0; the paper tunes 0.5 to 2.5.

    Shape: as the base's.

    Raises:
        ValueError: if tau is out of its domain.
        TypeError: if the base is no loss of logits, or maps its logits itself.

    Source: Wei et al., Mitigating Memorization of Noisy Labels by Clipping the Model Prediction,
    ICML 2023, equation 4; where the published code differs from the paper, this is the paper's.

    Example:
        >>> import torch
        >>> from segnoise.losses import CrossEntropyLoss
        >>> loss = LogitClipLoss(CrossEntropyLoss("multiclass"), tau=1.0)
        >>> loss(torch.tensor([[[300.0], [400.0]]]), torch.tensor([[0]]))
        tensor(0.7981)
    """

    own_parameters = ("tau",)

    def __init__(self, base: SegmentationLoss, *, tau: float = 1.0) -> None:
        if not isinstance(base, SegmentationLoss):
            raise TypeError(f"LogitClip wraps a loss of logits, got {type(base).__name__}")
        if base.logit_map is not None or isinstance(base, LogitClipLoss):
            raise TypeError(
                f"{type(base).__name__} maps its logits itself: it cannot be clipped as well"
            )
        super().__init__(base.mode, ignore_index=base.ignore_index, reduction=base.reduction)
        self.tau = check_float("tau", tau, above=0)
        self.base = copy.copy(base)  # with the same parameters, but a map of its own
        self.base.logit_map = NormClip(self.tau)
        self.class_weights, self.batch_weights = base.class_weights, base.batch_weights
        self.needs = base.needs

    def forward(
        self,
        y_pred: Tensor,
        y_true: Tensor,
        pixel_weights: Tensor | None = None,
        **more: Any,
    ) -> Tensor:
        """Return the base's loss on clipped logits."""
        value: Tensor = self.base(y_pred, y_true, pixel_weights, **more)
        return value
