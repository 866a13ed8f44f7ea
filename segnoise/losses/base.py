"""What every loss is: modes, void, weights, reduction; and the losses with a map of pixels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, TypedDict

import torch
from torch import Tensor, nn

from segnoise.losses.core import (
    ClassMax,
    ClassSum,
    Core,
    LabelModel,
    LogitMap,
    OnlyVoid,
    PixelStatistics,
    Target,
    Term,
    check_mode,
    check_values,
    compute_dtype,
    computed,
    in_blocks,
    pixel_statistics,
    prepare_target,
)
from segnoise.losses.names import refuse_unknown, shown
from segnoise.losses.weighting import batch_scheme, label_counts, scheme_weights
from segnoise.naming import did_you_mean

REDUCTIONS = ("mean", "sum", "none")


def says(loss: object, what: str) -> Any:
    """Return what a loss, or its class, says of itself; any other says what all do by default.

    Example:
        >>> says(nn.CrossEntropyLoss(), "inputs")
        ('logits', 'labels')
    """
    return getattr(loss, what, getattr(SegmentationLoss, what))


class CommonArguments(TypedDict, total=False):
    """The keyword arguments that every loss has; ``SegmentationLoss`` describes them."""

    ignore_index: int | None
    reduction: str
    class_weights: Sequence[float] | Tensor | str | None


class SegmentationLoss(nn.Module, ABC):
    """A loss of logits and labels.

    Args:
        mode: "binary", "multiclass" or "multilabel" (binary in every channel).
        ignore_index: the label of void, whose pixels count for nothing; None for no void.
        reduction: "mean" divides the sum by the number of valid pixels, or by the sum of their
            weights if there are weights; "sum"; "none" gives the map with 0 at void.
        class_weights: one weight >= 0 for each class, with which a pixel of that class counts:
            K in multiclass mode; (negative, positive) in binary mode; in multilabel mode one for
            each channel, whatever its label. A buffer that moves with the module but is not part of
            its state dict: it belongs to the configuration. Or "batch_inverse",
            "batch_inverse_sqrt", "batch_effective": computed from the labels of each batch, by the
            scheme of that name (see ``class_weights`` and its advice on which).

    Shape:
        - y_pred: logits, (N, 1, *) in binary mode, (N, K, *) in multiclass, (N, C, *) in
          multilabel; * is any number of spatial dimensions, none included. Binary ones may lack the
          channel where that can mean nothing else: (N,), (N, H, W), or labels of (N, 1, *).
        - y_true: class ids of any integer type, (N, *) or (N, 1, *) in binary and multiclass mode,
          (N, C, *) in multilabel; in binary and multilabel mode also floats 0 and 1. Where a loss
          admits soft labels: floats in 0..1, in multiclass mode of shape (N, K, *); those know no
          void: give such pixels a weight of 0.
        - pixel_weights: floats >= 0, (N, *) or (N, 1, *); in multilabel mode also (N, C, *).
        - result: a scalar, or with "none" (N, *), in multilabel mode (N, C, *); float32, or float64
          for float64 logits, whatever autocast does.

    Raises:
        ValueError: if an argument, a shape or a label is out of its domain.
        TypeError: if a dtype does not fit.
    """

    admits_soft_labels: ClassVar[bool] = False
    # What a training must know of a loss, which it asks by ``says``:
    inputs: tuple[str, ...] = ("logits", "labels")
    """What forward is given first: "logits", or "views" of an image, and "labels"; "parameters"."""
    needs: tuple[str, ...] = ()
    """Keyword arguments of forward beyond the three that all have, such as "sample_id"."""
    regularizer: ClassVar[bool] = False
    """Whether labels do not matter to it: no method weighs its pixels or asks for their values."""
    per_pixel: bool = False
    """Whether ``reduction="none"`` gives every pixel a value, a function of that pixel alone."""
    cell_stride: int | None = None
    """Side of the cells by which it remembers the pixels of a sample; None: it remembers none."""
    bounded_below: ClassVar[bool] = True
    logit_map: LogitMap | None = None
    class_weights: Tensor | None

    def __init__(
        self,
        mode: str,
        *,
        ignore_index: int | None = None,
        reduction: str = "mean",
        class_weights: Sequence[float] | Tensor | str | None = None,
        **unknown: object,
    ) -> None:
        super().__init__()
        refuse_unknown(type(self), unknown)
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
        self._only_void = OnlyVoid(ignore_index)
        self.reduction = reduction
        self.batch_weights = batch_scheme(class_weights) if isinstance(class_weights, str) else None
        vector = None if isinstance(class_weights, str) else _weights(mode, class_weights)
        self.register_buffer("class_weights", vector, persistent=False)

    @abstractmethod
    def forward(
        self, y_pred: Tensor, y_true: Tensor, pixel_weights: Tensor | None = None
    ) -> Tensor:
        """Return the reduced loss; see the class for the shapes."""

    def prepare(self, y_pred: Tensor, y_true: Tensor) -> Target:
        """Check scores and labels, and bring them into the core's shapes."""
        return prepare_target(
            y_pred,
            y_true,
            mode=self.mode,
            ignore_index=self.ignore_index,
            soft=self.admits_soft_labels,
            only_void=self._only_void,
        )

    def weights_of_classes(self, target: Target) -> Tensor | None:
        """Return the classes' weights, one for each class or channel; None if all are 1."""
        if self.batch_weights is not None:
            counts = label_counts(target.labels, target.valid, self.mode, target.num_classes)
            return scheme_weights(counts, self.batch_weights).to(compute_dtype(target.logits))
        if self.class_weights is None:
            return None
        weights = self.class_weights.to(compute_dtype(target.logits))
        if self.mode != "binary" and len(weights) != target.logits.shape[1]:
            raise ValueError(
                f"{len(weights)} class_weights for scores of {target.logits.shape[1]} channels of "
                f"shape {tuple(target.logits.shape)}: give one for each"
            )
        return weights

    def extra_repr(self) -> str:
        """Return the arguments that differ from their defaults, and the loss's own parameters."""
        parts = [repr(self.mode), *shown(self)]
        if self.ignore_index is not None:
            parts.append(f"ignore_index={self.ignore_index}")
        if self.reduction != "mean":
            parts.append(f"reduction={self.reduction!r}")
        if self.batch_weights is not None:
            parts.append(f"class_weights='batch_{self.batch_weights}'")
        if self.class_weights is not None:
            parts.append(f"class_weights=({', '.join(f'{w:.4g}' for w in self.class_weights)})")
        return ", ".join(parts)


def _weights(mode: str, class_weights: Sequence[float] | Tensor | None) -> Tensor | None:
    if class_weights is None:
        return None
    try:
        weights = torch.as_tensor(class_weights)
    except (TypeError, RuntimeError, OverflowError) as error:
        raise TypeError(
            f"class_weights must be a list of one number a class, not {class_weights!r}"
        ) from error
    if weights.requires_grad:
        raise ValueError(
            "class_weights are fixed when a loss is built: give class_weights.detach(), and to "
            "learn them call torch.func.functional_call(loss, {'class_weights': weights}, "
            "(y_pred, y_true))"
        )
    weights = weights.clone().float()
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


def pixel_weights_of(weights: Tensor, loss: Tensor, valid: Tensor | None, mode: str) -> Tensor:
    """Return pixel weights in the loss map's shape and dtype, 0 at void."""
    shape = tuple(weights.shape)
    if mode != "multilabel" and weights.dim() == loss.dim() + 1 and shape[1] == 1:
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


def product(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    """Return the product of two weight maps, either of which may be missing."""
    if first is None or second is None:
        return second if first is None else first
    return first * second


def reduced(loss: Tensor, valid: Tensor | None, weights: Tensor | None, reduction: str) -> Tensor:
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


class PixelwiseLoss(SegmentationLoss):
    """A loss that is a map over the pixels before it is reduced.

    Args, Shape, Raises: see ``SegmentationLoss``.
    """

    per_pixel = True

    @abstractmethod
    def loss_map(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of every pixel, without void and weights, from the core's shapes."""

    def forward(
        self, y_pred: Tensor, y_true: Tensor, pixel_weights: Tensor | None = None
    ) -> Tensor:
        """Return the reduced loss; see the class for the shapes."""
        # Labels are checked before: a graph could only assert, without saying which pixel.
        return computed(self, self.prepare(y_pred, y_true), pixel_weights)

    def value(self, target: Target, pixel_weights: Tensor | None = None) -> Tensor:
        """Return the reduced loss of a target that has been prepared."""
        labels, weights = self.labels_and_weights(target)
        return self.reduce(self.loss_map(target.logits, labels), target, weights, pixel_weights)

    def labels_and_weights(self, target: Target) -> tuple[Tensor, Tensor | None]:
        """Return the core's labels and the weight that the classes give each pixel.

        Soft labels t come back as ``w_k t_k / sum_k w_k t_k`` with the sum as the pixel's weight,
        so that one-hot labels give what ids give.
        """
        labels, weights = target.labels, self.weights_of_classes(target)
        soft_binary = target.soft and self.mode != "multiclass"
        if soft_binary:
            labels = torch.stack((1 - labels, labels))
        if weights is None:
            return labels, None
        if self.mode == "multilabel":
            spatial = (1,) * (target.logits.dim() - 2)
            return labels, weights.view(1, -1, *spatial).expand_as(target.logits)
        if target.soft:
            axis = 0 if soft_binary else 1
            ones = (1,) * (labels.dim() - axis - 1)
            labels = labels * weights.view(-1, *ones)
            mass = labels.sum(axis)
            return labels / torch.where(mass > 0, mass, 1).unsqueeze(axis), mass
        return labels, weights[labels.long().clamp(0, len(weights) - 1)]

    def all_weights(
        self,
        loss: Tensor,
        target: Target,
        weights: Tensor | None,
        pixel_weights: Tensor | None,
    ) -> Tensor | None:
        """Return the product of the classes' and the pixels' weights; None if all are 1."""
        if pixel_weights is not None:
            pixel_weights = pixel_weights_of(pixel_weights, loss, target.valid, self.mode)
        return product(weights, pixel_weights)

    def reduce(
        self,
        loss: Tensor,
        target: Target,
        weights: Tensor | None,
        pixel_weights: Tensor | None,
    ) -> Tensor:
        """Weigh the map and reduce it as ``reduction`` says."""
        weights = self.all_weights(loss, target, weights, pixel_weights)
        if weights is not None:
            loss = loss * weights
        return reduced(loss, target.valid, weights, self.reduction)


class StatisticsLoss(PixelwiseLoss):
    """A loss that is a function of per-pixel statistics; subclasses say which, and which function.

    Args, Shape, Raises: see ``SegmentationLoss``.
    """

    sums: tuple[ClassSum | ClassMax, ...] = ()
    label_model: LabelModel | None = None
    plain_labels: ClassVar[bool] = True
    """Whether the statistics are those of the labels as given, not of others drawn or checked."""

    @property
    def core(self) -> Core:
        """What is computed of the logits."""
        return Core(self.sums, self.mode != "multiclass", self.logit_map, self.label_model)

    @abstractmethod
    def pixel_loss(self, statistics: PixelStatistics) -> Tensor:
        """Return the loss of every pixel from its statistics, without void and weights."""

    def loss_map(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of every pixel, without void and weights."""
        if self.mode != "multiclass" and not labels.is_floating_point():
            return in_blocks(self._of_pixels, logits, labels)
        return self._of_pixels(logits, labels)

    def _of_pixels(self, logits: Tensor, labels: Tensor) -> Tensor:
        return self.pixel_loss(pixel_statistics(logits, labels, self.core))


class TermLoss(StatisticsLoss):
    """``L = -f(log p_y)``: a loss that looks at the label's probability alone.

    Normalised and normalised negative losses are made of the same term f.

    Args, Shape, Raises: see ``SegmentationLoss``.
    """

    term: Term

    def pixel_loss(self, statistics: PixelStatistics) -> Tensor:
        """Return ``-f(log p_y)``."""
        return -self.term(statistics.log_p)
