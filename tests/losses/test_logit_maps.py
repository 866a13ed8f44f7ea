"""Maps of the logits: what they do to a vector, and their gradient."""

import naive_losses
import pytest
import torch
from torch.autograd import gradcheck

from segnoise.losses import CrossEntropyLoss, LogitClipLoss, build_loss
from segnoise.losses.core.logit_maps import NormClip, UnitNorm


@pytest.mark.parametrize("logit_map", [NormClip(1.0), NormClip(100.0), UnitNorm(0.5)])
def test_pull_back_is_autograds(logit_map):
    logits = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn(2, 4, 3, dtype=torch.float64)
    (expected,) = torch.autograd.grad(logit_map(logits), logits, upstream)
    torch.testing.assert_close(logit_map.pull_back(logits.detach(), upstream), expected)
    assert gradcheck(logit_map, (logits,))


def test_norms():
    logits = 10 * torch.randn(5, 4, 6)
    assert (UnitNorm(0.5)(logits).norm(dim=1) - 2).abs().max() < 1e-6
    clipped = NormClip(7.0)(logits)
    assert clipped.norm(dim=1).max() < 7 + 1e-5
    short = logits.norm(dim=1, keepdim=True) < 7
    assert torch.equal(clipped.masked_select(short), logits.masked_select(short))


def test_a_vector_of_zeros():
    logits = torch.zeros(1, 3, 2, requires_grad=True)
    for name in ("SR", "LogitClip"):
        value = build_loss(name, mode="multiclass")(logits, torch.tensor([[0, 1]]))
        (gradient,) = torch.autograd.grad(value, logits)
        assert value.isfinite()
        assert gradient.isfinite().all()


CLIPPABLE = [name for name in naive_losses.KINDS if name not in ("SR", "LogitClip")]


@pytest.mark.parametrize("mode", naive_losses.MODES)
@pytest.mark.parametrize("name", CLIPPABLE)
def test_any_loss_can_be_clipped(make_batch, name, mode):
    """The wrapped loss is the loss of clipped logits, value and gradient."""
    if mode not in naive_losses.modes(name):
        with pytest.raises(ValueError, match="mode must be"):
            build_loss("LogitClip", mode=mode, base=name)
        return
    logits, labels, weights = make_batch(mode)
    common = {"ignore_index": 255}
    if not (mode == "binary" and name in naive_losses.REGIONS):
        common["class_weights"] = [0.5, 2.0] if mode == "binary" else [1.0] * 5
    classes = 5 if mode == "multiclass" else 2
    own = naive_losses.own_of((name, naive_losses.CASES[name]), classes)
    base = build_loss(name, mode=mode, **common, **own)
    clipped = LogitClipLoss(mode, base=name, tau=2.5, **common, **own)
    if name == "GJS":
        base, clipped = naive_losses.Views(base), naive_losses.Views(clipped)
    views = torch.cat((logits, 0.5 * logits)) if name == "GJS" else logits
    # The vector of one score (0, z) has the norm |z|, in every channel by itself.
    shrunk = NormClip(2.5)(views) if mode == "multiclass" else views.clamp(-2.5, 2.5)
    inner = base.loss if name == "GJS" else base
    torch.manual_seed(0)
    expected = inner(shrunk, labels, weights)
    torch.manual_seed(0)
    value = clipped(logits, labels, weights)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(
        torch.autograd.grad(value, logits)[0], torch.autograd.grad(expected, logits)[0]
    )


def test_what_cannot_be_clipped():
    with pytest.raises(TypeError, match="wraps a loss of logits, got 'ER'"):
        build_loss("LogitClip", mode="multiclass", base="ER")
    for base in ("SR", "LogitClip"):
        with pytest.raises(TypeError, match="maps its logits itself"):
            build_loss("LogitClip", mode="multiclass", base=base)
    with pytest.raises(ValueError, match="no loss called 'GEC'; did you mean GCE"):
        build_loss("LogitClip", mode="multiclass", base="GEC")
    with pytest.raises(TypeError, match="GCE has no parameter 'qq'"):
        build_loss("LogitClip", mode="multiclass", base="GCE", qq=1)


def test_a_clipped_loss_is_bounded():
    loss = LogitClipLoss("multiclass", base=CrossEntropyLoss, tau=1.0)
    wrong = loss(1e4 * torch.tensor([[[1.0], [-1.0]]]), torch.tensor([[1]]))
    assert wrong == pytest.approx(torch.tensor(2**0.5).exp().log1p().item())


def test_sparse_regularisation_grows_with_the_epoch(make_batch):
    logits, labels, _ = make_batch("multiclass", void=False)
    loss = build_loss("SR", mode="multiclass", beta=2.0, growth=1.5)
    bare = build_loss("SR", mode="multiclass", beta=0.0)(logits, labels)
    first = loss(logits, labels) - bare
    loss.set_epoch(3)
    torch.testing.assert_close(loss(logits, labels) - bare, first * 1.5**3)
