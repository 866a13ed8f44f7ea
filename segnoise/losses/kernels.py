"""Which implementation computes the losses: eager PyTorch, a compiled graph, or Triton.

The environment variable ``SEGNOISE_KERNELS`` decides, read at every call:

- "auto" (the default): eager, on every device;
- "eager": PyTorch's operators, block by block;
- "compile": the whole loss as one graph of torch.compile, on any device. The first call of a loss
  and of each shape compiles, for seconds to a minute; PyTorch keeps the code on disk. Where that
  fails, such as on a CPU without a C++ compiler, one line is logged and eager goes on;
- "triton": Triton kernels on CUDA devices, and on a CPU under Triton's interpreter
  (TRITON_INTERPRET=1, for tests). They are tested under the interpreter and compile for CUDA, but
  have not been run and timed on a GPU yet, which is why "auto" does not choose them.
"""

from __future__ import annotations

import logging
import os
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from segnoise.losses.naming import did_you_mean

VARIABLE = "SEGNOISE_KERNELS"
KINDS = ("auto", "eager", "compile", "triton")

_log = logging.getLogger(__name__)
_compiled: weakref.WeakKeyDictionary[nn.Module, Callable[..., Tensor]] = weakref.WeakKeyDictionary()
_failed = False


def wanted() -> str:
    """Return what ``SEGNOISE_KERNELS`` asks for.

    Raises:
        ValueError: if it is none of ``KINDS``.

    Example:
        >>> wanted() in KINDS
        True
    """
    kind = os.environ.get(VARIABLE, "auto")
    if kind not in KINDS:
        raise ValueError(f"{VARIABLE}={kind!r}: {did_you_mean(kind, KINDS)}")
    return kind


def as_one_graph(loss: nn.Module, method: str, *arguments: Any) -> Tensor:
    """Call a method of a loss, as a compiled graph where that is wanted.

    Args:
        loss: the loss; its compiled graph is kept as long as it lives.
        method: name of the method, which returns a tensor.
        *arguments: the method's.

    Example:
        >>> from segnoise.losses import build_loss
        >>> as_one_graph(build_loss("CE", mode="multiclass"), "extra_repr")
        "'multiclass'"
    """
    global _failed
    function = getattr(loss, method)
    if _failed or torch.compiler.is_compiling() or wanted() != "compile":
        result: Tensor = function(*arguments)
        return result
    if loss not in _compiled:
        # The method as a function of the loss: a bound one would keep the loss alive for good.
        _compiled[loss] = torch.compile(getattr(type(loss), method))
    try:
        return _compiled[loss](loss, *arguments)
    except (torch._dynamo.exc.TorchDynamoException, torch._inductor.exc.InductorError) as error:
        result = function(*arguments)  # where the arguments are at fault, this says so
        _failed = True
        reason = str(error).strip().splitlines()[0]
        _log.warning("%s=compile does not work here, going on with eager: %s", VARIABLE, reason)
        return result


def use_triton(logits: Tensor) -> bool:
    """Return whether Triton computes what it can of these logits.

    Raises:
        RuntimeError: if that is wanted and cannot be.

    Example:
        >>> use_triton(torch.zeros(1))
        False
    """
    if wanted() != "triton":
        return False
    if logits.is_cuda or os.environ.get("TRITON_INTERPRET") == "1":
        return True
    raise RuntimeError(
        f"{VARIABLE}=triton needs a CUDA device (the scores are on {logits.device}), or "
        "TRITON_INTERPRET=1 for a slow test; leave it at 'auto'"
    )
