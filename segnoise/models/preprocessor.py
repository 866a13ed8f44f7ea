"""From a batch of bytes to what a network reads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from segnoise.checks import check_float, check_integer
from segnoise.errors import ConfigError, DataError
from segnoise.methods.training_step import pad_to_multiple

IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)
_LEAST_STD = 1e-6  # of the mean: less is rounding, of a constant channel


class Preprocessor(BaseDataPreprocessor):
    r"""Move a batch to the device, normalise its images, and pad training batches.

    .. math:: x' = (x - \mathrm{mean}) / \mathrm{std}

    per channel. Bytes travel as they are and become float32 on the device. In training, images
    and masks are padded at the bottom and right to a multiple of ``size_divisor``: images with
    0 (the mean colour), masks with ``ignore_index``, cells with -1. In evaluation the inference
    pads, since it may resize first.

    Args:
        mean: per-channel mean, in the images' own numbers. Default: ImageNet's, of 0..255.
        std: per-channel standard deviation, likewise.
        normalize: where mean and std come from: "given" are those above; "image" takes each
            image's own, over all its pixels (z-score; of a constant channel 0 is left); a range
            (low, high) becomes 0..1; "dataset" are those of the training images, which a training
            measures (``set_statistics``) and its checkpoints keep.
        channels: how many "dataset" has.
        size_divisor: what height and width become a multiple of; most encoders reduce by 32.
        ignore_index: value of padded mask pixels.
        channels_last: lay the images out as NHWC in memory, which GPUs with tensor cores and
            recent CPUs prefer.

    Raises:
        ConfigError: if mean and std differ in length or a std is not positive.
        DataError: for a batch of images of another number of channels, or of floats that hold NaN
            or inf, or are no numbers of 0..255 where three given means are.

    Example:
        >>> batch = dict(image=torch.zeros(1, 3, 30, 32, dtype=torch.uint8))
        >>> Preprocessor()(batch, training=True)["image"].shape
        torch.Size([1, 3, 32, 32])
    """

    def __init__(
        self,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        size_divisor: int = 32,
        ignore_index: int = 255,
        channels_last: bool = False,
        normalize: str | Sequence[float] = "given",
        channels: int = 3,
    ) -> None:
        super().__init__(non_blocking=True)
        self.per_image = normalize == "image"
        if not isinstance(normalize, str):
            low, high = _range_of(normalize)
            mean, std = [low], [high - low]
        elif normalize not in (kinds := ("given", "image", "dataset")):
            raise ConfigError(f"normalize={normalize!r}: give one of {kinds}, or (low, high)")
        for name, values in (("mean", mean), ("std", std)):
            if isinstance(values, str) or not isinstance(values, Sequence) or not values:
                raise ConfigError(f"{name} must be a list of a number a channel, not {values!r}")
        if len(mean) != len(std):
            raise ConfigError(f"mean has {len(mean)} channels, std {len(std)}")
        means = [check_float("mean", value) for value in mean]
        stds = [check_float("std", value, above=0) for value in std]
        kept = normalize == "dataset"
        rgb = len(means) == 3 and min(means) > 1 and max(means) <= 255
        self._of_bytes = normalize == "given" and rgb
        if kept:
            means = stds = [math.nan] * check_integer("channels", channels, 1)
        self.register_buffer("mean", torch.tensor(means).view(-1, 1, 1), persistent=kept)
        self.register_buffer("std", torch.tensor(stds).view(-1, 1, 1), persistent=kept)
        self.size_divisor = check_integer("size_divisor", size_divisor, 1, 2**12)
        self.ignore_index = check_integer("ignore_index", ignore_index)
        self.channels_last = channels_last

    @property
    def lacks_statistics(self) -> bool:
        """Whether mean and std are those of a data set that has not been measured."""
        return bool(self.mean.isnan().any())

    def set_statistics(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Take measured numbers, one a channel, from now on.

        Raises:
            ConfigError: if they are of another number of channels.
        """
        if not len(mean) == len(std) == len(self.mean):
            raise ConfigError(
                f"{len(mean)} means and {len(std)} stds for images of {len(self.mean)} channels"
            )
        for buffer, values in ((self.mean, mean), (self.std, std)):
            buffer.copy_(torch.tensor(values).view(-1, 1, 1))
        self.std.copy_(_divisor(self.std, self.mean))

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Return the batch with a normalised float32 image on the device.

        Args:
            data: image (N, C, H, W) uint8, or floats in the range of mean and std; mask,
                clean_mask and cells (N, H, W) where known; other entries pass through.
            training: pad to a multiple of ``size_divisor``.
        """
        batch = dict(self.cast_data(data))
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        image = batch["image"].contiguous(memory_format=layout)
        channels = len(self.mean)
        if not self.per_image:
            if channels not in (1, image.shape[1]):
                raise DataError(
                    f"images have {image.shape[1]} channels, mean and std {channels}; give "
                    "model.preprocessor as many numbers for mean and std, or normalize='dataset'"
                )
            if image.is_floating_point():
                self._check_floats(image)
        batch["image"] = self.normalized(image)
        if self.per_image and not batch["image"].isfinite().all():
            raise DataError("images hold NaN or inf; replace them where they are read")
        if training:
            for key, fill in (
                ("image", 0),
                ("mask", self.ignore_index),
                ("clean_mask", self.ignore_index),
                ("cells", -1),
            ):
                if key in batch:
                    batch[key] = pad_to_multiple(batch[key], self.size_divisor, fill)
        return batch

    def normalized(self, image: Tensor) -> Tensor:
        """Images (N, C, H, W) less their mean, over their std; nothing is looked at or padded."""
        image = image.float()
        if not self.per_image:
            return (image - self.mean).div_(self.std)
        std, mean = torch.std_mean(image, (2, 3), correction=0, keepdim=True)
        return (image - mean).div_(_divisor(std, mean))

    def _check_floats(self, image: Tensor) -> None:
        """Refuse what would train as black images, or as NaN, without a word."""
        low, high = (float(value) for value in image.aminmax())
        if not (math.isfinite(low) and math.isfinite(high)):
            raise DataError("images hold NaN or inf; replace them where they are read")
        if self._of_bytes and (low < 0 or 0 < high <= 1):
            raise DataError(
                f"images lie in {low:g}..{high:g}, mean and std in 0..255: give bytes that are not "
                "normalised, or model.preprocessor the images' own mean and std"
            )


def _divisor(std: Tensor, mean: Tensor) -> Tensor:
    """Standard deviations, 1 where a channel is constant."""
    return torch.where(std > _LEAST_STD * mean.abs(), std, torch.ones_like(std))


def _range_of(value: object) -> tuple[float, float]:
    if isinstance(value, Sequence) and len(value) == 2:
        low, high = (check_float("normalize", each) for each in value)
        if low < high:
            return low, high
    raise ConfigError(f"normalize={value!r} must be (low, high) with low < high")
