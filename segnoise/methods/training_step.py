"""What the methods of a training see: the task they work on, and one of its steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Task:
    """What a method knows of a training before it begins.

    Attributes:
        num_classes: K.
        mode: "multiclass", or "binary" (one logit, labels 0 and 1).
        ignore_index: label of void.
        max_iters: iterations of the whole training.
        epoch_iters: iterations of one pass over the training set, > 0; may be a fraction.
        size_divisor: what the network's input must be a multiple of in height and width.
    """

    num_classes: int
    mode: str = "multiclass"
    ignore_index: int = 255
    max_iters: int = 1
    epoch_iters: float = 1.0
    size_divisor: int = 1


@dataclass
class TrainingStep:
    """One batch on its way through a training step.

    Attributes:
        image: (N, C, H, W), normalised.
        logits: (N, K, H, W), in binary mode (N, 1, H, W), with a graph.
        labels: (N, H, W) as the losses will see them: the methods correct them one after the other.
        given: (N, H, W) labels as the data set gave them.
        weights: (N, H, W) pixel weights of all methods, or None where all are 1; known from
            ``combine`` on.
        sample_id: N names, or None.
        network: maps (N, C, h, w) to what the network puts out.
        losses_of: the config's losses of a step, by name, after the methods so far that change
            those of every network; another network's on a step of its own
            (``dataclasses.replace(step, network=..., logits=..., weights=...)``).
        extra: (N, E, H, W) further outputs of the network that methods asked for.
        notes: what a method leaves for its own later steps, by its name.
        cells: (N, H, W) integers, where in its sample each pixel comes from (see
            ``segnoise.datasets.Transformed``), or None.
    """

    image: Tensor
    logits: Tensor
    labels: Tensor
    given: Tensor
    sample_id: Sequence[str] | None
    network: nn.Module
    losses_of: Callable[[TrainingStep], dict[str, Tensor]]
    extra: Tensor | None = None
    weights: Tensor | None = None
    notes: dict[str, Any] = field(default_factory=dict)
    cells: Tensor | None = None

    @property
    def parameters(self) -> Iterator[nn.Parameter]:
        """The network's, for losses of them."""
        return self.network.parameters()


def pad_to_multiple(tensor: Tensor, divisor: int, fill: float) -> Tensor:
    """Pad the last two dimensions at the end up to a multiple of ``divisor``."""
    height, width = tensor.shape[-2:]
    bottom, right = -height % divisor, -width % divisor
    if not (bottom or right):
        return tensor
    return F.pad(tensor, (0, right, 0, bottom), value=fill)


def resized(tensor: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    """Resize (N, C, H, W) bilinearly, with smoothing where a side shrinks."""
    if tuple(tensor.shape[-2:]) == tuple(size):
        return tensor
    shrinks = size[0] < tensor.shape[-2] or size[1] < tensor.shape[-1]
    return F.interpolate(
        tensor, size=tuple(size), mode="bilinear", align_corners=False, antialias=shrinks
    )
