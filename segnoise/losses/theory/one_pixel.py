"""One pixel's loss as a function of its logits, and its risk's minima on the simplex."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor

from segnoise.losses.base import PixelwiseLoss, SegmentationLoss, says

FAR = 40.0  # a logit that far above the others makes a vertex of the simplex: 1 - u = 4e-18


def of_all_labels(loss: SegmentationLoss, logits: Tensor) -> Tensor:
    """Return L(u, k) for all labels k, (M, K), of M pixels' logits, (M, K)."""
    map_of = loss_of_pixels(loss, multiclass=True)
    pixels, classes = logits.shape
    labels = torch.arange(classes).repeat(pixels)
    repeated = logits.repeat_interleave(classes, 0)
    values = map_of(repeated, labels)
    with torch.no_grad():
        if not torch.equal(map_of(repeated, labels), values):
            raise ValueError(f"{type(loss).__name__} draws at random: it is no function of a pixel")
    return values.view(pixels, classes)


def loss_of_pixels(
    loss: SegmentationLoss, multiclass: bool = False
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the loss as a function of pixels' logits and labels."""
    name = type(loss).__name__
    if not says(loss, "per_pixel") or loss.needs or loss.inputs != SegmentationLoss.inputs:
        raise TypeError(
            f"{name} is no function of one pixel's logits and label, which the theory is about"
        )
    if loss.class_weights is not None or loss.batch_weights:
        raise ValueError(
            f"{name} has class weights, which make another loss of it for every label: give the "
            "bare loss"
        )
    if multiclass and loss.mode != "multiclass":
        raise ValueError(f"the loss must be of multiclass mode, got {loss.mode!r}")
    return cast(PixelwiseLoss, loss).loss_map


def pull(loss: SegmentationLoss, logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return the loss of the label 0 and its gradient weight, (n,) each, at logits (n, K).

    The weight is ``-dL/dz_0 / (1 - p_0)``, cross-entropy's being 1.
    """
    logits = logits.clone().requires_grad_()
    value = loss_of_pixels(loss, multiclass=True)(
        logits, torch.zeros(len(logits), dtype=torch.long)
    )
    (gradient,) = torch.autograd.grad(value.sum(), logits)
    # 1 - p_y as the sum of the others: exact where p_y is next to 1.
    others = torch.softmax(logits.detach(), 1)[:, 1:].sum(1)
    return value.detach(), -gradient[:, 0] / others


def all_over_the_simplex(num_classes: int, label: int, weights: Tensor | None = None) -> Tensor:
    """Return logits, (M, K) float64: vertices, edges from the label to all others, and inside."""
    if num_classes < 2:
        raise ValueError(f"num_classes must be at least 2, got {num_classes}")
    eye = torch.eye(num_classes, dtype=torch.float64)
    parts = [eye * far for far in (0.0, 1.0, 5.0, 20.0, FAR)]
    steps = torch.linspace(-FAR, FAR, 41, dtype=torch.float64)
    for other in range(num_classes):
        if other != label:
            # The label and another class, at all odds; nothing for the rest.
            edge = torch.full((len(steps), num_classes), -FAR, dtype=torch.float64)
            edge[:, label], edge[:, other] = steps.clamp_max(0), (-steps).clamp_max(0)
            parts.append(edge)
    random = torch.Generator().manual_seed(0)
    for spread in (0.5, 2.0, 8.0):
        parts.append(spread * torch.randn(100, num_classes, dtype=torch.float64, generator=random))
    if weights is not None:
        parts.append(weights.clamp_min(math.exp(-FAR)).log()[None])
    return torch.cat(parts)


def descended(loss: SegmentationLoss, starts: Tensor, weights: Tensor) -> Tensor:
    """Return the most promising starts, improved by descent on the risk ``sum_i w_i L(u, i)``."""
    with torch.no_grad():
        risk = of_all_labels(loss, starts) @ weights
    logits = starts[risk.argsort()[:8]].clone().requires_grad_()
    optimizer = torch.optim.LBFGS([logits], max_iter=60, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        total = (of_all_labels(loss, logits) @ weights).sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    # A risk without a lower bound lets the line search step beyond all numbers: what it had stands.
    with contextlib.suppress(OverflowError):
        optimizer.step(closure)  # type: ignore[no-untyped-call]
    found = logits.detach()
    return torch.where(found.isfinite(), found, 0).clamp(-FAR, FAR)
