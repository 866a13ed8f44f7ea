"""A teacher, the running mean of the network, that corrects labels and is agreed with."""

from __future__ import annotations

import copy
import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from segnoise.losses.domain import check_flag, check_integer, check_number
from segnoise.methods.base import Method, check_share
from segnoise.methods.components import components
from segnoise.methods.scores import class_probabilities
from segnoise.models.training_step import Task, TrainingStep


def momentum_after(updates: int, momentum: float) -> float:
    r"""Return the momentum of an update, :math:`\min(m, 1 - 1 / (n + 1))`.

    With n updates made before it the teacher is at first the plain mean of all networks since then,
    and forgets the random beginning; later it is the running mean with momentum m.

    Example:
        >>> [round(momentum_after(n, 0.99), 2) for n in (0, 1, 3, 1000)]
        [0.0, 0.5, 0.75, 0.99]
    """
    return min(momentum, 1 - 1 / (updates + 1))


def confident_labels(labels: Tensor, scores: Tensor, tau: float, ignore_index: int) -> Tensor:
    r"""Replace labels where a prediction is confident, :math:`\max_k p_k > \tau`; void stays void.

    Args:
        labels: (N, H, W).
        scores: (N, K, H, W) class probabilities p.
        tau: 0 <= tau < 1.
        ignore_index: label of void.

    Returns:
        (N, H, W) of the labels' dtype.

    Example:
        >>> scores = torch.tensor([[[[0.95, 0.6, 0.95]], [[0.05, 0.4, 0.05]]]])
        >>> confident_labels(torch.tensor([[[1, 1, 255]]]), scores, 0.9, 255)
        tensor([[[  0,   1, 255]]])
    """
    confidence, predicted = scores.max(1)
    replaced = (confidence > tau) & (labels != ignore_index)
    return torch.where(replaced, predicted.to(labels.dtype), labels)


def object_means(scores: Tensor, labels: Tensor, ignore_index: int) -> Tensor:
    """Average predictions over each connected region of one label.

    Args:
        scores: (N, K, H, W) class probabilities.
        labels: (N, H, W); pixels that meet at a corner are connected.
        ignore_index: label of void, where the result is 0.

    Returns:
        (N, K, H, W), the same at all pixels of a region.

    Example:
        >>> scores = torch.tensor([[[[0.9, 0.6, 0.2, 0.5]], [[0.1, 0.4, 0.8, 0.5]]]])
        >>> object_means(scores, torch.tensor([[[1, 1, 0, 255]]]), 255)[0, 0]
        tensor([[0.7500, 0.7500, 0.2000, 0.0000]])
    """
    count, maps = 0, []
    for mask in labels.cpu().numpy():
        found, numbers = components(mask, mask == ignore_index)
        maps.append(np.where(numbers > 0, numbers + count, 0))
        count += found
    index = torch.from_numpy(np.stack(maps)).to(scores.device)
    flat = index.flatten()
    # In float64: over a million pixels float32 would lose the digits that are compared with tau.
    sums = torch.zeros(count + 1, scores.shape[1], dtype=torch.float64, device=scores.device)
    sums.index_add_(0, flat, scores.movedim(1, -1).flatten(0, 2).double())
    means = sums / flat.bincount(minlength=count + 1).clamp(min=1).unsqueeze(1)
    means[0] = 0
    return means.to(scores.dtype)[index].movedim(-1, 1)


class MeanTeacher(Method):
    r"""A slow teacher corrects labels that it is sure are wrong, and may be imitated.

    The teacher has the running mean of the network's weights,

    .. math:: \theta' \leftarrow m_n \theta' + (1 - m_n) \theta, \quad m_n = \min(m, 1 - 1/(n+1))

    after each step of the optimizer, with n = 0, 1, ... such updates made before: the first makes
    the teacher the network, the second the mean of two. It predicts without dropout. Its batch norm
    uses the batch's statistics where the network's does: running statistics were collected by other
    weights, and do not fit the mean of weights. From the share ``start`` of the training on,
    a label is replaced by the teacher's prediction k where its probability :math:`p'_k > \tau`.
    With ``object_wise`` :math:`p'` is first averaged over each connected region of one label, which
    so keeps its label or gets another as a whole, in the outline that was drawn. With
    ``consistency`` :math:`= \lambda > 0` the loss

    .. math:: \lambda \, r(t) \, \frac{1}{|P| K} \sum_{i \in P} \sum_k (p_{ik} - p'_{ik})^2, \quad
        r(t) = e^{-5 (1 - \min(t / t_r, 1))^2}

    is added over all pixels P, void too, with t the share of the training that is complete and
    :math:`t_r` = ``ramp``. Evaluation reads the network, not the teacher; for averaged weights
    there use ``ema``.

    Cost: one forward pass a step from ``start`` on, or always with ``consistency``; the weights
    once more in memory. ``object_wise`` takes labels to the CPU, where OpenCV finds the regions.

    Args:
        momentum: m, 0 <= m < 1.
        start: share of the training after which labels are corrected, 0..1; 1 never corrects.
        tau: confidence above which they are, 0 <= tau < 1.
        consistency: lambda >= 0.
        ramp: :math:`t_r`, share of the training in which the consistency grows, 0..1.
        object_wise: decide on regions of one label, not on pixels: for objects of a wrong class.
            An object that the labels miss is part of the background's region, and stays missing.
        background: with ``object_wise`` a class whose regions stay, and which no region becomes:
            the teacher decides which object it is, not whether there is one. p' is divided by its
            sum over the other classes. None if there is no such class.

    Raises:
        ValueError: if an argument is out of its range, or nothing is left to do.

    Source: Tarvainen and Valpola, Mean teachers are better role models, NeurIPS 2017 (teacher,
    consistency, ramp); the correction by confidence as in AIO2, TGRS 2024, for any class. The mean
    over regions of the labels is this library's.

    Example:
        >>> MeanTeacher(start=0.5, tau=0.95).tau
        0.95
    """

    own_parameters = (
        "momentum",
        "start",
        "tau",
        "consistency",
        "ramp",
        "object_wise",
        "background",
    )
    updates: Tensor

    def __init__(
        self,
        momentum: float = 0.999,
        start: float = 0.2,
        tau: float = 0.9,
        consistency: float = 0.0,
        ramp: float = 0.2,
        object_wise: bool = False,
        background: int | None = None,
    ) -> None:
        super().__init__()
        self.momentum = check_number("momentum", momentum, least=0, below=1)
        self.start = check_share("start", start)
        self.tau = check_number("tau", tau, least=0, below=1)
        self.consistency = check_number("consistency", consistency, least=0)
        self.ramp = check_share("ramp", ramp)
        self.object_wise = check_flag("object_wise", object_wise)
        if background is not None:
            check_integer("background", background, least=0)
            if not object_wise:
                raise ValueError(
                    "background belongs to object_wise=True: set that, or leave it out"
                )
        self.background = background
        if start == 1 and consistency == 0:
            raise ValueError(
                "start=1 and consistency=0 leave the teacher nothing to do: set one of them"
            )
        self.register_buffer("updates", torch.zeros((), dtype=torch.long))

    def begin(self, network: nn.Module, task: Task) -> None:
        """Make the teacher from the network as it is."""
        super().begin(network, task)
        if self.background is not None:
            if self.background >= task.num_classes:
                raise ValueError(
                    f"background={self.background} is none of {task.num_classes} classes"
                )
            if task.num_classes == 2 and self.consistency == 0:
                raise ValueError(
                    f"background={self.background} and one class more leave the teacher nothing to "
                    "do: an object can be of that class only"
                )
        self.teacher = copy.deepcopy(network).requires_grad_(False).eval()

    def train(self, mode: bool = True) -> MeanTeacher:
        """Leave the teacher in evaluation mode, except its batch norm while it predicts."""
        super().train(mode)
        if hasattr(self, "teacher"):
            self.teacher.eval()
        return self

    def correct_labels(self, step: TrainingStep) -> Tensor:
        """Return the labels with those replaced that the teacher is sure are wrong."""
        if self.share_done < self.start:
            return step.labels
        scores, void = self._scores(step), self.task.ignore_index
        if self.object_wise:
            scores = object_means(scores, step.labels, void)
        if self.background is None:
            return confident_labels(step.labels, scores, self.tau, void)
        scores[:, self.background] = 0
        scores /= scores.sum(1, keepdim=True).clamp_min(torch.finfo(scores.dtype).tiny)
        corrected = confident_labels(step.labels, scores, self.tau, void)
        return torch.where(step.labels == self.background, step.labels, corrected)

    def combine(self, losses: dict[str, Tensor], step: TrainingStep) -> dict[str, Tensor]:
        """Add the consistency with the teacher."""
        if self.consistency == 0:
            return losses
        theirs = self._scores(step)
        ours = class_probabilities(step.logits, self.task.mode)
        grown = 1.0 if self.ramp == 0 else min(self.share_done / self.ramp, 1.0)
        weight = self.consistency * math.exp(-5 * (1 - grown) ** 2)
        value = weight * (ours - theirs).square().mean()
        return {**losses, f"loss_consistency_{self.name}": value}

    @torch.no_grad()
    def _scores(self, step: TrainingStep) -> Tensor:
        """The teacher's probabilities, computed once a step."""
        if self.name not in step.notes:
            for own, other in zip(self.teacher.modules(), step.network.modules(), strict=True):
                if isinstance(own, _BatchNorm):
                    own.train(other.training)
            logits = self.teacher(step.image)[:, : step.logits.shape[1]]
            self.teacher.eval()
            step.notes[self.name] = class_probabilities(logits, self.task.mode)
        scores: Tensor = step.notes[self.name]
        return scores

    @torch.no_grad()
    def after_step(self, network: nn.Module) -> None:
        """Move the teacher towards the network."""
        share = 1 - momentum_after(int(self.updates), self.momentum)
        ours: list[Tensor] = list(self.teacher.parameters())
        theirs: list[Tensor] = list(network.parameters())
        torch._foreach_lerp_(ours, theirs, share)
        for own, other in zip(self.teacher.buffers(), network.buffers(), strict=True):
            own.copy_(other)
        self.updates += 1
