"""Losses that change over a training: they are told its epoch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from segnoise.checks import check_integer


class EpochAware(nn.Module):
    """Mixin for a loss with an epoch: call ``loss.set_epoch(epoch)`` before each, as of a sampler.

    Epochs count from 0. The epoch is a tensor, so that a compiled loss need not be compiled anew,
    and part of the state dict. ``set_epochs`` reaches the losses inside a model.
    """

    epoch: Tensor

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.register_buffer("epoch", torch.zeros((), dtype=torch.long))

    def set_epoch(self, epoch: int) -> None:
        """Tell the loss which epoch begins.

        Raises:
            TypeError: if ``epoch`` is no integer.
            ValueError: if it is negative.
        """
        self.epoch.fill_(check_integer("epoch", epoch, least=0))


def set_epochs(module: nn.Module, epoch: int) -> None:
    """Tell all losses inside a module which epoch begins.

    Example:
        >>> from segnoise.losses import build_loss
        >>> losses = nn.ModuleList([build_loss("SPLC", mode="multilabel")])
        >>> set_epochs(losses, 3)
        >>> losses[0].epoch
        tensor(3)
    """
    for part in module.modules():
        if isinstance(part, EpochAware):
            part.set_epoch(epoch)
