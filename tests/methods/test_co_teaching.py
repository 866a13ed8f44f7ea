"""Co-teaching: each network trains on what the other chooses."""

import pytest
import torch
from torch import nn

from segnoise.losses import build_loss
from segnoise.methods import CoTeaching
from segnoise.models import Segmentor

COMMON = {"mode": "multiclass", "ignore_index": 255}


def started(network, losses=({"type": "CE"},), **arguments):
    method = CoTeaching(noise_rate=0.5, ramp_epochs=0, group="batch", **arguments)
    model = Segmentor(2, network=network, losses=losses)
    model.set_methods({"co_teaching": method}, max_iters=10, epoch_iters=5)
    return method, model


def test_each_chooses_for_the_other():
    method, model = started(nn.Conv2d(2, 2, 1, bias=False))
    eye = torch.eye(2).view(2, 2, 1, 1)
    model.network.weight.data, method.peer.weight.data = 3 * eye, -2 * eye
    # The image says class 0 at the first two pixels; all are labelled 0.
    image = torch.tensor([[[[1.0, 1.0, 0.0, 0.0]], [[0.0, 0.0, 1.0, 1.0]]]])
    labels = torch.zeros(1, 1, 4, dtype=torch.long)
    found = model(image, labels, mode="loss")
    # The second network sees it the other way round, so it chooses the last two for the first.
    loss = build_loss("CE", **COMMON)
    expected = loss(3 * image[..., 2:], labels[..., 2:])
    torch.testing.assert_close(found["loss_ce"], expected)
    expected = loss(-2 * image[..., :2], labels[..., :2])
    torch.testing.assert_close(found["loss_ce_co_teaching"], expected)
    sum(found.values()).backward()
    assert model.network.weight.grad.abs().sum() > 0
    assert method.peer.weight.grad.abs().sum() > 0


def test_penalties_are_of_each_networks_own_weights():
    method, model = started(nn.Conv2d(2, 2, 1), [{"type": "CE"}, {"type": "L1"}])
    found = model(torch.randn(1, 2, 2, 2), torch.zeros(1, 2, 2).long(), mode="loss")
    for key, network in (("loss_l1", model.network), ("loss_l1_co_teaching", method.peer)):
        assert found[key].item() == pytest.approx(
            sum(p.detach().abs().sum().item() for p in network.parameters()), rel=1e-5
        )


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(2, 3, 1))
        self.head = nn.Conv2d(3, 2, 1)

    def forward(self, image):
        return self.head(self.encoder(image))


def test_the_second_network_begins_elsewhere():
    network = Net()
    for keep, same in ((None, False), ("encoder", True)):
        method, _ = started(network, keep=keep)
        assert method.peer.encoder[0].weight.equal(network.encoder[0].weight) == same
        assert not method.peer.head.weight.equal(network.head.weight)
        assert all(p.requires_grad for p in method.peer.parameters())


def test_predictions_are_the_firsts():
    method, model = started(Net())
    image = torch.randn(1, 2, 4, 4)
    before = model.eval().probabilities(image)
    method.peer.head.weight.data.zero_()
    assert model.probabilities(image).equal(before)


@pytest.mark.parametrize("keep", ["backbone", ""])
def test_a_part_that_is_not_there(keep):
    with pytest.raises(ValueError, match="is no part of the network; it has encoder, head"):
        started(Net(), keep=keep)
