"""Value and gradient of every loss, mode and reduction against the loops of conftest.py."""

import pytest
import torch

from segnoise.losses import build_loss

MODES = ("binary", "multiclass", "multilabel")


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("setting", ["plain", "void", "weighted"])
@pytest.mark.parametrize("mode", MODES)
def test_value_and_gradient(naive, make_batch, case, mode, setting, reduction):
    name, own = case
    logits, labels, pixel_weights = make_batch(mode, void=setting != "plain")
    common = {"reduction": reduction}
    if setting != "plain":
        common["ignore_index"] = 255
    if setting == "weighted":
        common["class_weights"] = [0.25, 1.75] if mode == "binary" else [0.25, 1.75, 0.0, 1.0, 2.5]
    else:
        pixel_weights = None
    expected = naive.batch(name, mode, logits, labels, pixel_weights=pixel_weights, **common, **own)
    upstream = torch.linspace(0.5, 2, expected.numel(), dtype=torch.float64).view_as(expected)
    (expected_gradient,) = torch.autograd.grad(expected, logits, upstream)

    value = build_loss(name, mode=mode, **common, **own)(logits, labels, pixel_weights)
    (gradient,) = torch.autograd.grad(value, logits, upstream)
    torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_default_parameters_are_the_papers(naive, make_batch, case, mode):
    name, _ = case
    logits, labels, _ = make_batch(mode)
    defaults = {
        "FL": {"gamma": 2.0},
        "ANL-CE": {"alpha": 5.0, "beta": 5.0},
        "ANL-FL": {"alpha": 5.0, "beta": 5.0},
    }
    expected = naive.batch(name, mode, logits, labels, ignore_index=255, **defaults.get(name, {}))
    value = build_loss(name, mode=mode, ignore_index=255)(logits, labels)
    torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("num_classes", [2, 21, 150, 1000])
def test_float32_keeps_five_digits(naive, make_batch, case, num_classes):
    name, own = case
    own = own | ({"min_prob": 1e-7} if "NN" in name or "ANL" in name else {})
    logits, labels, _ = make_batch("multiclass", num_classes, pixels=1)
    labels = labels.clamp_max(num_classes - 1)
    expected = naive.batch(name, "multiclass", logits, labels, **own)
    (expected_gradient,) = torch.autograd.grad(expected, logits)
    single = logits.detach().float().requires_grad_()
    value = build_loss(name, mode="multiclass", **own)(single, labels)
    value.backward()
    torch.testing.assert_close(value.double(), expected, rtol=1e-5, atol=0)
    scale = expected_gradient.abs().max()
    assert (single.grad - expected_gradient).abs().max() < 1e-5 * scale


def test_cross_entropy_is_pytorchs(make_batch):
    logits, labels, _ = make_batch("multiclass", dtype=torch.float32)
    weights = torch.tensor([0.3, 1.7, 0.0, 1.0, 2.5])
    for reduction in ("mean", "sum", "none"):
        ours = build_loss(
            "CE", mode="multiclass", ignore_index=255, reduction=reduction, class_weights=weights
        )
        torchs = torch.nn.CrossEntropyLoss(weights, ignore_index=255, reduction=reduction)
        torch.testing.assert_close(ours(logits, labels), torchs(logits, labels))


def test_binary_cross_entropy_is_pytorchs(make_batch):
    logits, labels, _ = make_batch("binary", void=False, dtype=torch.float32)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 0], labels.float())
    torch.testing.assert_close(build_loss("CE", mode="binary")(logits, labels), expected)
