"""Selection: pixels with a large loss are taken for wrongly labelled and left out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from segnoise.checks import check_choice, check_float
from segnoise.methods.base import METHODS, Method, check_loss, loss_of_labels
from segnoise.methods.training_step import Task, TrainingStep

GROUPS = ("image", "class", "batch")


def kept_share(epochs: float, noise_rate: float, ramp_epochs: float, exponent: float = 1) -> float:
    r"""Return the share of the pixels that is kept, :math:`R = 1 - \tau \min((e / E_k)^c, 1)`.

    Example:
        >>> [kept_share(e, 0.2, 10) for e in (0, 5, 10, 50)]
        [1.0, 0.9, 0.8, 0.8]
    """
    grown = 1.0 if epochs >= ramp_epochs else (epochs / ramp_epochs) ** exponent
    return 1 - noise_rate * grown


def smallest(loss: Tensor, valid: Tensor, share: float, groups: Iterable[Tensor]) -> Tensor:
    """Choose the pixels with the smallest loss in each group.

    Of n valid pixels of a group ceil(share n) are chosen, and those equal to the largest of them.

    Example:
        >>> loss = torch.tensor([[[4.0, 1.0, 3.0, 2.0]]])
        >>> every = torch.ones_like(loss, dtype=torch.bool)
        >>> smallest(loss, every, 0.5, [every])
        tensor([[[False,  True, False,  True]]])
    """
    chosen = torch.zeros_like(valid)
    for group in groups:
        members = valid & group
        values = loss[members]
        count = math.ceil(round(share * len(values), 6))  # 0.8 * 5 is 4.000000000000001
        if count == 0:
            continue
        limit = values.kthvalue(count).values
        chosen |= members & (loss <= limit)
    return chosen


@METHODS.register
class SmallLoss(Method):
    r"""Train on the pixels with the smallest loss; the others count for nothing.

    Of the n labelled pixels of a group the :math:`\lceil R(e) n \rceil` with the smallest loss are
    kept, with

    .. math:: R(e) = 1 - \tau \min((e / E_k)^c, 1)

    after e epochs (:func:`kept_share`): a network learns what is right first, and what has a large
    loss later is more likely wrong. A rare class is learnt late, and its pixels have large losses
    whether they are right or not: grouped by "batch" they would all be left out, while "class"
    keeps the share R of every class's labels.

    Args:
        noise_rate: tau, 0 <= tau < 1: the share of wrong labels, such as ``noise.md`` reports.
        ramp_epochs: :math:`E_k` >= 0.
        exponent: c > 0.
        group: "image": in each image; "class": of each class's labels in the batch; "batch": over
            the batch. Under data parallelism a batch is that of one process.
        loss: by which pixels are compared, ``dict(type="CE")``; any with a map over the
            pixels; one of your own says so by ``per_pixel = True``.

    Raises:
        ValueError: if an argument is out of its range.
        ConfigError: if the loss cannot be built.

    Source: Han et al., Co-teaching: Robust Training of Deep Neural Networks with Extremely Noisy
    Labels, NeurIPS 2018, algorithm 1, with one network.

    Example:
        >>> SmallLoss(noise_rate=0.3, group="class")
        SmallLoss(noise_rate=0.3, ramp_epochs=10.0, exponent=1.0, group='class')
    """

    def __init__(
        self,
        noise_rate: float,
        ramp_epochs: float = 10.0,
        exponent: float = 1.0,
        group: str = "image",
        loss: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.noise_rate = check_float("noise_rate", noise_rate, least=0, below=1)
        self.ramp_epochs = check_float("ramp_epochs", ramp_epochs, least=0)
        self.exponent = check_float("exponent", exponent, above=0)
        self.group = check_choice("group", group, GROUPS)
        self.entry = check_loss({"type": "CE"} if loss is None else loss)

    def begin(self, network: nn.Module, task: Task) -> None:
        """Build the loss by which pixels are compared."""
        super().begin(network, task)
        self.loss = loss_of_labels(self.entry, task, reduction="none")

    def weigh(self, step: TrainingStep) -> Tensor | None:
        """Return 1 for the pixels that are kept, else 0; None as long as all are."""
        share = kept_share(self.epochs_done, self.noise_rate, self.ramp_epochs, self.exponent)
        if share == 1:
            return None
        return self.selection(step.logits, step.labels, share).float()

    def selection(self, logits: Tensor, labels: Tensor, share: float) -> Tensor:
        """Return where a network with these logits has its smallest losses, (N, H, W) bool."""
        loss = self.loss(logits.detach(), labels)
        return smallest(loss, labels != self.task.ignore_index, share, self._groups(labels))

    def _groups(self, labels: Tensor) -> Iterable[Tensor]:
        if self.group == "batch":
            return [torch.ones_like(labels, dtype=torch.bool)]
        if self.group == "class":
            return (labels == k for k in range(self.task.num_classes))
        number = torch.arange(len(labels), device=labels.device).view(-1, 1, 1)
        return (number == n for n in range(len(labels)))
