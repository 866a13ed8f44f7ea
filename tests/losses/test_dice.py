"""Dice losses against segmentation_models_pytorch, and what is theirs alone."""

import naive_losses
import pytest
import segmentation_models_pytorch as smp
import torch

from segnoise.losses import build_loss


@pytest.mark.parametrize("absent", [False, True])
def test_multiclass_dice_is_smps(make_batch, absent):
    logits, labels, _ = make_batch("multiclass", pixels=40)
    if absent:
        labels[labels == 2] = 3
    theirs = smp.losses.DiceLoss("multiclass", ignore_index=255, eps=1e-12)(logits, labels)
    ours = build_loss("Dice", mode="multiclass", ignore_index=255, eps=1e-12)(logits, labels)
    # SMP counts an absent class as 0 in the mean; here it is left out of it.
    torch.testing.assert_close(ours * (4 / 5 if absent else 1), theirs)


@pytest.mark.parametrize("mode", ["binary", "multilabel"])
def test_other_modes_are_smps(make_batch, mode):
    logits, labels, _ = make_batch(mode, void=False, pixels=40)
    theirs = smp.losses.DiceLoss(mode, eps=1e-12)(logits, labels)
    torch.testing.assert_close(build_loss("Dice", mode=mode, eps=1e-12)(logits, labels), theirs)


@pytest.mark.parametrize("name", naive_losses.REGIONS)
def test_perfect_predictions_cost_nothing(name, make_batch):
    _, labels, _ = make_batch("multiclass", void=False)
    logits = 60 * torch.nn.functional.one_hot(labels, 5).movedim(-1, 1).double()
    assert build_loss(name, mode="multiclass")(logits, labels) < 1e-6
    assert build_loss(name, mode="multiclass")(-logits, labels) > 0.1


@pytest.mark.parametrize("name", naive_losses.REGIONS)
def test_a_class_without_labels_gets_no_gradient_of_its_own(name):
    logits = torch.randn(2, 3, 5, dtype=torch.float64, requires_grad=True)
    labels = torch.zeros(2, 5).long()
    classes = build_loss(name, mode="multiclass", reduction="none")(logits, labels)
    assert (classes[1:] == 0).all()
    assert build_loss(name, mode="multiclass")(logits, labels) == classes[0]


def test_soft_labels(make_batch):
    logits, _, weights = make_batch("multiclass")
    soft = torch.rand(logits.shape, dtype=torch.float64).softmax(1)
    p, w = logits.softmax(1), weights[:, None]
    total = (w * p).sum((0, 2)) + (w * soft).sum((0, 2))
    expected = (1 - 2 * (w * p * soft).sum((0, 2)) / total).mean()
    loss = build_loss("Dice", mode="multiclass", eps=1e-12)
    torch.testing.assert_close(loss(logits, soft, weights), expected)
    robust = build_loss("NRDice", mode="multiclass", eps=1e-12, gamma=2.0)
    expected = ((w * (p - soft).square()).sum((0, 2)) / total).mean()
    value = robust(logits, soft, weights)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(
        torch.autograd.grad(value, logits)[0], torch.autograd.grad(expected, logits)[0]
    )


@pytest.mark.parametrize("weights", [[1.0, 2.0], "batch_inverse"])
@pytest.mark.parametrize("name", naive_losses.REGIONS)
def test_one_region_has_no_class_weights(name, weights):
    with pytest.raises(ValueError, match="one region in binary mode"):
        build_loss(name, mode="binary", class_weights=weights)


@pytest.mark.parametrize("mode", naive_losses.MODES)
@pytest.mark.parametrize("name", naive_losses.REGIONS)
def test_what_stands_at_void_cannot_break_the_batch(make_batch, name, mode):
    for value in [float("inf"), float("-inf"), float("nan")]:
        logits, labels, _ = make_batch(mode)
        void = labels == 255
        loss = build_loss(name, mode=mode, ignore_index=255)
        expected = torch.autograd.grad(loss(logits, labels), logits)[0]
        where = void if mode == "multilabel" else void.unsqueeze(1)
        broken = logits.detach().masked_fill(where, value).requires_grad_()
        assert loss(broken, labels) == loss(logits, labels)
        assert torch.equal(torch.autograd.grad(loss(broken, labels), broken)[0], expected)
        clipped = build_loss("LogitClip", mode=mode, ignore_index=255, base=name, tau=1e9)
        assert torch.equal(torch.autograd.grad(clipped(broken, labels), broken)[0], expected)
