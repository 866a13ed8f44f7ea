"""The contract of every method: a few steps that a training calls in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from segnoise.errors import ConfigError, words_of
from segnoise.losses import LOSSES, build_loss
from segnoise.losses.base import says
from segnoise.losses.names import shown
from segnoise.methods.composing import check_class_weights
from segnoise.methods.training_step import Task, TrainingStep
from segnoise.registry import Registry

METHODS = Registry("method")
"""The methods by name; ``@METHODS.register`` above a class of your own adds it."""


class Method(nn.Module):
    """What a training does beyond its losses; a subclass overrides the steps that it needs.

    A training calls :meth:`begin` once, and then at every iteration, in this order:

    1. :meth:`correct_labels`, without a graph: which labels the losses see;
    2. :meth:`weigh`, without a graph: with which weight a pixel counts; the weights of several
       methods are multiplied;
    3. :meth:`combine`: what becomes of the losses;
    4. :meth:`after_step`, once the optimizer has stepped.

    Several methods take each step in the order in which they are listed. What a method must not
    forget over a restart is a buffer or a parameter: the model's state dict carries it, and a
    resumed training goes on with it. A method never sees clean labels.

    Attributes:
        name: what it is called in the config, the logs and the state dict.
        task: classes and length of the training; known from :meth:`begin` on.
        iteration: iterations that are complete.
        per_pixel: whether ``combine`` gets the config's losses as maps over the pixels, which it
            must reduce.
        every_network: whether a second network's losses go through ``combine`` too, which then
            must read no notes of the step.
        second_network: whether the method trains a network beside the model's: then it is the last.
    """

    per_pixel: ClassVar[bool] = False
    every_network: ClassVar[bool] = False
    second_network: ClassVar[bool] = False
    task: Task

    def __init__(self) -> None:
        super().__init__()
        self.name = type(self).__name__
        self.iteration = 0

    def begin(self, network: nn.Module, task: Task) -> None:
        """Get ready for a training of ``network``."""
        self.task = task

    def extra_outputs(self, num_classes: int) -> int:
        """Return how many outputs the network needs beyond those of the classes."""
        return 0

    def correct_labels(self, step: TrainingStep) -> Tensor:
        """Return the labels, (N, H, W), that the losses should see."""
        return step.labels

    def weigh(self, step: TrainingStep) -> Tensor | None:
        """Return pixel weights >= 0, (N, H, W); None where all are 1."""
        return None

    def combine(self, losses: dict[str, Tensor], step: TrainingStep) -> dict[str, Tensor]:
        """Return the losses of the step, from those of the config and of the methods before.

        Those whose names contain "loss" are summed up and trained on; others are only logged.
        """
        return losses

    def after_step(self, network: nn.Module) -> None:
        """Take note of the network's new weights."""

    @property
    def share_done(self) -> float:
        """The share of the training that is complete, 0..1."""
        return self.iteration / self.task.max_iters

    @property
    def epochs_done(self) -> float:
        """Passes over the training set that are complete, with fractions."""
        return self.iteration / self.task.epoch_iters

    def extra_repr(self) -> str:
        """Return the parameters."""
        return ", ".join(shown(self))


def check_background(background: int, task: Task) -> None:
    """Raise unless it is a class."""
    if background >= task.num_classes:
        raise ValueError(f"background={background} is none of {task.num_classes} classes")
    if background == task.ignore_index:
        raise ValueError(
            f"background={background} is the label of void, which is no class: give another "
            "background, or the data set another ignore_index"
        )


def check_loss(entry: object) -> dict[str, Any]:
    """Return a copy of a loss's entry in a config, if it may be one."""
    if not isinstance(entry, Mapping) or "type" not in entry:
        raise ConfigError(f"loss must be a dict with a 'type', got {entry!r}")
    return dict(entry)


def loss_of_labels(entry: Mapping[str, Any], task: Task, reduction: str = "mean") -> nn.Module:
    """Build a loss of logits and labels that a method keeps for itself.

    Args:
        entry: ``dict(type=<name or class>, **arguments)``.
        task: gives the mode and the label of void.
        reduction: "mean", or "none" for the map over the pixels.

    Raises:
        ConfigError: for an unknown name, an argument that does not fit, a loss that asks for more
            than logits and labels, or with "none" one without a map over the pixels, or with
            parameters, which nothing would train.

    Example:
        >>> loss_of_labels({"type": "GCE", "q": 0.5}, Task(num_classes=3))
        GeneralizedCrossEntropyLoss('multiclass', q=0.5, ignore_index=255)
    """
    arguments = dict(entry)
    kind = arguments.pop("type")
    common = {"mode": task.mode, "ignore_index": task.ignore_index, "reduction": reduction}
    try:
        if says(LOSSES.find(kind), "regularizer"):
            raise ValueError(f"{kind} is no loss of labels; take one such as 'CE'")
        loss = build_loss(kind, **{**common, **arguments})
    except Exception as error:  # whatever somebody's class raises for arguments that do not fit
        raise ConfigError(f"loss: {words_of(error)}") from error
    check_class_weights("loss", arguments.get("class_weights"), task.num_classes)
    kind = type(loss).__name__
    if says(loss, "needs") or "views" in says(loss, "inputs"):
        more = ", ".join(says(loss, "needs")) or "a second view of the image"
        raise ConfigError(
            f"loss: {kind} asks for {more}, and a method's own loss sees logits and labels only: "
            "take another, such as 'CE'"
        )
    if reduction == "none":
        trained = any(True for _ in loss.parameters())
        if trained or not says(loss, "per_pixel"):
            lack = "has parameters to train" if trained else "has no value for every pixel"
            raise ConfigError(
                f"loss: pixels are compared by it, and {kind} {lack}: take another, such as 'CE'"
            )
    return loss
