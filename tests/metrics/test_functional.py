"""The confusion matrix and its metrics against scikit-learn and hand counts."""

import math

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from segnoise.metrics import (
    accuracy_per_class,
    confusion_matrix,
    dice_per_class,
    iou_per_class,
    mean_dice,
    mean_iou,
    pixel_accuracy,
)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64])
@pytest.mark.parametrize("num_classes", [1, 2, 7])
def test_equals_scikit_learn(dtype, num_classes):
    rng = np.random.default_rng(num_classes)
    target = rng.integers(0, num_classes, (3, 17, 13))
    prediction = rng.integers(0, num_classes, target.shape)
    target[rng.random(target.shape) < 0.1] = 255
    valid = target != 255
    matrix = confusion_matrix(
        torch.tensor(prediction).to(dtype), torch.tensor(target).to(dtype), num_classes
    )
    labels = list(range(num_classes))
    expected = sk.confusion_matrix(target[valid], prediction[valid], labels=labels)
    assert matrix.tolist() == expected.tolist()
    torch.testing.assert_close(
        iou_per_class(matrix).numpy(),
        sk.jaccard_score(target[valid], prediction[valid], labels=labels, average=None),
    )
    torch.testing.assert_close(
        dice_per_class(matrix).numpy(),
        sk.f1_score(target[valid], prediction[valid], labels=labels, average=None),
    )
    torch.testing.assert_close(
        accuracy_per_class(matrix).numpy(),
        sk.recall_score(target[valid], prediction[valid], labels=labels, average=None),
    )
    assert float(pixel_accuracy(matrix)) == pytest.approx(
        sk.accuracy_score(target[valid], prediction[valid])
    )


def test_absent_classes_are_left_out_of_the_mean():
    matrix = torch.tensor([[2, 1, 0], [0, 3, 0], [0, 0, 0]])
    assert math.isnan(iou_per_class(matrix)[2])
    assert float(mean_iou(matrix)) == pytest.approx((2 / 3 + 3 / 4) / 2)
    assert float(mean_dice(matrix)) == pytest.approx((4 / 5 + 6 / 7) / 2)


def test_a_class_only_predicted_counts_as_zero():
    matrix = torch.tensor([[2, 1], [0, 0]])
    assert iou_per_class(matrix)[1] == 0


def test_matrices_add_over_any_division():
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(0, 5, (7, 9, 9), generator=generator)
    prediction = torch.randint(0, 5, (7, 9, 9), generator=generator)
    whole = confusion_matrix(prediction, target, 5)
    parts = sum(confusion_matrix(prediction[i], target[i], 5) for i in range(7))
    assert torch.equal(whole, parts)


def test_void_only_and_empty_give_nan_and_zero_counts():
    void = torch.full((4, 4), 255, dtype=torch.uint8)
    matrix = confusion_matrix(torch.zeros_like(void), void, 3)
    assert matrix.sum() == 0
    assert math.isnan(mean_iou(matrix))
    empty = torch.zeros(0, 4, dtype=torch.int64)
    assert confusion_matrix(empty, empty, 3).sum() == 0


@pytest.mark.parametrize(
    ("prediction", "target", "error", "words"),
    [
        (torch.zeros(2, 2), torch.zeros(2, 2, dtype=torch.int64), TypeError, "float32"),
        (torch.zeros(2, 3).long(), torch.zeros(3, 2).long(), ValueError, r"\(2, 3\).*\(3, 2\)"),
        (torch.zeros(2).long(), torch.tensor([0, 37]), ValueError, "37"),
        (torch.tensor([0, -1]), torch.zeros(2).long(), ValueError, "-1"),
    ],
)
def test_bad_input(prediction, target, error, words):
    with pytest.raises(error, match=words):
        confusion_matrix(prediction, target, 21)


def test_a_matrix_must_be_square():
    with pytest.raises(ValueError, match=r"square.*\(2, 3\)"):
        iou_per_class(torch.zeros(2, 3))
