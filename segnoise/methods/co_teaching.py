"""Two networks that choose each other's pixels."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from segnoise.losses.base import product
from segnoise.methods.base import METHODS
from segnoise.methods.small_loss import SmallLoss, kept_share
from segnoise.methods.training_step import Task, TrainingStep


@METHODS.register
class CoTeaching(SmallLoss):
    r"""Train a second network beside the first; each learns from what the other finds easy.

    Both networks see every batch. The first trains on the pixels with the smallest loss under the
    second, and the second on those with the smallest under the first, the share R(e) of each group
    as :class:`SmallLoss` has it: a pixel that one has begun to memorise, the other may still
    refuse. Both have the config's losses; the second's are logged as ``loss_<loss>_<name>``.

    Evaluation and predictions are those of the first network; the second lives in ``last.pth``
    only. It begins with random weights of its own: all modules are reset that torch can reset,
    but for the one that ``keep`` names. It is listed last: corrected labels and weights of the
    methods before it count for both networks, and WarmUp fades the losses of both. Losses that
    remember samples (ELR) would mix what they remember of both, and Abstention has outputs of one
    network only: both are refused.

    Cost: twice the time and memory of a training step.

    Args:
        noise_rate: tau, 0 <= tau < 1: the share of wrong labels.
        ramp_epochs: :math:`E_k` >= 0.
        exponent: c > 0.
        group: "image", "class" or "batch"; see :class:`SmallLoss`.
        loss: by which pixels are compared, ``dict(type="CE")``.
        keep: the part of the network whose weights the second begins with too, such as "encoder"
            where those are pretrained; None for none.

    Raises:
        ValueError: if an argument is out of its range, or the network has no such part.
        ConfigError: if the loss cannot be built.

    Source: Han et al., Co-teaching: Robust Training of Deep Neural Networks with Extremely Noisy
    Labels, NeurIPS 2018, algorithm 1.

    Example:
        >>> CoTeaching(noise_rate=0.2, keep="encoder").keep
        'encoder'
    """

    second_network = True

    def __init__(
        self,
        noise_rate: float,
        ramp_epochs: float = 10.0,
        exponent: float = 1.0,
        group: str = "image",
        loss: Mapping[str, Any] | None = None,
        keep: str | None = None,
    ) -> None:
        super().__init__(noise_rate, ramp_epochs, exponent, group, loss)
        self.keep = keep

    def begin(self, network: nn.Module, task: Task) -> None:
        """Make the second network."""
        super().begin(network, task)
        self.peer = copy.deepcopy(network)
        parts = dict(self.peer.named_modules())
        if self.keep is not None and not (self.keep and self.keep in parts):
            known = ", ".join(name for name, _ in self.peer.named_children())
            raise ValueError(f"keep={self.keep!r} is no part of the network; it has {known}")
        kept = set(parts[self.keep].modules()) if self.keep else set()
        for part in parts.values():
            reset = getattr(part, "reset_parameters", None)
            if reset is not None and part not in kept:
                reset()

    def weigh(self, step: TrainingStep) -> Tensor | None:
        """Return 1 for the pixels that the second network chooses, else 0."""
        with torch.enable_grad():
            logits = self.peer(step.image)[:, : step.logits.shape[1]]
        share = kept_share(self.epochs_done, self.noise_rate, self.ramp_epochs, self.exponent)
        ours = theirs = None
        if share < 1:
            ours = self.selection(logits, step.labels, share).float()
            theirs = self.selection(step.logits, step.labels, share).float()
        step.notes[self.name] = logits, product(step.weights, theirs)
        return ours

    def combine(self, losses: dict[str, Tensor], step: TrainingStep) -> dict[str, Tensor]:
        """Add the second network's losses."""
        logits, weights = step.notes[self.name]
        twin = replace(step, network=self.peer, logits=logits, weights=weights)
        second = {f"{name}_{self.name}": value for name, value in step.losses_of(twin).items()}
        return {**losses, **second}
