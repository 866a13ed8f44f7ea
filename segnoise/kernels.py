"""Which implementation computes losses and counts: PyTorch's operators, a compiled graph, Triton.

The environment variable ``SEGNOISE_KERNELS`` decides, read at every call:

- "auto" (the default): eager on a CPU; on a CUDA device what is fastest for a loss there, as timed
  once (``losses.core.paths``), for counts Triton. Before their first use on a device the
  Triton kernels are compared there with the eager numbers; where they differ or do not run, one
  line is logged and eager goes on;
- "eager": PyTorch's operators, block by block;
- "compile": a loss as one graph of torch.compile, on any device
  (``losses.core.one_graph``);
- "triton": Triton kernels without that comparison, on CUDA devices, and on a CPU under Triton's
  interpreter (TRITON_INTERPRET=1, for tests).
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import logging
import os
from collections.abc import Callable, Iterator
from contextvars import ContextVar

import torch
from torch import Tensor

from segnoise.naming import did_you_mean

VARIABLE = "SEGNOISE_KERNELS"
KINDS = ("auto", "eager", "compile", "triton")

_log = logging.getLogger(__name__)
_chosen: ContextVar[str | None] = ContextVar("chosen", default=None)


@contextlib.contextmanager
def using(kind: str) -> Iterator[None]:
    """Compute in a way whatever ``SEGNOISE_KERNELS`` says."""
    token = _chosen.set(kind)
    try:
        yield
    finally:
        _chosen.reset(token)


def wanted() -> str:
    """Return what ``SEGNOISE_KERNELS`` asks for, or :func:`using`."""
    kind = _chosen.get() or os.environ.get(VARIABLE, "auto")
    if kind not in KINDS:
        raise ValueError(f"{VARIABLE}={kind!r}: {did_you_mean(kind, KINDS)}")
    return kind


def use_triton(scores: Tensor, check: Callable[[torch.device], None]) -> bool:
    """Return whether Triton computes what it can of these scores."""
    kind = wanted()
    if kind == "auto":
        return scores.is_cuda and sound(check, scores.device)
    if kind != "triton":
        return False
    if scores.is_cuda or os.environ.get("TRITON_INTERPRET") == "1":
        return True
    raise RuntimeError(
        f"{VARIABLE}=triton needs a CUDA device (the scores are on {scores.device}), or "
        "TRITON_INTERPRET=1 for a slow test; leave it at 'auto'"
    )


@functools.cache
def sound(check: Callable[[torch.device], None], device: torch.device) -> bool:
    """Return whether Triton is installed and its kernels pass a check on a device."""
    if importlib.util.find_spec("triton") is None:
        return False
    try:
        check(device)
    except Exception as error:  # a compiler, a driver or a GPU: anything may go wrong there
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        _log.warning("Triton kernels do not serve on %s, going on with eager: %s", device, reason)
        return False
    return True
