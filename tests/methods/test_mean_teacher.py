"""What the teacher corrects, and the agreement with it."""

import math

import pytest
import torch
from teachers import image_of, started
from torch import nn

from segnoise.methods import MeanTeacher
from segnoise.methods.mean_teacher import confident_labels


def test_labels_are_corrected_from_the_start_share_on_where_the_teacher_is_sure():
    predicted = torch.tensor([[[0, 1, 2, 2]]])
    mask = torch.tensor([[[1, 1, 255, 0]]])
    image = image_of(predicted, 5.0)  # p = 0.987
    image[0, :, 0, 3] /= 5  # p = 0.576: not sure
    method = MeanTeacher(start=0.3, tau=0.9)
    model = started(method)
    method.iteration = 2
    assert "corrected/teacher" not in model(image, mask, mode="loss")
    method.iteration = 3
    with torch.no_grad():
        model.network.weight.zero_()  # it is the teacher that counts, not the network
    found = model(image, mask, mode="loss")
    assert found["corrected/teacher"] == 0.25
    assert found["loss_ce"].item() == pytest.approx(math.log(3))
    step = model._training_step(image, mask, None)
    assert method.correct_labels(step).tolist() == [[[0, 1, 255, 0]]]


def test_the_labels_type_is_kept():
    scores = torch.tensor([[[[0.0]], [[1.0]]]])
    labels = confident_labels(torch.zeros(1, 1, 1, dtype=torch.uint8), scores, 0.5, 255)
    assert labels.dtype == torch.uint8
    assert labels.item() == 1


def test_consistency_by_hand():
    method = MeanTeacher(start=1.0, consistency=2.0, ramp=0.4)
    model = started(method)
    image = image_of(torch.tensor([[[0]]]), math.log(2.0))  # teacher: 1/2, 1/4, 1/4
    with torch.no_grad():
        model.network.weight.zero_()  # network: 1/3 each
    square = ((1 / 6) ** 2 + 2 * (1 / 12) ** 2) / 3
    for iteration, grown in ((0, 0.0), (2, 0.5), (4, 1.0), (9, 1.0)):
        method.iteration = iteration
        found = model(image, torch.tensor([[[0]]]), mode="loss")
        weight = 2 * math.exp(-5 * (1 - grown) ** 2)
        assert found["loss_consistency_teacher"].item() == pytest.approx(weight * square)
    found["loss_consistency_teacher"].backward()
    assert model.network.weight.grad.abs().sum() > 0
    assert method.teacher.weight.grad is None


def test_binary_labels_are_corrected_both_ways():
    network = nn.Conv2d(1, 1, 1, bias=False)
    network.weight.data.fill_(1.0)
    method = MeanTeacher(start=0.0, tau=0.9)
    model = started(method, network, mode="binary")
    image = torch.tensor([[[[5.0, -5.0, 1.0, -1.0]]]])
    step = model._training_step(image, torch.tensor([[[0, 1, 0, 1]]]), None)
    assert method.correct_labels(step).tolist() == [[[1, 0, 0, 1]]]
