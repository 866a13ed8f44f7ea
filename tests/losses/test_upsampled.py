"""Losses of low-resolution logits equal interpolation and the loss, in value and gradient."""

import naive_losses
import pytest
import torch
import torch.nn.functional as F

from segnoise.losses import UpsampledLoss, build_loss
from segnoise.losses.core import Core
from segnoise.losses.core import upsampling as upsampled_core

SIZES = [((3, 5), (12, 20)), ((4, 4), (11, 15)), ((5, 7), (5, 7)), ((6, 6), (3, 4))]


def batch(source, size, classes=4, dtype=torch.float64):
    random = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(2, classes, *source, generator=random, dtype=torch.float64)
    labels = torch.randint(max(classes, 2), (2, *size), generator=random)
    labels[:, :2] = 255
    return logits.to(dtype).requires_grad_(), labels, torch.rand(2, *size, generator=random)


def both(loss, logits, labels, weights, align_corners):
    """Value and gradient: fused, and in two steps."""
    found = UpsampledLoss(loss, align_corners)(logits, labels, weights)
    whole = F.interpolate(
        logits, size=labels.shape[1:], mode="bilinear", align_corners=align_corners
    )
    expected = loss(whole, labels, weights)
    seeds = torch.rand_like(expected)
    return [(v, torch.autograd.grad(v, logits, seeds)[0]) for v in (found, expected)]


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_equals_two_steps_for_every_size(sizes, align_corners):
    loss = build_loss("ANL-CE", mode="multiclass", ignore_index=255, class_weights=[1, 2, 0.5, 3])
    found, expected = both(loss, *batch(*sizes), align_corners)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def test_every_kind_equals_two_steps(kind):
    if kind[0] in ("ELR", "GJS"):
        pytest.skip("wants more than logits and labels of one view")
    loss = naive_losses.make(kind, "multiclass", ignore_index=255)
    upsampled = UpsampledLoss(loss, True)
    logits, labels, weights = batch((3, 5), (12, 20), classes=5)
    whole = F.interpolate(logits, size=(12, 20), mode="bilinear", align_corners=True)
    results = []
    for run in (lambda: upsampled(logits, labels, weights), lambda: loss(whole, labels, weights)):
        torch.manual_seed(0)
        results.append(run())
    torch.testing.assert_close(*results, rtol=1e-6, atol=1e-9)
    slopes = [torch.autograd.grad(v.sum(), logits, retain_graph=True)[0] for v in results]
    torch.testing.assert_close(*slopes, rtol=1e-6, atol=1e-9)


def test_bands_and_half_precision(monkeypatch):
    """Many bands an image, in half precision, under autocast: as float32 within its rounding."""
    monkeypatch.setattr(upsampled_core, "block_elements", lambda device: 4 * 20 * 2)
    loss = build_loss("NCE+AGCE", mode="multiclass", ignore_index=255)
    logits, labels, weights = batch((3, 5), (12, 20), dtype=torch.bfloat16)
    exact = logits.detach().double().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = UpsampledLoss(loss)(logits, labels, weights)
        (slope,) = torch.autograd.grad(value, logits)
    whole = F.interpolate(exact, size=labels.shape[1:], mode="bilinear", align_corners=False)
    expected = loss(whole, labels, weights)
    (expected_slope,) = torch.autograd.grad(expected, exact)
    assert (value.dtype, slope.dtype) == (torch.float32, torch.bfloat16)
    torch.testing.assert_close(value.double(), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(slope.double(), expected_slope, rtol=1e-2, atol=1e-3)


def test_nothing_of_full_size_is_computed(monkeypatch):
    largest = 0
    plain = Core.statistics

    def watched(self, logits, target):
        nonlocal largest
        largest = max(largest, logits.numel())
        return plain(self, logits, target)

    monkeypatch.setattr(Core, "statistics", watched)
    monkeypatch.setattr(upsampled_core, "block_elements", lambda device: 4 * 64 * 4)
    logits, labels, weights = batch((16, 16), (64, 64))
    loss = UpsampledLoss(build_loss("GCE", mode="multiclass", ignore_index=255))
    loss(logits, labels, weights).backward()
    assert loss.fused
    assert largest == 4 * 64 * 4


def test_soft_labels_and_region_losses_go_two_steps():
    logits, labels, _ = batch((4, 4), (8, 8))
    soft = F.one_hot(labels.clamp(0, 3), 4).movedim(-1, 1).double()
    loss = build_loss("CE", mode="multiclass")
    whole = F.interpolate(logits, size=(8, 8), mode="bilinear", align_corners=False)
    assert UpsampledLoss(loss)(logits, soft) == loss(whole, soft)
    assert not UpsampledLoss(build_loss("Dice", mode="multiclass")).fused


def test_errors_say_what_is_wrong():
    with pytest.raises(TypeError, match="segmentation loss of segnoise"):
        UpsampledLoss(torch.nn.CrossEntropyLoss())
    with pytest.raises(ValueError, match="wants sample_id, cells too"):
        UpsampledLoss(build_loss("ELR", mode="multiclass"))
    loss = UpsampledLoss(build_loss("CE", mode="multiclass"))
    with pytest.raises(ValueError, match="must be"):
        loss(torch.zeros(2, 3), torch.zeros(2).long())
    with pytest.raises(ValueError, match="label 9"):
        loss(torch.zeros(1, 3, 2, 2), torch.full((1, 4, 4), 9))


def test_autocast_changes_no_digit():
    loss = UpsampledLoss(build_loss("ANL-CE", mode="multiclass", ignore_index=255))
    logits, labels, _ = batch((8, 8), (32, 32), dtype=torch.float32)
    (expected,) = torch.autograd.grad(loss(logits, labels), logits)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        (found,) = torch.autograd.grad(loss(logits, labels), logits)
    assert found.equal(expected)
