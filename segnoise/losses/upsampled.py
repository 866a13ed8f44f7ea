"""A loss on logits of low resolution, upsampled to the labels' size on the fly."""

from __future__ import annotations

from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from segnoise.losses.base import SegmentationLoss, StatisticsLoss
from segnoise.losses.core import PixelStatistics, upsampled_statistics


class UpsampledLoss(nn.Module):
    r"""Any loss of this package, of logits that are smaller than the labels.

    .. math:: L(z, y) = L_0(u(z), y)

    with the bilinear upsampling :math:`u` to the labels' size. Segmentation heads compute logits at
    a quarter of the image's size and upsample them; in full size they are the largest tensor of a
    training, and their gradient the second. For losses that are functions of per-pixel statistics
    (``fused`` says whether one is) neither exists here: logits are upsampled band by band, forwards
    and again backwards. The others are upsampled as a whole first. Value and gradient are those of
    ``loss(F.interpolate(y_pred, size, mode="bilinear"), y_true)``.

    Args:
        loss: the loss in full size.
        align_corners: as in ``F.interpolate``; the heads of segmentation-models-pytorch
            (``nn.UpsamplingBilinear2d``) have True.

    Attributes:
        fused: whether the logits are never upsampled as a whole.

    Shape:
        - y_pred: (N, K, h, w); in binary mode (N, 1, h, w).
        - y_true: class ids (N, H, W), or another target that ``loss`` takes.
        - pixel_weights: (N, H, W).
        - result: as of ``loss``.

    Raises:
        TypeError: if ``loss`` is none of this package's.
        ValueError: if ``loss`` wants more than logits and labels (ELR), or if the scores have
            not two spatial dimensions, or do not fit the labels.

    Example:
        >>> import torch
        >>> from segnoise.losses import build_loss
        >>> loss = UpsampledLoss(build_loss("ANL-CE", mode="multiclass", ignore_index=255))
        >>> logits = torch.zeros(2, 21, 16, 16, requires_grad=True)
        >>> loss(logits, torch.randint(21, (2, 64, 64))).backward()
        >>> loss.fused, logits.grad.shape
        (True, torch.Size([2, 21, 16, 16]))
    """

    def __init__(self, loss: SegmentationLoss, align_corners: bool = False) -> None:
        super().__init__()
        if not isinstance(loss, SegmentationLoss):
            raise TypeError(f"loss must be a segmentation loss of segnoise, got {loss!r}")
        if loss.needs:
            raise ValueError(
                f"{type(loss).__name__} wants {', '.join(loss.needs)} too: upsample before it"
            )
        self.loss = loss
        self.align_corners = align_corners
        # Those with their own way to the statistics, such as random labels, go it in full size.
        self.fused = getattr(loss, "plain_labels", False) and loss.mode == "multiclass"

    def forward(
        self, y_pred: Tensor, y_true: Tensor, pixel_weights: Tensor | None = None
    ) -> Tensor:
        """Return the reduced loss; see the class for the shapes."""
        if y_pred.dim() != 4:
            raise ValueError(f"y_pred must be (N, K, h, w), got the shape {tuple(y_pred.shape)}")
        size = y_true.shape[-2:]
        if not self.fused or y_true.is_floating_point():
            whole = F.interpolate(
                y_pred, size=size, mode="bilinear", align_corners=self.align_corners
            )
            result: Tensor = self.loss(whole, y_true, pixel_weights)
            return result
        loss = cast(StatisticsLoss, self.loss)
        # A stand-in for the upsampled logits: their shape, dtype and device, without memory.
        stand_in = y_pred.new_empty(()).expand(*y_pred.shape[:2], *size)
        target = loss.prepare(stand_in, y_true)
        labels, weights = loss.labels_and_weights(target)
        maps = upsampled_statistics(y_pred, labels, loss.core, self.align_corners)
        sums = dict(zip(loss.sums, maps[1:], strict=True))
        statistics = PixelStatistics(maps[0], target.num_classes, sums)
        return loss.reduce(loss.pixel_loss(statistics), target, weights, pixel_weights)

    def extra_repr(self) -> str:
        """Return the arguments that differ from their defaults."""
        return "align_corners=True" if self.align_corners else ""
