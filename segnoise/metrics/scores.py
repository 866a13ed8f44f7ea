r"""The confusion matrix straight from scores: argmax and counting in one pass over them.

``confusion_matrix(scores.argmax(1), target, K)`` reads the scores along an axis with a stride,
which is slow on a CPU, and writes a class id of eight bytes for every pixel. Here blocks of pixels
that fit into the cache are compared and counted at once; on CUDA devices a Triton kernel does so.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from segnoise.kernels import use_triton
from segnoise.metrics.functional import check_tensors


def greatest_class(scores: Tensor) -> Tensor:
    """Return ``scores.argmax(1)``, several times as fast on a CPU.

    Args:
        scores: (N, K, *) floats.

    Returns:
        (N, *) int64: the class with the greatest score, the first of equals.

    Raises:
        TypeError: if the scores are no tensor.
        ValueError: if there is one channel only, of which the greatest is always the first.

    Example:
        >>> greatest_class(torch.tensor([[[0.1, 0.7], [0.9, 0.7]]]))
        tensor([[1, 0]])
    """
    check_tensors(scores=scores)
    if scores.dim() < 2 or scores.shape[1] < 2:
        raise ValueError(
            f"scores (N, K, *) of K >= 2 classes have a greatest one, got {tuple(scores.shape)}: "
            "of one channel take scores > 0 for logits, scores > 0.5 for probabilities"
        )
    if scores.device.type != "cpu":
        return scores.argmax(1)
    flat = scores.detach().reshape(*scores.shape[:2], scores.shape[2:].numel())
    classes = torch.empty(len(flat), flat.shape[2], dtype=torch.int64, device=scores.device)
    for row, scores_of_row in enumerate(flat):
        classes[row] = _greatest_of_all(scores_of_row)
    return classes.reshape(len(scores), *scores.shape[2:])


def confusion_matrix_from_scores(
    scores: Tensor,
    target: Tensor,
    ignore_index: int | None = 255,
    *,
    threshold: float | None = None,
) -> Tensor:
    r"""Count pixels by (true class, class with the greatest score).

    .. math:: M_{ij} = |\{x : y_x = i, \arg\max_k z_{kx} = j\}|

    where :math:`y` is the target and :math:`z` the scores (logits or probabilities); the first of
    equal scores counts. It equals ``confusion_matrix(scores.argmax(1), target, K, ignore_index)``.

    Args:
        scores: (N, K, *) floats; one channel is the score of the second of two classes.
        target: class ids of any integer type, (N, *).
        ignore_index: label of pixels to leave out; None counts all.
        threshold: of one channel alone: the second class is predicted where the score is above it.
            0 for logits, 0.5 for probabilities. None takes them for logits, and is an error where
            all of them lie in 0..1; looking waits for a GPU.

    Returns:
        (K, K) int64, rows = target, columns = prediction. Matrices add.

    Raises:
        TypeError: if an input is no tensor, the scores are integers or the target is not.
        ValueError: if the shapes do not fit, scores are NaN (looking waits for a GPU), those of one
            channel may be probabilities, several channels come with a threshold, or (on a CPU,
            where looking costs nothing; elsewhere such pixels are left out) a label is outside
            [0, K).

    Example:
        >>> scores = torch.tensor([[[0.9, 0.2, 0.3], [0.1, 0.8, 0.7]]])
        >>> confusion_matrix_from_scores(scores, torch.tensor([[0, 0, 255]]))
        tensor([[1, 1],
                [0, 0]])
    """
    check_tensors(scores=scores, target=target)
    if not scores.is_floating_point():
        raise TypeError(
            f"scores must be floats, got {scores.dtype}; for class ids see confusion_matrix"
        )
    if target.is_floating_point() or target.is_complex():
        raise TypeError(f"target must hold integer class ids, got {target.dtype}")
    if scores.dim() < 2 or target.shape != scores[:, 0].shape:
        raise ValueError(
            f"scores (N, K, *) and target (N, *) do not fit: {tuple(scores.shape)} and "
            f"{tuple(target.shape)}"
        )
    if scores.shape[1] != 1 and threshold is not None:
        raise ValueError(
            f"the greatest of {scores.shape[1]} scores has no threshold: leave "
            f"threshold={threshold} out"
        )
    flat = scores.detach().reshape(*scores.shape[:2], scores.shape[2:].numel())
    if flat.shape[1] == 1 and threshold is None:
        _check_logits(flat)
    if flat.device.type != "cpu":
        _check_numbers(flat)
    above = 0.0 if threshold is None else float(threshold)
    labels = target.reshape(len(target), flat.shape[2])
    if use_triton(flat, _check_kernel):
        from segnoise.metrics.triton_counts import supports, triton_counts

        if supports(flat):
            return triton_counts(flat, labels, ignore_index, above)
    return _counted(flat, labels, ignore_index, above)


def _check_numbers(scores: Tensor) -> None:
    """Raise for NaN, of which argmax makes a class that scores well where it is frequent."""
    # The sum is one quick pass; infinities of both signs have NaN as their sum, too.
    if bool(scores.sum(dtype=torch.float32).isnan()) and bool(scores.isnan().any()):
        raise ValueError(
            "scores hold NaN, of which no class can be told: the network's weights have diverged, "
            "or its activations overflow in half precision"
        )


def _check_logits(scores: Tensor) -> None:
    """Raise if scores look like probabilities, which 0 does not divide."""
    if not scores.numel():
        return
    low, high = (float(v) for v in scores.aminmax())
    if low >= 0 and high <= 1:
        raise ValueError(
            f"all one-channel scores lie in 0..1 ({low:.3g} to {high:.3g}), as probabilities do: "
            "give threshold=0.5 for probabilities, threshold=0 for logits"
        )


def _check_kernel(device: torch.device) -> None:
    from segnoise.metrics.triton_counts import check_counts

    check_counts(device)


def _counted(scores: Tensor, target: Tensor, ignore_index: int | None, above: float) -> Tensor:
    """Count scores (N, K or 1, P) against labels (N, P) block by block."""
    channels = scores.shape[1]
    classes = 2 if channels == 1 else channels
    cells = classes * classes
    counts = torch.zeros(cells + 1, dtype=torch.int64, device=scores.device)
    for row, part in _parts(scores):
        labels = target[row, part].long()
        void = labels == ignore_index if ignore_index is not None else None
        outside = (labels < 0) | (labels >= classes)
        if void is not None:
            outside &= ~void
        if scores.device.type == "cpu" and bool(outside.any()):
            bad = int(labels[outside][0])
            raise ValueError(f"target holds class id {bad}, outside [0, {classes})")
        on_cpu = scores.device.type == "cpu"
        if channels == 1:
            if on_cpu:
                _check_numbers(scores[row, :, part])
            guess = scores[row, 0, part] > above
        else:
            guess = _greatest_of_all(scores[row, :, part], numbers=on_cpu)
        cell = labels.mul(classes).add_(guess)
        left_out = outside if void is None else outside.logical_or_(void)
        cell.masked_fill_(left_out, cells)
        counts += torch.bincount(cell, minlength=cells + 1)
    return counts[:cells].view(classes, classes)


def _parts(scores: Tensor) -> Iterator[tuple[int, slice]]:
    """Cut scores (N, K, P) into rows and parts of P, whose labels stay in a CPU's cache."""
    rows, channels, pixels = scores.shape
    on_cpu = scores.device.type == "cpu"
    width = 2**16 * torch.get_num_threads() if on_cpu else max(1, 2**27 // channels)
    for row in range(rows):
        for first in range(0, pixels, width):
            yield row, slice(first, first + width)


def _greatest_of_all(scores: Tensor, numbers: bool = False) -> Tensor:
    """:func:`_greatest`, on a CPU in blocks of scores that stay in its cache."""
    classes, pixels = scores.shape
    if scores.device.type != "cpu":
        return _greatest(scores, numbers)
    width = max(1, 2**18 * torch.get_num_threads() // classes)
    found = torch.empty(pixels, dtype=torch.int64)
    for first in range(0, pixels, width):
        part = slice(first, first + width)
        found[part] = _greatest(scores[:, part], numbers)
    return found


def _greatest(scores: Tensor, numbers: bool = False) -> Tensor:
    """Index of the greatest of scores (K, P), the first of equals; ``numbers`` refuses NaN."""
    classes = scores.shape[0]
    if scores.device.type != "cpu" or classes > 255 or scores.stride(0) == 1:
        if numbers:
            _check_numbers(scores)
        return scores.argmax(0)
    # Along an axis with a stride argmax takes ten times as long on a CPU as these three steps.
    greatest = scores.amax(0)
    if bool(greatest.isnan().any()):  # as one of the scores is
        if numbers:
            _check_numbers(scores)
        return scores.argmax(0)
    rank = torch.arange(classes, 0, -1, dtype=torch.uint8).unsqueeze(1)
    return classes - (scores == greatest).view(torch.uint8).mul_(rank).amax(0).long()
