"""A teacher, the running mean of the network, that corrects the classes of whole objects."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor, nn

from segnoise.checks import check_flag, check_integer
from segnoise.losses.weighting import label_counts
from segnoise.methods.base import METHODS, check_background
from segnoise.methods.components import Regions
from segnoise.methods.teacher import Teacher
from segnoise.methods.training_step import Task, TrainingStep

OVERLAP = 0.25  # of a region that has its label already: it is there, if smaller
LEAST_PIXELS = 9  # a smaller region is no object: salt and pepper are to be outvoted, not confirmed


def evidence(ours: Tensor, theirs: Tensor, our_pixels: Tensor, their_pixels: Tensor) -> Tensor:
    r"""Return how sure a prediction is of one class rather than another, a rare one protected.

    .. math:: e = \frac{p_k}{p_k + p_g \max(1, \pi_k / \pi_g)}

    A network is never sure of a class that is rare: against one that is more frequent, that class's
    probability counts as if both were equally frequent. The other way round p decides alone.

    Args:
        ours: probability :math:`p_k` of the class in question.
        theirs: :math:`p_g` of the other one.
        our_pixels: frequency :math:`\pi_k`; below 1 it counts as 1.
        their_pixels: :math:`\pi_g`.

    Returns:
        e in [0, 1], of the shape that the arguments have together; 0 for 0/0.

    Example:
        >>> frequent, rare = torch.tensor(300.0), torch.tensor(100.0)
        >>> evidence(torch.tensor(0.9), torch.tensor(0.1), frequent, rare)  # 0.9 : 0.3
        tensor(0.7500)
        >>> evidence(torch.tensor(0.9), torch.tensor(0.1), rare, frequent)
        tensor(0.9000)
    """
    protected = theirs * (our_pixels.clamp_min(1) / their_pixels.clamp_min(1)).clamp_min(1)
    return (ours / (ours + protected)).nan_to_num(0)


@METHODS.register
class ObjectTeacher(Teacher):
    r"""A slow teacher gives objects another class, and finds those that the labels miss.

    An object is a connected region of one label, of at least 9 pixels: less is noise of pixels,
    which a network outvotes. From the share ``start`` of the training on, the teacher, the running
    mean of the network's weights, judges a region by its mean prediction p over it. For the class k
    and against the label g there is the evidence

    .. math:: e_{kg} = \frac{p_k}{p_k + p_g \max(1, \pi_k / \pi_g)},

    where :math:`\pi` counts the pixels of each label so far. Without it rare classes, of which no
    network is ever sure, would lose their objects. The teacher decides twice:

    1. *Which class is it?* An object labelled g gets the class k with the greatest evidence, if
       :math:`e_{kg} > \tau`, in the outline that was drawn.
    2. *Is one missing?* In a connected region that the teacher predicts as k with
       :math:`p_k > \tau`, the pixels with labels g for which :math:`e_{kg} > \tau` get the label
       k, in the teacher's outline, if less than a quarter of the region has it already.

    A ``background`` is what is left between the objects, and no object: its regions are not
    judged by the first decision, nor does any object become one; missing objects are found in it.
    Give it wherever there is such a class.

    Evaluation reads the network, not the teacher; for averaged weights there use ``ema``.

    Cost: one forward pass a step from ``start`` on, two with ``mirror``; the weights once more in
    memory; labels go to the CPU, where OpenCV finds the regions.

    Args:
        momentum: of the running mean, 0 <= m < 1; at most 1 - 1/(n + 1) after n updates.
        start: share of the training after which labels are corrected, 0..1.
        tau: how sure it must be, 0 <= tau < 1.
        background: the class between the objects, or None.
        missing: take the second decision too.
        mirror: predict each image and its mirror image, and average; not where classes tell left
            from right, or the training sees no mirrored images.

    Raises:
        ValueError: if an argument is out of its range, the background is no class, or nothing is
            left to do.

    Source: the teacher as in Tarvainen and Valpola, Mean teachers are better role models, NeurIPS
    2017; objects that labels miss after Liu et al., AIO2, TGRS 2024; the evidence and the decision
    on objects of a wrong class are this library's (docs/study.md has measurements).

    Example:
        >>> ObjectTeacher(background=0)
        ObjectTeacher(momentum=0.99, start=0.3, tau=0.9, background=0, missing=True, mirror=False)
    """

    counts: Tensor

    def __init__(
        self,
        momentum: float = 0.99,
        start: float = 0.3,
        tau: float = 0.9,
        background: int | None = None,
        missing: bool = True,
        mirror: bool = False,
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
            check_background(self.background, task)
            if classes == 2 and not self.missing:
                raise ValueError(
                    f"background={self.background} and one class more leave the teacher nothing to "
                    "do, since an object can be of that class only: set missing=True"
                )
        self.register_buffer("counts", torch.zeros(classes, dtype=torch.double))

    def correct_labels(self, step: TrainingStep) -> Tensor:
        """Return the labels with the classes of objects corrected, and missing objects added."""
        self._count(step.given)
        if self.share_done < self.start:
            return step.labels
        scores = self.teach(step, step.image)
        if self.mirror:
            scores = (scores + self.teach(step, step.image.flip(-1)).flip(-1)) / 2
        labels = step.labels
        if self.background is None or self.task.num_classes > 2:
            labels = self._judged(labels, scores)
        return self._with_missing(labels, scores) if self.missing else labels

    def _judged(self, labels: Tensor, scores: Tensor) -> Tensor:
        """Decide which class each object has."""
        void = labels == self.task.ignore_index
        objects = Regions.of(labels, void)
        p, given = objects.means(scores), objects.label.unsqueeze(1)
        found = evidence(p, p.gather(1, given), self.counts, self.counts[given])
        found[:, self._no_objects()] = 0
        found.scatter_(1, given, 0)
        sure, winner = found.max(1)
        changed = (sure > self.tau) & (objects.pixels >= LEAST_PIXELS)
        if self.background is not None:
            changed &= objects.label != self.background
        decided = torch.where(changed, winner, objects.label)
        return torch.where(void, labels, decided[objects.number].to(labels.dtype))

    def _with_missing(self, labels: Tensor, scores: Tensor) -> Tensor:
        """Add the objects that are predicted where the labels have another class."""
        void, predicted = labels == self.task.ignore_index, scores.argmax(1)
        seen = Regions.of(predicted, void)
        p, own = seen.means(scores), seen.label.unsqueeze(1)
        known = seen.means((labels == predicted).to(scores.dtype).unsqueeze(1)).squeeze(1)
        added = (known < OVERLAP) & (seen.pixels >= LEAST_PIXELS)
        added &= p.gather(1, own).squeeze(1) > self.tau
        for no_object in self._no_objects():
            added &= seen.label != no_object
        against = evidence(p.gather(1, own), p, self.counts[own], self.counts)
        against[~added] = 0
        painted = against[seen.number, torch.where(void, 0, labels).long()] > self.tau
        return torch.where(painted & ~void, predicted.to(labels.dtype), labels)

    def _no_objects(self) -> list[int]:
        """Classes that no object becomes: the background, and a void that is the id of one."""
        named = (self.background, self.task.ignore_index)
        return [k for k in named if k is not None and 0 <= k < self.task.num_classes]

    def _count(self, given: Tensor) -> None:
        """Add a batch's pixels of every class, those of all processes."""
        valid = given != self.task.ignore_index
        batch = label_counts(given, valid, "multiclass", self.task.num_classes)
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(batch)
        self.counts += batch
