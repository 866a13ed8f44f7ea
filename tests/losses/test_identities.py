"""Identities that the formulas must satisfy, whatever the logits."""

import math

import pytest
import torch

from segnoise.losses import build_loss

K = 6
SYMMETRIC = {
    "MAE": K - 1,
    "NCE": 1,
    "NFL": 1,
    "RCE": -math.log(1e-4) * (K - 1),
    "NNCE": K - 1,
    "NNFL": K - 1,
    "NCE+MAE": 1 + (K - 1),
    "NCE+RCE": 1 - math.log(1e-4) * (K - 1),
    "NFL+MAE": 1 + (K - 1),
    "ANL-CE": 5 * 1 + 5 * (K - 1),
    "ANL-FL": 5 * 1 + 5 * (K - 1),
}


def value_and_gradient(name, logits, labels, mode="multiclass", **own):
    logits = logits.detach().requires_grad_()
    value = build_loss(name, mode=mode, reduction="none", **own)(logits, labels)
    value.sum().backward()
    return value.detach(), logits.grad


@pytest.fixture
def logits():
    return 5 * torch.randn(4, K, 3, generator=torch.Generator().manual_seed(1)).double()


@pytest.fixture
def labels():
    return torch.randint(K, (4, 3), generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("name", SYMMETRIC)
def test_symmetric_losses_sum_to_a_constant_over_the_labels(name, logits, labels):
    total = sum(value_and_gradient(name, logits, torch.full_like(labels, k))[0] for k in range(K))
    torch.testing.assert_close(total, torch.full_like(total, SYMMETRIC[name]))


@pytest.mark.parametrize("name", ["CE", "FL", "GCE"])
def test_others_do_not(name, logits, labels):
    total = sum(value_and_gradient(name, logits, torch.full_like(labels, k))[0] for k in range(K))
    assert total.std() > 0.1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("GCE", {"q": 1.0}), ("MAE", {})),
        (("GCE", {"q": 1e-8}), ("CE", {})),
        (("FL", {"gamma": 0.0}), ("CE", {})),
        (("NFL", {"gamma": 0.0}), ("NCE", {})),
        (("NNFL", {"gamma": 0.0}), ("NNCE", {})),
        (("ANL-FL", {"gamma": 0.0}), ("ANL-CE", {})),
        (("RCE", {"min_prob": 1e-4}), ("MAE", {"scale": -math.log(1e-4)})),
        (("NCE+MAE", {"beta": 0.0}), ("NCE", {})),
        (("NCE+MAE", {"alpha": 0.0}), ("MAE", {})),
    ],
)
def test_special_cases_coincide(one, other, logits, labels):
    for a, b in zip(
        value_and_gradient(one[0], logits, labels, **one[1]),
        value_and_gradient(other[0], logits, labels, **other[1]),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)


def test_two_classes_with_logits_0_and_z_are_binary_mode(case):
    name, own = case
    z = 4 * torch.randn(3, 1, 5, generator=torch.Generator().manual_seed(3)).double()
    labels = torch.randint(2, (3, 5), generator=torch.Generator().manual_seed(4))
    binary = value_and_gradient(name, z, labels, mode="binary", **own)
    pair = value_and_gradient(name, torch.cat((torch.zeros_like(z), z), 1), labels, **own)
    torch.testing.assert_close(binary[0], pair[0])
    torch.testing.assert_close(binary[1], pair[1][:, 1:])


def test_multilabel_is_binary_in_every_channel(case):
    name, own = case
    z = 4 * torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(3)).double()
    labels = torch.randint(2, (3, 4, 5), generator=torch.Generator().manual_seed(4))
    multilabel = value_and_gradient(name, z, labels, mode="multilabel", **own)
    for c in range(4):
        binary = value_and_gradient(name, z[:, c : c + 1], labels[:, c], mode="binary", **own)
        torch.testing.assert_close(multilabel[0][:, c], binary[0])
        torch.testing.assert_close(multilabel[1][:, c : c + 1], binary[1])


def test_a_constant_added_to_the_logits_changes_nothing(case, logits, labels):
    name, own = case
    value, gradient = value_and_gradient(name, logits, labels, **own)
    torch.testing.assert_close(value_and_gradient(name, logits + 7, labels, **own)[0], value)
    torch.testing.assert_close(gradient.sum(1), torch.zeros_like(gradient.sum(1)))
