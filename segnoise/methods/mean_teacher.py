"""A teacher, the running mean of the network, that corrects pixels and is agreed with."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from segnoise.checks import check_float, check_rate
from segnoise.methods.base import METHODS
from segnoise.methods.scores import class_probabilities
from segnoise.methods.teacher import Teacher
from segnoise.methods.training_step import TrainingStep


def confident_labels(labels: Tensor, scores: Tensor, tau: float, ignore_index: int) -> Tensor:
    r"""Replace labels where a prediction is confident, :math:`\max_k p_k > \tau`; void stays void.

    Args:
        labels: (N, H, W).
        scores: (N, K, H, W) class probabilities p.
        tau: 0 <= tau < 1.
        ignore_index: label of void.

    Example:
        >>> scores = torch.tensor([[[[0.95, 0.6, 0.95]], [[0.05, 0.4, 0.05]]]])
        >>> confident_labels(torch.tensor([[[1, 1, 255]]]), scores, 0.9, 255)
        tensor([[[  0,   1, 255]]])
    """
    confidence, predicted = scores.max(1)
    replaced = (confidence > tau) & (labels != ignore_index)
    return torch.where(replaced, predicted.to(labels.dtype), labels)


@METHODS.register
class MeanTeacher(Teacher):
    r"""A slow teacher corrects labels that it is sure are wrong, and may be imitated.

    The teacher has the running mean of the network's weights, with momentum :math:`\min(m, 1 -
    1/(n+1))` after n updates. From the share ``start`` of the training on, a label is replaced by
    the teacher's prediction k where its probability :math:`p'_k > \tau`. With ``consistency``
    :math:`= \lambda > 0` the loss

    .. math:: \lambda \, r(t) \, \frac{1}{|P| K} \sum_{i \in P} \sum_k (p_{ik} - p'_{ik})^2, \quad
        r(t) = e^{-5 (1 - \min(t / t_r, 1))^2}

    is added over all pixels P, void too, with t the share of the training that is complete and
    :math:`t_r` = ``ramp``. Evaluation reads the network, not the teacher; for averaged weights
    there use ``ema``. For wrong objects rather than wrong pixels see ``ObjectTeacher``.

    Cost: one forward pass a step from ``start`` on, or always with ``consistency``; the weights
    once more in memory.

    Args:
        momentum: m, 0 <= m < 1.
        start: share of the training after which labels are corrected, 0..1; 1 never corrects.
        tau: confidence above which they are, 0 <= tau < 1.
        consistency: lambda >= 0.
        ramp: :math:`t_r`, share of the training in which the consistency grows, 0..1.

    Raises:
        ValueError: if an argument is out of its range, or nothing is left to do.

    Source: Tarvainen and Valpola, Mean teachers are better role models, NeurIPS 2017 (teacher,
    consistency, ramp); the correction by confidence as in AIO2, TGRS 2024, for any class.

    Example:
        >>> MeanTeacher(start=0.5, tau=0.95).tau
        0.95
    """

    def __init__(
        self,
        momentum: float = 0.999,
        start: float = 0.2,
        tau: float = 0.9,
        consistency: float = 0.0,
        ramp: float = 0.2,
    ) -> None:
        super().__init__(momentum, start, tau)
        self.consistency = check_float("consistency", consistency, least=0)
        self.ramp = check_rate("ramp", ramp)
        if start == 1 and consistency == 0:
            raise ValueError(
                "start=1 and consistency=0 leave the teacher nothing to do: set one of them"
            )

    def correct_labels(self, step: TrainingStep) -> Tensor:
        """Return the labels with those replaced that the teacher is sure are wrong."""
        if self.share_done < self.start:
            return step.labels
        return confident_labels(step.labels, self._scores(step), self.tau, self.task.ignore_index)

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

    def _scores(self, step: TrainingStep) -> Tensor:
        """The teacher's probabilities, computed once a step."""
        if self.name not in step.notes:
            step.notes[self.name] = self.teach(step, step.image)
        scores: Tensor = step.notes[self.name]
        return scores
