"""The usual augmentations of segmentation, by their parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2

from segnoise.checks import check_flag, check_rate, check_sides
from segnoise.datasets.transforms import Augment
from segnoise.errors import ConfigError

IMAGE_FILL = (124, 116, 104)  # the mean of ImageNet: close to 0 after the usual normalisation


class RandomScaleCrop(Augment):
    """The recipe of street and object scenes: scale, crop, flip, change colours.

    The image is scaled by a factor drawn evenly from `scale`, padded where it is smaller than
    the crop, cropped at a random place, flipped, and its colours changed.

    Args:
        crop_size: (height, width) of the result, or one number for both.
        scale: Least and greatest factor.
        flip: Probability of a horizontal flip.
        color_jitter: Change brightness, contrast, saturation and hue (in 4 of 5 images).
        ignore_index: What padding puts into masks.

    Raises:
        ConfigError: If a size or a factor is not positive.
    """

    def __init__(
        self,
        crop_size: int | Sequence[int],
        scale: Sequence[float] = (0.5, 2.0),
        flip: float = 0.5,
        color_jitter: bool = True,
        ignore_index: int = 255,
    ) -> None:
        height, width = check_sides("crop_size", crop_size)
        pair = scale if isinstance(scale, (list, tuple)) and len(scale) == 2 else (0, 0)
        if not all(isinstance(s, (int, float)) for s in pair) or not 0 < pair[0] <= pair[1] <= 100:
            raise ConfigError(
                f"scale must be (least, greatest) above 0 and at most 100, not {scale!r}"
            )
        check_rate("flip", flip)
        check_flag("color_jitter", color_jitter)
        steps = [
            {"type": "RandomScale", "scale_limit": (scale[0] - 1, scale[1] - 1), "p": 1.0},
            {
                "type": "RandomCrop",
                "height": height,
                "width": width,
                "pad_if_needed": True,
                "fill": IMAGE_FILL,
                "p": 1.0,
            },
            {"type": "HorizontalFlip", "p": flip},
        ]
        super().__init__(steps + _jitter(color_jitter), ignore_index)


class ResizeFlip(Augment):
    """Bring images to one size and flip them: for small runs, and images of equal framing.

    Args:
        size: (height, width) of the result, or one number for both; None keeps each image's.
        flip: Probability of a horizontal flip.
        vertical_flip: Probability of a vertical flip.
        color_jitter: Change brightness, contrast, saturation and hue (in 4 of 5 images).

    Raises:
        ConfigError: If a size is not positive or a probability not in 0..1.
    """

    def __init__(
        self,
        size: int | Sequence[int] | None = None,
        flip: float = 0.5,
        vertical_flip: float = 0.0,
        color_jitter: bool = False,
    ) -> None:
        check_rate("flip", flip)
        check_rate("vertical_flip", vertical_flip)
        check_flag("color_jitter", color_jitter)
        steps: list[dict[str, Any]] = []
        if size is not None:
            height, width = check_sides("size", size)
            # area: shrinking by plain bilinear sampling would skip pixels
            steps.append(
                {
                    "type": "Resize",
                    "height": height,
                    "width": width,
                    "interpolation": cv2.INTER_AREA,
                    "p": 1.0,
                }
            )
        steps.append({"type": "HorizontalFlip", "p": flip})
        if vertical_flip:
            steps.append({"type": "VerticalFlip", "p": vertical_flip})
        super().__init__(steps + _jitter(color_jitter))


def _jitter(wanted: bool) -> list[dict[str, Any]]:
    if not wanted:
        return []
    return [
        {
            "type": "ColorJitter",
            "brightness": (0.8, 1.2),
            "contrast": (0.7, 1.3),
            "saturation": (0.7, 1.3),
            "hue": (-0.05, 0.05),
            "p": 0.8,
        }
    ]
