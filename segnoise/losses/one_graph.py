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

from segnoise.kernels import VARIABLE, wanted

GRAPHS = 64  # PyTorch's own limit is 8, for all losses together

_log = logging.getLogger(__name__)
_compiled: weakref.WeakKeyDictionary[nn.Module, Callable[..., Tensor]] = weakref.WeakKeyDictionary()
_failed = False


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
        _compiled[loss] = torch.compile(getattr(type(loss), method), dynamic=False)
    try:
        with torch._dynamo.config.patch(recompile_limit=GRAPHS):
            return _compiled[loss](loss, *arguments)
    except (torch._dynamo.exc.TorchDynamoException, torch._inductor.exc.InductorError) as error:
        result = function(*arguments)  # where the arguments are at fault, this says so
        _failed = True
        reason = str(error).strip().splitlines()[0]
        _log.warning("%s=compile does not work here, going on with eager: %s", VARIABLE, reason)
        return result
