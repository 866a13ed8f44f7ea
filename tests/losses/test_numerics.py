"""Half precision, extreme logits and odd sizes."""

import naive_losses
import pytest
import torch

from segnoise.losses import build_loss


@pytest.mark.parametrize("name", naive_losses.CASES)
def test_extreme_logits_give_finite_value_and_gradient(name):
    for mode in naive_losses.modes(name):
        check_extreme_logits((name, naive_losses.CASES[name]), mode)


def check_extreme_logits(case, mode):
    channels = 1 if mode == "binary" else 4
    ids = 4 if mode == "multiclass" else 2
    patterns = torch.tensor([1e4, -1e4, 0.0, 88.0, -88.0, 17.0, 1e-8])
    scores = patterns[torch.arange(7 * channels).view(1, channels, 7) * 3 % 7].repeat(ids, 1, 1)
    shape = (ids, channels, 7) if mode == "multilabel" else (ids, 7)
    labels = torch.arange(ids).view(-1, *(1,) * (len(shape) - 1)).expand(shape)
    loss = naive_losses.make(case, mode, 4)
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        logits = scores.to(dtype, copy=True).requires_grad_()
        value = loss(logits, labels)
        value.backward()
        assert value.isfinite(), (mode, dtype)
        assert logits.grad.isfinite().all(), (mode, dtype)


def test_equal_huge_logits_are_the_uniform_prediction():
    logits = torch.full((1, 21, 4), 1e4)
    value = build_loss("NCE", mode="multiclass")(logits, torch.zeros(1, 4, dtype=torch.long))
    torch.testing.assert_close(value, torch.tensor(1 / 21))


def test_half_precision_logits_are_computed_in_float32(kind, make_batch, mode):
    if kind[0] == "GJS":
        pytest.skip("its two views' gradients are added up in half precision here")
    loss = naive_losses.make(kind, mode, ignore_index=255)
    for dtype in (torch.float16, torch.bfloat16):
        logits, labels, weights = make_batch(mode, dtype=dtype)
        same = logits.detach().float().requires_grad_()
        value, expected = loss(logits, labels, weights), loss(same, labels, weights)
        value.backward()
        expected.backward()
        assert value.dtype == torch.float32
        assert logits.grad.dtype == dtype
        torch.testing.assert_close(value, expected)
        torch.testing.assert_close(logits.grad, same.grad.to(dtype))


def test_autocast_changes_nothing(kind, make_batch, mode):
    logits, labels, weights = make_batch(mode, dtype=torch.float32)
    loss = naive_losses.make(kind, mode, ignore_index=255)
    (expected,) = torch.autograd.grad(loss(logits, labels, weights), logits)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(logits, labels, weights)
    (gradient,) = torch.autograd.grad(value, logits)
    assert value.dtype == torch.float32
    assert torch.equal(gradient, expected)


def test_any_number_of_spatial_dimensions(kind, mode):
    if kind[0] in (*naive_losses.REGIONS, *naive_losses.IMAGES):
        pytest.skip("is no map over the pixels")
    for spatial in ((), (1,), (1, 1), (2, 3, 4)):
        check_spatial_dimensions(kind, mode, spatial)


def check_spatial_dimensions(kind, mode, spatial):
    channels = 1 if mode == "binary" else 3
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(2, channels, *spatial, generator=random)
    shape = (2, channels, *spatial) if mode == "multilabel" else (2, *spatial)
    labels = torch.randint(2, shape, generator=random)
    loss = naive_losses.make(kind, mode, 3, reduction="none")
    value = loss(logits, labels)
    assert value.shape == shape
    leading = (2, channels) if mode == "multilabel" else (2,)
    flat = loss(logits.reshape(2, channels, -1), labels.reshape(*leading, -1))
    torch.testing.assert_close(value, flat.view(shape))


def test_nothing_to_learn_from_is_zero(kind, mode):
    channels = 1 if mode == "binary" else 3
    loss = naive_losses.make(kind, mode, 3, ignore_index=255)
    for batch, *spatial in ((0, 4), (2, 0), (2, 0, 5)):
        logits = torch.zeros(batch, channels, *spatial, requires_grad=True)
        labels = torch.zeros_like(logits if mode == "multilabel" else logits[:, 0]).long()
        value = loss(logits, labels)
        value.backward()
        assert value == 0
        assert logits.grad.shape == logits.shape


def test_deterministic_algorithms(kind, make_batch):
    logits, labels, _ = make_batch("multiclass")
    torch.use_deterministic_algorithms(True)
    try:
        naive_losses.make(kind, "multiclass", ignore_index=255)(logits, labels).backward()
    finally:
        torch.use_deterministic_algorithms(False)
    assert logits.grad.abs().sum() > 0
