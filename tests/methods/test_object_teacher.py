"""Which class an object has, which objects the labels miss, and what stays as it was."""

import math

import pytest
import torch
from teachers import image_of, started
from torch import nn

from segnoise.methods import ObjectTeacher
from segnoise.methods.components import Regions
from segnoise.methods.object_teacher import LEAST_PIXELS, evidence

EVEN = torch.tensor([100, 100, 100])


def large(mask):
    """Every pixel three by three times: a region of one pixel is an object."""
    return torch.tensor(mask).repeat_interleave(3, -1).repeat_interleave(3, -2)


def small(mask):
    return mask[..., ::3, ::3].tolist()


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


def shares(*parts):
    """What the teacher sees in an object of twenty pixels of class 1: shares of the classes."""
    seen = torch.repeat_interleave(torch.arange(3), torch.tensor(parts))
    return seen.view(1, 4, 5), torch.ones(1, 4, 5, dtype=torch.long)


def test_only_what_is_surer_than_tau_overrules_a_label():
    predicted, mask = shares(0, 7, 13)
    for tau, becomes in ((0.64, 2), (0.66, 1)):
        method = ObjectTeacher(start=0.0, tau=tau, missing=False)
        assert corrected(method, predicted, mask, z=20.0).unique().tolist() == [becomes]


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize(
    ("frequency", "becomes"),
    [((100, 100, 100), 0), ((900, 100, 100), 1), ((400, 100, 100), 0), ((50, 100, 100), 0)],
)  # 19 : 1, 19 : 9, 19 : 4, and 19 : 1 again
def test_a_rare_class_keeps_its_objects_on_less_evidence(missing, frequency, becomes):
    """The second decision does not take what the first one has left."""
    method = ObjectTeacher(start=0.0, tau=0.8, missing=missing)
    model = started(method)
    method.counts += torch.tensor(frequency) * 10**6
    image = torch.tensor([0.95, 0.05, 1e-9]).log().view(1, 3, 1, 1).expand(1, 3, 4, 5)
    mask = torch.ones(1, 4, 5, dtype=torch.long)
    found = method.correct_labels(model._training_step(image, mask, None))
    assert found.unique().tolist() == [becomes]


def test_who_knows_nothing_changes_nothing():
    """Equal probabilities are no evidence for a rare class, however rare; nor are tiny ones."""
    _, mask = shares(0, 20, 0)
    unsure = torch.zeros(1, 4, 5, dtype=torch.long)
    method = ObjectTeacher(start=0.0, background=0)
    counts = torch.tensor([10**6, 10**5, 1])
    assert corrected(method, unsure, mask, counts, z=0.0).equal(mask)
    predicted, mask = shares(0, 19, 1)
    assert corrected(ObjectTeacher(start=0.0), predicted, mask, counts, z=20.0).equal(mask)


def test_evidence_by_hand():
    ours, theirs = torch.tensor([0.6, 0.6, 0.0, 0.6]), torch.tensor([0.2, 0.2, 0.0, 0.2])
    pixels = torch.tensor([10.0, 30.0, 10.0, 30.0]), torch.tensor([30.0, 10.0, 10.0, 0.0])
    assert evidence(ours, theirs, *pixels).tolist() == pytest.approx([0.75, 0.5, 0.0, 1 / 11])


def test_with_a_background_no_object_becomes_it_nor_is_it_one():
    predicted, mask = shares(18, 0, 2)
    method = ObjectTeacher(start=0.0, background=0, missing=False)
    assert corrected(method, predicted, mask, z=20.0).unique().tolist() == [2]
    mask = torch.zeros_like(mask)
    predicted = torch.full_like(mask, 2)
    assert corrected(method, predicted, mask, z=20.0).equal(mask)


def test_both_decisions_in_one_step():
    """The object changes in the outline that was drawn, of which the teacher sees a part."""
    mask = large([[[1, 1, 1, 0, 0]]])
    predicted = large([[[2, 2, 0, 0, 1]]])
    method = ObjectTeacher(start=0.0, background=0)
    assert small(corrected(method, predicted, mask)) == [[[2, 2, 2, 0, 1]]]


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


def test_what_is_there_in_part_is_not_missing():
    """An object of sixteen pixels of which the labels have three, or four."""
    predicted = torch.zeros(1, 8, 8, dtype=torch.long)
    predicted[0, 2:6, 2:6] = 1
    for known, is_missing in ((3, True), (4, False)):
        mask = torch.zeros_like(predicted)
        mask[0, 2, 2 : 2 + known] = 1
        found = corrected(ObjectTeacher(start=0.0, background=0), predicted, mask)
        assert found.equal(predicted if is_missing else mask)


def test_a_few_predicted_pixels_are_no_object():
    mask = torch.zeros(1, 8, 8, dtype=torch.long)
    for height, is_object in ((2, False), (3, True)):
        predicted = mask.clone()
        predicted[0, :height, :4] = 1
        if is_object:
            predicted[0, 0, 0:3] = 0
        assert int(predicted.sum()) == (9 if is_object else 8)
        found = corrected(ObjectTeacher(start=0.0, background=0), predicted, mask)
        assert found.equal(predicted if is_object else mask)


def test_a_void_that_is_a_class_id_is_given_to_nothing():
    method = ObjectTeacher(start=0.0)
    model = started(method, ignore_index=0)
    mask = large([[[1, 1, 0, 2]]])
    image = image_of(torch.zeros_like(mask), 20.0)
    assert method.correct_labels(model._training_step(image, mask, None)).equal(mask)


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


def test_the_given_labels_are_counted_not_those_that_other_methods_have_corrected():
    method = ObjectTeacher(start=0.3)
    model = started(method)
    mask = large([[[1, 1, 0, 255]]])
    step = model._training_step(image_of(torch.zeros_like(mask), 8.0), mask, None)
    step.labels = torch.full_like(mask, 2)
    method.correct_labels(step)
    assert method.counts.tolist() == [9, 18, 0]


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
