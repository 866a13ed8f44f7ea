"""Which implementation runs, and that all of them give the same numbers."""

import gc
import importlib.util
import logging
import os
import shutil
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch

from segnoise import kernels
from segnoise.losses import build_loss
from segnoise.losses.core import paths

FUSED = {"enable_fp_fusion": True}  # as the kernels are launched
HELPERS = Path(__file__).parents[1] / "helpers"


@pytest.fixture
def batch(make_batch):
    return make_batch("multiclass", dtype=torch.float32)[:2]


def test_a_misspelt_kind_is_an_error(monkeypatch, batch):
    monkeypatch.setenv(kernels.VARIABLE, "tritn")
    with pytest.raises(ValueError, match="SEGNOISE_KERNELS='tritn': did you mean triton"):
        build_loss("CE", mode="multiclass", ignore_index=255)(*batch)


def test_triton_on_a_cpu_says_what_it_needs(monkeypatch, batch):
    monkeypatch.setenv(kernels.VARIABLE, "triton")
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    with pytest.raises(RuntimeError, match="needs a CUDA device"):
        build_loss("CE", mode="multiclass", ignore_index=255)(*batch)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("c++"), reason="no C++ compiler")
@pytest.mark.parametrize("name", ["ANL-CE", "TLoss"])
def test_compile_gives_the_same_numbers(monkeypatch, batch, name):
    logits, labels = batch
    loss = build_loss(
        name, mode="multiclass", ignore_index=255, class_weights=[1.0, 2.0, 0.5, 0.0, 3.0]
    )
    expected = loss(logits, labels)
    (expected_gradient,) = torch.autograd.grad(expected, logits)
    monkeypatch.setenv(kernels.VARIABLE, "compile")
    value = loss(logits, labels)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(torch.autograd.grad(value, logits)[0], expected_gradient)
    # Labels are still checked with value and position.
    with pytest.raises(ValueError, match=r"label 37 at position \(0, 0\)"):
        loss(logits, torch.full_like(labels, 37))
    gone = weakref.ref(loss)
    del loss, value
    gc.collect()
    assert gone() is None


@pytest.fixture
def no_compiler(monkeypatch):
    def fail(function, **options):
        def run(*arguments):
            raise torch._dynamo.exc.BackendCompilerFailed(None, RuntimeError("no compiler"), None)

        return run

    monkeypatch.setattr(torch, "compile", fail)
    monkeypatch.setattr(paths, "_failed", False)
    monkeypatch.setenv(kernels.VARIABLE, "compile")


def test_where_nothing_can_be_compiled_eager_goes_on(monkeypatch, no_compiler, batch, caplog):
    loss = build_loss("GCE", mode="multiclass", ignore_index=255)
    with caplog.at_level(logging.WARNING):
        values = [loss(*batch) for _ in range(3)]
    monkeypatch.setenv(kernels.VARIABLE, "eager")
    assert all(value == loss(*batch) for value in values)
    assert len(caplog.records) == 1
    assert "going on with eager" in caplog.text


def version(text):
    return tuple(int(part) for part in text.split(".")[:2])


def run_checks(**environment):
    done = subprocess.run(
        [sys.executable, str(HELPERS / "triton_checks.py")],
        env={**os.environ, "PYTHONPATH": str(HELPERS), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "all kernels agree" in done.stdout


@pytest.mark.slow
def test_triton_kernels_under_the_interpreter():
    triton = pytest.importorskip("triton")
    if version(triton.__version__) < (3, 9) and version(np.__version__) >= (2, 4):
        pytest.skip("the interpreter of this Triton does not run on this NumPy")
    run_checks(TRITON_INTERPRET="1")


def test_kernels_that_fail_their_check_are_not_used(caplog):
    def wrong(device):
        raise ArithmeticError(f"off by 0.1 on {device}")

    def right(device):
        pass

    device = torch.device("cpu")
    with caplog.at_level(logging.WARNING):
        assert [kernels.sound(wrong, device) for _ in range(3)] == [False] * 3
    assert [record.getMessage() for record in caplog.records] == [
        "Triton kernels do not serve on cpu, going on with eager: off by 0.1 on cpu"
    ]
    if importlib.util.find_spec("triton"):
        assert kernels.sound(right, device)


def test_without_triton_nothing_is_checked(monkeypatch, caplog):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not kernels.sound(lambda device: None, torch.device("cpu"))
    assert not caplog.records


def test_auto_takes_triton_for_cuda_tensors_only(monkeypatch):
    class OnCuda:
        is_cuda, device = True, torch.device("cuda", 0)

    asked = []
    monkeypatch.setattr(kernels, "sound", lambda check, device: asked.append(device) or True)
    monkeypatch.delenv(kernels.VARIABLE, raising=False)
    assert kernels.use_triton(OnCuda, print)
    assert not kernels.use_triton(torch.zeros(1), print)
    assert asked == [OnCuda.device]
    monkeypatch.setenv(kernels.VARIABLE, "eager")
    assert not kernels.use_triton(OnCuda, print)


def test_wrong_arguments_do_not_switch_compiling_off(no_compiler, batch):
    loss = build_loss("GCE", mode="multiclass", ignore_index=255, class_weights=[1.0, 2.0])
    with pytest.raises(ValueError, match="2 class_weights for scores of 5 channels"):
        loss(*batch)
    assert not paths._failed


def compiled_for_cuda(kernel, constants, pointers, capability):
    """A kernel's machine code, without a GPU."""
    triton = pytest.importorskip("triton")
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    signature = {
        name: "constexpr"
        if name in constants
        else pointers.get(name, "*fp32" if name.endswith("_ptr") else "i32")
        for name in kernel.arg_names
    }
    values = {(kernel.arg_names.index(name),): value for name, value in constants.items()}
    source = ASTSource(kernel, signature, constexprs=values)
    target = GPUTarget("cuda", capability, 32)
    return triton.compile(source, target=target, options=FUSED).asm["cubin"]


@pytest.mark.slow
def test_the_kernels_compile_for_cuda():
    """Down to machine code, for every combination that a loss here uses."""
    pytest.importorskip("triton")
    from segnoise.losses.core import triton_kernels
    from segnoise.losses.core.triton_path import _ABSENT, Sum

    log, flipped = Sum(0, 0.0, 0.0, -1.0, False), Sum(0, 0.0, -16.1, 1e-7, False)
    power, focal = Sum(2, 0.7, 0.0, -1.0, True), Sum(1, 0.5, -16.1, 1e-7, False)
    pointers = {"z_ptr": "*fp16", "out_ptr": "*fp16", "y_ptr": "*i64"}
    for name in ("forward", "backward", "forward_binary", "backward_binary"):
        for pair, capability in (
            ((_ABSENT, _ABSENT), 80),
            ((log, flipped), 90),
            ((focal, power), 80),
        ):
            constants = {"BLOCK_K": 32, "BLOCK_P": 128}
            for number, described in enumerate(pair):
                keys = (f"{key}{number}" for key in ("CODE", "Q", "FLOOR", "CUT", "RISE"))
                constants |= dict(zip(keys, described, strict=True))
            if "backward" in name:
                constants |= {"HAS": True, "HAS0": pair[0] != _ABSENT, "HAS1": pair[1] != _ABSENT}
            kernel = getattr(triton_kernels, name)
            assert compiled_for_cuda(kernel, constants, pointers, capability)


@pytest.mark.slow
@pytest.mark.parametrize("bins", [512, 0])
def test_the_counting_kernel_compiles_for_cuda(bins):
    pytest.importorskip("triton")
    from segnoise.metrics.triton_kernels import count

    pointers = {"z_ptr": "*bf16", "y_ptr": "*u8", "out_ptr": "*i64"}
    for binary, capability in ((False, 80), (True, 90), (False, 90)):
        constants = {"VOID": True, "BINS": bins, "STEPS": 16, "BLOCK_K": 32, "BLOCK_P": 128}
        assert compiled_for_cuda(count, {**constants, "BINARY": binary}, pointers, capability)


def test_more_shapes_than_pytorch_would_compile(monkeypatch):
    graphs, compiled = [], torch.compile

    def count(graph, inputs):
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(
        torch, "compile", lambda f, **options: compiled(f, backend=count, **options)
    )
    monkeypatch.setattr(paths, "_failed", False)
    monkeypatch.setenv(kernels.VARIABLE, "compile")
    torch.compiler.reset()
    loss = build_loss("GCE", mode="multiclass")
    for width in range(4, 14):
        loss(torch.zeros(1, 3, 2, width), torch.zeros(1, 2, width, dtype=torch.long))
    assert len(graphs) == 10 > torch._dynamo.config.recompile_limit
