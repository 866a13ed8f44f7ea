"""What a mask is: an (H, W) array of integer class ids, checked before any noise model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segnoise.checks import check_integer

Mask = NDArray[Any]
"""A label mask: (H, W) class ids of one of `MASK_DTYPES`."""

MASK_DTYPES = tuple(map(np.dtype, (np.uint8, np.uint16, np.int32, np.int64)))

# Float32 counts, which is what OpenCV's histogram holds, are exact up to 2**24.
_HISTOGRAM_PIXELS = 1 << 24


def check_mask(mask: object, name: str = "mask", volume: bool = False) -> Mask:
    """Return a mask, or a volume of them where such may be, as a C-contiguous array.

    Four columns or fewer are no volume, but the channels of a picture.
    """
    if not isinstance(mask, np.ndarray):
        raise TypeError(
            f"{name} is a {type(mask).__name__}, not a NumPy array: pass np.asarray({name})"
        )
    if mask.dtype not in MASK_DTYPES:
        known = ", ".join(map(str, MASK_DTYPES))
        raise TypeError(f"{name} has dtype {mask.dtype}, not one of {known}: convert its class ids")
    if mask.ndim != 2 and not (volume and mask.ndim == 3 and mask.shape[2] > 4):
        raise ValueError(
            f"{name} has shape {mask.shape}, not (height, width): pass one single-channel mask"
        )
    return np.ascontiguousarray(mask)


def one_class_and_void(ids: Mask, ignore_index: int) -> bool:
    """Return whether a mask holds void and one class, and nothing else.

    So does one that is black and white, 0 and 255, where 255 should be a class and is void.
    """
    if not ids.size or ids.max() < ignore_index:  # most masks: one pass
        return False
    if ids.dtype == np.uint8 and ignore_index == 255:
        return bool(ids.min() < 255 and ids.min() + 1 == (ids + np.uint8(1)).max())
    classes = ids[ids != ignore_index]
    return bool(0 < classes.size < ids.size and classes.min() == classes.max())


def check_class_ids(ids: Mask, num_classes: int, ignore_index: int, name: str = "mask") -> None:
    """Raise if a mask holds an id that is neither a class nor void."""
    if ids.size == 0 or (ids.min() >= 0 and ids.max() < num_classes):
        return
    wrong = ids[((ids < 0) | (ids >= num_classes)) & (ids != ignore_index)]
    if wrong.size:
        first = wrong.min()
        raise ValueError(
            f"{name} holds class id {first} ({np.count_nonzero(wrong == first)} pixels), but there "
            f"are {num_classes} classes (0 to {num_classes - 1}) and void {ignore_index}"
        )


def check_storable(value: int, mask: Mask, name: str) -> None:
    """Raise if a mask's dtype cannot hold an id that a noise model may write."""
    limits = np.iinfo(mask.dtype)
    if not limits.min <= value <= limits.max:
        raise ValueError(
            f"{name}={value} does not fit a mask of dtype {mask.dtype}: widen the mask"
        )


def count_labels(mask: Mask) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the labels that a mask holds, in ascending order, and their pixel counts."""
    if mask.dtype != np.uint8:
        values, totals = np.unique(mask, return_counts=True)
        return values.astype(np.int64), totals.astype(np.int64)
    histogram = np.zeros(256, np.int64)
    flat = mask.reshape(1, -1)
    for start in range(0, flat.size, _HISTOGRAM_PIXELS):
        block = flat[:, start : start + _HISTOGRAM_PIXELS]
        histogram += cv2.calcHist([block], [0], None, [256], [0, 256])[:, 0].astype(np.int64)
    labels = np.flatnonzero(histogram)
    return labels.astype(np.int64), histogram[labels]


def check_fill(fill: object, ignore_index: int) -> str | int:
    """Return what lost pixels become: "neighbor", "void" or a class id."""
    if isinstance(fill, str):
        if fill not in ("neighbor", "void"):
            raise ValueError(f'fill must be "neighbor", "void" or a class id, not {fill!r}')
        return fill
    label = check_integer("fill", fill, 0)
    if label == ignore_index:
        raise ValueError(f'fill={label} is the id of void: write fill="void"')
    return label


def check_classes(classes: object, ignore_index: int) -> tuple[int, ...] | None:
    """Return the sorted ids of the classes that a model may touch; None stands for all."""
    if classes is None:
        return None
    if not isinstance(classes, Sequence) or isinstance(classes, str) or not classes:
        raise TypeError(f"classes must be None or a list or tuple of class ids, not {classes!r}")
    ids = sorted({check_integer("class id in classes", label, 0) for label in classes})
    if ignore_index in ids:
        raise ValueError(f"classes lists {ignore_index}, which is void and never changes")
    return tuple(ids)


def is_any_of(mask: Mask, classes: Sequence[int]) -> NDArray[np.bool_]:
    """Return where a mask holds one of the given classes."""
    if mask.dtype != np.uint8:
        return np.isin(mask, classes)
    table = np.isin(np.arange(256), classes).astype(np.uint8)
    # As one row: OpenCV would take a volume's columns for channels.
    return cv2.LUT(mask.reshape(1, -1), table).view(np.bool_).reshape(mask.shape)


def planes(mask: Mask) -> Mask:
    """Return the slices of a volume; a mask as the only slice."""
    return mask.reshape(-1, *mask.shape[-2:])


def check_void(ignore_index: object, num_classes: int) -> int:
    """Return the id of void, which must not be one of the classes."""
    void = check_integer("ignore_index", ignore_index)
    if 0 <= void < num_classes:
        raise ValueError(
            f"ignore_index={void} is one of the {num_classes} classes (0 to {num_classes - 1}): "
            "void needs an id of its own, such as 255"
        )
    return void
