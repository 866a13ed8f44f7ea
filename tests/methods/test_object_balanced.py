"""Pixel weights by object, against SciPy's components."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn

from segnoise.methods import ObjectBalanced
from segnoise.methods.components import components
from segnoise.methods.object_balanced import object_balance
from segnoise.models import Segmentor


def random_labels(seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 4, (6, 8)).repeat(3, 0).repeat(3, 1)
    return np.where(coarse == 3, 255, coarse)


def regions(labels):
    """Masks of the connected regions, by SciPy."""
    for value in np.unique(labels[labels != 255]):
        numbers, count = ndimage.label(labels == value, np.ones((3, 3)))
        yield from (numbers == n + 1 for n in range(count))


def test_components_are_scipys():
    labels = random_labels()
    count, numbers = components(labels, labels == 255)
    masks = list(regions(labels))
    assert count == len(masks) > 5
    assert sorted(np.bincount(numbers.ravel())[1:]) == sorted(int(m.sum()) for m in masks)
    for mask in masks:
        assert len(np.unique(numbers[mask])) == 1
    assert (numbers[labels == 255] == 0).all()


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_the_total_weight_of_an_object(power):
    labels = random_labels()
    weights = object_balance(labels, 255, power)
    totals = np.array([weights[m].sum() / m.sum() ** (1 - power) for m in regions(labels)])
    np.testing.assert_allclose(totals, totals[0], rtol=1e-5)
    assert weights[labels != 255].mean() == pytest.approx(1)
    assert (weights[labels == 255] == 0).all()


def test_each_image_by_itself():
    method = ObjectBalanced(power=1.0)
    model = Segmentor(3, network=nn.Identity(), losses=[{"type": "CE"}])
    model.set_methods({"object_balanced": method}, max_iters=10, epoch_iters=5)
    labels = torch.tensor([[[0, 0, 0, 2]], [[255, 255, 255, 255]], [[1, 1, 1, 1]]])
    step = model._training_step(torch.zeros(3, 3, 1, 4), labels.to(torch.uint8), None)
    expected = torch.tensor([[[2 / 3] * 3 + [2.0]], [[0.0] * 4], [[1.0] * 4]])
    torch.testing.assert_close(method.weigh(step), expected)
