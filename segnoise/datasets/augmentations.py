"""Random changes to image and masks together; the only file that knows albumentations."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from inspect import signature
from typing import Annotated, Any

import numpy as np

# albumentations asks a server for its newest version at import unless told not to.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations as A
import cv2
from albumentations.core.transforms_interface import BaseTransformInitSchema
from albumentations.core.type_definitions import Targets
from pydantic import BeforeValidator
from torch.utils.data import get_worker_info

from segnoise.checks import check_flag, check_rate, check_sides
from segnoise.errors import ConfigError, DataError, SegnoiseError
from segnoise.naming import near
from segnoise.noise import Noise, build_noise, generator
from segnoise.registry import Registry

Sample = dict[str, Any]

_KINDS = (A.BasicTransform, A.BaseCompose)
TRANSFORMS = Registry("transform")
"""The augmentations that configs can name; ``@TRANSFORMS.register`` adds one."""


@TRANSFORMS.register
class Augment:
    """A chain of albumentations transforms on image, mask, clean mask and cells alike.

    Calling it with a sample and a generator gives a new sample; what is drawn depends on the
    generator only. Masks are sampled by nearest neighbour, and what padding and warps bring into
    the picture is void in the masks.

    Images of uint16, int16 and float32, of any number of bands, are changed as float32 and come
    back in their own type. albumentations clips such numbers to 0..1 wherever it changes colours:
    transforms that do are refused for them.

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
        steps = [_build(transform, ignore_index) for transform in transforms]
        self._of_bytes = sorted({type(step).__name__ for step in _single(steps) if _of_bytes(step)})
        self._compose = A.Compose(
            steps,
            additional_targets={"clean_mask": "mask", "cells": "mask"},
            mask_interpolation=cv2.INTER_NEAREST,
            strict=True,
        )

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with its arrays transformed; other entries pass through."""
        dtype = sample["image"].dtype
        if dtype != np.uint8:
            sample = {**sample, "image": self._as_numbers(sample)}
        # One stream for the whole chain. Compose.set_random_seed would give every transform
        # a stream of the same seed, so that two flips with p=0.5 always fall together.
        self._compose.set_random_state(rng, random.Random(int(rng.integers(2**63))))
        arrays = {key: value for key, value in sample.items() if isinstance(value, np.ndarray)}
        try:
            changed = {**sample, **self._compose(**arrays)}
        except (SegnoiseError, MemoryError):
            raise
        # Each transform fails in a way of its own on what it cannot do: a crop larger than the
        # image, a filter wider than it, a mask that is no array.
        except Exception as error:
            size = "x".join(map(str, sample["image"].shape[1::-1]))
            raise DataError(
                f"sample {sample.get('sample_id')!r}: {self!r} cannot transform its {size} pixels: "
                f"{' '.join(str(error).split()) or type(error).__name__}"
            ) from error
        if dtype != changed["image"].dtype and dtype != np.uint8:
            changed["image"] = as_numbers_of(dtype, changed["image"])
        return changed

    def _as_numbers(self, sample: Sample) -> np.ndarray:
        """The image as float32."""
        if self._of_bytes:
            raise DataError(
                f"sample {sample.get('sample_id')!r}: {', '.join(self._of_bytes)} would clip its "
                f"{sample['image'].dtype} numbers to 0..1, since albumentations changes colours of "
                "8 bits: leave it out (RandomScaleCrop and ResizeFlip: color_jitter=False)"
            )
        return np.asarray(sample["image"], np.float32)

    def __repr__(self) -> str:
        steps = ", ".join(type(step).__name__ for step in self._compose.transforms)
        return f"{type(self).__name__}({steps})"


class MaskNoise(A.DualTransform):
    """A noise model as an albumentations transform: it corrupts `mask` and `masks`, nothing else.

    Without a seed the noise is **drawn anew at every call**, so in every epoch, from the
    pipeline's generator and the mask's content (albumentations gives all steps of a pipeline
    generators of one seed): label noise as augmentation. In a worker process of a DataLoader that
    was not given its generator for the call, as `Augment` gives it, the worker's seed counts too:
    every epoch's workers begin with the same copy of the pipeline's generator, but torch gives
    them new seeds, which follow `torch.manual_seed`. A network sees many versions of a mask and
    can average their errors away, which no training on a fixed noisy data set can; for that, wrap
    the data set in `NoisyLabels`. With a seed the noise is a function of the seed and the mask's
    content: the same mask always becomes the same noisy one. Random crops or flips before it make
    other masks, so put it first.

    Images, boxes, keypoints and additional targets (such as `clean_mask`) pass unchanged. Masks of
    volumes (`mask3d`, `masks3d`) are refused: noise models are of two dimensions.

    Args:
        noise: A noise model, or its config. It may look at the image, but at nothing else
            beside the mask: pipelines carry no instances and no other masks.
        seed: None, or an integer.
        p: Probability that a sample is corrupted.

    Raises:
        ConfigError: If the noise cannot be built, or needs what a pipeline does not have; at a
            call, if there are masks of volumes.

    Example:
        >>> step = MaskNoise(dict(type="SymmetricFlip", rate=1.0, num_classes=2))
        >>> pipeline = A.Compose([step, A.HorizontalFlip(p=0.5)], seed=0, strict=True)
        >>> mask = np.zeros((2, 4), np.uint8)
        >>> pipeline(image=np.zeros((2, 4, 3), np.uint8), mask=mask)["mask"].tolist()
        [[1, 1, 1, 1], [1, 1, 1, 1]]
        >>> A.from_dict(A.to_dict(pipeline)).transforms[0].noise == step.noise
        True
    """

    _targets = (Targets.IMAGE, Targets.MASK, Targets.BBOXES, Targets.KEYPOINTS)

    class InitSchema(BaseTransformInitSchema):
        """What albumentations checks the arguments against."""

        # As plain data: albumentations dumps the checked arguments, and would take models apart.
        noise: Annotated[Any, BeforeValidator(lambda n: n.to_dict() if isinstance(n, Noise) else n)]
        seed: int | None

    def __init__(
        self, noise: Noise | Mapping[str, Any], seed: int | None = None, p: float = 1.0
    ) -> None:
        super().__init__(p=p)
        try:
            self.noise = build_noise(noise)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"MaskNoise: {error}") from error
        if missing := sorted(self.noise.needs - {"image"}):
            raise ConfigError(
                f"{self.noise!r} needs {', '.join(missing)}, which pipelines do not carry: wrap "
                "the data set in NoisyLabels instead"
            )
        # albumentations keeps its own generator's seed as `self.seed`
        self.noise_seed = seed

    def set_random_seed(self, seed: int | None) -> None:
        """Draw from a generator of this seed from now on."""
        super().set_random_seed(seed)
        self._given = False

    def set_random_state(
        self, random_generator: np.random.Generator, py_random: random.Random
    ) -> None:
        """Draw from these generators, which then decide alone, in whichever process."""
        super().set_random_state(random_generator, py_random)
        self._given = True

    def get_params(self) -> dict[str, Any]:
        """Draw the seed of this call; replays take it from the record."""
        call, worker = int(self.random_generator.integers(2**63)), get_worker_info()
        if worker is not None and not self._given:
            call = int(generator("worker", worker.seed, call).integers(2**63))
        return {"call": call}

    def apply_with_params(
        self, params: dict[str, Any], *args: Any, **kwargs: Any
    ) -> dict[str, Any]:
        """Corrupt `mask` and `masks`; the image is what the model may look at."""
        sources = {name: kwargs.get(name) for name in self.noise.needs}
        for volume in ("mask3d", "masks3d"):
            if kwargs.get(volume) is not None:
                raise ConfigError(
                    f"MaskNoise cannot corrupt {volume}: give the slices of a volume as masks"
                )

        def noisy(mask: np.ndarray, number: int) -> np.ndarray:
            content = hashlib.blake2b(np.ascontiguousarray(mask).data).hexdigest()
            if self.noise_seed is None:
                # The content, because two steps of a pipeline may draw the same number.
                rng = generator("call", params["call"], number, content)
            else:
                rng = generator(self.noise_seed, str(mask.shape), content)
            return self.noise(mask, rng, **sources)

        result = dict(kwargs)
        if kwargs.get("mask") is not None:
            result["mask"] = noisy(kwargs["mask"], 0)
        if kwargs.get("masks") is not None:
            several = [noisy(mask, number) for number, mask in enumerate(kwargs["masks"], 1)]
            given = kwargs["masks"]
            result["masks"] = np.stack(several) if isinstance(given, np.ndarray) else several
        return result

    def get_transform_init_args(self) -> dict[str, Any]:
        """Return the arguments as plain data, for `to_dict`, `save` and `repr`."""
        return {"noise": self.noise.to_dict(), "seed": self.noise_seed}


def as_augment(transform: Any) -> Augment | None:
    """Return an albumentations transform or pipeline as an Augment; None for anything else."""
    return Augment([transform]) if isinstance(transform, _KINDS) else None


# They change images alone, and all numbers as they are.
_OF_ALL_NUMBERS = (A.Blur, A.ChannelDropout, A.ChannelShuffle, A.Lambda, A.NoOp)


def _of_bytes(step: Any) -> bool:
    return isinstance(step, A.ImageOnlyTransform) and type(step) not in _OF_ALL_NUMBERS


def _single(steps: Sequence[Any]) -> Iterator[Any]:
    """All transforms in a list, those inside others included."""
    for step in steps:
        if isinstance(step, A.BaseCompose):
            yield from _single(step.transforms)
        else:
            yield step


def as_numbers_of(dtype: np.dtype[Any], image: np.ndarray) -> np.ndarray:
    """Return float numbers as another type, rounded and clipped to it if it is of integers."""
    if dtype.kind == "f":
        return image.astype(dtype)
    bounds = np.iinfo(dtype)
    return np.rint(image).clip(bounds.min, bounds.max).astype(dtype)


def _build(transform: Any, ignore_index: int) -> Any:
    """Return the albumentations transform that a dictionary describes."""
    if not isinstance(transform, Mapping):
        if not isinstance(transform, _KINDS):
            raise ConfigError(f"{transform!r} is no transform: give dict(type=<name>, ...)")
        return transform
    arguments = dict(transform)
    kind = arguments.pop("type", None)
    cls = kind
    if isinstance(kind, str):
        ours = {**vars(A), "MaskNoise": MaskNoise}
        names = [name for name, thing in ours.items() if _is_transform(thing)]
        if kind not in names:
            raise ConfigError(f"albumentations has no transform {kind!r}{near(kind, names, 2)}")
        cls = ours[kind]
    if not _is_transform(cls):
        raise ConfigError(f"type={kind!r} in {dict(transform)} names no albumentations transform")
    parameters = signature(cls).parameters
    unknown = [key for key in arguments if key not in parameters]
    if unknown:
        known = list(parameters)
        raise ConfigError(
            f"{cls.__name__}({unknown[0]}=...): no such argument"
            f"{near(unknown[0], known, 2)}; it takes {', '.join(known)}"
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


def _is_transform(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, _KINDS)


IMAGE_FILL = (124, 116, 104)  # the mean of ImageNet: close to 0 after the usual normalisation


@TRANSFORMS.register
class RandomScaleCrop(Augment):
    """The recipe of street and object scenes: scale, crop, flip, change colours.

    The image is scaled by a factor drawn evenly from `scale`, padded where it is smaller than
    the crop, cropped at a random place, flipped, and its colours changed. 8-bit RGB is padded with
    ImageNet's mean colour, other images with their own means.

    Args:
        crop_size: (height, width) of the result, or one number for both.
        scale: Least and greatest factor.
        flip: Probability of a horizontal flip.
        color_jitter: Change brightness, contrast, saturation and hue (in 4 of 5 images); for 8-bit
            RGB only.
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
        resize = A.RandomScale((scale[0] - 1, scale[1] - 1), p=1.0)
        rest = [A.HorizontalFlip(flip), *_jitter(color_jitter)]
        crops = [
            A.RandomCrop(
                height, width, pad_if_needed=True, fill=fill, fill_mask=ignore_index, p=1.0
            )
            for fill in (IMAGE_FILL, 0)
        ]
        super().__init__([resize, crops[0], *rest])
        self._numbers = Augment([resize, crops[1], *rest])

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """See `Augment`; what is not 8-bit RGB is padded with its own means."""
        image = sample["image"]
        if image.dtype == np.uint8 and image.shape[2] == 3:
            return super().__call__(sample, rng)
        mean = image.mean((0, 1), dtype=np.float32)
        centred = {**sample, "image": image.astype(np.float32) - mean}
        found = self._numbers(centred, rng)
        return {**found, "image": as_numbers_of(image.dtype, found["image"] + mean)}


@TRANSFORMS.register
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
        steps: list[Any] = []
        if size is not None:
            # area: shrinking by plain bilinear sampling would skip pixels
            steps.append(A.Resize(*check_sides("size", size), interpolation=cv2.INTER_AREA, p=1.0))
        steps.append(A.HorizontalFlip(flip))
        if vertical_flip:
            steps.append(A.VerticalFlip(vertical_flip))
        super().__init__(steps + _jitter(color_jitter))


def _jitter(wanted: bool) -> list[Any]:
    if not wanted:
        return []
    contrast = saturation = (0.7, 1.3)
    return [A.ColorJitter((0.8, 1.2), contrast, saturation, hue=(-0.05, 0.05), p=0.8)]
