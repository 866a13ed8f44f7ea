"""Abstention: the loss by hand, its schedule, and both kinds of outputs."""

import math

import pytest
import torch
from torch import nn

from segnoise.errors import ConfigError
from segnoise.losses import build_loss
from segnoise.methods import Abstention
from segnoise.models import Segmentor

COMMON = {"mode": "multiclass", "ignore_index": 255, "reduction": "none"}


def started(extra, losses=({"type": "GCE"},), mode="multiclass", **arguments):
    method = Abstention(**{"noise_rate": 0.2, "warm_up": 1, **arguments})
    classes = 3 if mode == "multiclass" else 2
    model = Segmentor(classes, network=nn.Identity(), losses=losses, mode=mode, extra_outputs=extra)
    model.set_methods({"abstention": method}, max_iters=25, epoch_iters=5)
    return method, model


def outputs(extra):
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(3, (2, 4, 4), generator=generator)
    labels[0, 0] = 255
    return 2 * torch.randn(2, 3 + extra, 4, 4, generator=generator), labels


def test_the_loss_from_its_formula():
    method, model = started(1)
    image, labels = outputs(1)
    method.iteration = 11  # epoch 2 of 5
    found = model(image, labels, mode="loss")
    alpha = 2 * ((2 - 1 + 1) / (5 - 1)) ** 2
    p_a = image.softmax(1)[:, 3]
    base = build_loss("GCE", **COMMON)(image[:, :3], labels)
    valid = labels != 255
    torch.testing.assert_close(found["loss_gce"], ((1 - p_a) * base)[valid].mean())
    price = alpha * torch.log(0.8 / (1 - p_a)).abs()
    torch.testing.assert_close(found["loss_price_abstention"], price[valid].mean())
    torch.testing.assert_close(found["abstained/abstention"], p_a[valid].mean())


def test_by_class():
    method, model = started(3, class_wise=True)
    image, labels = outputs(3)
    method.iteration = 5
    found = model(image, labels, mode="loss")
    total = 0.0
    base = build_loss("GCE", **COMMON)(image[:, :3], labels)
    places = torch.nonzero(labels != 255).tolist()
    for n, h, w in places:
        p_a = torch.sigmoid(image[n, 3 + labels[n, h, w], h, w])
        total += float((1 - p_a) * base[n, h, w])
    assert found["loss_gce"].item() == pytest.approx(total / len(places), rel=1e-5)


def test_in_the_warm_up_the_base_loss_is_alone():
    method, model = started(1, losses=[{"type": "GCE", "weight": 3.0}, {"type": "L1"}])
    model.network.weight = nn.Parameter(torch.ones(1))  # for the penalty
    image, labels = outputs(1)
    method.iteration = 4
    found = model(image, labels, mode="loss")
    expected = 3 * build_loss("GCE", **COMMON)(image[:, :3], labels)[labels != 255].mean()
    torch.testing.assert_close(found["loss_gce"], expected)
    assert found["loss_l1"] == 1
    assert found["loss_price_abstention"] == 0


def test_the_price_of_abstaining_is_least_at_the_noise_rate():
    method, model = started(1, final=1.0, exponent=0.0)
    method.iteration = 24
    labels = torch.zeros(1, 1, 1, dtype=torch.long)
    prices = {}
    for p_a in (0.0001, 0.1, 0.2, 0.3, 0.9999):
        a = math.log(3 * p_a / (1 - p_a))  # against three logits of 0
        image = torch.tensor([0.0, 0.0, 0.0, a]).view(1, 4, 1, 1)
        prices[p_a] = model(image, labels, mode="loss")["loss_price_abstention"].item()
    assert min(prices, key=prices.get) == 0.2
    assert prices[0.2] == pytest.approx(0, abs=1e-6)
    assert prices[0.1] == pytest.approx(math.log(0.9 / 0.8), rel=1e-4)


def test_sure_outputs_stay_finite():
    method, model = started(1)
    method.iteration = 24
    image = torch.tensor([0.0, 0.0, 0.0, 500.0]).view(1, 4, 1, 1).requires_grad_()
    sum(model(image, torch.zeros(1, 1, 1).long(), mode="loss").values()).backward()
    assert image.grad.isfinite().all()
    assert image.grad[0, 3] > 0, "abstaining costs"


def test_binary_and_void():
    method, model = started(1, losses=[{"type": "CE"}], mode="binary")
    method.iteration = 24
    image = torch.tensor([0.5, 0.3]).view(1, 2, 1, 1)
    found = model(image, torch.ones(1, 1, 1).long(), mode="loss")
    p_a = torch.tensor([0.0, 0.5, 0.3]).softmax(0)[2]
    expected = (1 - p_a) * math.log(1 + math.exp(-0.5))
    torch.testing.assert_close(found["loss_ce"], expected)
    found = model(image, torch.full((1, 1, 1), 255), mode="loss")
    assert sum(found.values()) == 0


def test_pixel_weights_of_other_methods_count():
    method, model = started(1)
    method.iteration = 24
    image, labels = outputs(1)
    step = model._training_step(image, labels, None)
    step.weights = (labels == 1).float()
    found = method.combine(model._losses(step), step)
    p_a = image.softmax(1)[:, 3]
    base = (1 - p_a) * build_loss("GCE", **COMMON)(image[:, :3], labels)
    torch.testing.assert_close(found["loss_gce"], base[labels == 1].mean())


def test_a_loss_around_another_keeps_its_map():
    image, labels = outputs(1)
    found = []
    for kind in ({"type": "GCE"}, {"type": "LogitClip", "base": "GCE", "tau": 1e9}):
        method, model = started(1, losses=[{**kind, "name": "loss"}])
        method.iteration = 24
        found.append(model(image, labels, mode="loss")["loss_loss"])
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("kind", ["TLoss", "Dice"])
def test_losses_without_a_map_are_refused(kind):
    with pytest.raises(ConfigError, match=f"abstention needs losses .* '{kind.lower()}'"):
        started(1, losses=[{"type": "L1"}, {"type": kind}])


@pytest.mark.parametrize("ignore_index", [-1, 255])
def test_void_may_be_any_number_by_class(ignore_index):
    image, labels = outputs(3)
    labels[labels == 255] = ignore_index
    method = Abstention(0.2, warm_up=1, class_wise=True)
    model = Segmentor(
        3, network=nn.Identity(), losses=[{"type": "GCE"}], ignore_index=ignore_index,
        extra_outputs=3,
    )  # fmt: skip
    model.set_methods({"abstention": method}, max_iters=25, epoch_iters=5)
    method.iteration = 24
    found = model(image, labels, mode="loss")["loss_price_abstention"]
    place = labels != ignore_index
    kept = 1 - torch.sigmoid(image[:, 3:].movedim(1, -1)[place]).gather(1, labels[place][:, None])
    torch.testing.assert_close(found, 2 * torch.log(0.8 / kept).abs().mean())
