"""Regions of equal labels, and what is averaged over them."""

import pytest
import torch

from segnoise.methods.components import Regions


def test_the_mean_of_a_large_region_is_exact():
    regions = Regions.of(
        torch.zeros(1, 1024, 1024, dtype=torch.long), torch.zeros(1, 1024, 1024, dtype=torch.bool)
    )
    scores = torch.full((1, 2, 1024, 1024), 0.7)
    assert regions.means(scores)[1].tolist() == pytest.approx(
        [float(scores[0, 0, 0, 0])] * 2, abs=1e-15
    )


def test_regions_are_of_each_image_for_itself():
    scores = torch.rand(2, 3, 4, 5)
    labels = torch.zeros(2, 4, 5, dtype=torch.uint8)
    labels[1, :, 3:] = 2
    labels[1, 0, 0] = 255
    regions = Regions.of(labels, labels == 255)
    means = regions.means(scores)
    assert regions.label.tolist() == [0, 0, 0, 2]
    assert regions.pixels.tolist() == [1, 20, 11, 8]
    for image, inside in ((0, labels[0] == 0), (1, labels[1] == 0), (1, labels[1] == 2)):
        number = regions.number[image][inside].unique()
        expected = scores[image][:, inside].mean(1).double()
        torch.testing.assert_close(means[number][0], expected, rtol=1e-6, atol=0)
