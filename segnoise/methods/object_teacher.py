"""A teacher, the running mean of the network, that corrects the classes of whole objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from segnoise.losses.domain import check_flag, check_integer
from segnoise.methods.components import components
from segnoise.methods.teacher import Teacher
from segnoise.models.training_step import Task, TrainingStep

OVERLAP = 0.25  # of a region that has its label already: it is there, if smaller
LEAST_PIXELS = 9  # a smaller region is no object: salt and pepper are to be outvoted, not confirmed


@dataclass(frozen=True)
class Regions:
    """The connected regions of equal labels of a batch.

    Attributes:
        number: (N, H, W) int64, 1..R, and 0 at void.
        label: (R + 1) int64, each region's label; that of number 0 is 0.
        pixels: (R + 1) int64, each region's size.
    """

    number: Tensor
    label: Tensor
    pixels: Tensor

    @classmethod
    def of(cls, labels: Tensor, void: Tensor) -> Regions:
        """Find the regions of (N, H, W) labels but for void; pixels that meet at a corner connect.

        Example:
            >>> labels = torch.tensor([[[1, 1, 0, 9]], [[1, 0, 0, 0]]])
            >>> found = Regions.of(labels, labels == 9)
            >>> found.number.tolist(), found.label.tolist(), found.pixels.tolist()
            ([[[2, 2, 1, 0]], [[4, 3, 3, 3]]], [0, 0, 1, 0, 1], [1, 1, 2, 3, 1])
        """
        count, maps = 0, []
        for mask, nowhere in zip(labels.cpu().numpy(), void.cpu().numpy(), strict=True):
            found, numbers = components(mask, nowhere)
            maps.append(np.where(numbers > 0, numbers.astype(np.int64) + count, 0))
            count += found
        number = torch.from_numpy(np.stack(maps)).to(labels.device)
        label = torch.zeros(count + 1, dtype=torch.long, device=labels.device)
        label[number[~void]] = labels[~void].long()
        return cls(number, label, number.flatten().bincount(minlength=count + 1))

    def means(self, values: Tensor) -> Tensor:
        """Average (N, C, H, W) over each region: (R + 1, C) float64.

        In float64, since over a million pixels float32 would lose the digits that are compared.
        """
        flat = values.movedim(1, -1).flatten(0, 2).double()
        sums = flat.new_zeros(len(self.pixels), flat.shape[1])
        sums.index_add_(0, self.number.flatten(), flat)
        return sums / self.pixels.clamp(min=1).unsqueeze(1)


def overruled(
    scores: Tensor, labels: Tensor, frequency: Tensor, tau: float, background: int | None = None
) -> Tensor:
    r"""Give objects another class where a prediction is sure of it, rare and frequent ones alike.

    Each object's prediction p is divided by the frequency :math:`\pi` of the classes, which leaves
    how well each of them explains the object. It gets the class k for which that is greatest where,
    beside its label g,

    .. math:: \frac{p_k / \pi_k}{p_k / \pi_k + p_g / \pi_g} > \tau.

    Args:
        scores: (R, K) mean probabilities p of the objects.
        labels: (R) int64 g.
        frequency: (K) of the classes, in any unit; one that is 0 is given to no object.
        tau: 0 <= tau < 1.
        background: a class that objects neither become nor, where it is theirs, lose.

    Returns:
        (R) int64.

    Example:
        >>> scores = torch.tensor([[0.7, 0.3], [0.95, 0.05], [0.1, 0.9]])
        >>> overruled(scores, torch.tensor([1, 1, 0]), torch.tensor([0.8, 0.2]), tau=0.8)
        tensor([1, 0, 1])
    """
    fit = torch.where(frequency > 0, scores.double() / frequency, 0)
    if background is not None:
        fit[:, background] = 0
    best, winner = fit.max(1)
    given = fit.gather(1, labels.unsqueeze(1)).squeeze(1)
    # For 0 against 0 the quotient is NaN, and the label stays.
    changed = best / (best + given) > tau
    if background is not None:
        changed &= labels != background
    return torch.where(changed, winner, labels)


class ObjectTeacher(Teacher):
    r"""A slow teacher gives objects another class, and finds those that the labels miss.

    An object is a connected region of one label. From the share ``start`` of the training on, the
    teacher, the running mean of the network's weights, decides twice, each time by its prediction's
    mean over a region:

    1. *Which class is it?* With :math:`p_k` the mean over an object labelled g and :math:`\pi_k`
       the share of the pixels that had the label k so far, it gets the class k with the greatest
       :math:`p_k / \pi_k` where

       .. math:: \frac{p_k / \pi_k}{p_k / \pi_k + p_g / \pi_g} > \tau,

       in the outline that was drawn. Without :math:`\pi` rare classes, of which a network is never
       sure, would lose their objects. Regions of fewer than 9 pixels stay: that is noise of
       pixels, which a network outvotes.
    2. *Is one missing?* A connected region that the teacher predicts as k with a mean probability
       above :math:`\tau` gets that label, in the teacher's outline, if less than a quarter
       of its pixels have it already.

    With a ``background`` it is only asked which object it is, not whether there is one: regions
    of the background stay as they are where no object is found, and no object becomes background.
    Give it wherever one class is what is left between the objects.

    Evaluation reads the network, not the teacher; for averaged weights there use ``ema``.

    Cost: two forward passes a step from ``start`` on, one without ``mirror``; the weights once more
    in memory; labels go to the CPU, where OpenCV finds the regions.

    Args:
        momentum: of the running mean, 0 <= m < 1; at most 1 - 1/(n + 1) after n updates.
        start: share of the training after which labels are corrected, 0..1.
        tau: confidence above which they are, 0 <= tau < 1.
        background: the class between the objects, or None.
        missing: take the second decision too.
        mirror: predict each image and its mirror image, and average.

    Raises:
        ValueError: if an argument is out of its range, the background is no class, or nothing is
            left to do.

    Source: the teacher as in Tarvainen and Valpola, Mean teachers are better role models, NeurIPS
    2017; objects that labels miss as in Liu et al., AIO2, TGRS 2024; the decision on objects of a
    wrong class is this library's (docs/study.md has measurements).

    Example:
        >>> ObjectTeacher(background=0)
        ObjectTeacher(momentum=0.99, start=0.3, tau=0.9, background=0, missing=True, mirror=True)
    """

    own_parameters = ("momentum", "start", "tau", "background", "missing", "mirror")
    counts: Tensor

    def __init__(
        self,
        momentum: float = 0.99,
        start: float = 0.3,
        tau: float = 0.9,
        background: int | None = None,
        missing: bool = True,
        mirror: bool = True,
    ) -> None:
        super().__init__(momentum, start, tau)
        if background is not None:
            check_integer("background", background, least=0)
        self.background = background
        self.missing = check_flag("missing", missing)
        self.mirror = check_flag("mirror", mirror)
        if start == 1:
            raise ValueError("start=1 leaves the teacher nothing to do: give a smaller share")

    def begin(self, network: nn.Module, task: Task) -> None:
        """Make the teacher from the network as it is."""
        super().begin(network, task)
        classes = task.num_classes
        if self.background is not None:
            if self.background >= classes:
                raise ValueError(f"background={self.background} is none of {classes} classes")
            if classes == 2 and not self.missing:
                raise ValueError(
                    f"background={self.background} and one class more leave the teacher nothing to "
                    "do, since an object can be of that class only: set missing=True"
                )
        self.register_buffer("counts", torch.zeros(classes, dtype=torch.long))

    def correct_labels(self, step: TrainingStep) -> Tensor:
        """Return the labels with the classes of objects corrected, and missing objects added."""
        self._count(step.given)
        if self.share_done < self.start:
            return step.labels
        scores = self.teach(step, step.image)
        if self.mirror:
            scores = (scores + self.teach(step, step.image.flip(-1)).flip(-1)) / 2
        labels, void = step.labels, step.labels == self.task.ignore_index
        objects = Regions.of(labels, void)
        decided = overruled(
            objects.means(scores), objects.label, self.counts, self.tau, self.background
        )
        decided = torch.where(objects.pixels < LEAST_PIXELS, objects.label, decided)
        labels = torch.where(void, labels, decided[objects.number].to(labels.dtype))
        return self._with_missing(labels, scores, void) if self.missing else labels

    def _with_missing(self, labels: Tensor, scores: Tensor, void: Tensor) -> Tensor:
        confidence, predicted = scores.max(1)
        seen = Regions.of(predicted, void)
        agreed = (labels == predicted).to(confidence.dtype)
        sure, known = seen.means(torch.stack((confidence, agreed), 1)).unbind(1)
        added = (sure > self.tau) & (known < OVERLAP) & (seen.pixels >= LEAST_PIXELS)
        if self.background is not None:
            added &= seen.label != self.background
        added[0] = False
        return torch.where(added[seen.number], predicted.to(labels.dtype), labels)

    def _count(self, given: Tensor) -> None:
        """Add a batch's pixels of every class, those of all processes."""
        valid = given[given != self.task.ignore_index].long()
        batch = valid.bincount(minlength=self.task.num_classes)
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(batch)
        self.counts += batch
