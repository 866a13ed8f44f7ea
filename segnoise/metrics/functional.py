r"""Metrics as functions of a confusion matrix.

Statistics and reduction are apart: :func:`confusion_matrix` counts, everything else reads
the counts. Matrices of batches, images or processes add up, so a metric of a whole data set
is the metric of the summed matrix (not the mean of per-image values, a different quantity).

With the matrix :math:`M`, true positives :math:`TP_k = M_{kk}`, false negatives
:math:`FN_k = \sum_j M_{kj} - M_{kk}` and false positives :math:`FP_k = \sum_i M_{ik} - M_{kk}`.
All results are fractions in [0, 1] in float64. A class that is absent, neither in the target nor
predicted, is NaN. The functions of a matrix take (K, K) counts with rows = target, and raise a
ValueError for one that is not square.
"""

from __future__ import annotations

import torch
from torch import Tensor


def check_tensors(**given: object) -> None:
    """Raise unless all arguments are tensors, naming the first that is not.

    Raises:
        TypeError: if one is an array, a list or anything else.

    Example:
        >>> check_tensors(target=[0, 1])
        Traceback (most recent call last):
        ...
        TypeError: target must be a tensor, got list: give torch.as_tensor(target)
    """
    for name, value in given.items():
        if not isinstance(value, Tensor):
            raise TypeError(
                f"{name} must be a tensor, got {type(value).__name__}: give torch.as_tensor({name})"
            )


def confusion_matrix(
    prediction: Tensor, target: Tensor, num_classes: int, ignore_index: int | None = 255
) -> Tensor:
    r"""Count pixels by (true class, predicted class).

    .. math:: M_{ij} = |\{x : y_x = i, \hat y_x = j\}|

    where :math:`y` is the target and :math:`\hat y` the prediction; pixels with
    :math:`y_x` = ``ignore_index`` are left out. The count runs on the tensors' device.

    Args:
        prediction: class ids of any integer type and any shape.
        target: class ids of any integer type, same shape.
        num_classes: K.
        ignore_index: label of pixels to leave out; None counts all.

    Returns:
        (K, K) int64, rows = target, columns = prediction. Matrices add.

    Raises:
        TypeError: if an input is no tensor, or not of an integer type.
        ValueError: if the shapes differ, or (on a CPU, where looking costs nothing) an id is
            outside [0, K).

    Example:
        >>> target = torch.tensor([[0, 0, 1, 255]])
        >>> prediction = torch.tensor([[0, 1, 1, 1]])
        >>> confusion_matrix(prediction, target, num_classes=2)
        tensor([[1, 1],
                [0, 1]])
    """
    check_tensors(prediction=prediction, target=target)
    for name, tensor in (("prediction", prediction), ("target", target)):
        if tensor.is_floating_point() or tensor.is_complex():
            raise TypeError(f"{name} must hold integer class ids, got {tensor.dtype}")
    if prediction.shape != target.shape:
        raise ValueError(
            f"prediction and target differ in shape: {tuple(prediction.shape)} and "
            f"{tuple(target.shape)}"
        )
    if num_classes < 1:
        raise ValueError(f"num_classes must be at least 1, got {num_classes}")
    # Ignored pixels go to a bin of their own: cheaper than picking out the others.
    cells = num_classes * num_classes
    truth = target.reshape(-1).long()
    guess = prediction.reshape(-1).long()
    if truth.device.type == "cpu" and truth.numel():
        _check_ids(truth, guess, num_classes, ignore_index)
    index = truth * num_classes + guess
    if ignore_index is not None:
        index = torch.where(truth == ignore_index, cells, index)
    return torch.bincount(index, minlength=cells + 1)[:cells].view(num_classes, num_classes)


def _check_ids(truth: Tensor, guess: Tensor, num_classes: int, ignore_index: int | None) -> None:
    valid = truth if ignore_index is None else truth[truth != ignore_index]
    for name, ids in (("target", valid), ("prediction", guess)):
        if ids.numel() == 0:
            continue
        low, high = (int(v) for v in torch.aminmax(ids))
        if low < 0 or high >= num_classes:
            bad = low if low < 0 else high
            raise ValueError(f"{name} holds class id {bad}, outside [0, {num_classes})")


def _counts(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    check_tensors(matrix=matrix)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"a confusion matrix is square, got shape {tuple(matrix.shape)}")
    matrix = matrix.double()
    return matrix.diagonal(), matrix.sum(1), matrix.sum(0)


def iou_per_class(matrix: Tensor) -> Tensor:
    r"""Intersection over union of each class, (K,): :math:`TP_k / (TP_k + FP_k + FN_k)`.

    Example:
        >>> iou_per_class(torch.tensor([[2, 1, 0], [0, 3, 0], [0, 0, 0]]))
        tensor([0.6667, 0.7500,    nan], dtype=torch.float64)
    """
    hit, truth, guess = _counts(matrix)
    return hit / (truth + guess - hit)


def dice_per_class(matrix: Tensor) -> Tensor:
    r"""Dice coefficient (F1) of each class, (K,): :math:`2 TP_k / (2 TP_k + FP_k + FN_k)`.

    Example:
        >>> dice_per_class(torch.tensor([[2, 1], [0, 3]]))
        tensor([0.8000, 0.8571], dtype=torch.float64)
    """
    hit, truth, guess = _counts(matrix)
    return 2 * hit / (truth + guess)


def accuracy_per_class(matrix: Tensor) -> Tensor:
    r"""Recall of each class, (K,): :math:`TP_k / (TP_k + FN_k)`; NaN without target pixels.

    Example:
        >>> accuracy_per_class(torch.tensor([[3, 1], [0, 2]]))
        tensor([0.7500, 1.0000], dtype=torch.float64)
    """
    hit, truth, _ = _counts(matrix)
    return hit / truth


def mean_iou(matrix: Tensor) -> Tensor:
    """Mean of :func:`iou_per_class` over the classes that are not absent (mIoU), NaN without one.

    Example:
        >>> mean_iou(torch.tensor([[2, 1, 0], [0, 3, 0], [0, 0, 0]]))
        tensor(0.7083, dtype=torch.float64)
    """
    return iou_per_class(matrix).nanmean()


def mean_dice(matrix: Tensor) -> Tensor:
    """Mean of :func:`dice_per_class` over the classes that are not absent, NaN without one.

    Example:
        >>> mean_dice(torch.tensor([[2, 1], [0, 3]]))
        tensor(0.8286, dtype=torch.float64)
    """
    return dice_per_class(matrix).nanmean()


def pixel_accuracy(matrix: Tensor) -> Tensor:
    r"""Share of valid pixels with the right class: :math:`\sum_k TP_k / \sum_{ij} M_{ij}`.

    Example:
        >>> pixel_accuracy(torch.tensor([[2, 1], [0, 3]]))
        tensor(0.8333, dtype=torch.float64)
    """
    hit, truth, _ = _counts(matrix)
    return hit.sum() / truth.sum()
