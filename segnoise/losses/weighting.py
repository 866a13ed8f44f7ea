"""Class weights from a label histogram, for masks in which some classes are rare."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from segnoise.losses.domain import check_number
from segnoise.losses.naming import did_you_mean


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
    schemes: dict[str, Callable[[Tensor], Tensor]] = {
        "inverse": lambda n: 1 / n,
        "inverse_sqrt": lambda n: 1 / n.sqrt(),
        "effective": lambda n: _inverse_effective_number(n, beta),
    }
    if scheme not in schemes:
        raise ValueError(f"unknown scheme {scheme!r}: {did_you_mean(scheme, schemes)}")
    if beta is not None and scheme != "effective":
        raise ValueError(f"beta belongs to the scheme 'effective', got {beta} with {scheme!r}")
    present = counts > 0
    weights = torch.zeros_like(counts)
    weights[present] = schemes[scheme](counts[present])
    weights[~present] = weights[counts == counts[present].min()][0]
    return (weights * counts.sum() / (weights * counts).sum()).float()


def _inverse_effective_number(counts: Tensor, beta: float | None) -> Tensor:
    if beta is None:
        step = 1 / counts.mean().clamp_min(1)
    else:
        step = counts.new_tensor(1 - check_number("beta", beta, least=0, below=1))
    if step == 1:
        return torch.ones_like(counts)
    # 1 - beta^n, without the digits that are lost where beta is next to 1.
    return -step / torch.expm1(counts * torch.log1p(-step))
