"""Any segmentation network as an mmengine model with several weighted losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn

from segnoise.errors import ConfigError, TrainingError
from segnoise.losses.base import product, says
from segnoise.methods.composing import check_methods, keep_maps
from segnoise.methods.training_step import Task, TrainingStep
from segnoise.models.contract import check_outputs, explained
from segnoise.models.inference import Inference, Prediction
from segnoise.models.losses import build_losses
from segnoise.models.network import build_network
from segnoise.models.preprocessor import Preprocessor


class Segmentor(BaseModel):
    r"""A network from segmentation-models-pytorch (or any other) that trains, and predicts.

    .. math:: L = \sum_i w_i L_i

    over the given losses :math:`L_i` with weights :math:`w_i`, each logged as ``loss_<name>``.
    Methods of a training (:meth:`set_methods`) may correct the labels, weigh the pixels and change
    the losses; evaluation knows nothing of them.

    Args:
        num_classes: K. One logit is used for two classes when ``mode`` is "binary".
        architecture: class of segmentation_models_pytorch: "Unet", "DeepLabV3Plus", ...
        encoder: its encoder: "resnet34", "tu-convnext_tiny", ...
        encoder_weights: None, a published name such as "imagenet", or a local file.
        options: further arguments of the architecture.
        network: an nn.Module that maps (N, C, H, W) to logits (N, K, H, W), instead of
            architecture and encoder.
        losses: dicts ``dict(type=<name or class>, weight=1.0, name=None, **arguments)``. The
            Segmentor fills in ``mode`` and ``ignore_index``. Regularisers are losses too: "ER"
            sees logits and masks, "L1" the network's parameters.
        mode: "multiclass" or "binary" (labels 0 and 1).
        ignore_index: label of pixels without one.
        preprocessor: arguments of :class:`Preprocessor`.
        inference: arguments of :class:`Inference`.
        channels_last: NHWC memory layout for images and weights.
        compile: compile the network with torch.compile (needs a C++ compiler on a CPU).
        extra_outputs: outputs that the network has after those of the classes, for methods that
            ask for them; predictions leave them out.

    Attributes:
        observers: functions ``(logits, batch) -> None`` that look on at every training step,
            before the losses and without a graph. ``batch`` holds mask, clean_mask (or None) and
            sample_id as the data set gave them, and ignore_index.

    Raises:
        ConfigError: for an unknown name or an argument that does not fit.

    Example:
        >>> losses = [dict(type="ANL-CE")]
        >>> model = Segmentor(3, encoder="resnet18", encoder_weights=None, losses=losses)
        >>> image = torch.zeros(2, 3, 32, 32)
        >>> mask = torch.zeros(2, 32, 32, dtype=torch.uint8)
        >>> sorted(model(image, mask, mode="loss"))
        ['loss_anl_ce']
        >>> model(image).shape
        torch.Size([2, 3, 32, 32])
    """

    def __init__(
        self,
        num_classes: int,
        architecture: str = "Unet",
        encoder: str = "resnet34",
        encoder_weights: str | None = "imagenet",
        options: dict[str, Any] | None = None,
        network: nn.Module | None = None,
        losses: Sequence[dict[str, Any]] = (),
        mode: str = "multiclass",
        ignore_index: int = 255,
        preprocessor: dict[str, Any] | None = None,
        inference: dict[str, Any] | None = None,
        channels_last: bool = False,
        compile: bool = False,
        extra_outputs: int = 0,
    ) -> None:
        if mode not in ("multiclass", "binary"):
            raise ConfigError(f"model.mode must be 'multiclass' or 'binary', got {mode!r}")
        if num_classes < 2:
            raise ConfigError(
                f"{num_classes} class and void leave nothing to tell apart; name what surrounds it "
                "as a class too, such as classes=['background', 'crack'], where masks hold 0 and 1 "
                "(black and white ones: value_map={0: 0, 255: 1})"
            )
        if mode == "binary" and num_classes != 2:
            raise ConfigError(
                f"model.mode='binary' is for 2 classes, the data set has {num_classes}"
            )
        super().__init__(
            Preprocessor(
                **{
                    "ignore_index": ignore_index,
                    "channels_last": channels_last,
                    **(preprocessor or {}),
                }
            )
        )
        self.num_classes = num_classes
        self.mode = mode
        self.ignore_index = ignore_index
        self.inference = Inference(**(inference or {}))
        self.class_outputs = 1 if mode == "binary" else num_classes
        self.extra_outputs = extra_outputs
        if network is None:
            outputs = self.class_outputs + extra_outputs
            network = build_network(
                architecture, encoder, encoder_weights, outputs, **(options or {})
            )
        self.network = network
        if channels_last:
            self.network.to(memory_format=torch.channels_last)
        if compile:
            self.network.compile()
        self.losses = nn.ModuleDict()
        self.loss_weights: dict[str, float] = {}
        self.observers: list[Callable[[Tensor, dict[str, Any]], None]] = []
        self.set_losses(losses)
        self.methods = nn.ModuleDict()

    def init_weights(self) -> None:
        """Nothing: the network comes initialised, and mmengine would do it again."""

    def set_losses(self, losses: Sequence[dict[str, Any]]) -> None:
        """Train by these losses from now on."""
        built, weights = build_losses(losses, self.mode, self.ignore_index, self.num_classes)
        self.losses, self.loss_weights = built.to(self.data_preprocessor.mean.device), weights

    def set_methods(self, methods: Mapping[str, Any], max_iters: int, epoch_iters: float) -> None:
        """Train with these methods from now on.

        Args:
            methods: objects with the steps of :class:`segnoise.methods.Method`, by name.
            max_iters: iterations of the training.
            epoch_iters: iterations of one pass over the training set.

        Raises:
            ConfigError: if methods do not work together or with the losses
                (:func:`~segnoise.methods.composing.check_methods`), or one needs losses that are
                maps over the pixels, and one is not.
        """
        losses: dict[str, nn.Module] = dict(self.losses.items())
        check_methods(methods, losses, self.num_classes)
        divisor = self.data_preprocessor.size_divisor
        task = Task(self.num_classes, self.mode, self.ignore_index, max_iters, epoch_iters, divisor)
        for name, method in methods.items():
            method.name = name
            method.begin(self.network, task)
            if method.per_pixel:
                keep_maps(name, losses)
        device = self.data_preprocessor.mean.device
        self.methods = nn.ModuleDict(dict(methods)).to(device)

    def forward(
        self,
        image: Tensor,
        mask: Tensor | None = None,
        clean_mask: Tensor | None = None,
        sample_id: Sequence[str] | None = None,
        cells: Tensor | None = None,
        mode: str = "tensor",
    ) -> Tensor | dict[str, Tensor] | list[Prediction]:
        """Run the network.

        Args:
            image: (N, C, H, W), normalised.
            mask: (N, H, W) labels to learn; needed for "loss".
            clean_mask: (N, H, W); used by neither losses nor methods, shown to the observers.
            sample_id: N names, handed through to the predictions and to losses that remember.
            cells: (N, H, W), where in its sample each pixel comes from, for losses that remember.
            mode: "tensor" -> logits; "loss" -> dict of scalar losses, already weighted;
                "predict" -> a list of :class:`~segnoise.models.inference.Prediction`, read as
                dict(prediction=(H, W), probabilities=(K, H, W), sample_id=...).
        """
        if mode == "tensor":
            return self.class_logits(image)
        if mode == "loss":
            if mask is None:
                raise ValueError("mode='loss' needs a mask")
            step = self._training_step(image, mask, sample_id, cells)
            self._show(step, clean_mask)
            return self._step_losses(step)
        if mode == "predict":
            return self._predictions(image, sample_id)
        raise ValueError(f"mode must be 'tensor', 'loss' or 'predict', got {mode!r}")

    def _show(self, step: TrainingStep, clean_mask: Tensor | None) -> None:
        batch = {
            "mask": step.given,
            "clean_mask": clean_mask,
            "sample_id": step.sample_id,
            "ignore_index": self.ignore_index,
        }
        with torch.no_grad():
            for observe in self.observers:
                observe(step.logits.detach(), batch)

    def class_logits(self, image: Tensor) -> Tensor:
        """The network's outputs for the classes, (N, K, H, W); in binary mode (N, 1, H, W).

        Raises:
            ConfigError: if the network does not take the images, or returns something else.
        """
        outputs = self._outputs(image)
        return outputs[:, : self.class_outputs] if self.extra_outputs else outputs

    def _outputs(self, image: Tensor) -> Tensor:
        try:
            outputs = self.network(image)
        except (RuntimeError, ValueError, AssertionError) as error:
            meaning = explained(error, image)
            if meaning is None:
                raise
            raise meaning from error
        return check_outputs(outputs, image, self.class_outputs, self.extra_outputs)

    def _training_step(
        self,
        image: Tensor,
        mask: Tensor,
        sample_id: Sequence[str] | None,
        cells: Tensor | None = None,
    ) -> TrainingStep:
        logits, classes, extra = self._outputs(image), self.class_outputs, None
        if self.extra_outputs:
            logits, extra = logits[:, :classes], logits[:, classes:]
        return TrainingStep(
            image, logits, mask, mask, sample_id, self.network, self._losses, extra, cells=cells
        )

    def _step_losses(self, step: TrainingStep) -> dict[str, Tensor]:
        """Losses of a batch, and scalars to log, after all methods have had their say."""
        methods: list[tuple[str, Any]] = list(self.methods.items())
        corrected = {}
        with torch.no_grad():
            for name, method in methods:
                before, step.labels = step.labels, method.correct_labels(step)
                if step.labels is not before:
                    corrected[f"corrected/{name}"] = (step.labels != before).float().mean()
            for _, method in methods:
                step.weights = product(step.weights, method.weigh(step))
        values = {**self._losses(step), **corrected}
        for _, method in methods:
            values = method.combine(values, step)
            if method.every_network:
                step.losses_of = partial(_combined, method, step.losses_of)
        return values

    def _losses(self, step: TrainingStep) -> dict[str, Tensor]:
        """The config's losses of a step, weighted."""
        values = {}
        for name, loss in self.losses.items():
            more = {need: getattr(step, need) for need in says(loss, "needs")}
            if step.weights is not None and not says(loss, "regularizer"):
                more["pixel_weights"] = step.weights
            value = loss(*(getattr(step, given) for given in says(loss, "inputs")), **more)
            values[f"loss_{name}"] = self.loss_weights[name] * value
        return values

    def probabilities(self, image: Tensor) -> Tensor:
        """Class probabilities of normalised images as :class:`Inference` has it.

        Returns:
            (N, K, H, W) float32; one channel in binary mode.
        """
        return self.inference.probabilities(
            self.class_logits, image, self.mode == "binary", self.data_preprocessor.size_divisor
        )

    def _predictions(self, image: Tensor, sample_id: Sequence[str] | None) -> list[Prediction]:
        names: Sequence[str | None] = sample_id or [None] * len(image)
        scores = self.probabilities(image)
        # One sum: NaN and inf, which has NaN as its softmax, do not get lost in it.
        if not bool(scores.sum().isfinite()):
            bad = [n for n, s in zip(names, scores, strict=True) if not s.sum().isfinite()]
            raise TrainingError(
                f"the network's scores are not finite for {', '.join(map(repr, bad[:3]))}: no "
                "class can be told from them. Its weights have diverged, or overflow in half "
                "precision: take an earlier checkpoint, or train with a lower learning rate"
            )
        return [Prediction(s, name) for s, name in zip(scores, names, strict=True)]


def _combined(
    method: Any, losses_of: Callable[[TrainingStep], dict[str, Tensor]], step: TrainingStep
) -> dict[str, Tensor]:
    """The losses of another network's step, after a method that changes those of each."""
    found: dict[str, Tensor] = method.combine(losses_of(step), step)
    return found
