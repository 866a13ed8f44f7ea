"""A whole loss as one graph of torch.compile, where ``SEGNOISE_KERNELS=compile`` asks for it.

The first call of a loss and of each shape compiles, for seconds to a minute; PyTorch keeps the code
on disk. (One graph for all shapes would be slower than none.) A process has at most :data:`GRAPHS`
of them; what comes later runs operation by operation. Where compiling fails, such as on a CPU
without a C++ compiler, one line is logged and the same operations go on one by one.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from segnoise.errors import SegnoiseError
from segnoise.kernels import VARIABLE, wanted
from segnoise.losses.derivatives import by_operators
from segnoise.losses.target import Target

GRAPHS = 64  # PyTorch's own limit is 8, for all losses together

_log = logging.getLogger(__name__)
_compiled: weakref.WeakKeyDictionary[nn.Module, Callable[..., Tensor]] = weakref.WeakKeyDictionary()
_failed = False


def as_one_graph(loss: nn.Module, target: Target, pixel_weights: Tensor | None) -> Tensor:
    """Return ``loss.value(target, pixel_weights)``, by a compiled graph where that is wanted.

    Args:
        loss: the loss; its compiled graph is kept as long as it lives.
        target: scores and labels, checked.
        pixel_weights: the pixels' weights, or None.

    Raises:
        SegnoiseError: later, if the gradient of a compiled loss is differentiated.

    Example:
        >>> from segnoise.losses import build_loss
        >>> loss = build_loss("CE", mode="multiclass")
        >>> as_one_graph(loss, loss.prepare(torch.zeros(1, 4, 1), torch.tensor([[3]])), None)
        tensor(1.3863)
    """
    global _failed
    value: Callable[..., Tensor] = loss.value  # type: ignore[assignment]
    unbound: Any = type(loss)
    if _failed or torch.compiler.is_compiling() or wanted() != "compile" or by_operators():
        return value(target, pixel_weights)
    if loss not in _compiled:
        # The method as a function of the loss: a bound one would keep the loss alive for good.
        _compiled[loss] = torch.compile(unbound.value, dynamic=False)
    try:
        with torch._dynamo.config.patch(recompile_limit=GRAPHS):
            compiled: Tensor = _Once.apply(_compiled[loss](loss, target, pixel_weights))
            return compiled
    except (torch._dynamo.exc.TorchDynamoException, torch._inductor.exc.InductorError) as error:
        result = value(target, pixel_weights)  # where the arguments are at fault, this says so
        _failed = True
        reason = str(error).strip().splitlines()[0]
        _log.warning("%s=compile does not work here, going on with eager: %s", VARIABLE, reason)
        return result


class _Once(torch.autograd.Function):
    """The value itself, whose gradient is an error where it is to be differentiated again."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            raise SegnoiseError(
                f"a compiled loss has no second derivatives (create_graph=True): set {VARIABLE}="
                "eager"
            )
        return grad
