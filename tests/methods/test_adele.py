"""ADELE: the curves, when a class is due, which labels it changes, and the consistency."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from segnoise.methods import ADELE, Method
from segnoise.methods.saturation import Saturation
from segnoise.models import Segmentor


def started(max_iters=20, epoch_iters=2, size_divisor=1, **arguments):
    """A network whose logits are the image."""
    method = ADELE(**arguments)
    model = Segmentor(
        3,
        network=nn.Identity(),
        losses=[{"type": "CE"}],
        preprocessor={"size_divisor": size_divisor},
    )
    model.set_methods({"adele": method}, max_iters=max_iters, epoch_iters=epoch_iters)
    return method, model


def image_of(predicted, z=5.0):
    return z * F.one_hot(torch.as_tensor(predicted), 3).permute(0, 3, 1, 2).float()


def corrected(method, model, image, labels):
    return method.correct_labels(model._training_step(image, torch.tensor(labels), None))


def test_the_curves_are_the_ious_over_an_interval():
    method, model = started()
    image = image_of([[[0, 0, 1, 2]]])
    for method.iteration, labels in ((0, [[[0, 1, 1, 255]]]), (1, [[[0, 0, 1, 2]]])):
        corrected(method, model, image, labels)
    assert method.points == 0
    method.iteration = 2
    corrected(method, model, image, [[[0, 0, 1, 1]]])
    assert method.points == 1
    # Class 0: 1 + 2 right of 2 + 2; class 1: 1 + 1 of 2 + 1; class 2 counts once, in the second.
    assert method.curves[0].tolist() == pytest.approx([3 / 4, 2 / 3, 1.0])
    assert method.counts.tolist() == [[2, 1, 0], [2, 2, 1]]
    assert method.curves.shape == (10, 3)


def test_a_class_is_due_once_its_curve_has_saturated():
    method, model = started(max_iters=40, epoch_iters=1)
    image, saturating = image_of([[[0] * 100]]), Saturation(0.9, 1.0, 1.5)
    due = []
    for method.iteration in range(12):
        right = round(100 * float(saturating(method.iteration + 1.0)))
        corrected(method, model, image, [[[0] * right + [1] * (100 - right)]])
        due.append(method.corrected.tolist())
    # f'(t) / f'(1) = exp(-(t - 1) / 1.5) < 0.1 from t = 4.45 on; point t closes at iteration t.
    assert [d[0] for d in due] == [False] * 5 + [True] * 7
    assert not any(d[1] or d[2] for d in due), "never predicted, never learnt"
    points = int(method.points)
    assert points == 11


def test_labels_of_a_class_that_is_due_are_replaced_and_no_others():
    method, model = started(scales=(1.0,), consistency=0.0, tau=0.9)
    method.corrected[1] = True
    image = image_of([[[2, 2, 2, 1, 0, 2]]])
    image[0, :, 0, 1] /= 5  # p = 0.576: not sure
    given = [[[1, 1, 2, 0, 1, 255]]]
    assert corrected(method, model, image, given).tolist() == [[[2, 1, 2, 0, 0, 255]]]


def test_only_classes_of_the_image_or_the_background_are_taken():
    image = image_of([[[2, 0]], [[2, 2]]])
    given = [[[1, 1]], [[1, 2]]]
    method, model = started(scales=(1.0,), consistency=0.0)
    method.corrected[1] = True
    assert corrected(method, model, image, given).tolist() == [[[1, 0]], [[2, 2]]]
    method.background = None
    assert corrected(method, model, image, given).tolist() == [[[1, 1]], [[2, 2]]]


def test_uncertain_pixels_may_become_void():
    method, model = started(scales=(1.0,), consistency=0.0, uncertain_to_void=True)
    method.corrected[1] = True
    image = image_of([[[2, 2, 2, 2]]], z=1.0)
    assert corrected(method, model, image, [[[1, 0, 2, 255]]]).tolist() == [[[255, 0, 2, 255]]]


def test_scores_are_averaged_over_the_scales():
    method, model = started(scales=(0.5, 1.0), consistency=0.0, tau=0.5)
    method.corrected[1] = True
    torch.manual_seed(0)
    image = 3 * torch.randn(1, 3, 8, 8)
    labels = torch.ones(1, 8, 8, dtype=torch.long)
    labels[0, 0, :2] = torch.tensor([0, 2])
    half = F.interpolate(image, scale_factor=0.5, mode="bilinear", antialias=True)
    back = F.interpolate(half, size=(8, 8), mode="bilinear")
    mean = (image.softmax(1) + back.softmax(1)) / 2
    confidence, predicted = mean.max(1)
    expected = torch.where((labels == 1) & (confidence > 0.5), predicted, labels)
    step = model._training_step(image, labels, None)
    assert method.correct_labels(step).equal(expected)
    assert 0 < (expected != labels).float().mean() < 1


def test_scaled_images_fit_the_network():
    sizes = []
    _, model = started(scales=(0.7, 1.0, 1.5), size_divisor=16)
    model.network.register_forward_hook(lambda _, inputs, __: sizes.append(inputs[0].shape[-2:]))
    model(torch.randn(1, 3, 32, 48), torch.zeros(1, 32, 48).long(), mode="loss")
    assert sizes == [(32, 48), (32, 48), (48, 80)]  # 22 x 34 and 48 x 72, padded


def test_consistency_is_the_jensen_shannon_divergence():
    _, model = started(scales=(0.5, 1.0), consistency=2.0)
    # Columns 0 and 1 are averaged into one at half the size, and that is all of the image.
    row = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.0, 0.0]]).view(1, 3, 1, 2)
    image = row.expand(1, 3, 2, 2).clone().requires_grad_()
    found = model(image, torch.zeros(1, 2, 2).long(), mode="loss")["loss_scales_adele"]
    expected = 0.0
    small = [math.exp(v) for v in (1.0, 0.5, 0.0)]
    small = [v / sum(small) for v in small]
    for column in ((2.0, 0.0, 0.0), (0.0, 1.0, 0.0)):
        p = [math.exp(v) for v in column]
        p = [v / sum(p) for v in p]
        q = [(u + v) / 2 for u, v in zip(p, small, strict=True)]
        for one in (p, small):
            expected += sum(u * math.log(u / v) for u, v in zip(one, q, strict=True)) / 2 / 2
    assert found.item() == pytest.approx(2 * expected, rel=1e-5)
    found.backward()
    assert image.grad.abs().sum() > 0


def test_binary_labels():
    method = ADELE(scales=(1.0,), consistency=0.0)
    model = Segmentor(2, network=nn.Identity(), losses=[{"type": "CE"}], mode="binary")
    model.set_methods({"adele": method}, max_iters=5, epoch_iters=1)
    method.corrected[1] = True
    image = torch.tensor([[[[5.0, -5.0, 5.0, -1.0]]]])
    assert corrected(method, model, image, [[[0, 1, 1, 1]]]).tolist() == [[[0, 0, 1, 1]]]


def test_a_training_that_ends_before_a_fit():
    words = r"interval=5, that is 5 .* gives 3 points in 20 iter.* needs 4: give .* at most 4"
    with pytest.raises(ValueError, match=words):
        started(interval=5)
    with pytest.raises(ValueError, match=r"interval=None, that is 5 iterations, gives 3 points"):
        started(epoch_iters=5)
    with pytest.raises(ValueError, match=r"give a longer training"):
        started(max_iters=4, interval=1)
    started(max_iters=21, interval=5)


class Relabel(Method):
    """What was 0 becomes 2."""

    def correct_labels(self, step):
        return step.labels.masked_fill(step.labels == 0, 2)


def test_an_image_has_the_classes_that_the_data_set_gave_it():
    method = ADELE(scales=(1.0,), consistency=0.0, background=None)
    model = Segmentor(3, network=nn.Identity(), losses=[{"type": "CE"}])
    model.set_methods({"relabel": Relabel(), "adele": method}, max_iters=5, epoch_iters=1)
    method.corrected[1] = True
    step = model._training_step(image_of([[[0, 2, 1]]]), torch.tensor([[[1, 1, 0]]]), None)
    model._step_losses(step)
    assert step.labels.tolist() == [[[0, 1, 2]]]
