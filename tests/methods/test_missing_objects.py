"""Missing objects: which background pixels become what."""

import torch
import torch.nn.functional as F
from torch import nn

from segnoise.methods import MissingObjects
from segnoise.models import Segmentor


def corrected(predicted, labels, iteration=5, unsure=(), **arguments):
    """Labels under a network that predicts these classes, with p = 0.99, or 0.58 where unsure."""
    method = MissingObjects(**arguments)
    model = Segmentor(3, network=nn.Identity(), losses=[{"type": "CE"}])
    model.set_methods({"missing": method}, max_iters=10, epoch_iters=5)
    method.iteration = iteration
    image = 5 * F.one_hot(torch.tensor(predicted), 3).permute(2, 0, 1)[None].float()
    for place in unsure:
        image[0, :, place[0], place[1]] /= 5
    step = model._training_step(image, torch.tensor([labels]), None)
    return method.correct_labels(step)[0].tolist()


PREDICTED = [[1, 1, 2, 0, 1, 1]]
LABELS = [[0, 2, 0, 1, 0, 255]]


def test_only_background_becomes_what_the_network_is_sure_of():
    assert corrected(PREDICTED, LABELS) == [[1, 2, 2, 1, 1, 255]]
    assert corrected(PREDICTED, LABELS, unsure=[(0, 0)]) == [[0, 2, 2, 1, 1, 255]]
    assert corrected(PREDICTED, LABELS, unsure=[(0, 0)], tau=0.5) == [[1, 2, 2, 1, 1, 255]]


def test_nothing_before_the_start():
    assert corrected(PREDICTED, LABELS, iteration=4, start=0.5) == LABELS
    assert corrected(PREDICTED, LABELS, iteration=5, start=0.5) != LABELS


def test_it_may_become_void():
    assert corrected(PREDICTED, LABELS, becomes="void") == [[255, 2, 255, 1, 255, 255]]


def test_another_background():
    assert corrected([[0, 1, 2]], [[2, 2, 2]], background=2) == [[0, 1, 2]]


def test_object_wise_labelled_objects_keep_their_outlines():
    predicted = [
        [1, 1, 0, 1, 1],
        [1, 1, 0, 0, 1],
        [0, 0, 0, 0, 0],
        [2, 2, 0, 0, 0],
    ]
    labels = [
        [1, 0, 0, 0, 0],
        [0, 0, 0, 0, 255],
        [0, 0, 0, 0, 0],
        [0, 1, 0, 0, 0],
    ]
    found = corrected(predicted, labels, object_wise=True)
    assert found == [
        [1, 0, 0, 1, 1],
        [0, 0, 0, 0, 255],
        [0, 0, 0, 0, 0],
        [0, 1, 0, 0, 0],
    ]


def test_object_wise_one_sure_pixel_adds_the_whole_object():
    predicted, labels = [[1, 1, 0, 2, 1], [1, 0, 0, 2, 1]], [[0] * 5] * 2
    unsure = [(0, 0), (1, 0), (0, 3), (1, 3)]
    found = corrected(predicted, labels, object_wise=True, unsure=unsure)
    assert found == [[1, 1, 0, 0, 1], [1, 0, 0, 0, 1]]
    found = corrected(predicted, labels, unsure=unsure)
    assert found == [[0, 1, 0, 0, 1], [0, 0, 0, 0, 1]]
