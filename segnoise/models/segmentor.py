"""Any segmentation network as an mmengine model with several weighted losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn

from segnoise.errors import ConfigError
from segnoise.losses import LOSSES, GeneralizedJensenShannonLoss, L1Penalty, build_loss
from segnoise.models.inference import Inference
from segnoise.models.network import build_network
from segnoise.models.preprocessor import Preprocessor


class Segmentor(BaseModel):
    r"""A network from segmentation-models-pytorch (or any other) that trains, and predicts.

    .. math:: L = \sum_i w_i L_i

    over the given losses :math:`L_i` with weights :math:`w_i`, each logged as ``loss_<name>``.

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
    ) -> None:
        if mode not in ("multiclass", "binary"):
            raise ConfigError(f"model.mode must be 'multiclass' or 'binary', got {mode!r}")
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
        outputs = 1 if mode == "binary" else num_classes
        if network is None:
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

    def init_weights(self) -> None:
        """Nothing: the network comes initialised, and mmengine would do it again."""

    def set_losses(self, losses: Sequence[dict[str, Any]]) -> None:
        """Train by these losses from now on.

        Raises:
            ConfigError: for an unknown name, an argument that does not fit, a second loss of one
                name, or class weights that are not one a class.
        """
        built = nn.ModuleDict()
        weights = {}
        for number, entry in enumerate(losses):
            where = f"losses.{number}"
            arguments = dict(entry)
            kind = arguments.pop("type", None)
            if kind is None:
                raise ConfigError(f"{where} has no 'type'; name one of {', '.join(LOSSES)}")
            weight = arguments.pop("weight", 1.0)
            label = kind if isinstance(kind, str) else kind.__name__
            name = arguments.pop("name", None) or label.lower().replace("-", "_").replace("+", "_")
            if name in built:
                raise ConfigError(f"{where}: a second loss called {name!r}; set its 'name'")
            built[name] = self._build_loss(where, kind, arguments)
            weights[name] = float(weight)
        self.losses, self.loss_weights = built.to(self.data_preprocessor.mean.device), weights

    def _build_loss(self, where: str, kind: Any, arguments: dict[str, Any]) -> nn.Module:
        try:
            if kind in ("L1", "L1Penalty", L1Penalty):
                return L1Penalty(**arguments)
            common = {"mode": self.mode, "ignore_index": self.ignore_index, **arguments}
            loss = build_loss(kind, **common) if isinstance(kind, str) else kind(**common)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{where}: {error}") from error
        if isinstance(loss, GeneralizedJensenShannonLoss):
            raise ConfigError(
                f"{where}: GJS compares two views of an image, and a training step sees one; take "
                "JS, or GJS in a loop of your own"
            )
        class_weights = getattr(loss, "class_weights", None)
        if class_weights is not None and len(class_weights) != self.num_classes:
            raise ConfigError(
                f"{where}.class_weights has {len(class_weights)} numbers for {self.num_classes} "
                "classes; give one a class, or a scheme such as 'inverse_sqrt'"
            )
        return loss

    def forward(
        self,
        image: Tensor,
        mask: Tensor | None = None,
        clean_mask: Tensor | None = None,
        sample_id: Sequence[str] | None = None,
        mode: str = "tensor",
    ) -> Tensor | dict[str, Tensor] | list[dict[str, Any]]:
        """Run the network.

        Args:
            image: (N, C, H, W), normalised.
            mask: (N, H, W) labels to learn; needed for "loss".
            clean_mask: (N, H, W); not used by the losses, and shown to the observers.
            sample_id: N names, handed through to the predictions and to losses that remember.
            mode: "tensor" -> logits; "loss" -> dict of scalar losses, already weighted;
                "predict" -> a list of dict(prediction=(H, W), sample_id=...).
        """
        if mode == "tensor":
            return self.network(image)
        if mode == "loss":
            if mask is None:
                raise ValueError("mode='loss' needs a mask")
            logits, known = self.network(image), {"sample_id": sample_id}
            self._show(logits, {**known, "mask": mask, "clean_mask": clean_mask})
            return self._losses(logits, mask, known)
        if mode == "predict":
            return self._predictions(image, sample_id)
        raise ValueError(f"mode must be 'tensor', 'loss' or 'predict', got {mode!r}")

    def _show(self, logits: Tensor, batch: dict[str, Any]) -> None:
        with torch.no_grad():
            for observe in self.observers:
                observe(logits.detach(), {**batch, "ignore_index": self.ignore_index})

    def _losses(self, logits: Tensor, mask: Tensor, known: Mapping[str, Any]) -> dict[str, Tensor]:
        """Weighted losses; what one needs beside logits and labels is taken from ``known``."""
        values = {}
        for name, loss in self.losses.items():
            if isinstance(loss, L1Penalty):
                value = loss(self.network.parameters())
            else:
                more = {name: known.get(name) for name in getattr(loss, "needs", ())}
                value = loss(logits, mask, **more)
            values[f"loss_{name}"] = self.loss_weights[name] * value
        return values

    def probabilities(self, image: Tensor) -> Tensor:
        """Class probabilities of normalised images as :class:`Inference` has it.

        Returns:
            (N, K, H, W) float32; one channel in binary mode.
        """
        return self.inference.probabilities(
            self.network, image, self.mode == "binary", self.data_preprocessor.size_divisor
        )

    def _predictions(self, image: Tensor, sample_id: Sequence[str] | None) -> list[dict[str, Any]]:
        scores = self.probabilities(image)
        labels = (scores[:, 0] > 0.5).long() if self.mode == "binary" else scores.argmax(1)
        names: Sequence[str | None] = sample_id or [None] * len(labels)
        return [
            {"prediction": label, "sample_id": name}
            for label, name in zip(labels, names, strict=True)
        ]
