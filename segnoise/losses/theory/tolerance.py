"""What the theory of noisy labels says of a loss, found numerically for any loss.

Symmetry, the asymmetry ratio and noise tolerance are statements about one pixel: about the
probabilities u = (u_1, ..., u_K) that minimise a risk. They say what a network with enough freedom
would be led to; not how fast, and not that a class which is rare is ever learned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from segnoise.losses.base import SegmentationLoss
from segnoise.losses.correction import check_transition_matrix
from segnoise.losses.theory.one_pixel import (
    all_over_the_simplex,
    descended,
    loss_of_pixels,
    of_all_labels,
    pull,
)

_SMALLEST = 1e-300
_SAME = 1e-11  # of the risk's range: gaps below are rounding


class Symmetry(NamedTuple):
    """Whether a loss, summed over all labels, is a constant.

    Args:
        symmetric: whether it is, up to a relative 1e-9.
        constant: the mean sum.
        spread: greatest minus least sum found.
    """

    symmetric: bool
    constant: float
    spread: float


class AsymmetryRatio(NamedTuple):
    """The asymmetry ratio of a loss of the label's probability.

    Args:
        ratio: r, 0..1.
        error: how far below the true infimum may lie, if between neighbouring points of the search
            the slope bends no more than it is seen to around them.
    """

    ratio: float
    error: float


class NoiseTolerance(NamedTuple):
    """What a noise does to the minimiser of a pixel's risk.

    Args:
        tolerant: whether the minimiser for clean labels still minimises the risk, for every class.
        keeps_classes: whether the most probable class of the minimiser is still the true one.
        gap: how much lower the noisy risk gets elsewhere than at the clean minimiser, for the worst
            class, as a share of the risk's range; 0 if tolerant.
        minimizers: (K, K) probabilities that minimise the noisy risk, a row for each true class.
    """

    tolerant: bool
    keeps_classes: bool
    gap: float
    minimizers: Tensor


class Curves(NamedTuple):
    """A loss and its pull on a pixel, as functions of the label's probability.

    Args:
        p: (n,) probabilities of the label, ascending; the rest is shared equally by the others.
        loss: (n,) the loss.
        weight: (n,) the gradient weight ``-dL / d log p_y``, as seen by the label's logit:
            ``-dL/dz_y / (1 - p_y)``. That is cross-entropy's 1: how much the pixel counts.
    """

    p: Tensor
    loss: Tensor
    weight: Tensor


def is_symmetric(loss: SegmentationLoss, num_classes: int) -> Symmetry:
    """Find out whether ``sum_k L(u, k)`` is the same for all predictions u.

    A symmetric loss tolerates symmetric noise of any rate below (K - 1) / K (Ghosh et al., AAAI
    2017).

    Args:
        loss: a pixel-wise loss in multiclass mode.
        num_classes: K.

    Returns:
        The verdict with the constant.

    Raises:
        TypeError: if the loss is no function of one pixel's logits.
        ValueError: if it draws at random, or is of another mode.

    Example:
        >>> from segnoise.losses import build_loss
        >>> is_symmetric(build_loss("NCE", mode="multiclass"), 10).constant
        1.0
        >>> is_symmetric(build_loss("CE", mode="multiclass"), 10).symmetric
        False
    """
    sums = of_all_labels(loss, all_over_the_simplex(num_classes, 0)).sum(1)
    low, high = float(sums.min()), float(sums.max())
    mean = float(sums.mean())
    symmetric = high - low <= 1e-9 * max(abs(low), abs(high))
    return Symmetry(symmetric, round(mean, 9) if symmetric else mean, high - low)


def asymmetry_ratio(loss: SegmentationLoss, points: int = 20_001) -> AsymmetryRatio:
    """Find the asymmetry ratio of a loss ``l(u)`` of the label's probability u.

    ``r(l) = inf (l(u1) - l(u1 + d)) / (l(u2 - d) - l(u2))`` over u1, u2 >= 0 with u1 + u2 <= 1 and
    0 < d <= u2. By the mean value theorem that is ``inf w(u1) / w(u2)`` of the slopes w = -l'. The
    loss is asymmetric, hence tolerates the noise, if ``w_clean / w_other * r >= 1`` for the shares
    of the true and of any other label. For a convex loss that is also needed; a concave one
    (AGCE with q > 1) is asymmetric for every noise that leaves the true label the most frequent,
    whatever its r.

    Args:
        loss: a pixel-wise loss of the label's probability alone, in multiclass mode.
        points: how many probabilities to try on the middle of the way; the ends are searched down
            to 1e-300 and to 1 - 1e-9.

    Returns:
        The ratio with a bound of its error; 0 where the slope has no bound.

    Raises:
        TypeError: if the loss is no function of one pixel's logits.
        ValueError: if it depends on more than the label's probability, or draws at random.

    Source: Zhou et al., Asymmetric Loss Functions for Learning with Noisy Labels, ICML 2021,
    definition 3.

    Example:
        >>> from segnoise.losses import build_loss
        >>> round(asymmetry_ratio(build_loss("AEL", mode="multiclass", a=2.5)).ratio, 6)
        0.67032
    """
    near_zero = torch.logspace(math.log10(_SMALLEST), -4, 3000, dtype=torch.float64)
    middle = torch.linspace(1e-4, 1 - 1e-4, points, dtype=torch.float64)
    near_one = 1 - torch.logspace(-4, -9, 200, dtype=torch.float64)
    u = torch.cat((near_zero, middle[1:-1], near_one))
    values, pulls = zip(
        *(
            pull(loss, torch.stack((u, (1 - u) * lean, (1 - u) * (1 - lean)), 1).log())
            for lean in (0.5, 0.9)  # two ways to share out the rest
        ),
        strict=True,
    )
    slope = pulls[0] / u
    if not all(torch.allclose(a, b, rtol=1e-6, atol=1e-12) for a, b in (values, pulls)):
        raise ValueError(
            f"{type(loss).__name__} depends on more than the label's probability: the asymmetry "
            "ratio is not defined; ask is_asymmetric or noise_tolerance"
        )
    ratio = _least_ratio(slope, slope, u, u)
    if slope[0] > 1.001 * slope[1000]:  # it still grows at 1e-300: nothing bounds it
        return AsymmetryRatio(0.0, ratio)
    # Between two points the slope leaves their range by no more than the bend that is seen there.
    share = (u[1:-1] - u[:-2]) / (u[2:] - u[:-2])
    bend = (slope[1:-1] - torch.lerp(slope[:-2], slope[2:], share)).abs()
    slack = torch.maximum(torch.cat((bend[:1], bend)), torch.cat((bend, bend[-1:])))
    least = torch.minimum(slope[:-1], slope[1:]) - slack
    greatest = torch.maximum(slope[:-1], slope[1:]) + slack
    lower = max(_least_ratio(least, greatest, u[:-1], u[:-1]), 0.0)
    return AsymmetryRatio(ratio, max(ratio - lower, 0.0))


def is_asymmetric(
    loss: SegmentationLoss, transition_matrix: Sequence[Sequence[float]] | Tensor
) -> bool:
    """Find out whether a loss is asymmetric on a noise that leaves the true label most frequent.

    That is, whether ``sum_i T_mi L(u, i)`` is least where L(u, m) is, for every class m.

    Args:
        loss: a pixel-wise loss in multiclass mode.
        transition_matrix: (K, K), rows of the true classes; in each the diagonal is the greatest.

    Raises:
        ValueError: if it is no such matrix.
        TypeError: if the loss is no function of one pixel's logits.

    Example:
        >>> from segnoise.losses import build_loss
        >>> matrix = [[0.6, 0.4], [0.1, 0.9]]
        >>> is_asymmetric(build_loss("AUL", mode="multiclass", a=6, q=1.5), matrix)
        True
        >>> is_asymmetric(build_loss("CE", mode="multiclass"), matrix)
        False
    """
    matrix = check_transition_matrix(transition_matrix, "multiclass")
    for number, row in enumerate(matrix):
        others = row.clone()
        others[number] = -1
        if not row[number] > others.max():
            raise ValueError(
                f"transition_matrix: in row {number} the true label is not the most frequent one "
                f"({float(row[number]):g} against {float(others.max()):g}): no loss is asymmetric "
                "there"
            )
    return noise_tolerance(loss, len(matrix), matrix).tolerant


def noise_tolerance(
    loss: SegmentationLoss,
    num_classes: int,
    noise: float | Sequence[Sequence[float]] | Tensor,
) -> NoiseTolerance:
    """Find out whether a loss's risk keeps its clean minimiser under a noise.

    The risk of a pixel of class m is ``sum_i T_mi L(u, i)``. It is minimised from many starts: that
    a loss is not tolerant is shown by the minimiser found; that it is, by finding none.

    Args:
        loss: a pixel-wise loss in multiclass mode.
        num_classes: K.
        noise: rate of symmetric noise, 0..1: a pixel takes each other class with the chance
            rate / (K - 1); or a (K, K) transition matrix, rows of the true classes.

    Returns:
        The verdict, how far it is missed, and the minimisers.

    Raises:
        TypeError: if the loss is no function of one pixel's logits.
        ValueError: if the noise is none, is for another K, or the loss draws at random.

    Example:
        >>> from segnoise.losses import build_loss
        >>> found = noise_tolerance(build_loss("CE", mode="multiclass"), 3, 0.4)
        >>> found.tolerant, found.keeps_classes
        (False, True)
        >>> found.minimizers[0]
        tensor([0.6000, 0.2000, 0.2000], dtype=torch.float64)
        >>> noise_tolerance(build_loss("ANL-CE", mode="multiclass"), 3, 0.4).tolerant
        True
    """
    if not loss.bounded_below:
        raise TypeError(f"{type(loss).__name__} has no lower bound, hence no minimiser")
    matrix = _matrix(num_classes, noise)
    rows, gaps = [], []
    for label, weights in enumerate(matrix):
        starts = all_over_the_simplex(num_classes, label, weights)
        only = torch.eye(num_classes, dtype=torch.float64)[label]
        descents = [descended(loss, starts, w) for w in (weights, only)]
        logits = torch.cat((starts, *descents))
        losses = of_all_labels(loss, logits)
        risk, clean = losses @ weights, losses[:, label]
        # Of the clean minimisers, where there are several, the one that the noise likes best.
        scale = float(clean.max() - clean.min())
        best = risk[clean <= clean.min() + 1e-9 * scale].min()
        gap = float(best - risk.min()) / max(float(risk.max() - risk.min()), 1e-300)
        gaps.append(0.0 if gap < _SAME else gap)
        rows.append(torch.softmax(logits[risk.argmin()], 0))
    minimizers = torch.stack(rows)
    kept = bool((minimizers.argmax(1) == torch.arange(num_classes)).all())
    return NoiseTolerance(max(gaps) == 0, kept, max(gaps), minimizers)


def tolerated_rate(loss: SegmentationLoss, num_classes: int) -> float:
    """Find the greatest rate of symmetric noise that a loss tolerates, to 0.001.

    Args:
        loss: a pixel-wise loss in multiclass mode.
        num_classes: K.

    Returns:
        0..(K - 1) / K; the upper end, beyond which the true label is no longer the most frequent,
        for a symmetric loss.

    Example:
        >>> from segnoise.losses import build_loss
        >>> round(tolerated_rate(build_loss("MAE", mode="multiclass"), 4), 3)
        0.75
        >>> tolerated_rate(build_loss("CE", mode="multiclass"), 4)
        0.0
    """
    low, high = 0.0, (num_classes - 1) / num_classes
    if noise_tolerance(loss, num_classes, high - 1e-3).tolerant:
        return high
    while high - low > 1e-3:
        middle = (low + high) / 2
        if noise_tolerance(loss, num_classes, middle).tolerant:
            low = middle
        else:
            high = middle
    return low if low > 0 else 0.0


def curves(
    loss: SegmentationLoss, num_classes: int = 10, points: int = 101, label: int = 1
) -> Curves:
    """Compute a loss and its gradient weight against the label's probability.

    Args:
        loss: a pixel-wise loss; in binary and multilabel mode of one score.
        num_classes: K, for multiclass mode.
        points: how many probabilities from 0.001 to 0.999.
        label: 1 or 0, for binary and multilabel mode: of a positive or of a negative.

    Returns:
        The curves.

    Raises:
        TypeError: if the loss is no function of one pixel's logits.

    Example:
        >>> from segnoise.losses import build_loss
        >>> curves(build_loss("CE", mode="multiclass"), points=3).weight
        tensor([1.0000, 1.0000, 1.0000], dtype=torch.float64)
        >>> curves(build_loss("MAE", mode="multiclass"), points=3).weight
        tensor([0.0010, 0.5000, 0.9990], dtype=torch.float64)
    """
    p = torch.linspace(0.001, 0.999, points, dtype=torch.float64)
    if loss.mode == "multiclass":
        rest = ((1 - p) / (num_classes - 1)).unsqueeze(1).expand(-1, num_classes - 1)
        value, weight = pull(loss, torch.cat((p.unsqueeze(1), rest), 1).log())
        return Curves(p, value, weight)
    score = torch.logit(p if label else 1 - p).requires_grad_()
    map_of = loss_of_pixels(loss)
    value = map_of(score, torch.full(score.shape, label))
    (gradient,) = torch.autograd.grad(value.sum(), score)
    return Curves(p, value.detach(), (gradient if not label else -gradient) / (1 - p))


def _least_ratio(numerator: Tensor, denominator: Tensor, u1: Tensor, u2: Tensor) -> float:
    """``min numerator(u1) / denominator(u2)`` over u1 + u2 <= 1; both ascending."""
    least = torch.cummin(numerator, 0).values
    reach = torch.searchsorted(u1, 1 - u2, right=True) - 1
    possible = (reach >= 0) & (denominator > 0)
    return float((least[reach.clamp_min(0)] / denominator)[possible].min())


def _matrix(num_classes: int, noise: float | Sequence[Sequence[float]] | Tensor) -> Tensor:
    if num_classes < 2:
        raise ValueError(f"num_classes must be at least 2, got {num_classes}")
    if isinstance(noise, (int, float)):
        if not 0 <= noise <= 1:
            raise ValueError(f"the rate of symmetric noise must lie in 0..1, got {noise}")
        matrix = torch.full((num_classes, num_classes), noise / (num_classes - 1)).double()
        return matrix.fill_diagonal_(1 - noise)
    matrix = check_transition_matrix(noise, "multiclass")
    if len(matrix) != num_classes:
        raise ValueError(f"the transition matrix is for {len(matrix)} classes, not {num_classes}")
    return matrix
