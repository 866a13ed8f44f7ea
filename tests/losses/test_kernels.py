"""Which implementation runs, and that all of them give the same numbers."""

import gc
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

from segnoise.losses import build_loss, kernels

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
@pytest.mark.parametrize("name", ["ANL-CE", "NCE+AGCE", "TLoss"])
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
    del loss
    gc.collect()
    assert gone() is None


def test_where_nothing_can_be_compiled_eager_goes_on(monkeypatch, batch, caplog):
    def fail(function):
        def run(*arguments):
            raise torch._dynamo.exc.BackendCompilerFailed(None, RuntimeError("no compiler"), None)

        return run

    monkeypatch.setattr(torch, "compile", fail)
    monkeypatch.setattr(kernels, "_failed", False)
    monkeypatch.setenv(kernels.VARIABLE, "compile")
    loss = build_loss("GCE", mode="multiclass", ignore_index=255)
    with caplog.at_level(logging.WARNING):
        values = [loss(*batch) for _ in range(3)]
    monkeypatch.setenv(kernels.VARIABLE, "eager")
    assert all(value == loss(*batch) for value in values)
    assert len(caplog.records) == 1
    assert "going on with eager" in caplog.text


def version(text):
    return tuple(int(part) for part in text.split(".")[:2])


def test_triton_kernels_under_the_interpreter():
    triton = pytest.importorskip("triton")
    if version(triton.__version__) < (3, 9) and version(np.__version__) >= (2, 4):
        pytest.skip("the interpreter of this Triton does not run on this NumPy")
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": str(HELPERS)}
    done = subprocess.run(
        [sys.executable, str(HELPERS / "triton_interpreted.py")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "all kernels agree" in done.stdout


def test_wrong_arguments_do_not_switch_compiling_off(monkeypatch, batch):
    def fail(function):
        def run(*arguments):
            raise torch._dynamo.exc.BackendCompilerFailed(None, RuntimeError("traced"), None)

        return run

    monkeypatch.setattr(torch, "compile", fail)
    monkeypatch.setattr(kernels, "_failed", False)
    monkeypatch.setenv(kernels.VARIABLE, "compile")
    loss = build_loss("GCE", mode="multiclass", ignore_index=255, class_weights=[1.0, 2.0])
    with pytest.raises(ValueError, match="2 class_weights for scores of 5 channels"):
        loss(*batch)
    assert not kernels._failed


@pytest.mark.slow
@pytest.mark.parametrize("capability", [80, 90])
def test_the_kernels_compile_for_cuda(capability):
    """Without a GPU: down to machine code, for every combination that a loss here uses."""
    triton = pytest.importorskip("triton")
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from segnoise.losses import triton_core, triton_kernels

    log = triton_core.Sum(0, 0.0, 0.0, -1.0, False)
    flipped = triton_core.Sum(0, 0.0, -16.1, 1e-7, False)
    power = triton_core.Sum(2, 0.7, 0.0, -1.0, True)
    focal = triton_core.Sum(1, 0.5, -16.1, 1e-7, False)
    absent = triton_core._ABSENT
    for name in ("forward", "backward", "forward_binary", "backward_binary"):
        kernel = getattr(triton_kernels, name)
        for pair in ((absent, absent), (log, flipped), (focal, power)):
            constants = {"BLOCK_K": 32, "BLOCK_P": 128}
            for number, described in enumerate(pair):
                for key, value in zip(
                    ("CODE", "Q", "FLOOR", "CUT", "RISE"), described, strict=True
                ):
                    constants[f"{key}{number}"] = value
            if "backward" in name:
                constants |= {"HAS": True, "HAS0": pair[0] != absent, "HAS1": pair[1] != absent}
            pointers = {"z_ptr": "*fp16", "out_ptr": "*fp16", "y_ptr": "*i64"}
            signature = {
                argument: "constexpr"
                if argument in constants
                else pointers.get(argument, "*fp32" if argument.endswith("_ptr") else "i32")
                for argument in kernel.arg_names
            }
            values = {(kernel.arg_names.index(k),): v for k, v in constants.items()}
            source = ASTSource(kernel, signature, constexprs=values)
            compiled = triton.compile(source, target=GPUTarget("cuda", capability, 32))
            assert compiled.asm["cubin"]
