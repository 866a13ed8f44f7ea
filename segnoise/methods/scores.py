"""Class probabilities of logits, in both modes of a training."""

from __future__ import annotations

import torch
from torch import Tensor


def class_probabilities(logits: Tensor, mode: str) -> Tensor:
    r"""Return :math:`p_k`, the softmax of the logits, or :math:`(1 - \sigma(z), \sigma(z))` of one.

    Example:
        >>> class_probabilities(torch.zeros(1, 1, 1, 1), "binary").flatten().tolist()
        [0.5, 0.5]
    """
    if mode == "binary":
        positive = logits.float()
        return torch.cat((torch.sigmoid(-positive), torch.sigmoid(positive)), 1)
    return torch.softmax(logits.float(), 1)


def class_log_probabilities(logits: Tensor, mode: str) -> Tensor:
    """Return the logarithms of :func:`class_probabilities`, without underflow."""
    if mode == "binary":
        positive = logits.float()
        return torch.nn.functional.logsigmoid(torch.cat((-positive, positive), 1))
    return torch.log_softmax(logits.float(), 1)
