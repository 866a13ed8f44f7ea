"""Random changes to image and masks together; the only file that knows albumentations."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from inspect import signature
from typing import Any

import numpy as np

# albumentations asks a server for its newest version at import unless told not to.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations as A
import cv2
from albumentations.augmentations.crops.transforms import CropSizeError

from segnoise.errors import ConfigError, DataError

Sample = dict[str, Any]

IMAGE_FILL = (124, 116, 104)  # the mean of ImageNet: close to 0 after the usual normalisation


class Augment:
    """A chain of albumentations transforms on image, mask and clean mask alike.

    Calling it with a sample and a generator gives a new sample; what is drawn depends on the
    generator only. Masks are sampled by nearest neighbour, and what padding and warps bring into
    the picture is void in the masks.

    Args:
        transforms: What to do in turn: albumentations transforms, or dictionaries such as
            `dict(type="HorizontalFlip", p=0.5)`, also nested ones
            (`dict(type="OneOf", transforms=[...], p=1.0)`).
        ignore_index: What padding and warps fill masks with, where a transform does not say.

    Raises:
        ConfigError: If a name or an argument is unknown (names near ones) or out of range.

    Example:
        >>> augment = Augment([dict(type="HorizontalFlip", p=1.0)])
        >>> sample = {
        ...     "image": np.zeros((2, 2, 3), np.uint8),
        ...     "mask": np.array([[0, 1], [2, 255]], np.uint8),
        ...     "sample_id": "a",
        ... }
        >>> augment(sample, np.random.default_rng(0))["mask"].tolist()
        [[1, 0], [255, 2]]
    """

    def __init__(self, transforms: Sequence[Any], ignore_index: int = 255) -> None:
        self._compose = A.Compose(
            [_build(transform, ignore_index) for transform in transforms],
            additional_targets={"clean_mask": "mask"},
            mask_interpolation=cv2.INTER_NEAREST,
            strict=True,
        )

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with its arrays transformed; other entries pass through.

        Raises:
            DataError: If a transform refuses the sample, such as a crop larger than the image.
        """
        # One stream for the whole chain. Compose.set_random_seed would give every transform
        # a stream of the same seed, so that two flips with p=0.5 always fall together.
        self._compose.set_random_state(rng, random.Random(int(rng.integers(2**63))))
        arrays = {key: value for key, value in sample.items() if isinstance(value, np.ndarray)}
        try:
            return {**sample, **self._compose(**arrays)}
        except (ValueError, CropSizeError) as error:
            raise DataError(
                f"sample {sample.get('sample_id')!r}: {self!r} cannot transform it: {error}"
            ) from error

    def __repr__(self) -> str:
        steps = ", ".join(type(step).__name__ for step in self._compose.transforms)
        return f"{type(self).__name__}({steps})"


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
        height, width = _size(crop_size, "crop_size")
        if len(scale) != 2 or not 0 < scale[0] <= scale[1]:
            raise ConfigError(f"scale={scale!r} must be (least, greatest) with 0 < least")
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
        steps: list[dict[str, Any]] = []
        if size is not None:
            height, width = _size(size, "size")
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


def _size(size: int | Sequence[int], name: str) -> tuple[int, int]:
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if len(sides) != 2 or min(sides) < 1:
        raise ConfigError(f"{name}={size!r} must be (height, width) or one number, at least 1")
    return sides[0], sides[1]


def _build(transform: Any, ignore_index: int) -> Any:
    """Return the albumentations transform that a dictionary describes."""
    if not isinstance(transform, Mapping):
        if not isinstance(transform, (A.BasicTransform, A.BaseCompose)):
            raise ConfigError(f"{transform!r} is no transform: give dict(type=<name>, ...)")
        return transform
    arguments = dict(transform)
    kind = arguments.pop("type", None)
    cls = _lookup(kind) if isinstance(kind, str) else kind
    if not (isinstance(cls, type) and issubclass(cls, (A.BasicTransform, A.BaseCompose))):
        raise ConfigError(f"type={kind!r} in {dict(transform)} names no albumentations transform")
    parameters = signature(cls).parameters
    unknown = [key for key in arguments if key not in parameters]
    if unknown:
        known = list(parameters)
        raise ConfigError(
            f"{cls.__name__}({unknown[0]}=...): no such argument"
            f"{_near(unknown[0], known)}; it takes {', '.join(known)}"
        )
    if "transforms" in arguments:
        arguments["transforms"] = [_build(t, ignore_index) for t in arguments["transforms"]]
    # A default of None means that masks stay as they are (dropout), 0 that they get class 0.
    if "fill_mask" in parameters and parameters["fill_mask"].default is not None:
        arguments.setdefault("fill_mask", ignore_index)
    try:
        return cls(**arguments)
    except (TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{cls.__name__}({arguments}): {reason}") from None


def _lookup(name: str) -> Any:
    known = {
        key: value
        for key, value in vars(A).items()
        if isinstance(value, type) and issubclass(value, (A.BasicTransform, A.BaseCompose))
    }
    if name not in known:
        raise ConfigError(f"albumentations has no transform {name!r}{_near(name, known)}")
    return known[name]


def _near(name: str, known: Any) -> str:
    close = get_close_matches(name, list(known), n=2, cutoff=0.5)
    return f"; did you mean {' or '.join(close)}?" if close else ""
