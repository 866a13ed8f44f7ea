"""Losses and counts on a GPU: the float64 numbers by every path, and the same ones at every run."""

import json
from contextlib import nullcontext

import naive_losses
import pytest
import torch
import triton_checks
from on_gpu import CUDA, DEVICE, cuda_only, on_gpu
from torch.utils.checkpoint import checkpoint

from segnoise.kernels import using
from segnoise.losses import build_loss
from segnoise.losses.core import paths
from segnoise.metrics import confusion_matrix, confusion_matrix_from_scores

RUNS = 20 if CUDA else 2
MULTICLASS = [n for n in naive_losses.CASES if "multiclass" in naive_losses.modes(n)]
DTYPES = [torch.float32, torch.bfloat16, torch.float16]
COMPILED = ["CE", "ANL-CE", "NCE+AGCE"]


@pytest.fixture
def here():
    """Tensors are made on the device under test."""
    with torch.device(DEVICE):
        torch.manual_seed(0)
        yield


@on_gpu
@cuda_only
@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("sums", triton_checks.SUMS)
def test_kernels_have_the_float64_numbers(here, binary, sums):
    triton_checks.check_core(binary, sums)


@on_gpu
@cuda_only
def test_kernels_take_any_layout_and_extreme_scores(here):
    triton_checks.check_layouts()


@on_gpu
@cuda_only
@pytest.mark.parametrize("name", triton_checks.LOSSES)
def test_kernels_give_the_same_bits_at_every_run(here, name):
    triton_checks.check_losses(name, RUNS)


@on_gpu
@cuda_only
def test_kernels_count_exactly(here):
    triton_checks.check_counts(RUNS)


@on_gpu
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", [2, 21, 150])
def test_counts_are_those_of_float64(here, classes, dtype):
    scores = torch.randn(2, classes, 67, 43).to(dtype)
    target = torch.randint(classes, (2, 67, 43))
    target[:, :3] = 255
    expected = confusion_matrix(scores.double().cpu().argmax(1), target.cpu(), classes)
    for _ in range(RUNS):
        assert confusion_matrix_from_scores(scores, target).cpu().equal(expected)


@on_gpu
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("path", ["eager", pytest.param("triton", marks=cuda_only)])
@pytest.mark.parametrize("name", MULTICLASS)
def test_losses_have_the_float64_numbers(name, path, dtype):
    compare(name, path, dtype)


@on_gpu
@cuda_only
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", COMPILED)
def test_graphs_have_the_float64_numbers(name, dtype):
    compare(name, "compile", dtype)


def compare(name, path, dtype):
    """Value and gradient of a loss on the device against those of a CPU in float64."""
    if name == "NLNL" and CUDA:
        pytest.skip("draws other classes on another device")
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 7, 33, 17, generator=generator).to(dtype)
    labels = torch.randint(0, 7, (2, 33, 17), generator=generator)
    labels[:, :3] = 255
    case = (name, naive_losses.CASES[name])
    results = []
    for device, scores in (("cpu", logits.double()), (DEVICE, logits)):
        loss = naive_losses.make(case, "multiclass", 7, ignore_index=255).to(device)
        scores = scores.to(device).requires_grad_()
        with using(path) if device == DEVICE != "cpu" else nullcontext():
            value = loss(scores, labels.to(device))
            value.backward()
        results.append((value.detach().cpu().double(), scores.grad.cpu().double()))
    assert not paths._failed  # or a graph would have been eager
    (exact, exact_gradient), (value, gradient) = results
    torch.testing.assert_close(value, exact, rtol=1e-5, atol=1e-6)
    rounding = max(1e-5, 2 * torch.finfo(dtype).eps)
    assert (gradient - exact_gradient).abs().max() <= rounding * exact_gradient.abs().max()


@on_gpu
@cuda_only
@pytest.mark.parametrize("setting", ["plain", "checkpointed", "autocast"])
def test_the_fastest_path_is_chosen_once_and_right(setting, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    loss = build_loss("ANL-CE", mode="multiclass", ignore_index=255).to(DEVICE)
    logits = torch.randn(2, 21, 64, 96, device=DEVICE, requires_grad=True)
    labels = torch.randint(21, (2, 64, 96), device=DEVICE)
    run = {
        "plain": lambda: loss(logits, labels),
        "checkpointed": lambda: checkpoint(loss, logits, labels, use_reentrant=False),
        "autocast": lambda: loss(logits.bfloat16(), labels),
    }[setting]
    with torch.autocast("cuda", torch.bfloat16, enabled=setting == "autocast"):
        found = [torch.autograd.grad(run(), logits)[0] for _ in range(3)]
    (file,) = (tmp_path / "segnoise").iterdir()
    assert json.loads(file.read_text())["path"] in paths.PATHS
    with using("eager"):
        (expected,) = torch.autograd.grad(run(), logits)
    rounding = 2e-2 if setting == "autocast" else 1e-5
    assert (found[0] - expected).abs().max() <= rounding * expected.abs().max()
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])
