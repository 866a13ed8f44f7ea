"""The teacher's weights, what it corrects, and the agreement with it."""

import math

import pytest
import torch
from torch import nn

from segnoise.methods import MeanTeacher
from segnoise.methods.mean_teacher import confident_labels
from segnoise.models import Segmentor


def pixel_classifier():
    """Logits are the image itself."""
    network = nn.Conv2d(3, 3, 1, bias=False)
    network.weight.data = torch.eye(3).view(3, 3, 1, 1)
    return network


def started(method, network=None, mode="multiclass"):
    model = Segmentor(
        3 if mode == "multiclass" else 2,
        network=network or pixel_classifier(),
        losses=[{"type": "CE"}],
        mode=mode,
    )
    model.set_methods({"teacher": method}, max_iters=10, epoch_iters=5)
    return model


def test_the_teacher_is_first_the_mean_and_then_the_running_mean():
    teacher = MeanTeacher(momentum=0.75)
    network = nn.Linear(1, 1, bias=False)
    network.weight.data.fill_(100.0)  # the random beginning
    teacher.begin(network, None)
    expected, seen = None, []
    for value in (1.0, 2.0, 6.0, 7.0, 12.0):
        network.weight.data.fill_(value)
        teacher.after_step(network)
        seen.append(value)
        mean = sum(seen) / len(seen)
        expected = mean if len(seen) <= 4 else 0.75 * expected + 0.25 * value
        assert float(teacher.teacher.weight) == pytest.approx(expected)
    assert teacher.updates == 5


def test_buffers_are_copied_and_the_teacher_stays_in_evaluation_mode():
    network = nn.Sequential(nn.BatchNorm2d(3), nn.Dropout(0.5))
    teacher = MeanTeacher()
    teacher.begin(network, None)
    network(torch.randn(4, 3, 2, 2) + 5)
    teacher.train()
    teacher.after_step(network)
    assert teacher.teacher[0].running_mean.equal(network[0].running_mean)
    assert teacher.teacher[0].num_batches_tracked == 1
    assert not any(part.training for part in teacher.teacher.modules())
    assert not any(p.requires_grad for p in teacher.parameters())


def test_the_teachers_batch_norm_is_in_the_networks_mode():
    """Statistics that other weights collected are useless: here they are off by thousands."""
    network = nn.Sequential(nn.Conv2d(3, 3, 1, bias=False), nn.BatchNorm2d(3, affine=False))
    network[0].weight.data = torch.eye(3).view(3, 3, 1, 1)
    method = MeanTeacher(start=0.0)
    model = started(method, network)
    model.train()
    with torch.no_grad():
        network[1].running_mean.fill_(1e3)
        method.teacher[1].running_mean.fill_(1e3)
    image = image_of(torch.tensor([[[0, 1, 2, 2]]]), 5.0)
    expected = torch.softmax(network(image), 1)
    step = model._training_step(image, torch.zeros(1, 1, 4, dtype=torch.long), None)
    torch.testing.assert_close(method._scores(step), expected)
    assert not any(part.training for part in method.teacher.modules())
    network.eval()  # frozen by the user
    step = model._training_step(image, torch.zeros(1, 1, 4, dtype=torch.long), None)
    torch.testing.assert_close(method._scores(step), torch.softmax(network(image), 1))
    method.after_step(network)
    assert not any(p.requires_grad for p in method.teacher.parameters())


def image_of(predicted, z):
    """An image for which the pixel classifier predicts these classes with logit z."""
    return z * nn.functional.one_hot(predicted, 3).permute(0, 3, 1, 2).float()


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


def test_a_teacher_with_nothing_to_do():
    with pytest.raises(ValueError, match="nothing to do"):
        MeanTeacher(start=1, consistency=0)
