"""Objects that the labels miss: found by the network where it is sure of them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from segnoise.checks import check_choice, check_flag, check_float, check_integer, check_rate
from segnoise.methods.base import METHODS, Method, check_background
from segnoise.methods.components import components
from segnoise.methods.scores import class_probabilities
from segnoise.methods.training_step import Task, TrainingStep

BECOMES = ("class", "void")


def free_objects(
    predicted: np.ndarray, labelled: np.ndarray, sure: np.ndarray, background: int
) -> np.ndarray:
    """Return where predicted objects are that overlap no labelled one and are sure somewhere.

    Args:
        predicted: (H, W) classes; an object is a connected region of one but the background.
        labelled: (H, W) bool, where labels say that an object is, of whatever class.
        sure: (H, W) bool, where the prediction is confident; one such pixel is enough.
        background: the class that is no object.

    Example:
        >>> predicted = np.array([[1, 1, 0, 1, 1, 0, 1]])
        >>> labelled = np.array([[1, 0, 0, 0, 0, 1, 0]], bool)
        >>> sure = np.array([[0, 1, 1, 1, 0, 0, 0]], bool)
        >>> free_objects(predicted, labelled, sure, background=0).astype(int)
        array([[0, 0, 0, 1, 1, 0, 0]])
    """
    count, numbers = components(predicted, predicted == background)
    free = np.zeros(count + 1, bool)
    free[np.unique(numbers[sure])] = True
    free[np.unique(numbers[labelled])] = False
    free[0] = False
    return free[numbers]


@METHODS.register
class MissingObjects(Method):
    r"""Correct background labels where the network is sure that an object is.

    From the share ``start`` of the training on, a pixel with the background's label gets the label

    .. math:: k = \arg\max_j p_j, \quad \text{if } k \text{ is not the background and } p_k > \tau,

    or none at all, with ``becomes="void"``. With ``object_wise`` only whole objects are added: a
    connected region that the network predicts as k, if it overlaps no labelled object of any class
    and its greatest confidence exceeds :math:`\tau`; all its pixels with the background's label
    then get the label k, the less confident too. So the outlines of objects that have labels stay
    as they are.

    The predictions are those of the training step itself, with dropout and batch statistics. For
    loss functions with the same aim see ``SPLC`` and ``Hill``.

    Cost: none to speak of; ``object_wise`` takes predictions to the CPU, where OpenCV labels the
    regions.

    Args:
        start: share of the training after which labels are corrected, 0..1.
        tau: confidence above which they are, 0 <= tau < 1; with ``object_wise`` that of an object's
            most confident pixel.
        background: the class that missing objects are labelled as.
        becomes: "class" or "void".
        object_wise: add objects as a whole, and only those that overlap no labelled one.

    Raises:
        ValueError: if an argument is out of its range, or the background is the label of void.

    Source: Zhang et al., Simple and Robust Loss Design for Multi-Label Learning with Missing
    Labels, arXiv 2112.07368 (the schedule and the threshold, there for tags of images); Liu et
    al., AIO2, TGRS 2024 (object-wise).

    Example:
        >>> MissingObjects(tau=0.9, object_wise=True)
        MissingObjects(start=0.2, tau=0.9, background=0, becomes='class', object_wise=True)
    """

    def __init__(
        self,
        start: float = 0.2,
        tau: float = 0.8,
        background: int = 0,
        becomes: str = "class",
        object_wise: bool = False,
    ) -> None:
        super().__init__()
        self.start = check_rate("start", start)
        self.tau = check_float("tau", tau, least=0, below=1)
        self.background = check_integer("background", background, least=0)
        self.becomes = check_choice("becomes", becomes, BECOMES)
        self.object_wise = check_flag("object_wise", object_wise)

    def begin(self, network: nn.Module, task: Task) -> None:
        """Check that the background is a class."""
        super().begin(network, task)
        check_background(self.background, task)

    def correct_labels(self, step: TrainingStep) -> Tensor:
        """Return the labels with the objects that are missing."""
        if self.share_done < self.start:
            return step.labels
        confidence, predicted = class_probabilities(step.logits, self.task.mode).max(1)
        found = (predicted != self.background) & (confidence > self.tau)
        if self.object_wise:
            found = self._free(predicted, step.labels, found)
        found &= step.labels == self.background
        void = torch.full_like(predicted, self.task.ignore_index)
        new = predicted if self.becomes == "class" else void
        return torch.where(found, new.to(step.labels.dtype), step.labels)

    def _free(self, predicted: Tensor, labels: Tensor, sure: Tensor) -> Tensor:
        labelled = (labels != self.background) & (labels != self.task.ignore_index)
        maps = (m.cpu().numpy() for m in (predicted, labelled, sure))
        free = [free_objects(p, o, s, self.background) for p, o, s in zip(*maps, strict=True)]
        return torch.from_numpy(np.stack(free)).to(labels.device)
