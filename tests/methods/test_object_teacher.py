"""Which class an object has, which objects the labels miss, and what stays as it was."""

import math

import pytest
import torch
from torch import nn

from segnoise.methods import ObjectTeacher
from segnoise.methods.object_teacher import LEAST_PIXELS, Regions, overruled
from segnoise.models import Segmentor

EVEN = torch.tensor([100, 100, 100])


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


def large(mask):
    """Every pixel three by three times: a region of one pixel is an object."""
    return torch.tensor(mask).repeat_interleave(3, -1).repeat_interleave(3, -2)


def small(mask):
    return mask[..., ::3, ::3].tolist()


def image_of(predicted, z=8.0):
    """Softmax of it is 0.999 for the predicted class."""
    return z * nn.functional.one_hot(predicted, 3).permute(0, 3, 1, 2).float()


def corrected(method, predicted, mask, counts=EVEN, z=8.0):
    """The method's labels, as if it had counted these classes before."""
    model = started(method)
    method.counts += counts * 10**6
    return method.correct_labels(model._training_step(image_of(predicted, z), mask, None))


def test_an_object_gets_the_class_that_the_teacher_sees_in_most_of_it():
    """Two objects of class 1 in class 0; the teacher sees 2 in most of one, and misses a corner."""
    mask = large([[[1, 1, 0, 0, 1], [1, 1, 0, 0, 1], [255, 0, 0, 0, 1]]])
    predicted = large([[[2, 2, 0, 0, 1], [2, 0, 0, 0, 1], [2, 0, 0, 0, 1]]])
    found = corrected(ObjectTeacher(start=0.0, tau=0.7, missing=False), predicted, mask)
    assert small(found) == [[[2, 2, 0, 0, 1], [2, 2, 0, 0, 1], [255, 0, 0, 0, 1]]]


def test_only_what_is_surer_than_tau_overrules_a_label():
    # 0.6 of the object looks like class 2, 0.4 like its label.
    for tau, becomes in ((0.59, 2), (0.61, 1)):
        scores = torch.tensor([[0.0, 0.4, 0.6]])
        assert overruled(scores, torch.tensor([1]), EVEN, tau).tolist() == [becomes]


def test_a_rare_class_keeps_its_objects_on_less_evidence():
    scores = torch.tensor([[0.95, 0.05, 0.0]])
    label = torch.tensor([1])
    assert overruled(scores, label, EVEN, 0.8).tolist() == [0]
    assert overruled(scores, label, torch.tensor([900, 100, 100]), 0.8).tolist() == [1]  # 19 : 9
    assert overruled(scores, label, torch.tensor([400, 100, 100]), 0.8).tolist() == [0]  # 19 : 4


def test_a_class_without_pixels_is_given_to_nothing_and_no_evidence_changes_nothing():
    label = torch.tensor([1])
    unseen = torch.tensor([0, 100, 100])
    assert overruled(torch.tensor([[0.9, 0.1, 0.0]]), label, unseen, 0.5).tolist() == [1]
    assert overruled(torch.tensor([[1.0, 0.0, 0.0]]), label, EVEN, 0.8, 0).tolist() == [1]


def test_with_a_background_it_is_asked_which_object_not_whether_there_is_one():
    scores = torch.tensor([[0.9, 0.01, 0.09], [0.0, 0.0, 1.0]])
    found = overruled(scores, torch.tensor([1, 0]), EVEN, 0.8, background=0)
    assert found.tolist() == [2, 0]


def test_missing_objects_are_added_in_the_teachers_outline():
    mask = large([[[0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 255, 0]]])
    predicted = large([[[0, 2, 2, 1, 1, 0], [0, 0, 0, 1, 1, 0]]])
    found = corrected(ObjectTeacher(start=0.0, background=0), predicted, mask)
    # The object of class 2 is new; that of class 1 is there already, if smaller.
    assert small(found) == [[[0, 2, 2, 1, 0, 0], [0, 0, 0, 0, 255, 0]]]
    method = ObjectTeacher(start=0.0, background=0, missing=False)
    assert corrected(method, predicted, mask).equal(mask)
    unsure = corrected(ObjectTeacher(start=0.0, background=0), predicted, mask, z=1.0)  # p = 0.58
    assert unsure.equal(mask)


def test_an_object_inside_another_one_is_missed_too():
    """Its label was drowned in that of the object around it, which as a whole is right."""
    mask = large([[[1] * 5] * 5])
    predicted = mask.clone()
    predicted[0, 6:9, 6:9] = 2
    found = corrected(ObjectTeacher(start=0.0), predicted, mask)
    assert found.equal(predicted)


def test_noise_of_pixels_is_left_to_the_loss():
    generator = torch.Generator().manual_seed(0)
    mask = torch.where(torch.rand(1, 30, 30, generator=generator) < 0.1, 1, 0)
    assert int(Regions.of(mask, mask == 255).pixels[2:].max()) < LEAST_PIXELS
    predicted = torch.zeros_like(mask)
    assert corrected(ObjectTeacher(start=0.0), predicted, mask).equal(mask)


def test_it_begins_at_its_start_and_counts_labels_from_the_beginning():
    method = ObjectTeacher(start=0.3, momentum=0.5)
    model = started(method)
    mask = large([[[1, 1, 0, 255]]])
    image = image_of(large([[[2, 2, 2, 1]]]), 20.0)
    for iteration in range(4):
        method.iteration = iteration
        found = model(image, mask, mode="loss")
        assert ("corrected/teacher" in found) == (iteration == 3)
    assert method.counts.tolist() == [4 * 9, 4 * 18, 0]
    assert found["corrected/teacher"] == 0.75
    with torch.no_grad():
        model.network.weight.zero_()  # it is the teacher that counts, not the network
    again = model(image, mask, mode="loss")
    assert again["corrected/teacher"] == 0.75
    assert again["loss_ce"].item() == pytest.approx(math.log(3))


def test_the_mirror_image_has_a_say():
    """A network that sees class 2 right of what is bright and class 1 left of it: no mirror can."""
    network = nn.Conv2d(3, 3, (1, 3), padding=(0, 1), bias=False)
    network.weight.data.zero_()
    network.weight.data[2, 0, 0, 0] = network.weight.data[1, 0, 0, 2] = 20.0
    image = torch.zeros(1, 3, 3, 12)
    image[:, 0, :, 5:8] = 1.0
    mask = torch.zeros(1, 3, 12, dtype=torch.long)
    mask[:, :, 6:9] = 1
    for mirror, becomes in ((False, 2), (True, 1)):
        method = ObjectTeacher(start=0.0, tau=0.8, mirror=mirror, missing=False)
        model = started(method, network)
        method.counts += EVEN * 10**6
        step = model._training_step(image, mask, None)
        assert method.correct_labels(step)[0, 0, 6:9].tolist() == [becomes] * 3


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


def test_the_labels_type_is_kept_and_binary_logits_work():
    network = nn.Conv2d(1, 1, 1, bias=False)
    network.weight.data.fill_(1.0)
    method = ObjectTeacher(start=0.0, background=0)
    model = started(method, network, mode="binary")
    image = 5 * (2 * large([[[1, 0, 1, 0]]]).float().unsqueeze(1) - 1)
    mask = large([[[0, 0, 1, 1]]]).to(torch.uint8)
    found = method.correct_labels(model._training_step(image, mask, None))
    assert found.dtype == torch.uint8
    assert small(found) == [[[1, 0, 1, 1]]]


def test_mistakes_are_refused():
    with pytest.raises(ValueError, match="none of 3 classes"):
        started(ObjectTeacher(background=3))
    with pytest.raises(ValueError, match="missing=True"):
        started(ObjectTeacher(background=0, missing=False), mode="binary")
    with pytest.raises(ValueError, match="start=1"):
        ObjectTeacher(start=1)
    with pytest.raises((TypeError, ValueError), match="missing"):
        ObjectTeacher(missing="yes")
