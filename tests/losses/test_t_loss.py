"""T-Loss: its distribution, its learned tail, and what an outlier image does to it."""

import pytest
import torch
from torch import nn

from segnoise.losses import build_loss


def test_one_pixel_is_the_log_likelihood_of_students_t():
    """A residual r under the scalar Student-t of nu degrees of freedom."""
    for nu in (0.5, 3.0):
        logits = torch.tensor([[[0.7]]], dtype=torch.float64)
        residual = 1 - torch.sigmoid(logits).item()
        expected = -torch.distributions.StudentT(torch.tensor(nu)).log_prob(torch.tensor(residual))
        value = build_loss("TLoss", mode="binary", nu=nu)(logits, torch.tensor([[1]]))
        assert value.item() == pytest.approx(expected.item(), rel=1e-6)


def test_the_size_of_the_image_does_not_set_the_size_of_the_loss():
    logits, labels = torch.randn(1, 1, 64, 64), torch.randint(2, (1, 64, 64))
    loss = build_loss("TLoss", mode="binary")
    large = loss(logits.repeat(1, 1, 8, 8), labels.repeat(1, 8, 8))
    # Up to Gamma((nu + D)/2), whose growth the paper's formula has.
    assert abs(large - loss(logits, labels)) < 5


def learned_nu(scores):
    """nu after a training of nu alone, on images of positives with these scores."""
    loss = build_loss("TLoss", mode="binary")
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.05)
    logits = torch.tensor(scores).view(-1, 1, 1).repeat(1, 1, 50)
    for _ in range(200):
        optimizer.zero_grad()
        loss(logits, torch.ones(len(scores), 50).long()).backward()
        optimizer.step()
    return loss.nu


def test_nu_is_learned():
    """It falls where most images fit, an outlier or not, and grows where none does."""
    assert learned_nu([6.0] * 9 + [-6.0]) < 0.01
    assert 0.1 < learned_nu([0.0] * 10) < 10
    assert learned_nu([-6.0] * 10) > 100


def test_an_outlier_image_has_less_pull_than_in_a_squared_error():
    logits = torch.cat((torch.full((1, 1, 50), 2.0), torch.full((1, 1, 50), -2.0))).requires_grad_()
    build_loss("TLoss", mode="binary", nu=0.1)(logits, torch.ones(2, 50).long()).backward()
    pull = logits.grad.abs().mean((1, 2))
    residual = 1 - torch.sigmoid(logits.detach()).mean((1, 2))
    assert pull[1] / pull[0] < (residual[1] / residual[0]) / 2


def test_it_is_in_the_optimizer_if_the_loss_is_in_the_model():
    model = nn.ModuleDict({"net": nn.Conv2d(1, 1, 1), "loss": build_loss("TLoss", mode="binary")})
    assert "loss.log_nu" in dict(model.named_parameters())


def test_gradient_of_nu(make_batch):
    logits, labels, weights = make_batch("multiclass")
    loss = build_loss("TLoss", mode="multiclass", ignore_index=255, nu=1.3).double()
    value = loss(logits, labels, weights)
    (gradient,) = torch.autograd.grad(value, loss.log_nu)
    values = []
    for step in (1e-5, -1e-5):
        with torch.no_grad():
            loss.log_nu += step
            values.append(loss(logits, labels, weights))
            loss.log_nu -= step
    assert gradient.item() == pytest.approx(((values[0] - values[1]) / 2e-5).item(), rel=1e-6)


def test_repr_shows_nu():
    assert "nu=1.5" in repr(build_loss("TLoss", mode="binary", nu=1.5))
