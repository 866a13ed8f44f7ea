"""Early-learning regularisation: the prediction is kept near to what it was on the same pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from typing_extensions import Unpack

from segnoise.checks import check_float, check_integer
from segnoise.errors import SegnoiseError
from segnoise.losses.base import CommonArguments, PixelwiseLoss
from segnoise.losses.core import (
    Core,
    check_min_prob,
    compute_dtype,
    in_blocks,
    outside_transforms,
    pixel_statistics,
    unwrapped,
)
from segnoise.losses.names import register
from segnoise.losses.prediction_memory import PredictionMemory, cells_of_grid, names_of


@register("ELR")
class EarlyLearningRegularizedLoss(PixelwiseLoss):
    """Early-learning regularisation (ELR), ``-log p_y + beta log(1 - <t, p>)``.

    p = softmax(logits), y is the pixel's label. t is a running mean of the pixel's predictions,
    ``t <- momentum t + (1 - momentum) p`` from 0 on, updated at every call in training mode and
    taken as constant; ``<t, p> = sum_k t_k p_k`` is cut off at 1 - min_prob. Not bounded below.
    Admits soft labels.

    The loss remembers t for every sample by its ``sample_id``, in float16 in main memory and in its
    state dict (a tensor ``means.ID`` for each), as the mean over cells of pixels. ``cells`` tells
    which cell of its sample each pixel comes from, however the sample was cropped, flipped or
    scaled; without it a sample must come whole and unmoved each time. Processes that train together
    exchange what they update: K / stride^2 numbers of two bytes a pixel in each iteration. Looking
    the ids up breaks the graph of torch.compile. Without ids every sample is new at every call, t
    is (1 - momentum) p, and the second part only sharpens the prediction.

    Use it where a network first learns the truth and then memorises: it holds on to the first.

    Args:
        beta: weight of the regulariser, >= 0; the paper's lambda: 3 on CIFAR-10, 7 on CIFAR-100.
        momentum: 0 <= momentum < 1; the paper's beta: 0.7 on CIFAR-10, 0.9 on CIFAR-100.
        min_prob: 1e-30 <= min_prob < 1.
        stride: t is kept at 1/stride of the resolution, as the mean over the pixels of a cell.
            It makes the cells of whole samples; ``cells``, where given, are taken as they are.
        mode, **common: see ``SegmentationLoss``.

    Shape:
        - y_pred, y_true, pixel_weights: as in ``SegmentationLoss``.
        - sample_id: N strings or integers (a list, or an integer tensor), by keyword, or None; 7 is
          the same sample as "7".
        - cells: integers (N, *), by keyword, or None: the cell of its sample that each pixel comes
          from, -1 for none (padding).

    Raises:
        ValueError: if there is not one id a sample, cells are given without ids or do not fit, or
            a whole sample comes in another size than before.
        TypeError: if ids are neither strings nor integers.

    Source: Liu et al., Early-Learning Regularization Prevents Memorization of Noisy Labels,
    NeurIPS 2020, equation 6.

    Example:
        >>> loss = EarlyLearningRegularizedLoss("multiclass")
        >>> logits, labels = torch.tensor([[[2.0], [0.0]]]), torch.tensor([[0]])
        >>> loss(logits, labels, sample_id=["a"]), loss(logits, labels, sample_id=["a"])
        (tensor(-0.6846), tensor(-1.4199))
    """

    admits_soft_labels = True
    needs = ("sample_id", "cells")
    bounded_below = False
    remembers: ClassVar[str] = "means."
    """What the names of the remembered samples begin with in the state dict."""

    def __init__(
        self,
        mode: str,
        *,
        beta: float = 3.0,
        momentum: float = 0.7,
        min_prob: float = 1e-4,
        stride: int = 1,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(mode, **common)
        self.beta = check_float("beta", beta, least=0)
        self.momentum = check_float("momentum", momentum, least=0, below=1)
        self.min_prob = check_min_prob(min_prob)
        self.stride = self.cell_stride = check_integer("stride", stride, least=1)
        self._memory = PredictionMemory(self.momentum)

    def forward(
        self,
        y_pred: Tensor,
        y_true: Tensor,
        pixel_weights: Tensor | None = None,
        *,
        sample_id: Sequence[str | int] | Tensor | None = None,
        cells: Tensor | None = None,
    ) -> Tensor:
        """Return the reduced loss; see the class for the shapes."""
        target = self.prepare(y_pred, y_true)
        labels, weights = self.labels_and_weights(target)
        mean = self._running_mean(target.logits.detach(), sample_id, cells)
        loss = self.loss_map(target.logits, labels) + self.beta * torch.log(
            1 - self._product(target.logits, mean).clamp_max(1 - self.min_prob)
        )
        return self.reduce(loss, target, weights, pixel_weights)

    def loss_map(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return cross-entropy."""
        core = Core(binary=self.mode != "multiclass", logit_map=self.logit_map)
        return -pixel_statistics(logits, labels, core).log_p

    def _running_mean(
        self,
        logits: Tensor,
        sample_id: Sequence[str | int] | Tensor | None,
        cells: Tensor | None,
    ) -> Tensor:
        """t, of shape (N, K, *), in binary mode (N, 2, *), in multilabel mode (N, 2, C, *)."""
        p = self._probabilities(logits)
        if sample_id is None:
            if cells is not None:
                raise ValueError("cells are of samples: give their sample_id too")
            return (1 - self.momentum) * p
        remembered = self._remembered
        if torch.compiler.is_compiling():  # else there would be a graph for every id
            remembered = torch.compiler.disable(remembered)  # type: ignore[no-untyped-call]
        return remembered(p, sample_id, cells)

    def _remembered(
        self, p: Tensor, sample_id: Sequence[str | int] | Tensor, cells: Tensor | None
    ) -> Tensor:
        """The running means of some samples, with their new predictions."""
        if unwrapped(p).shape != p.shape:
            raise SegnoiseError(
                "ELR cannot look samples up inside torch.func.vmap: give the batch as a whole, or "
                "leave sample_id out"
            )
        p = unwrapped(p)
        sample_id = names_of(sample_id, len(p))
        spatial = p.shape[3:] if self.mode == "multilabel" else p.shape[2:]
        if cells is None:
            whole = cells_of_grid(spatial, self.stride).to(p.device)
            self._check_sizes(sample_id, int(whole.max()) + 1 if len(whole) else 0)
            cells = whole.expand(len(p), -1)
        elif cells.shape != (len(p), *spatial):
            raise ValueError(
                f"cells of shape {tuple(cells.shape)} for pixels of {(len(p), *spatial)}"
            )
        flat = p.reshape(len(p), -1, spatial.numel())
        with outside_transforms():
            mean = self._memory(flat, sample_id, cells.reshape(len(p), -1), self.training)
        return mean.reshape(p.shape)

    def _check_sizes(self, sample_id: Sequence[str], cells: int) -> None:
        for name in sample_id:
            known = self._memory.means.get(name)
            if known is not None and known.shape[1] != cells:
                raise ValueError(
                    f"sample {name!r} is remembered in {known.shape[1]} cells and now has {cells}: "
                    "without cells each sample must come whole and unmoved, without random crops "
                    "or scales"
                )

    def _probabilities(self, logits: Tensor) -> Tensor:
        z = logits.to(compute_dtype(logits))
        if self.mode == "multiclass":
            return torch.softmax(z if self.logit_map is None else self.logit_map(z), 1)
        z = self._mapped_score(z)
        return torch.stack((torch.sigmoid(-z), torch.sigmoid(z)), 1)

    def _mapped_score(self, z: Tensor) -> Tensor:
        return z if self.logit_map is None else self.logit_map(z.unsqueeze(1)).squeeze(1)

    def _product(self, logits: Tensor, mean: Tensor) -> Tensor:
        """<t, p>, a map over the pixels."""
        if self.mode != "multiclass":
            z = self._mapped_score(logits.to(compute_dtype(logits)))
            return mean[:, 0] * torch.sigmoid(-z) + mean[:, 1] * torch.sigmoid(z)
        return in_blocks(
            lambda z, t: (self._probabilities(z) * t).sum(1), logits, mean, classes=True
        )

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        for name, mean in self._memory.means.items():
            destination[f"{prefix}{self.remembers}{name}"] = mean

    def _load_from_state_dict(
        self,
        state_dict: Mapping[str, Any],
        prefix: str,
        local_metadata: Mapping[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        start = f"{prefix}{self.remembers}"
        means = {k.removeprefix(start): v for k, v in state_dict.items() if k.startswith(start)}
        rest = {k: v for k, v in state_dict.items() if not k.startswith(start)}
        super()._load_from_state_dict(
            rest, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )
        for name, mean in means.items():
            if not (isinstance(mean, Tensor) and mean.is_floating_point() and mean.dim() == 2):
                error_msgs.append(f"{start}{name} must be floats (channels, cells), got {mean!r}")
                return
        self._memory.means = {
            name: mean.detach().to("cpu", torch.float16, copy=True) for name, mean in means.items()
        }
