"""Pixel weights by the size of objects."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from segnoise.checks import check_rate
from segnoise.methods.base import METHODS, Method
from segnoise.methods.components import components
from segnoise.methods.training_step import TrainingStep


def object_balance(labels: np.ndarray, ignore_index: int, power: float) -> np.ndarray:
    r"""Weigh pixels by :math:`w \propto n^{-\gamma}`, n the pixels of their object; mean 1.

    An object is a connected region of one label, background included.

    Example:
        >>> object_balance(np.array([[1, 1, 0, 1, 255]]), 255, 1.0).round(3)
        array([[0.667, 0.667, 1.333, 1.333, 0.   ]], dtype=float32)
    """
    void = labels == ignore_index
    count, numbers = components(labels, void)
    if count == 0:
        return np.zeros(labels.shape, np.float32)
    areas = np.bincount(numbers.ravel(), minlength=count + 1).astype(np.float64)
    weights = np.zeros(count + 1)
    weights[1:] = areas[1:] ** -power
    weights *= areas[1:].sum() / (weights * areas).sum()
    return weights[numbers].astype(np.float32)


@METHODS.register
class ObjectBalanced(Method):
    r"""Let small objects count as much as large ones: pixel weights from connected regions.

    A pixel of an object of n pixels has the weight :math:`\propto n^{-\gamma}`: with
    :math:`\gamma = 1` every object of an image has the same total weight, with 0.5 that of the
    square root of its area, with 0 nothing changes. The mean weight of an image is 1. Objects are
    connected regions of one label, the background's too; pixels that meet at a corner are
    connected.

    Label noise of single pixels makes objects of one pixel, which :math:`\gamma = 1` would give the
    weight of a house: use it where labels are wrong by whole objects or at boundaries.

    Cost: labels go to the CPU and weights come back, and OpenCV labels the regions of each class
    of each image there.

    Args:
        power: gamma, 0..1.

    Raises:
        ValueError: if the power is out of its range.

    Source: the idea is that of losses averaged over components, Kofler et al., blob loss, IPMI
    2023, made into pixel weights.

    Example:
        >>> ObjectBalanced(power=0.3)
        ObjectBalanced(power=0.3)
    """

    def __init__(self, power: float = 0.5) -> None:
        super().__init__()
        self.power = check_rate("power", power)

    def weigh(self, step: TrainingStep) -> Tensor:
        """Return the weights, with mean 1 over the valid pixels of each image."""
        ignore_index = self.task.ignore_index
        masks = step.labels.cpu().numpy()
        weights = np.stack([object_balance(mask, ignore_index, self.power) for mask in masks])
        return torch.from_numpy(weights).to(step.labels.device)
