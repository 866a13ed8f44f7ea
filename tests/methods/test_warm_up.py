"""Warm-up: which share of which loss at which time."""

import pytest
import torch
from torch import nn

from segnoise.losses import build_loss
from segnoise.methods import Method, WarmUp
from segnoise.methods.warm_up import cross_fade
from segnoise.models import Segmentor


def losses_at(iteration, **arguments):
    torch.manual_seed(0)
    weights = [1.0, 2.0, 4.0]
    warm_up = WarmUp(loss={"type": "CE", "class_weights": weights}, start=0.2, end=0.6, **arguments)
    model = Segmentor(
        3,
        network=nn.Conv2d(3, 3, 1),
        losses=[{"type": "MAE", "weight": 3.0}, {"type": "L1", "weight": 0.1}],
    )
    model.set_methods({"warm_up": warm_up}, max_iters=10, epoch_iters=5)
    warm_up.iteration = iteration
    image, mask = torch.randn(2, 3, 4, 4), torch.randint(3, (2, 4, 4))
    common = {"mode": "multiclass", "ignore_index": 255}
    logits = model(image)
    first = build_loss("CE", **common, class_weights=weights)(logits, mask)
    second = 3 * build_loss("MAE", **common)(logits, mask)
    penalty = 0.1 * sum(p.abs().sum() for p in model.network.parameters())
    return model(image, mask, mode="loss"), first, second, penalty


@pytest.mark.parametrize(
    ("iteration", "share", "shape"),
    [(0, 0, "linear"), (2, 0, "linear"), (3, 0.25, "linear"), (5, 0.75, "linear"),
     (3, 0.146447, "cosine"), (4, 0.5, "cosine")],
)  # fmt: skip
def test_the_first_loss_fades_out_and_the_others_in(iteration, share, shape):
    found, first, second, penalty = losses_at(iteration, shape=shape)
    torch.testing.assert_close(found["loss_warm_up"], (1 - share) * first)
    torch.testing.assert_close(found["loss_mae"], share * second)
    torch.testing.assert_close(found["loss_l1"], share * penalty)


@pytest.mark.parametrize("iteration", [6, 10])
def test_in_the_end_the_configs_losses_are_alone(iteration):
    found, _, second, _ = losses_at(iteration)
    assert found["loss_warm_up"] == 0
    torch.testing.assert_close(found["loss_mae"], second)


def test_two_warm_ups_fade_one_after_the_other():
    methods = {"first": WarmUp(start=0.5, end=0.5), "second": WarmUp({"type": "GCE"}, 0.2, 0.6)}
    model = Segmentor(3, network=nn.Conv2d(3, 3, 1), losses=[{"type": "MAE"}])
    model.set_methods(methods, max_iters=10, epoch_iters=5)
    for method in methods.values():
        method.iteration = 3
    image, mask = torch.randn(2, 3, 4, 4), torch.randint(3, (2, 4, 4))
    found, logits = model(image, mask, mode="loss"), model(image)
    common = {"mode": "multiclass", "ignore_index": 255}
    ce, gce = (build_loss(kind, **common)(logits, mask) for kind in ("CE", "GCE"))
    assert found["loss_mae"] == 0
    torch.testing.assert_close(found["loss_first"], 0.25 * ce)
    torch.testing.assert_close(found["loss_second"], 0.75 * gce)


class Logs(Method):
    def combine(self, losses, step):
        return {**losses, "share": torch.tensor(1.0)}


def test_what_is_only_logged_does_not_fade():
    model = Segmentor(3, network=nn.Conv2d(3, 3, 1), losses=[{"type": "MAE"}])
    model.set_methods({"logs": Logs(), "warm_up": WarmUp()}, max_iters=10, epoch_iters=5)
    found = model(torch.randn(1, 3, 4, 4), torch.zeros(1, 4, 4).long(), mode="loss")
    assert found["share"] == 1
    assert found["loss_mae"] == 0


@pytest.mark.parametrize("iteration", [0, 3, 9])
def test_a_parameter_of_the_first_loss_always_has_a_gradient(iteration):
    method = WarmUp({"type": "TLoss"}, start=0.2, end=0.6)
    model = Segmentor(3, network=nn.Conv2d(3, 3, 1), losses=[{"type": "CE"}])
    model.set_methods({"warm_up": method}, max_iters=10, epoch_iters=5)
    method.iteration = iteration
    found = model(torch.randn(1, 3, 4, 4), torch.zeros(1, 4, 4).long(), mode="loss")
    sum(found.values()).backward()
    gradient = method.loss.log_nu.grad
    assert gradient is not None, "DistributedDataParallel would wait for it"
    assert (gradient == 0) == (iteration == 9)


def test_a_step_without_a_fade():
    assert [cross_fade(t, 0.5, 0.5) for t in (0.0, 0.49, 0.5, 1.0)] == [0, 0, 1, 1]
