"""Warm-up: a training begins with one loss and ends with others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from segnoise.checks import check_choice, check_rate
from segnoise.methods.base import METHODS, Method, check_loss, loss_of_labels
from segnoise.methods.training_step import Task, TrainingStep

SHAPES = ("linear", "cosine")


def cross_fade(done: float, start: float, end: float, shape: str = "linear") -> float:
    r"""Return the share of what comes second: 0 up to ``start``, 1 from ``end`` on.

    .. math:: s = x \text{ (linear)}, \quad s = (1 - \cos \pi x) / 2 \text{ (cosine)}, \quad
        x = \frac{t - t_0}{t_1 - t_0}

    with :math:`t` = ``done``, :math:`t_0` = ``start``, :math:`t_1` = ``end``, and x cut off to
    0..1. With ``start`` = ``end`` it is a step.

    Example:
        >>> [round(cross_fade(t, 0.2, 0.6, "cosine"), 3) for t in (0.2, 0.3, 0.4, 0.6)]
        [0.0, 0.146, 0.5, 1.0]
    """
    if done >= end:
        return 1.0
    x = max(0.0, (done - start) / (end - start)) if end > start else 0.0
    return x if shape == "linear" else (1 - math.cos(math.pi * x)) / 2


@METHODS.register
class WarmUp(Method):
    r"""Begin with a loss that learns fast, and go over to the config's losses.

    .. math:: L = (1 - s) L_{\mathrm{first}} + s \sum_i w_i L_i

    with the config's losses :math:`w_i L_i` and the share s of :func:`cross_fade`. Bounded losses
    give classes that a network has learnt to call unlikely almost no gradient, and so may never
    learn the rare ones; after a start with cross-entropy those are known.

    All losses of the config fade in, regularisers too, and what methods listed before add to them.
    Losses that remember (ELR) see the whole training. The first loss is logged as ``loss_<name>``.

    Args:
        loss: the first loss, ``dict(type="CE")``; with ``class_weights`` as in ``losses``.
        start: share of the training with the first loss alone, 0..1.
        end: share of the training from which on the config's losses are alone, ``start``..1.
        shape: of the cross-fade, "linear" or "cosine".

    Raises:
        ValueError: if a share is out of its range or the shape unknown.
        ConfigError: if the loss cannot be built.

    Source: A Curriculum View of Robust Loss Functions, arXiv 2305.02139, on why bounded losses
    underfit; the schedule is ours.

    Example:
        >>> WarmUp(start=0.1, end=0.3, shape="cosine")
        WarmUp(start=0.1, end=0.3, shape='cosine')
    """

    every_network = True

    def __init__(
        self,
        loss: Mapping[str, Any] | None = None,
        start: float = 0.1,
        end: float = 0.3,
        shape: str = "linear",
    ) -> None:
        super().__init__()
        self.entry = check_loss({"type": "CE"} if loss is None else loss)
        self.start = check_rate("start", start)
        self.end = check_rate("end", end)
        if end < start:
            raise ValueError(f"end must be at least start={start}, got {end}")
        self.shape = check_choice("shape", shape, SHAPES)

    def begin(self, network: nn.Module, task: Task) -> None:
        """Build the first loss."""
        super().begin(network, task)
        self.loss = loss_of_labels(self.entry, task)

    def combine(self, losses: dict[str, Tensor], step: TrainingStep) -> dict[str, Tensor]:
        """Return the config's losses times s, and 1 - s times the first one."""
        share = cross_fade(self.share_done, self.start, self.end, self.shape)
        own = f"loss_{self.name}"
        if share == 1:  # logged on as 0: a log shows the last value of what has ended
            # Parameters of the loss get a gradient of 0, which data parallelism waits for.
            unused = [0 * parameter.sum() for parameter in self.loss.parameters()]
            return {**losses, own: sum(unused, step.logits.new_zeros(()))}
        first = self.loss(step.logits, step.labels, step.weights)
        faded = {k: v * share if "loss" in k else v for k, v in losses.items()}
        return {**faded, own: (1 - share) * first}
