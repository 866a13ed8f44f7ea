"""The teacher's weights, buffers and batch norm."""

import pytest
import torch
from teachers import image_of, started
from torch import nn

from segnoise.methods import MeanTeacher


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
    torch.testing.assert_close(method.teach(step, image), expected)
    assert not any(part.training for part in method.teacher.modules())
    network.eval()  # frozen by the user
    step = model._training_step(image, torch.zeros(1, 1, 4, dtype=torch.long), None)
    torch.testing.assert_close(method.teach(step, image), torch.softmax(network(image), 1))
    method.after_step(network)
    assert not any(p.requires_grad for p in method.teacher.parameters())
