"""Pixel weights by class, by hand."""

import pytest
import torch
from torch import nn

from segnoise.methods import ClassBalanced
from segnoise.methods.class_balanced import class_balance
from segnoise.models import Segmentor


def weights(labels, mode="multiclass", **arguments):
    method = ClassBalanced(**arguments)
    classes = 3 if mode == "multiclass" else 2
    model = Segmentor(classes, network=nn.Identity(), losses=[{"type": "CE"}], mode=mode)
    model.set_methods({"class_balanced": method}, max_iters=10, epoch_iters=5)
    image = torch.zeros(len(labels), 3 if mode == "multiclass" else 1, *labels.shape[1:])
    return method.weigh(model._training_step(image, labels, None))


LABELS = torch.tensor([[[0, 0, 0, 2]], [[1, 1, 255, 255]]])


def test_in_each_image_every_class_has_the_same_total():
    found = weights(LABELS, scheme="inverse")
    torch.testing.assert_close(found, torch.tensor([[[2 / 3] * 3 + [2.0]], [[1.0, 1, 0, 0]]]))


def test_over_a_batch():
    found = weights(LABELS, scheme="inverse", scope="batch")
    # Three classes share six pixels' weight.
    expected = torch.tensor([[[2 / 3] * 3 + [2.0]], [[1.0, 1, 0, 0]]])
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        weights(torch.tensor([[[0, 0]], [[0, 2]]]), scheme="inverse", scope="batch"),
        torch.tensor([[[2 / 3, 2 / 3]], [[2 / 3, 2.0]]]),
    )


def test_by_square_roots_and_in_binary_mode():
    labels = torch.tensor([[[0] * 9 + [1]]])
    found = weights(labels, mode="binary")
    assert found[0, 0, 9] / found[0, 0, 0] == pytest.approx(3)
    assert found.mean() == pytest.approx(1)


def test_an_image_without_labels():
    assert class_balance(torch.full((2, 2), 255), 3, 255, "inverse").sum() == 0
