"""Pixel weights by the frequency of classes, for each image or batch."""

from __future__ import annotations

import torch
from torch import Tensor

from segnoise.checks import check_choice
from segnoise.losses.weighting import SCHEMES, label_counts, scheme_weights
from segnoise.methods.base import METHODS, Method
from segnoise.methods.training_step import TrainingStep
from segnoise.naming import did_you_mean

SCOPES = ("image", "batch")


def class_balance(labels: Tensor, num_classes: int, ignore_index: int, scheme: str) -> Tensor:
    """Weigh labels by how rare their class is among them; the mean weight is 1.

    Example:
        >>> class_balance(torch.tensor([[0, 0, 0, 1, 255]]), 2, 255, "inverse")
        tensor([[0.6667, 0.6667, 0.6667, 2.0000, 0.0000]])
    """
    valid = labels != ignore_index
    counts = label_counts(labels, valid, "multiclass", num_classes)
    weights = scheme_weights(counts, scheme).float()
    return torch.where(valid, weights[labels.long().clamp(0, num_classes - 1)], 0)


@METHODS.register
class ClassBalanced(Method):
    r"""Let rare classes count more: pixel weights from the labels of each image or batch.

    With :math:`n_k` of n valid pixels labelled k in an image, "inverse" gives such a pixel the
    weight :math:`\propto 1 / n_k`, so that all classes there have the same total, "inverse_sqrt"
    :math:`\propto 1 / \sqrt{n_k}`; the mean weight of an image (or batch) is 1. Unlike a loss's
    ``class_weights`` this follows what is in an image, holds for all losses, and sees the labels
    as methods before it have corrected them.

    Args:
        scheme: "inverse", "inverse_sqrt" or "effective", as for ``class_weights``.
        scope: "image", or "batch": that of one process, under data parallelism.

    Raises:
        ValueError: for an unknown scheme or scope.

    Source: the schemes are those of ``segnoise.losses.class_weights``.

    Example:
        >>> ClassBalanced("inverse")
        ClassBalanced(scheme='inverse', scope='image')
    """

    def __init__(self, scheme: str = "inverse_sqrt", scope: str = "image") -> None:
        super().__init__()
        if scheme not in SCHEMES:
            raise ValueError(f"unknown scheme {scheme!r}: {did_you_mean(scheme, SCHEMES)}")
        self.scheme = scheme
        self.scope = check_choice("scope", scope, SCOPES)

    def weigh(self, step: TrainingStep) -> Tensor:
        """Return the weights, with mean 1 over the valid pixels of each image or batch."""
        parts = step.labels.unbind(0) if self.scope == "image" else [step.labels]
        task = self.task
        weights = [
            class_balance(part, task.num_classes, task.ignore_index, self.scheme) for part in parts
        ]
        return torch.stack(weights) if self.scope == "image" else weights[0]
