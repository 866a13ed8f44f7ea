"""Co-teaching: each network trains on what the other chooses."""

import pytest
import torch
from torch import nn

from segnoise.errors import ConfigError
from segnoise.losses import build_loss
from segnoise.methods import Abstention, CoTeaching, Method, WarmUp
from segnoise.models import Segmentor

COMMON = {"mode": "multiclass", "ignore_index": 255}
LABELS = torch.tensor([[[0, 1], [1, 0]]])


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


class Fainter(Method):
    """Each of four pixels counts more than the next."""

    def weigh(self, step):
        return torch.tensor([8.0, 4.0, 2.0, 1.0]).expand(step.labels.shape)


def with_others(*methods, losses=({"type": "CE"},)):
    model = Segmentor(2, network=nn.Conv2d(2, 2, 1), losses=losses)
    named = {type(m).__name__.lower(): m for m in methods}
    model.set_methods(named, max_iters=10, epoch_iters=5)
    return model


def test_weights_of_methods_before_count_for_both():
    model = with_others(Fainter(), CoTeaching(noise_rate=0.5, ramp_epochs=0, group="batch"))
    torch.manual_seed(0)
    peer, loss = model.methods["coteaching"].peer, build_loss("CE", **COMMON)
    image, labels = torch.randn(1, 2, 1, 4), torch.zeros(1, 1, 4, dtype=torch.long)
    found = model(image, labels, mode="loss")
    weights = torch.tensor([[[8.0, 4.0, 2.0, 1.0]]])
    every = build_loss("CE", **COMMON, reduction="none")
    for key, own, other in (
        ("loss_ce", model.network, peer),
        ("loss_ce_coteaching", peer, model.network),
    ):
        losses = every(other(image), labels)
        chosen = losses <= losses.flatten().kthvalue(2).values
        expected = loss(own(image), labels, pixel_weights=weights * chosen)
        torch.testing.assert_close(found[key], expected)


@pytest.mark.parametrize(("iteration", "share"), [(0, 0.0), (4, 0.5), (8, 1.0)])
def test_both_networks_warm_up(iteration, share):
    warm_up = WarmUp(start=0.2, end=0.6)
    model = with_others(warm_up, CoTeaching(noise_rate=0.5), losses=[{"type": "MAE"}])
    warm_up.iteration = iteration
    peer, image, labels = model.methods["coteaching"].peer, torch.randn(1, 2, 2, 2), LABELS
    found = model(image, labels, mode="loss")
    for network, end in ((model.network, ""), (peer, "_coteaching")):
        first, second = (build_loss(k, **COMMON)(network(image), labels) for k in ("CE", "MAE"))
        torch.testing.assert_close(found[f"loss_warmup{end}"], (1 - share) * first)
        torch.testing.assert_close(found[f"loss_mae{end}"], share * second)
    sum(found.values()).backward()
    assert peer.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("methods", "losses", "words"),
    [
        ((CoTeaching(0.2), WarmUp()), "CE", "warmup after coteaching .* list coteaching last"),
        ((CoTeaching(0.2), Fainter()), "CE", "fainter after coteaching"),
        ((Abstention(0.2, warm_up=1), CoTeaching(0.2)), "CE", "abstention reads .* of one network"),
        ((CoTeaching(0.2),), "ELR", r"'elr' \(EarlyLearning.*sample_id, cells\) would mix"),
    ],
)
def test_what_does_not_go_with_it(methods, losses, words):
    with pytest.raises(ConfigError, match=words):
        with_others(*methods, losses=[{"type": losses}])
