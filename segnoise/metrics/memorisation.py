r"""What a network makes of wrong labels while it trains on them: it learns the truth, or them.

A pixel with the given label :math:`\tilde y` and the true one :math:`y`, both valid, is *wrong*
where :math:`\tilde y \ne y`. Its prediction :math:`\hat y` is the given label (memorised), the true
one (withstood) or another. Counts of batches, epochs and processes add up; shares read the counts.
All results are fractions in [0, 1].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from segnoise.metrics.functional import check_tensors

OUTCOMES = ("given", "true", "other", "right", "missed")


def memorisation_counts(
    prediction: Tensor, given: Tensor, true: Tensor, num_classes: int, ignore_index: int = 255
) -> Tensor:
    r"""Count pixels by what became of them, and by true class.

    .. math:: C_{ok} = |\{x : o_x = o, y_x = k\}|

    The outcome :math:`o` of a wrong pixel is "given" where :math:`\hat y = \tilde y`, "true" where
    :math:`\hat y = y`, else "other"; of a right one "right" where :math:`\hat y = y`, else
    "missed". The count runs on the tensors' device, and does not wait for it.

    Args:
        prediction: predicted class ids, any integer type and any shape.
        given: labels trained on, same shape.
        true: clean labels, same shape.
        num_classes: K.
        ignore_index: label of pixels without one; left out wherever either label is it.

    Returns:
        (5, K) int64, rows as in :data:`OUTCOMES`. Counts add.

    Raises:
        ValueError: if the shapes differ.

    Example:
        >>> given, true = torch.tensor([1, 1, 1, 0, 255]), torch.tensor([0, 0, 1, 0, 0])
        >>> memorisation_counts(torch.tensor([1, 0, 1, 1, 0]), given, true, num_classes=2)
        tensor([[1, 0],
                [1, 0],
                [0, 0],
                [0, 1],
                [1, 0]])
    """
    check_tensors(prediction=prediction, given=given, true=true)
    if not prediction.shape == given.shape == true.shape:
        raise ValueError(
            "prediction, given and true labels differ in shape: "
            f"{tuple(prediction.shape)}, {tuple(given.shape)}, {tuple(true.shape)}"
        )
    guess, label, truth = (t.reshape(-1).long() for t in (prediction, given, true))
    hit = guess == truth
    of_wrong = torch.where(hit, 1, torch.where(guess == label, 0, 2))
    outcome = torch.where(label == truth, torch.where(hit, 3, 4), of_wrong)
    # Invalid pixels go to a bin of their own: cheaper than picking out the others.
    cells = len(OUTCOMES) * num_classes
    valid = (label != ignore_index) & (truth != ignore_index)
    index = torch.where(valid, outcome * num_classes + truth, cells)
    # Not bincount, which on a GPU waits for the greatest index.
    counts = torch.zeros(cells + 1, dtype=torch.int64, device=index.device)
    counts.scatter_add_(0, index, torch.ones_like(index))
    return counts[:cells].view(len(OUTCOMES), num_classes)


def memorisation_shares(counts: Tensor) -> dict[str, Tensor]:
    r"""Shares of the outcomes of wrong pixels, and the accuracy on right ones.

    .. math::
        s_o = C_o / (C_{given} + C_{true} + C_{other}), \quad
        a = C_{right} / (C_{right} + C_{missed})

    Args:
        counts: (5, ...), such as :func:`memorisation_counts` by class, or its sum over classes.

    Returns:
        "given", "true", "other" and "right_accuracy", (...) float64; NaN where there is no pixel.

    Raises:
        ValueError: if the counts have not five rows.

    Example:
        >>> shares = memorisation_shares(torch.tensor([3, 1, 0, 9, 1]))
        >>> {name: float(value) for name, value in shares.items()}
        {'given': 0.75, 'true': 0.25, 'other': 0.0, 'right_accuracy': 0.9}
    """
    check_tensors(counts=counts)
    if counts.ndim < 1 or len(counts) != len(OUTCOMES):
        raise ValueError(f"counts have {len(OUTCOMES)} rows, got shape {tuple(counts.shape)}")
    values = counts.double()
    wrong, right = values[:3].sum(0), values[3:].sum(0)
    shares = {name: values[row] / wrong for row, name in enumerate(OUTCOMES[:3])}
    return {**shares, "right_accuracy": values[3] / right}


def memorisation_begins(
    history: Sequence[Mapping[str, Any]], least_rise: float = 1.0
) -> float | None:
    """Return the epoch from which a network learns wrong labels for good.

    Of the entries from the one with the highest share "true" on (the first of equals), it is the
    one with the lowest share "given" (the last of equals): after it, the share of wrong labels
    that are learnt never falls so low again.

    Args:
        history: entries with "epoch", "given" and "true", in the order of time, the shares in
            percent, as in a run's ``memorisation.json``; None where there was no wrong pixel.
        least_rise: how far above that lowest value the last one has to be, in percent points.

    Returns:
        The entry's epoch; None where "given" does not rise by so much until the end.

    Example:
        >>> curve = [(1, 20, 60), (2, 15, 80), (3, 12, 79), (4, 30, 65), (5, 50, 45)]
        >>> memorisation_begins([dict(epoch=e, given=g, true=t) for e, g, t in curve])
        3
    """
    known = [e for e in history if e["given"] is not None and e["true"] is not None]
    if not known:
        return None
    peak = max(range(len(known)), key=lambda i: known[i]["true"])
    lowest = min(range(peak, len(known)), key=lambda i: (known[i]["given"], -i))
    if known[-1]["given"] - known[lowest]["given"] < least_rise:
        return None
    epoch: float = known[lowest]["epoch"]
    return epoch
