"""The core: gradients, memory layouts, block borders, and what is kept for the backward pass."""

import naive_losses
import pytest
import torch
from torch.autograd import gradcheck

from segnoise.losses import build_loss
from segnoise.losses.core import Core, blocking
from segnoise.losses.core.statistics import pixel_statistics
from segnoise.losses.core.terms import ClassSum, FocalTerm, LogTerm

LOGS, FLIPPED = ClassSum(LogTerm()), ClassSum(LogTerm(), 0.05)
SUMS = (LOGS, FLIPPED, ClassSum(FocalTerm(0.5)), ClassSum(FocalTerm(0.5), 0.05))


def random_logits(*shape, dtype=torch.float64, seed=0):
    logits = 2 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return logits.to(dtype).requires_grad_()


class ShiftedLog(LogTerm):
    """A second term with a slope of 1 (dataclasses of different types are never equal)."""

    def __call__(self, log_p):
        return log_p + 1


@pytest.mark.parametrize("sums", [(), (*SUMS, ClassSum(ShiftedLog()))])
@pytest.mark.parametrize("labels", ["ids", "soft", "binary", "soft binary"])
def test_gradcheck(sums, labels):
    logits = random_logits(2, 4, 3)
    binary = "binary" in labels
    shape = {"ids": (2, 3), "soft": (2, 4, 3), "binary": (2, 4, 3), "soft binary": (2, 2, 4, 3)}
    if "soft" in labels:
        target = torch.rand(shape[labels], dtype=torch.float64)
    else:
        target = torch.randint(2, shape[labels])

    def all_maps(z):
        s = pixel_statistics(z, target, Core(sums, binary))
        maps = (s.log_p, *(s[key] for key in sums))
        # The maps one by one, and together: the parts of a gradient must add up.
        return (*maps, sum((i + 0.5) * m for i, m in enumerate(maps)))

    assert gradcheck(all_maps, (logits,))


def test_gradcheck_of_every_kind(kind, mode, make_batch):
    if kind[0] == "ELR":
        pytest.skip("its target follows the prediction: see test_early_learning.py")
    logits, labels, weights = make_batch(mode, num_classes=3, pixels=1)
    loss = naive_losses.make(kind, mode, 3, ignore_index=255)
    assert gradcheck(lambda z: loss(z, labels, weights), (logits,))


def test_only_the_sums_asked_for_are_computed():
    s = pixel_statistics(random_logits(1, 3, 2), torch.zeros(1, 2, dtype=torch.long), Core((LOGS,)))
    assert list(s.sums) == [LOGS]
    with pytest.raises(KeyError):
        s[FLIPPED]


def test_block_borders_do_not_show(monkeypatch, make_batch, kind, mode):
    logits, labels, weights = make_batch(mode)
    loss = naive_losses.make(kind, mode, ignore_index=255)
    expected = loss(logits, labels, weights)
    (expected_gradient,) = torch.autograd.grad(expected, logits)
    for elements in (1, 7, 16, 64):
        monkeypatch.setattr(blocking, "block_elements", lambda device, size=elements: size)
        value = loss(logits, labels, weights)
        torch.testing.assert_close(value, expected)
        torch.testing.assert_close(torch.autograd.grad(value, logits)[0], expected_gradient)


def test_memory_layouts_give_the_same_numbers(kind, mode):
    channels = 1 if mode == "binary" else 4
    plain = random_logits(2, channels, 6, 5)
    labels = torch.randint(2, (2, 4, 6, 5) if mode == "multilabel" else (2, 6, 5))
    loss = naive_losses.make(kind, mode, 4)
    expected = loss(plain, labels)
    (expected_gradient,) = torch.autograd.grad(expected, plain)
    data = plain.detach()
    wide = torch.zeros(2, channels, 9, 8, dtype=data.dtype)
    wide[:, :, 2:8, 1:6] = data
    layouts = {
        "channels_last": data.to(memory_format=torch.channels_last),
        "crop": wide[:, :, 2:8, 1:6],
        "transposed": data.transpose(2, 3).contiguous().transpose(2, 3),
        "expanded batch": data[:1].expand(2, -1, -1, -1),
    }
    for layout, logits in layouts.items():
        logits = logits.detach().requires_grad_()
        value = loss(logits, labels)
        value.backward()
        if layout == "expanded batch":
            copy = data[:1].repeat(2, 1, 1, 1).requires_grad_()
            other = loss(copy, labels)
            other.backward()
            torch.testing.assert_close(value, other)
            torch.testing.assert_close(logits.grad, copy.grad)
        else:
            torch.testing.assert_close(value, expected)
            torch.testing.assert_close(logits.grad, expected_gradient)


def test_channels_last_gradients_stay_channels_last():
    logits = random_logits(2, 4, 6, 5).detach().to(memory_format=torch.channels_last)
    logits.requires_grad_()
    build_loss("ANL-CE", mode="multiclass")(logits, torch.randint(4, (2, 6, 5))).backward()
    assert logits.grad.is_contiguous(memory_format=torch.channels_last)


def kept_for_backward(loss, logits, labels):
    """The tensors of floats of the logits' size or more that a loss keeps, by their storages."""
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        loss(logits, labels)
    large = [t for t in kept if t.is_floating_point() and t.numel() >= logits.numel()]
    return {t.data_ptr() for t in large}


@pytest.mark.parametrize("name", [*naive_losses.CASES, "ER"])
def test_of_classes_the_logits_alone_are_kept_for_backward(name):
    logits = random_logits(2, 8, 16, 16, dtype=torch.float32)
    labels = torch.randint(8, (2, 16, 16))
    if name == "GJS":
        loss, labels = build_loss(name, mode="multiclass"), labels[:1]
    elif name == "ER":
        loss = build_loss(name, mode="multiclass")
    elif "multiclass" in naive_losses.modes(name):
        loss = naive_losses.make((name, naive_losses.CASES[name]), "multiclass", 8)
    else:
        return
    kept = kept_for_backward(loss, logits, labels)
    assert logits.data_ptr() in kept
    assert len(kept) == (2 if name == "ELR" else 1)  # its target too


@pytest.mark.parametrize(
    "name", ["CE", "ANL-CE", "EpsSoftmax", "BackwardCorrection", "Hill", "SPLC", "ASL"]
)
def test_of_single_scores_few_maps_are_kept(name):
    """Every score is a pixel: what the reduction keeps is of the logits' size, the formula not."""
    logits = random_logits(2, 8, 16, 16, dtype=torch.float32)
    loss = naive_losses.make((name, naive_losses.CASES[name]), "multilabel", 8)
    assert kept_for_backward(loss, logits, torch.randint(2, logits.shape)) <= {logits.data_ptr()}


def test_logits_that_need_no_gradient_get_none():
    logits = random_logits(1, 3, 2).detach()
    value = build_loss("ANL-CE", mode="multiclass")(logits, torch.tensor([[0, 1]]))
    assert not value.requires_grad
