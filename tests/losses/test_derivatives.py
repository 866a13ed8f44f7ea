"""Second derivatives, torch.func, and gradients in weights and labels, of every kind of loss."""

import shutil
from pathlib import Path

import naive_losses
import pytest
import torch
from torch.utils.checkpoint import checkpoint

import segnoise.losses
from segnoise.errors import SegnoiseError
from segnoise.losses import (
    EarlyLearningRegularizedLoss,
    EntropyRegularizer,
    L1Penalty,
    UpsampledLoss,
    build_loss,
)

SOFT = ("CE", "LabelSmoothing", "SoftBootstrap", "NCE", "ELR", "Dice", "NRDice")


def settled(loss, *arguments):
    """ELR as a function: without ids its target would follow the prediction."""
    if isinstance(loss, EarlyLearningRegularizedLoss):
        ids = [str(n) for n in range(len(arguments[0]))]
        if not loss._memory.means:
            loss.train()(*(a.detach() for a in arguments), sample_id=ids)
        return loss.eval()(*arguments, sample_id=ids)
    return loss(*arguments)


def function_of(loss, labels):
    """The loss as a function of logits and of positive pixel weights."""
    return lambda logits, weights: settled(loss, logits, labels, weights.exp())


def check_twice(function, inputs):
    """First and second derivatives against finite differences; the first in both of its ways."""
    value = function(*inputs)
    plain = torch.autograd.grad(value, inputs, retain_graph=True)
    for one, other in zip(
        plain, torch.autograd.grad(value, inputs, create_graph=True), strict=True
    ):
        torch.testing.assert_close(other, one)
    torch.autograd.gradcheck(function, inputs, fast_mode=True)
    torch.autograd.gradgradcheck(function, inputs, fast_mode=True)


@pytest.fixture
def pixels(make_batch):
    """Few pixels of a mode, some of them void."""

    def make(mode, **options):
        logits, labels, weights = make_batch(mode, num_classes=4, pixels=3, **options)
        labels[0, ..., 0] = 255
        return logits, labels, weights.requires_grad_()

    return make


def test_second_derivatives(kind, mode, pixels):
    """In logits and pixel weights, with class weights and void."""
    logits, labels, weights = pixels(mode)
    class_weights = [1.0, 3.0] if mode == "binary" else [1.0, 2.0, 0.5, 3.0]
    loss = naive_losses.make(kind, mode, 4, ignore_index=255, class_weights=class_weights)
    check_twice(function_of(loss, labels), (logits, weights))


def test_torch_func(kind, mode, pixels):
    """grad, jvp and the one of the other give what autograd gives; so does vmap of every sample."""
    logits, labels, weights = pixels(mode)
    loss = naive_losses.make(kind, mode, 4, ignore_index=255)
    settled(loss, logits, labels)  # ELR has something to remember

    def value(z):
        return settled(loss, z, labels)

    direction = torch.randn_like(logits)
    (slope,) = torch.autograd.grad(value(logits), logits, create_graph=True)
    (curved,) = torch.autograd.grad((slope * direction).sum(), logits)
    at, slope, weights = logits.detach(), slope.detach(), weights.detach()
    torch.testing.assert_close(torch.func.grad(value)(at), slope)
    change = torch.func.jvp(value, (at,), (direction,))[1]
    torch.testing.assert_close(change, (slope * direction).sum())
    by_func = torch.func.jvp(torch.func.grad(value), (at,), (direction,))[1]
    torch.testing.assert_close(by_func, curved)

    def of_sample(z, y, w):
        return loss(z[None], y[None], w[None])

    rows = torch.func.vmap(torch.func.grad(of_sample), randomness="same")(at, labels, weights)
    for n, row in enumerate(rows):
        z = logits[n].detach().requires_grad_()
        (expected,) = torch.autograd.grad(of_sample(z, labels[n], weights[n]), z)
        torch.testing.assert_close(row, expected)


@pytest.mark.parametrize("name", naive_losses.CASES)
def test_sure_predictions(name):
    """Second derivatives in float32 with probabilities of 0 and 1, right labels and wrong ones."""
    mode = "multiclass" if "multiclass" in naive_losses.modes(name) else "multilabel"
    signs = torch.tensor([[1.0, -1, -1, -1], [-1, 1, -1, -1], [1, 1, -1, -1]]).t()
    shape = (2, 4, 3) if mode == "multilabel" else (2, 3)
    labels = torch.zeros(shape, dtype=torch.long)
    labels[1] = 1
    loss = naive_losses.make((name, naive_losses.CASES[name]), mode, 4)
    for far in (20.0, 35.0, 70.0, 1000.0):
        logits = (far * signs).expand(2, 4, 3).clone()
        logits.requires_grad_()
        (slope,) = torch.autograd.grad(settled(loss, logits, labels), logits, create_graph=True)
        slope.square().sum().backward()
        assert logits.grad.isfinite().all()


def test_vmap_checks_labels_and_weights(pixels):
    logits, labels, _ = pixels("multiclass")
    loss = build_loss("CE", mode="multiclass", ignore_index=255)
    at = torch.func.vmap(lambda z, y, w: loss(z[None], y[None], w[None]))
    wrong = labels.masked_fill(labels == 0, 37)
    with pytest.raises(ValueError, match=r"label 37 at position .* is not in 0..3"):
        at(logits, wrong, torch.ones(3, 3))
    with pytest.raises(ValueError, match=r"pixel weight -1 at position .* is not finite and >= 0"):
        at(logits, torch.zeros_like(labels), -torch.ones(3, 3))


def test_elr_remembers_what_torch_func_differentiates_but_not_in_vmap(pixels):
    logits, labels, _ = pixels("multiclass")
    one, other = (build_loss("ELR", mode="multiclass", ignore_index=255) for _ in range(2))
    ids = ["a", "b", "c"]
    for _ in range(2):
        value = one(logits, labels, sample_id=ids)
        (expected,) = torch.autograd.grad(value, logits)
        slope = torch.func.grad(lambda z: other(z, labels, sample_id=ids))(logits.detach())
        torch.testing.assert_close(slope, expected)
    assert torch.equal(one._memory.means["c"], other._memory.means["c"])
    with pytest.raises(SegnoiseError, match="leave sample_id out"):
        torch.func.vmap(lambda z, y: one(z[None], y[None], sample_id=["a"]))(logits, labels)


@pytest.mark.parametrize("mode", naive_losses.MODES)
@pytest.mark.parametrize("name", SOFT)
def test_soft_labels_have_derivatives(name, mode, pixels):
    """Also through class weights that are computed from them."""
    logits, _, weights = pixels(mode)
    case = (name, naive_losses.CASES[name])
    batch = None if name in naive_losses.REGIONS and mode == "binary" else "batch_inverse_sqrt"
    loss = naive_losses.make(case, mode, 4, class_weights=batch)
    scores = torch.randn_like(logits).requires_grad_()

    def value(logits, scores, weights):
        labels = scores.softmax(1) if mode == "multiclass" else scores.sigmoid()
        return settled(loss, logits, labels, weights.exp())

    check_twice(value, (logits, scores, weights))


@pytest.mark.parametrize("name", ["CE", "NCE+AGCE", "Dice", "TLoss", "ER"])
@pytest.mark.parametrize("mode", ["multiclass", "multilabel"])
def test_class_weights_and_parameters_have_derivatives_by_functional_call(name, mode, pixels):
    logits, labels, _ = pixels(mode)
    given = torch.tensor([1.0, 2.0, 0.5, 3.0])
    key = "prior" if name == "ER" else "class_weights"
    given = given / 7 if name == "ER" else given
    loss = build_loss(name, mode=mode, ignore_index=255, **{key: given}).double()
    free = {key: given.double()} | {n: p.detach() for n, p in loss.named_parameters()}
    free = {n: m.clone().requires_grad_() for n, m in free.items()}

    def value(logits, *values):
        named = dict(zip(free, values, strict=True))
        return torch.func.functional_call(loss, named, (logits, labels))

    check_twice(value, (logits, *free.values()))
    with pytest.raises(ValueError, match="functional_call"):
        build_loss("CE", mode="multiclass", class_weights=given.clone().requires_grad_())


@pytest.mark.parametrize("name", ["ANL-CE", "NCE", "SR", "ForwardCorrection", "Dice"])
@pytest.mark.parametrize("align_corners", [False, True])
def test_upsampled_losses(name, align_corners):
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 3, 2, generator=random, dtype=torch.float64, requires_grad=True)
    labels = torch.randint(4, (2, 5, 7), generator=random)
    weights = torch.rand(2, 5, 7, generator=random, dtype=torch.float64, requires_grad=True)
    loss = naive_losses.make((name, naive_losses.CASES[name]), "multiclass", 4)
    loss = UpsampledLoss(loss, align_corners=align_corners)
    check_twice(function_of(loss, labels), (logits, weights))
    expected = torch.autograd.grad(loss(logits, labels), logits)[0]
    slope = torch.func.grad(lambda z: loss(z, labels))(logits.detach())
    torch.testing.assert_close(slope, expected)
    rows = torch.func.vmap(torch.func.grad(lambda z, y: loss(z[None], y[None])))(
        logits.detach(), labels
    )
    for n in range(2):
        (row,) = torch.autograd.grad(loss(logits[n : n + 1], labels[n : n + 1]), logits)
        torch.testing.assert_close(rows[n], row[n])


def test_regularizers(pixels):
    logits, labels, _ = pixels("multiclass")
    er = EntropyRegularizer("multiclass", ignore_index=255)
    check_twice(lambda z: er(z, labels), (logits,))
    # The same tensor twice has twice the gradient.
    check_twice(lambda z: L1Penalty()([z, z.square(), z]), (logits,))
    slope = torch.func.grad(lambda z: L1Penalty()([z, z]))(logits.detach())
    torch.testing.assert_close(slope, 2 * logits.detach().sign())


def test_meta_reweighting_through_an_inner_step(make_batch):
    """The derivative of a clean loss after one step on weighted labels, in the weights."""
    logits, labels, weights = make_batch("multiclass", void=False)
    loss = build_loss("ANL-CE", mode="multiclass")
    clean = labels.roll(1, 0)

    def after_one_step(weights):
        inner = loss(logits, labels, weights)
        (slope,) = torch.autograd.grad(inner, logits, create_graph=True)
        return loss(logits - 0.1 * slope, clean)

    torch.autograd.gradcheck(after_one_step, (weights.requires_grad_(),))


@pytest.mark.parametrize("name", ["CE", "Dice", "GJS", "Hill"])
def test_checkpoint_autocast_and_batched_gradients(name, pixels):
    mode = "multilabel" if name == "Hill" else "multiclass"
    logits, labels, _ = pixels(mode, dtype=torch.float32)
    loss = naive_losses.make((name, naive_losses.CASES[name]), mode, 4, ignore_index=255)
    hessian = torch.autograd.functional.hessian(lambda z: loss(z, labels), logits.detach())
    for options in (
        {"vectorize": True},
        {"vectorize": True, "outer_jacobian_strategy": "forward-mode"},
    ):
        other = torch.autograd.functional.hessian(
            lambda z: loss(z, labels), logits.detach(), **options
        )
        torch.testing.assert_close(other, hessian)

    def penalty(run):
        (slope,) = torch.autograd.grad(run(), logits, create_graph=True)
        return torch.autograd.grad(slope.square().sum(), logits)[0]

    expected = penalty(lambda: loss(logits, labels))
    saved = penalty(lambda: checkpoint(loss, logits, labels, use_reentrant=False))
    torch.testing.assert_close(saved, expected)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(penalty(lambda: loss(logits, labels)), expected)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("c++"), reason="no C++ compiler")
def test_the_gradient_of_a_compiled_loss_is_differentiated_by_operators(monkeypatch, pixels):
    logits, labels, weights = pixels("multiclass")
    weights = weights.clone().requires_grad_()
    loss = build_loss("EpsSoftmax", mode="multiclass", ignore_index=255)

    def derivatives():
        value = loss(logits, labels, weights)
        slopes = torch.autograd.grad(value, (logits, weights), create_graph=True)
        penalty = sum(slope.square().sum() for slope in slopes)
        again = loss(logits, labels, weights)
        first = torch.autograd.grad(again, (logits, weights), retain_graph=True)
        second = torch.autograd.grad(again, (logits, weights))
        return (value, *slopes, *torch.autograd.grad(penalty, (logits, weights)), *first, *second)

    expected = derivatives()
    monkeypatch.setenv("SEGNOISE_KERNELS", "compile")
    for one, other in zip(derivatives(), expected, strict=True):
        torch.testing.assert_close(one, other)
    # Inside a transform nothing is compiled.
    torch.func.grad(lambda z: loss(z, labels))(logits.detach())


def test_no_backward_pass_is_without_a_second():
    """Whoever writes an autograd function for the losses meets this test."""
    for path in Path(segnoise.losses.__file__).parent.rglob("*.py"):
        source = path.read_text()
        functions = source.count("(torch.autograd.Function):")
        known = 1 if path.name == "graph.py" else 0  # in a graph nothing is differentiated twice
        assert functions == source.count("@twice_differentiable(") + known, path.name
