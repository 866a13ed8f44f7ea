"""Identities that the formulas must satisfy, whatever the logits."""

import math

import naive_losses
import pytest
import torch

from segnoise.losses import build_loss

K = 6


def value_and_gradient(name, logits, labels, mode="multiclass", **own):
    return evaluate(build_loss(name, mode=mode, reduction="none", **own), logits, labels)


def of_case(case, logits, labels, mode="multiclass"):
    classes = logits.shape[1] if mode == "multiclass" else 2
    return evaluate(naive_losses.make(case, mode, classes, reduction="none"), logits, labels)


def evaluate(loss, logits, labels):
    logits = logits.detach().requires_grad_()
    value = loss(logits, labels)
    value.sum().backward()
    return value.detach(), logits.grad


@pytest.fixture
def logits():
    return 5 * torch.randn(4, K, 3, generator=torch.Generator().manual_seed(1)).double()


@pytest.fixture
def labels():
    return torch.randint(K, (4, 3), generator=torch.Generator().manual_seed(2))


IDENTITY = torch.eye(K).tolist()


def test_special_cases_coincide(logits, labels):
    for one, other in [
        (("GCE", {"q": 1.0}), ("MAE", {})),
        (("GCE", {"q": 1e-8}), ("CE", {})),
        (("FL", {"gamma": 0.0}), ("CE", {})),
        (("TaylorCE", {"t": 1}), ("MAE", {})),
        (("PHuberCE", {"tau": 1e9}), ("CE", {})),
        (("AGCE", {"a": 0.0, "q": 0.7}), ("GCE", {"q": 0.7})),
        (("AGCE", {"a": 3.0, "q": 1.0}), ("MAE", {})),
        (("AUL", {"a": 3.0, "q": 1.0}), ("MAE", {})),
        (("ANorm", {"a": 1.7, "p": 1.0}), ("MAE", {"scale": 2.0})),
        (("NFL", {"gamma": 0.0}), ("NCE", {})),
        (("NGCE", {"q": 1.0}), ("MAE", {"scale": 1 / (K - 1)})),
        (("NNFL", {"gamma": 0.0}), ("NNCE", {})),
        (("ANL-FL", {"gamma": 0.0}), ("ANL-CE", {})),
        (("JAL-FL", {"gamma": 0.0}), ("JAL-CE", {})),
        (("RCE", {"min_prob": 1e-4}), ("MAE", {"scale": -math.log(1e-4)})),
        (("NCE+MAE", {"beta": 0.0}), ("NCE", {})),
        (("NCE+MAE", {"alpha": 0.0}), ("MAE", {})),
        (("NCE+AGCE", {"alpha": 0.0, "beta": 1.0}), ("AGCE", {"a": 6.0, "q": 1.5})),
        (("SCE", {"alpha": 1.0, "beta": 0.0}), ("CE", {})),
        (("LabelSmoothing", {"t": 0.0}), ("CE", {})),
        (("SoftBootstrap", {"t": 0.0}), ("CE", {})),
        (("HardBootstrap", {"t": 0.0}), ("CE", {})),
        (("ForwardCorrection", {"transition_matrix": IDENTITY}), ("CE", {})),
        (("BackwardCorrection", {"transition_matrix": IDENTITY}), ("CE", {})),
        (("EpsSoftmax", {"m": 0.0, "beta": 0.0}), ("CE", {})),
        (("EpsSoftmax", {"alpha": 0.0}), ("MAE", {})),
        (("ELR", {"beta": 0.0}), ("CE", {})),
        (("LogitClip", {"base": "GCE", "tau": 1e9}), ("GCE", {})),
        (("NormalizedLoss", {"base": "CE"}), ("NCE", {})),
        (("NormalizedLoss", {"base": "FL", "gamma": 0.5}), ("NFL", {})),
        (("NormalizedLoss", {"base": "GCE"}), ("NGCE", {})),
        (("NormalizedNegativeLoss", {"base": "CE"}), ("NNCE", {})),
        (("NormalizedNegativeLoss", {"base": "FL", "gamma": 0.5}), ("NNFL", {})),
        (("NRDice", {"gamma": 1.0}), ("Dice", {})),
    ]:
        for a, b in zip(
            value_and_gradient(one[0], logits, labels, **one[1]),
            value_and_gradient(other[0], logits, labels, **other[1]),
            strict=True,
        ):
            torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)


def test_more_terms_of_the_series_come_nearer_to_cross_entropy(labels):
    logits = torch.randn(4, K, 3, generator=torch.Generator().manual_seed(1)).double()
    expected = value_and_gradient("CE", logits, labels)[0]
    gaps = [
        (value_and_gradient("TaylorCE", logits, labels, t=t)[0] - expected).abs().max()
        for t in (1, 4, 16, 64, 1000)
    ]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] < 1e-3


def test_jensen_shannon_tends_to_cross_entropy_and_to_mae(logits, labels):
    paler = logits / 5
    value, _ = value_and_gradient("JS", paler, labels, pi=1e-3)
    torch.testing.assert_close(value, value_and_gradient("CE", paler, labels)[0], rtol=0.02, atol=0)
    value, _ = value_and_gradient("JS", logits, labels, pi=1 - 1e-12)
    torch.testing.assert_close(
        value, value_and_gradient("MAE", logits, labels)[0], rtol=0, atol=0.04
    )


def test_jensen_shannon_of_views_that_agree_is_that_of_one(logits, labels):
    loss = build_loss("GJS", mode="multiclass", reduction="none")
    expected, gradient = value_and_gradient("JS", logits, labels)
    views = logits.repeat(3, 1, 1).requires_grad_()
    value = loss(views, labels)
    value.sum().backward()
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(views.grad, gradient.repeat(3, 1, 1) / 3)


def test_negative_learning_of_two_classes_is_cross_entropy(labels):
    logits = 5 * torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(1)).double()
    for a, b in zip(
        value_and_gradient("NLNL", logits, labels % 2),
        value_and_gradient("CE", logits, labels % 2),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


def test_brier_score(logits, labels):
    value, _ = value_and_gradient("AMSE", logits, labels, a=1.0)
    one_hot = torch.nn.functional.one_hot(labels, K).movedim(-1, 1)
    torch.testing.assert_close(value, (logits.softmax(1) - one_hot).square().mean(1))


def test_two_classes_with_logits_0_and_z_are_binary_mode(kind):
    if kind[0] in ("SR", *naive_losses.REGIONS):
        pytest.skip("has no binary mode, or one region in binary mode and two otherwise")
    z = 4 * torch.randn(3, 1, 5, generator=torch.Generator().manual_seed(3)).double()
    labels = torch.randint(2, (3, 5), generator=torch.Generator().manual_seed(4))
    binary = of_case(kind, z, labels, "binary")
    pair = of_case(kind, torch.cat((torch.zeros_like(z), z), 1), labels)
    torch.testing.assert_close(binary[0], pair[0])
    torch.testing.assert_close(binary[1], pair[1][:, 1:])


@pytest.mark.parametrize("name", [name for name in naive_losses.KINDS if name != "SR"])
def test_multilabel_is_binary_in_every_channel(name):
    case = (name, naive_losses.CASES[name])
    z = 4 * torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(3)).double()
    labels = torch.randint(2, (3, 4, 5), generator=torch.Generator().manual_seed(4))
    multilabel = of_case(case, z, labels, "multilabel")
    for c in range(4):
        binary = of_case(case, z[:, c : c + 1], labels[:, c], "binary")
        of_channel = (
            multilabel[0][c : c + 1] if case[0] in naive_losses.REGIONS else (multilabel[0][:, c])
        )
        torch.testing.assert_close(of_channel, binary[0])
        torch.testing.assert_close(multilabel[1][:, c : c + 1], binary[1])


def test_a_constant_added_to_the_logits_changes_nothing(kind, logits, labels):
    if kind[0] in ("SR", "LogitClip"):
        pytest.skip("depends on the logits' norm")
    value, gradient = of_case(kind, logits, labels)
    torch.testing.assert_close(of_case(kind, logits + 7, labels)[0], value)
    torch.testing.assert_close(gradient.sum(1), torch.zeros_like(gradient.sum(1)))
