"""Targets as the losses use them: shapes checked, ids checked, void found, hard told from soft."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from segnoise.losses.core.blocking import compute_dtype
from segnoise.losses.core.derivatives import unwrapped
from segnoise.naming import did_you_mean

MODES = ("binary", "multiclass", "multilabel")

_NOT_SOFT = "is not a probability (0..1)"
_NOT_HARD = "is not 0 or 1: this loss admits no soft labels"


@dataclass(frozen=True)
class Target:
    """A checked pair of scores and labels.

    Args:
        logits: (N, K, *) in multiclass mode, (N, *) in binary, (N, C, *) in multilabel.
        labels: integer class ids of the maps' shape, or soft labels as floats: (N, K, *) in
            multiclass mode, of the maps' shape in the others.
        valid: bool, of the maps' shape, False at void; None where every pixel counts.
        num_classes: K; 2 in binary and multilabel mode.
    """

    logits: Tensor
    labels: Tensor
    valid: Tensor | None

    num_classes: int

    @property
    def soft(self) -> bool:
        """Whether the labels are probabilities instead of ids."""
        return self.labels.is_floating_point()


class OnlyVoid:
    """Notices labels that hold nothing but 0 and void at every call, and warns once.

    Masks of 0 and 255, for background and object, are such labels where 255 is void.

    Args:
        ignore_index: the id of void.
    """

    ENOUGH = 8  # calls: one crop may well show background and void alone

    def __init__(self, ignore_index: int | None) -> None:
        self.ignore_index = ignore_index
        self.calls = 0

    def see(self, greatest: int, valid: Tensor | None) -> None:
        """Take note of a batch: its greatest valid label, and which labels are valid."""
        if self.calls >= self.ENOUGH:
            return
        if greatest > 0:
            self.calls = self.ENOUGH
        elif valid is not None and not unwrapped(valid).all():
            self.calls += 1
            if self.calls == self.ENOUGH:
                void = self.ignore_index
                warnings.warn(
                    f"the labels of {self.calls} calls hold 0 and {void} alone, and {void} is "
                    f"ignore_index: nothing can be learnt from them; if {void} marks the object, "
                    f"give (labels == {void}).long()",
                    stacklevel=2,
                )


def check_mode(mode: str) -> str:
    """Return ``mode`` if it is one of ``MODES``."""
    if mode not in MODES:
        raise ValueError(f"unknown mode {mode!r}: {did_you_mean(mode, MODES)}")
    return mode


def prepare_target(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    mode: str,
    ignore_index: int | None,
    soft: bool,
    only_void: OnlyVoid | None = None,
) -> Target:
    """Check scores and labels against the mode and bring them into the core's shapes.

    Args:
        y_pred: scores (logits): (N, 1, *) in binary mode, or of the labels' shape where that can
            mean nothing else; (N, K, *) in multiclass, (N, C, *) in multilabel; * is any number of
            spatial dimensions, none included.
        y_true: integer class ids: (N, *) or (N, 1, *) in binary and multiclass mode, (N, C, *) in
            multilabel. Binary and multilabel labels may be floats too.
        mode: one of ``MODES``.
        ignore_index: the id of void, or None.
        soft: whether the loss admits soft labels.
        only_void: is told what the labels hold, where that is known.

    Raises:
        TypeError: if the scores are no floating tensor, or the labels' dtype does not fit.
        ValueError: if the shapes or devices do not fit, or a label is out of range (the message
            names its value and position). On a GPU the labels' range is asserted there
            asynchronously, as PyTorch's own losses do; ``check_labels`` names the pixel.
    """
    _check_scores(y_pred, y_true, mode)
    if mode == "binary":
        y_pred, y_true = _without_channel(y_pred, y_true)
    maps_shape = y_pred[:, 0].shape if mode == "multiclass" else y_pred.shape
    if mode == "multiclass" and y_true.dim() == y_pred.dim() and y_true.shape[1] == 1:
        y_true = y_true.squeeze(1)  # there are two classes or more: these are ids
    if mode == "multiclass" and y_true.is_floating_point():
        _check_soft_multiclass(y_pred, y_true, soft)
        check_values((y_true >= 0) & (y_true <= 1), None, y_true, _NOT_SOFT)
        return Target(y_pred, y_true.to(compute_dtype(y_pred)), None, y_pred.shape[1])
    if y_true.shape != maps_shape:
        raise ValueError(
            f"{mode} labels must have the shape {tuple(maps_shape)}, got {tuple(y_true.shape)}"
        )
    if y_true.is_floating_point():
        return _float_target(y_pred, y_true, ignore_index, soft)
    if y_true.is_complex():
        raise TypeError(f"labels must be integers or floats, got {y_true.dtype}")
    y_true = _comparable(y_true)
    num_classes = y_pred.shape[1] if mode == "multiclass" else 2
    valid = _valid(y_true, ignore_index)
    check_labels(y_true, num_classes, ignore_index, on_demand=False, only_void=only_void)
    return Target(y_pred, y_true, valid, num_classes)


def check_labels(
    labels: Tensor,
    num_classes: int,
    ignore_index: int | None = None,
    *,
    on_demand: bool = True,
    only_void: OnlyVoid | None = None,
) -> None:
    """Raise if an integer label is neither a class id nor void, naming its value and position.

    The losses do this by themselves on a CPU; on a GPU they only assert it asynchronously, because
    fetching the value would make the processor wait. Call this there to find the pixel.

    Args:
        labels: integer ids of any shape.
        num_classes: K; ids must lie in 0..K-1.
        ignore_index: the id of void, or None.
        on_demand: False where the losses call it: no waiting for a GPU.
        only_void: is told what the labels hold.

    Raises:
        ValueError: if a label is out of range.

    Example:
        >>> check_labels(torch.tensor([[0, 37]]), num_classes=21, ignore_index=255)
        Traceback (most recent call last):
        ...
        ValueError: label 37 at position (0, 1) is not in 0..20 (ignore_index is 255)
    """
    if labels.numel() == 0:
        return
    labels = _comparable(labels)
    valid = _valid(labels, ignore_index)
    if on_demand or _may_look(labels):
        low, high = unwrapped(labels if valid is None else torch.where(valid, labels, 0)).aminmax()
        if low >= 0 and high < num_classes:
            if only_void is not None:
                only_void.see(int(high), valid)
            return
    inside = (labels >= 0) & (labels < num_classes)
    void = "no ignore_index" if ignore_index is None else f"ignore_index is {ignore_index}"
    complaint = f"is not in 0..{num_classes - 1} ({void})"
    check_values(inside, valid, labels, complaint, on_demand)


def _check_scores(y_pred: Tensor, y_true: Tensor, mode: str) -> None:
    if not (isinstance(y_pred, Tensor) and isinstance(y_true, Tensor)):
        raise TypeError(
            f"scores and labels must be tensors, got {type(y_pred).__name__} "
            f"and {type(y_true).__name__}"
        )
    if not y_pred.is_floating_point():
        raise TypeError(f"scores must be floating point, got {y_pred.dtype}")
    if y_pred.device != y_true.device:
        raise ValueError(f"scores are on {y_pred.device}, labels on {y_true.device}")
    shape = tuple(y_pred.shape)
    if len(shape) < (1 if mode == "binary" else 2):
        raise ValueError(f"scores must have a batch and a class axis, got the shape {shape}")
    if mode == "multiclass" and shape[1] < 2:
        raise ValueError(
            f"multiclass scores need at least 2 classes, got {shape}: use mode='binary' for one"
        )


def _without_channel(y_pred: Tensor, y_true: Tensor) -> tuple[Tensor, Tensor]:
    """Binary scores and labels (N, *), where each of them may have a channel axis."""
    shape, labels = tuple(y_pred.shape), tuple(y_true.shape)
    if labels == (*shape[:1], 1, *shape[1:]):
        return y_pred, y_true.squeeze(1)
    if len(shape) > 1 and shape[1] == 1:
        y_pred = y_pred.squeeze(1)
        return y_pred, y_true.squeeze(1) if labels == shape else y_true
    if shape != labels:
        raise ValueError(
            f"binary scores must have the shape (N, 1, ...), got {shape} for labels of {labels}"
        )
    if len(shape) not in (1, 3):
        raise ValueError(
            f"binary scores and labels of the shape {shape} may be maps or {shape[1]} channels: "
            "give y_pred.unsqueeze(1) for maps, or use mode='multilabel' for channels"
        )
    return y_pred, y_true


def _check_soft_multiclass(y_pred: Tensor, y_true: Tensor, soft: bool) -> None:
    if y_true.shape != y_pred.shape:
        raise TypeError(
            f"class ids must be integers, got {y_true.dtype} labels of shape "
            f"{tuple(y_true.shape)}: call .long(), or give probabilities of the scores' shape "
            f"{tuple(y_pred.shape)}"
        )
    if not soft:
        raise TypeError("this loss admits no soft (floating) labels: give integer class ids")


def _float_target(logits: Tensor, labels: Tensor, ignore_index: int | None, soft: bool) -> Target:
    """Floating labels of binary and multilabel mode: probabilities, or 0 and 1 as SMP's users."""
    valid = _valid(labels, ignore_index)
    if soft:
        inside = (labels >= 0) & (labels <= 1)
        check_values(inside, valid, labels, _NOT_SOFT)
        if valid is not None:
            labels = labels.masked_fill(~valid, 0)
        return Target(logits, labels.to(compute_dtype(logits)), valid, 2)
    if labels.requires_grad:
        raise ValueError("these labels are 0 and 1 and receive no gradient: give y_true.detach()")
    inside = (labels == 0) | (labels == 1)
    check_values(inside, valid, labels, _NOT_HARD)
    return Target(logits, (labels == 1).to(torch.uint8), valid, 2)


def _comparable(labels: Tensor) -> Tensor:
    """The ids in a dtype that can be compared: PyTorch's wide unsigned types cannot."""
    if labels.dtype == torch.bool:
        return labels.to(torch.uint8)
    if labels.dtype in (torch.uint16, torch.uint32, torch.uint64):
        return labels.long()
    return labels


def _valid(labels: Tensor, ignore_index: int | None) -> Tensor | None:
    if ignore_index is None:
        return None
    if not labels.is_floating_point():
        # An id that the dtype cannot hold would wrap around: -100 is 156 to uint8.
        limits = torch.iinfo(labels.dtype)
        if not limits.min <= ignore_index <= limits.max:
            return None
    return labels != ignore_index


def _may_look(labels: Tensor) -> bool:
    """Whether a value can be read without waiting for a device or breaking a graph."""
    return labels.device.type == "cpu" and not torch.compiler.is_compiling()


def check_values(
    inside: Tensor,
    valid: Tensor | None,
    values: Tensor,
    complaint: str,
    on_demand: bool = False,
    what: str = "label",
) -> None:
    """Raise at the first valid pixel outside; where nobody may look, let the device assert."""
    if valid is not None:
        inside = inside | ~valid
    if not (on_demand or _may_look(values)):
        torch._assert_async(inside.all(), f"segnoise: a {what} {complaint}")
        return
    if unwrapped(inside).all():
        return
    values, inside = unwrapped(torch.where(inside, 0, values)), unwrapped(inside)
    position = tuple((~inside).nonzero()[0].tolist())
    value = values[position].item()
    raise ValueError(f"{what} {value:g} at position {position} {complaint}")
