"""Adaptive early-learning correction: each class's labels, once the network memorises them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from segnoise.checks import check_float, check_integer, check_rate
from segnoise.methods.base import METHODS, Method
from segnoise.methods.saturation import FEWEST_POINTS, fit_saturation, has_saturated
from segnoise.methods.scores import class_log_probabilities
from segnoise.methods.training_step import Task, TrainingStep, pad_to_multiple, resized
from segnoise.metrics.functional import confusion_matrix
from segnoise.metrics.scores import greatest_class


@METHODS.register
class ADELE(Method):
    r"""Find for each class when it is learnt and begins to be memorised, and correct it from then.

    The IoU of class k between the training's predictions and its noisy labels, over ``interval``
    iterations each, gives points :math:`y_k(t)`, t = 1, 2, ... After each a curve
    :math:`f(t) = a (1 - e^{-t^b / c})` is fitted to them; once its slope has fallen,
    :math:`1 - f'(t) / f'(1) > \theta`, class k is corrected for the rest of the training:
    a pixel labelled k gets the label :math:`j = \arg\max_j q_j` where

    - :math:`q_j > \tau`, with q the mean over the ``scales`` s of the softmax :math:`p^s` of the
      image's scaled versions, and
    - j is among the labels that the image has, or the background.

    The predictions are consistent over the scales by the loss

    .. math:: \lambda \frac{1}{|P| S} \sum_{i \in P} \sum_{s=1}^{S} \sum_k
        p^s_{ik} \log \frac{p^s_{ik}}{q_{ik}},

    the Jensen-Shannon divergence over all pixels P. The predictions are those of the training step
    itself, with dropout and batch statistics.

    Cost: for each scale but 1 a forward and a backward pass of its size; with the scales 0.7, 1,
    1.5 and consistency a step costs about 4 plain ones. Without consistency the further passes
    are forward only, and begin with the first corrected class.

    Args:
        threshold: theta, 0..1.
        tau: confidence above which a label is replaced, 0 <= tau < 1.
        scales: sizes relative to the image, > 0, among them 1.
        consistency: lambda >= 0.
        background: class that a pixel may become although the image does not have it; None for
            none.
        uncertain_to_void: give pixels of corrected classes with :math:`q \le \tau` no label.
        interval: iterations a point; None for one pass over the training set, as in the paper. A
            fit takes 4 points, so 4 intervals must end before the training does.

    Raises:
        ValueError: if an argument is out of its range, or the training ends before a fit.

    Source: Liu et al., Adaptive Early-Learning Correction for Segmentation from Noisy Annotations,
    CVPR 2022; there the labels change between epochs, by predictions in evaluation mode.

    Example:
        >>> ADELE(tau=0.7, consistency=0.0).tau
        0.7
    """

    counts: Tensor
    curves: Tensor
    points: Tensor
    corrected: Tensor

    def __init__(
        self,
        threshold: float = 0.9,
        tau: float = 0.8,
        scales: Sequence[float] = (0.7, 1.0, 1.5),
        consistency: float = 1.0,
        background: int | None = 0,
        uncertain_to_void: bool = False,
        interval: int | None = None,
    ) -> None:
        super().__init__()
        self.threshold = check_rate("threshold", threshold)
        self.tau = check_float("tau", tau, least=0, below=1)
        self.scales = tuple(check_float("scales", scale, above=0) for scale in scales)
        if 1.0 not in self.scales:
            raise ValueError(f"scales must contain 1, got {list(scales)}")
        self.consistency = check_float("consistency", consistency, least=0)
        self.background = (
            None if background is None else check_integer("background", background, least=0)
        )
        self.uncertain_to_void = uncertain_to_void
        self.interval = None if interval is None else check_integer("interval", interval, least=1)

    def begin(self, network: nn.Module, task: Task) -> None:
        """Make room for the curves."""
        super().begin(network, task)
        if self.background is not None and self.background >= task.num_classes:
            raise ValueError(f"background={self.background} is none of {task.num_classes} classes")
        self.step_width = self.interval or max(1, round(task.epoch_iters))
        points = (task.max_iters - 1) // self.step_width  # the iteration after it closes a point
        if points < FEWEST_POINTS:
            longest = (task.max_iters - 1) // FEWEST_POINTS
            remedy = f"an interval of at most {longest}" if longest else "a longer training"
            raise ValueError(
                f"interval={self.interval}, that is {self.step_width} iterations, gives {points} "
                f"points in {task.max_iters} iterations, and a fit needs {FEWEST_POINTS}: give "
                f"{remedy}"
            )
        room, classes = task.max_iters // self.step_width, task.num_classes
        # Intersection, and union, of what has been seen since the last point.
        self.register_buffer("counts", torch.zeros(2, classes, dtype=torch.long))
        nothing = torch.full((room, classes), math.nan, dtype=torch.float64)
        self.register_buffer("curves", nothing)
        self.register_buffer("points", torch.zeros((), dtype=torch.long))
        self.register_buffer("corrected", torch.zeros(classes, dtype=torch.bool))

    def correct_labels(self, step: TrainingStep) -> Tensor:
        """Follow the curves, and return the labels of the classes that are due corrected."""
        if self.iteration and self.iteration % self.step_width == 0:
            self._close_point()
        self._count(step)
        if not bool(self.corrected.any()):
            return step.labels
        log_mean, _ = self._views(step)
        confidence, predicted = log_mean.exp().max(1)
        due = self.corrected[step.labels.long().clamp(max=self.task.num_classes - 1)]
        due &= step.labels != self.task.ignore_index
        sure = confidence > self.tau
        new = predicted.to(step.labels.dtype)
        labels = torch.where(due & sure & self._plausible(step.given, predicted), new, step.labels)
        if self.uncertain_to_void:
            labels = labels.masked_fill(due & ~sure, self.task.ignore_index)
        return labels

    def combine(self, losses: dict[str, Tensor], step: TrainingStep) -> dict[str, Tensor]:
        """Add the consistency over the scales, and log how many classes are corrected."""
        found = {**losses, f"classes_corrected/{self.name}": self.corrected.sum().float()}
        if self.consistency and len(self.scales) > 1:
            log_mean, views = self._views(step)
            divergences = [(view.exp() * (view - log_mean)).sum(1).mean() for view in views]
            divergence = torch.stack(divergences).mean()
            found[f"loss_scales_{self.name}"] = self.consistency * divergence
        return found

    def _plausible(self, given: Tensor, predicted: Tensor) -> Tensor:
        """Where the predicted class is one that the image has, or the background."""
        classes = self.task.num_classes
        # One place more, for void.
        present = torch.zeros(len(given), classes + 1, dtype=torch.bool, device=given.device)
        flat = torch.where(given == self.task.ignore_index, classes, given.long()).flatten(1)
        present.scatter_(1, flat, True)
        if self.background is not None:
            present[:, self.background] = True
        return present.gather(1, predicted.flatten(1)).view_as(predicted)

    def _views(self, step: TrainingStep) -> tuple[Tensor, list[Tensor]]:
        """Log q, and log p of every scale, (N, K, H, W); computed once a step."""
        if self.name not in step.notes:
            with torch.set_grad_enabled(self.consistency > 0):
                views = [
                    class_log_probabilities(self._logits(step, scale), self.task.mode)
                    for scale in self.scales
                ]
                mean = torch.logsumexp(torch.stack(views), 0) - math.log(len(views))
            step.notes[self.name] = mean, views
        found: tuple[Tensor, list[Tensor]] = step.notes[self.name]
        return found

    def _logits(self, step: TrainingStep, scale: float) -> Tensor:
        if scale == 1:
            return step.logits
        height, width = step.image.shape[-2:]
        size = max(1, round(height * scale)), max(1, round(width * scale))
        padded = pad_to_multiple(resized(step.image, size), self.task.size_divisor, 0)
        logits = step.network(padded)[:, : step.logits.shape[1], : size[0], : size[1]]
        return resized(logits.float(), (height, width))

    def _count(self, step: TrainingStep) -> None:
        """Add a batch's intersections and unions, those of all processes."""
        if bool(self.corrected.all()):
            return
        classes = self.task.num_classes
        logits, given = step.logits, step.given
        binary = self.task.mode == "binary"
        predicted = (logits[:, 0] > 0).long() if binary else greatest_class(logits)
        matrix = confusion_matrix(predicted, given, classes, self.task.ignore_index)
        hits = matrix.diagonal()
        batch = torch.stack((hits, matrix.sum(0) + matrix.sum(1) - hits))
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(batch)
        self.counts += batch

    def _close_point(self) -> None:
        """Turn the counts into a point of every curve, and see which have saturated."""
        if bool(self.corrected.all()):
            return
        number = int(self.points)
        self.curves[number] = self.counts[0].double() / self.counts[1]  # 0/0 is NaN: not there
        self.points += 1
        self.counts.zero_()
        curves = self.curves[: number + 1].cpu().numpy()
        t = np.arange(1.0, number + 2)
        for k in torch.nonzero(~self.corrected).flatten().tolist():
            there = np.isfinite(curves[:, k])
            if there.sum() >= FEWEST_POINTS:
                curve = fit_saturation(t[there], curves[there, k])
                self.corrected[k] = has_saturated(curve, float(t[-1]), self.threshold)
