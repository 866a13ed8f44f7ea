"""The contract of every pixel-wise loss: modes, void, weights and reduction in one place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from segnoise.losses.naming import did_you_mean
from segnoise.losses.statistics import PixelStatistics, compute_dtype, pixel_statistics
from segnoise.losses.sums import ClassSum
from segnoise.losses.target import Target, check_mode, check_values, prepare_target

REDUCTIONS = ("mean", "sum", "none")


class SegmentationLoss(nn.Module, ABC):
    """A loss that is a function of per-pixel statistics; subclasses say which, and which function.

    Args:
        mode: "binary", "multiclass" or "multilabel" (binary in every channel).
        ignore_index: the label of void, whose pixels count for nothing; None for no void.
        reduction: "mean" divides the sum by the number of valid pixels, or by the sum of their
            weights if there are weights; "sum"; "none" gives the map with 0 at void.
        class_weights: one weight >= 0 for each class, with which a pixel of that class counts:
            K in multiclass mode; (negative, positive) in binary mode; in multilabel mode one for
            each channel, whatever its label. A buffer that moves with the module but is not part of
            its state dict: it belongs to the configuration.

    Shape:
        - y_pred: logits, (N, 1, *) in binary mode, (N, K, *) in multiclass, (N, C, *) in
          multilabel; * is any number of spatial dimensions, none included.
        - y_true: class ids of any integer type, (N, *) or (N, 1, *) in binary mode, (N, *) in
          multiclass, (N, C, *) in multilabel; in binary and multilabel mode also floats 0 and 1.
          Where a loss admits soft labels: floats in 0..1, in multiclass mode of shape (N, K, *);
          those know no void: give such pixels a weight of 0.
        - pixel_weights: floats >= 0, (N, *); in multilabel mode also (N, C, *).
        - result: a scalar, or with "none" (N, *), in multilabel mode (N, C, *); float32, or float64
          for float64 logits, whatever autocast does.

    Raises:
        ValueError: if an argument, a shape or a label is out of its domain.
        TypeError: if a dtype does not fit.
    """

    admits_soft_labels: ClassVar[bool] = False
    own_parameters: ClassVar[tuple[str, ...]] = ()
    sums: tuple[ClassSum, ...] = ()
    class_weights: Tensor | None

    def __init__(
        self,
        mode: str,
        *,
        ignore_index: int | None = None,
        reduction: str = "mean",
        class_weights: Sequence[float] | Tensor | None = None,
    ) -> None:
        super().__init__()
        self.mode = check_mode(mode)
        if ignore_index is not None and (
            isinstance(ignore_index, bool) or not isinstance(ignore_index, int)
        ):
            raise TypeError(f"ignore_index must be an integer or None, got {ignore_index!r}")
        if reduction not in REDUCTIONS:
            raise ValueError(
                f"unknown reduction {reduction!r}: {did_you_mean(reduction, REDUCTIONS)}"
            )
        self.ignore_index = ignore_index
        self.reduction = reduction
        self.register_buffer("class_weights", _weights(mode, class_weights), persistent=False)

    @abstractmethod
    def pixel_loss(self, statistics: PixelStatistics) -> Tensor:
        """Return the loss of every pixel from its statistics, without void and weights."""

    def forward(
        self, y_pred: Tensor, y_true: Tensor, pixel_weights: Tensor | None = None
    ) -> Tensor:
        """Return the reduced loss; see the class for the shapes."""
        target = prepare_target(
            y_pred,
            y_true,
            mode=self.mode,
            ignore_index=self.ignore_index,
            soft=self.admits_soft_labels,
        )
        labels, weights = self._labels_and_weights(target)
        loss = self.pixel_loss(
            pixel_statistics(target.logits, labels, self.sums, binary=self.mode != "multiclass")
        )
        if pixel_weights is not None:
            pixel_weights = _pixel_weights(pixel_weights, loss, target.valid, self.mode)
        if target.soft:
            # The class weights of soft labels are inside the log-likelihood already.
            scale = pixel_weights
            weights = _product(weights, pixel_weights)
        else:
            scale = weights = _product(weights, pixel_weights)
        if scale is not None:
            loss = loss * scale
        return _reduce(loss, target.valid, weights, self.reduction)

    def _labels_and_weights(self, target: Target) -> tuple[Tensor, Tensor | None]:
        """Return the core's target and the weight that the classes give each pixel."""
        labels, weights = target.labels, self.class_weights
        soft_binary = target.soft and self.mode != "multiclass"
        if soft_binary:
            labels = torch.stack((1 - labels, labels))
        if weights is None:
            return labels, None
        weights = weights.to(compute_dtype(target.logits))
        if self.mode != "binary":
            channels = target.logits.shape[1]
            if len(weights) != channels:
                raise ValueError(
                    f"{len(weights)} class_weights for scores of {channels} channels of shape "
                    f"{tuple(target.logits.shape)}: give one for each"
                )
        if self.mode == "multilabel":
            spatial = (1,) * (target.logits.dim() - 2)
            weights = weights.view(1, -1, *spatial).expand_as(target.logits)
            return (labels * weights if target.soft else labels), weights
        if target.soft:
            axis = 0 if soft_binary else 1
            ones = (1,) * (labels.dim() - axis - 1)
            labels = labels * weights.view(-1, *ones)
            return labels, labels.sum(axis)
        return labels, weights[labels.long().clamp(0, len(weights) - 1)]

    def extra_repr(self) -> str:
        """Return the arguments that differ from their defaults, and the loss's own parameters."""
        parts = [repr(self.mode)]
        parts += [f"{name}={getattr(self, name)!r}" for name in self.own_parameters]
        if self.ignore_index is not None:
            parts.append(f"ignore_index={self.ignore_index}")
        if self.reduction != "mean":
            parts.append(f"reduction={self.reduction!r}")
        if self.class_weights is not None:
            parts.append(f"class_weights=({', '.join(f'{w:.4g}' for w in self.class_weights)})")
        return ", ".join(parts)


def _weights(mode: str, class_weights: Sequence[float] | Tensor | None) -> Tensor | None:
    if class_weights is None:
        return None
    if isinstance(class_weights, str):
        raise TypeError(
            f"class_weights must be numbers, got {class_weights!r}: compute them from a label "
            "histogram, segnoise.losses.class_weights(histogram, scheme)"
        )
    weights = torch.as_tensor(class_weights).detach().clone().float()
    if weights.dim() != 1 or len(weights) == 0:
        raise ValueError(
            f"class_weights must be a vector, one for each class, got the shape "
            f"{tuple(weights.shape)}"
        )
    if mode == "binary" and len(weights) != 2:
        raise ValueError(
            f"binary class_weights are two numbers (negative, positive), got {weights.tolist()}"
        )
    if not (weights.isfinite().all() and (weights >= 0).all() and (weights > 0).any()):
        raise ValueError(
            f"class_weights must be finite, >= 0 and not all 0, got {weights.tolist()}"
        )
    return weights


def _pixel_weights(weights: Tensor, loss: Tensor, valid: Tensor | None, mode: str) -> Tensor:
    """Pixel weights in the loss map's shape and dtype."""
    shape = tuple(weights.shape)
    if mode == "binary" and weights.dim() == loss.dim() + 1 and shape[1] == 1:
        weights = weights.squeeze(1)
    elif mode == "multilabel" and weights.dim() == loss.dim() - 1:
        weights = weights.unsqueeze(1)
        if shape == (*loss.shape[:1], *loss.shape[2:]):
            weights = weights.expand_as(loss)
    if weights.shape != loss.shape:
        raise ValueError(f"pixel_weights must have the shape {tuple(loss.shape)}, got {shape}")
    if weights.device != loss.device:
        raise ValueError(f"pixel_weights are on {weights.device}, scores on {loss.device}")
    finite = (weights >= 0) & (weights < float("inf"))
    check_values(finite, valid, weights, "is not finite and >= 0", what="pixel weight")
    weights = weights.to(loss.dtype)
    # Masked before they meet a loss: at void anything may stand, and 0 times infinity is no 0.
    return weights if valid is None else torch.where(valid, weights, 0)


def _product(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    if first is None or second is None:
        return second if first is None else first
    return first * second


def _reduce(loss: Tensor, valid: Tensor | None, weights: Tensor | None, reduction: str) -> Tensor:
    """Reduce a loss map that is weighted already; ``weights`` only say what to divide by."""
    if valid is not None:
        loss = torch.where(valid, loss, 0)
    if reduction == "none":
        return loss
    total = loss.sum()
    if reduction == "sum":
        return total
    if weights is None:
        return total / (max(loss.numel(), 1) if valid is None else valid.sum().clamp_min(1))
    if valid is not None:
        weights = torch.where(valid, weights, 0)
    weight = weights.sum()
    # Nothing counts: total is 0, and so is its gradient whatever it is divided by.
    return total / torch.where(weight > 0, weight, 1)
