"""Class weights from a label histogram, for masks in which some classes are rare."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from segnoise.checks import check_float
from segnoise.naming import did_you_mean

SCHEMES = ("inverse", "inverse_sqrt", "effective")


def class_weights(
    histogram: Sequence[float] | Tensor, scheme: str = "inverse_sqrt", *, beta: float | None = None
) -> Tensor:
    """Compute class weights from the classes' pixel counts, normalised to a mean pixel weight of 1.

    Before normalisation, with n_k pixels of class k:

    - "inverse": ``1 / n_k``;
    - "inverse_sqrt": ``1 / sqrt(n_k)``, the best of the three for bounded losses on masks with rare
      classes, where full inverse weights overshoot and no weights leave them unlearned;
    - "effective": ``(1 - beta) / (1 - beta^n_k)``, the inverse effective number of pixels.

    The weights w are then scaled such that ``sum_k n_k w_k = sum_k n_k``. A class without pixels
    gets the weight of the rarest class that has some.

    Args:
        histogram: pixel counts n_k >= 0, one for each class, void left out.
        scheme: "inverse", "inverse_sqrt" or "effective".
        beta: 0 <= beta < 1, for "effective" alone: 0 weighs all classes alike, towards 1 it becomes
            "inverse". Default 1 - 1/m with m the mean count of the classes that have pixels: a
            fixed beta such as the paper's 0.9999 is meant for images, and at a million pixels
            weighs all classes alike.

    Returns:
        (K,) float32 weights, > 0.

    Raises:
        ValueError: if the scheme is unknown, beta is out of its domain or given to another scheme,
            or the histogram is no vector of counts >= 0 with at least one above 0.

    Source: Cui et al., Class-Balanced Loss Based on Effective Number of Samples, CVPR 2019
    ("effective").

    Example:
        >>> class_weights([900, 100, 0], "inverse_sqrt")
        tensor([0.8333, 2.5000, 2.5000])
    """
    counts = torch.as_tensor(histogram, dtype=torch.float64).detach()
    if counts.dim() != 1 or len(counts) == 0:
        raise ValueError(f"the histogram must be a vector, got the shape {tuple(counts.shape)}")
    if not (counts.isfinite().all() and (counts >= 0).all() and (counts > 0).any()):
        raise ValueError(
            f"the histogram must hold counts >= 0, not all of them 0, got {counts.tolist()}"
        )
    if scheme not in SCHEMES:
        raise ValueError(f"unknown scheme {scheme!r}: {did_you_mean(scheme, SCHEMES)}")
    if beta is not None:
        if scheme != "effective":
            raise ValueError(f"beta belongs to the scheme 'effective', got {beta} with {scheme!r}")
        beta = check_float("beta", beta, least=0, below=1)
    return scheme_weights(counts, scheme, beta).float()


def batch_scheme(name: str) -> str:
    """Return the scheme that a loss's ``class_weights="batch_..."`` names.

    Example:
        >>> batch_scheme("batch_inverse")
        'inverse'
    """
    scheme = name.removeprefix("batch_")
    if name in SCHEMES:
        raise ValueError(
            f"class_weights={name!r} needs a label histogram: give "
            f"segnoise.losses.class_weights(histogram, {name!r}), or 'batch_{name}' to weigh each "
            "batch by its own"
        )
    if scheme == name or scheme not in SCHEMES:
        known = [f"batch_{s}" for s in SCHEMES]
        raise ValueError(f"unknown class_weights {name!r}: {did_you_mean(name, known)}")
    return scheme


def label_counts(labels: Tensor, weights: Tensor | None, mode: str, num_classes: int) -> Tensor:
    """Count the labels of each class, (K,) float64, or in multilabel mode of each channel, (C,).

    Args:
        labels: as ``segnoise.losses.core.Target`` holds them; of soft ones the mass counts.
        weights: how much labels count, or where they do (bool); None where all do.
        mode: "binary", "multiclass" or "multilabel", where positives are counted.
        num_classes: K.
    """
    if mode == "multilabel" or (mode == "multiclass" and labels.is_floating_point()):
        ones = labels.double()
        if weights is not None:  # 0 at void
            ones = ones * (weights if mode == "multilabel" else weights.unsqueeze(1))
        return ones.transpose(0, 1).flatten(1).sum(1)
    if labels.is_floating_point():
        count = torch.ones_like(labels) if weights is None else weights
        positive = labels.double().sum()  # soft labels are 0 at void
        return torch.stack((count.double().sum() - positive, positive))
    index = labels.long().clamp(0, num_classes - 1).flatten()
    ones = torch.ones_like(index) if weights is None else weights.flatten()
    return ones.new_zeros(num_classes, dtype=torch.float64).scatter_add(0, index, ones.double())


def scheme_weights(counts: Tensor, scheme: str, beta: float | None = None) -> Tensor:
    """Return what ``class_weights`` returns, unchecked and without reading a value.

    All weights are 1 where there are no labels at all.
    """
    present = counts > 0
    some = torch.where(present, counts, 1)
    if scheme == "inverse":
        weights = 1 / some
    elif scheme == "inverse_sqrt":
        weights = some.rsqrt()
    else:
        weights = _inverse_effective_number(some, counts, beta)
    rarest = torch.where(present, weights, 0).amax()
    weights = torch.where(present, weights, rarest)
    return torch.where(rarest > 0, weights * counts.sum() / (weights * counts).sum(), 1)


def _inverse_effective_number(some: Tensor, counts: Tensor, beta: float | None) -> Tensor:
    if beta is None:
        step = (counts > 0).sum() / counts.sum().clamp_min(1)
    else:
        step = counts.new_tensor(1 - beta)
    step = step.to(some.dtype).clamp_max(1)
    # 1 - beta^n, without the digits that are lost where beta is next to 1.
    return -step / torch.expm1(some * torch.log1p(-step))
