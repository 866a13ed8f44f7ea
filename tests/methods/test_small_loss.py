"""Selection of the pixels with the smallest loss, against a loop over groups."""

import math

import pytest
import torch
from torch import nn

from segnoise.losses import build_loss
from segnoise.methods import SmallLoss
from segnoise.methods.small_loss import kept_share, smallest
from segnoise.models import Segmentor


def naive(loss, labels, share, group):
    """Sort each group's pixels in Python."""
    chosen = torch.zeros_like(labels, dtype=torch.bool)
    groups = {}
    for place in torch.nonzero(labels != 255).tolist():
        key = {"image": place[0], "class": int(labels[tuple(place)]), "batch": 0}[group]
        groups.setdefault(key, []).append((float(loss[tuple(place)]), tuple(place)))
    for pixels in groups.values():
        pixels.sort()
        for _, place in pixels[: math.ceil(share * len(pixels) - 1e-9)]:
            chosen[place] = True
    return chosen


@pytest.mark.parametrize("group", ["image", "class", "batch"])
@pytest.mark.parametrize("noise_rate", [0.3, 0.95])
def test_the_selection_is_that_of_a_loop(group, noise_rate):
    torch.manual_seed(0)
    labels = torch.randint(3, (2, 5, 7))
    labels[0, :2] = 255
    labels[labels == 2] = torch.where(torch.rand((labels == 2).sum()) < 0.8, 1, 2)  # rare
    image = torch.randn(2, 3, 5, 7)
    method = SmallLoss(noise_rate=noise_rate, ramp_epochs=2, group=group)
    model = Segmentor(3, network=nn.Conv2d(3, 3, 1), losses=[{"type": "GCE"}])
    model.set_methods({"small_loss": method}, max_iters=100, epoch_iters=5)
    method.iteration = 5  # half of the ramp
    step = model._training_step(image, labels, None)
    common = {"mode": "multiclass", "ignore_index": 255}
    loss = build_loss("CE", **common, reduction="none")(step.logits.detach(), labels)
    chosen = naive(loss, labels, 1 - noise_rate / 2, group)
    assert method.weigh(step).bool().equal(chosen)
    expected = build_loss("GCE", **common)(step.logits, labels, pixel_weights=chosen.float())
    torch.testing.assert_close(model(image, labels, mode="loss")["loss_gce"], expected)


def test_by_class_the_rare_class_is_kept_and_by_batch_it_is_lost():
    labels = torch.zeros(1, 10, 10, dtype=torch.long)
    labels[0, 0] = 1  # ten pixels that the network has not learnt yet
    image = torch.stack((torch.ones(1, 10, 10), torch.zeros(1, 10, 10)), 1)
    kept = {}
    for group in ("class", "batch"):
        method = SmallLoss(noise_rate=0.2, ramp_epochs=0, group=group)
        model = Segmentor(2, network=nn.Identity(), losses=[{"type": "CE"}])
        model.set_methods({"small_loss": method}, max_iters=10, epoch_iters=5)
        noise = 0.01 * torch.rand(image.shape, generator=torch.Generator().manual_seed(0))
        weights = method.weigh(model._training_step(image + noise, labels, None))
        kept[group] = int(weights[labels == 1].sum())
    assert kept == {"class": 8, "batch": 0}


def test_at_first_everything_is_kept():
    method = SmallLoss(noise_rate=0.5)
    model = Segmentor(2, network=nn.Identity(), losses=[{"type": "CE"}])
    model.set_methods({"small_loss": method}, max_iters=10, epoch_iters=5)
    step = model._training_step(torch.zeros(1, 2, 2, 2), torch.zeros(1, 2, 2).long(), None)
    assert method.weigh(step) is None


def test_the_share_after_some_epochs():
    assert kept_share(2.5, 0.4, 10) == pytest.approx(0.9)
    assert kept_share(5, 0.4, 10, exponent=2) == pytest.approx(0.9)
    assert kept_share(0, 0.4, 0) == pytest.approx(0.6)


def test_shares_are_counted_exactly():
    loss = torch.arange(5.0).view(1, 1, 5)
    every = torch.ones(1, 1, 5, dtype=torch.bool)
    assert smallest(loss, every, 0.8, [every]).sum() == 4
    assert smallest(loss, every, 0.81, [every]).sum() == 5
    assert not smallest(loss, torch.zeros_like(every), 0.8, [every]).any()
