"""What a data set and a transform may return; see docs/contract.md."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from segnoise.datasets.base import Sample
from segnoise.errors import DataError

_MAPS = ("mask", "clean_mask", "cells")  # (H, W), which move with the image
_NUMBERS = ("uint8", "uint16", "int16", "float32")
_NORMALISED = "leave Normalize and ToFloat out: the model's preprocessor normalises images"
_TENSORS = "leave ToTensorV2 and the like out: batches become tensors later"


def check_sample(sample: Sample, transformed: bool = True) -> None:
    """Raise unless a batch can be made of a sample; looks at types and shapes, at no pixel.

    Example:
        >>> image = np.zeros((4, 6, 3))
        >>> check_sample(dict(image=image, mask=np.zeros((4, 6), np.uint8), sample_id="a"))
        Traceback (most recent call last):
        segnoise.errors.DataError: sample 'a': image is float64; return it as uint8, uint16, int16 \
or float32
    """
    if not isinstance(sample, Mapping):
        raise DataError(
            f"a sample is a {type(sample).__name__}; return dict(image=, mask=, sample_id=)"
        )
    name = sample.get("sample_id")
    if lacks := [key for key in ("image", "mask", "sample_id") if key not in sample]:
        kept = "{**sample, ...} with what has changed"
        raise DataError(
            f"sample {name!r} has no {', '.join(lacks)}, but {', '.join(map(str, sample))}; return "
            f"{kept if transformed else 'dict(image=, mask=, sample_id=)'}"
        )
    image = _array(sample, "image", 3, "(H, W, C)")
    for key in _MAPS:
        if key not in sample:
            continue
        array = _array(sample, key, 2, "(H, W)")
        if array.shape != image.shape[:2]:
            sizes = ["x".join(map(str, part.shape[1::-1])) for part in (array, image)]
            remedy = "transform both alike" if transformed else "give both one size"
            raise DataError(f"sample {name!r}: {key} is {sizes[0]}, image {sizes[1]}; {remedy}")


def _array(sample: Sample, key: str, dims: int, axes: str) -> np.ndarray:
    array, name = sample[key], sample["sample_id"]
    if not isinstance(array, np.ndarray):
        kind = f"{type(array).__name__}"
        raise DataError(f"sample {name!r}: {key} is a {kind} and no NumPy array; {_TENSORS}")
    if array.ndim != dims:
        raise DataError(f"sample {name!r}: {key} has the shape {array.shape}; return it as {axes}")
    if key == "image" and array.dtype not in _NUMBERS:
        kinds = " or ".join((", ".join(_NUMBERS[:-1]), _NUMBERS[-1]))
        raise DataError(f"sample {name!r}: image is {array.dtype}; return it as {kinds}")
    if key != "image" and array.dtype.kind not in "uib":
        raise DataError(
            f"sample {name!r}: {key} is {array.dtype}; labels are whole numbers: resize by "
            "INTER_NEAREST"
        )
    return array


def check_labels(
    sample: Sample, num_classes: int, ignore_index: int, transformed: bool = True
) -> None:
    """Raise unless all ids of a sample's masks are classes or void; see `check_sample`."""
    remedy = "give the data set all classes and the ignore_index, or mend the mask"
    if transformed:
        remedy = (
            f"a transform fills with void by fill_mask={ignore_index} and resizes masks by "
            "INTER_NEAREST"
        )
    for key in ("mask", "clean_mask"):
        if key in sample and (what := unknown_label(sample[key], num_classes, ignore_index)):
            raise DataError(f"sample {sample['sample_id']!r}: {key} {what}; {remedy}")


def unknown_label(mask: np.ndarray, num_classes: int, ignore_index: int) -> str | None:
    """Say in words which id of a mask is neither a class nor void; None if all are.

    Example:
        >>> unknown_label(np.array([[0, 255, 7]]), num_classes=3, ignore_index=255)
        'holds 7, neither a class (0..2) nor void (255)'
    """
    wrong = mask[(mask != ignore_index) & ((mask < 0) | (mask >= num_classes))]
    if not len(wrong):
        return None
    return f"holds {wrong[0]}, neither a class (0..{num_classes - 1}) nor void ({ignore_index})"


def check_kept(view: Sample, sample: Sample) -> None:
    """Raise unless a transform has kept all entries of a sample that batches are made of."""
    gone = [key for key in ("image", "sample_id", *_MAPS) if key in sample and key not in view]
    if gone:
        raise DataError(
            f"sample {sample['sample_id']!r} comes back without {', '.join(gone)}; return "
            "{**sample, ...} with what has changed, and change clean_mask and cells as mask"
        )
    kinds = [str(each["image"].dtype) for each in (sample, view)]
    if kinds[0] != kinds[1]:
        raise DataError(
            f"sample {sample['sample_id']!r} comes back with an image of {kinds[1]}, it was "
            f"{kinds[0]}; {_NORMALISED}"
        )
