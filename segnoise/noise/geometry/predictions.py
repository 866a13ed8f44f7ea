"""A model's two most probable classes at every pixel, saved by sample: writer and reader."""

from __future__ import annotations

import os
import uuid
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray


class NoPredictionError(FileNotFoundError, ValueError):
    """A sample without a saved prediction: no file, and no noise that fits."""


def prediction_path(folder: str | os.PathLike[str], sample_id: str) -> Path:
    """Return the file of a sample's predictions: `<folder>/<sample_id>.npz`.

    Args:
        folder: The predictions of one model on one data set.
        sample_id: The sample's name; slashes stand for subfolders.

    Raises:
        ValueError: If the name would lead out of the folder.

    Example:
        >>> from segnoise.noise.geometry.predictions import prediction_path
        >>> prediction_path("top2", "aachen/000001.v2").as_posix()
        'top2/aachen/000001.v2.npz'
    """
    name = PurePosixPath(sample_id)
    if not name.parts or name.is_absolute() or ".." in name.parts:
        raise ValueError(f"sample_id={sample_id!r} names no file within {os.fspath(folder)}")
    return Path(folder, f"{sample_id}.npz")


def save_top2(path: str | os.PathLike[str], probabilities: NDArray[Any]) -> None:
    """Save the two most probable classes of each pixel, for `FeatureDependent`.

    The file holds `labels`, (2, H, W) class ids, the best first (of equals, the lower id), and
    `probabilities`, (2, H, W) float16. It appears whole or not at all; folders are made.

    Args:
        path: Where to write, such as `prediction_path(folder, sample_id)`; ends in .npz.
        probabilities: (K, H, W) floats, K at least 2: class probabilities, such as a softmax.

    Raises:
        TypeError: If the probabilities are no array of floats.
        ValueError: If they have another shape or are not within [0, 1] (logits, for example), or
            the path does not end in .npz.

    Example:
        >>> import tempfile, numpy as np
        >>> from segnoise.noise.geometry.predictions import load_top2, save_top2
        >>> probabilities = np.array([[[0.25]], [[0.5]], [[0.125]]])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_top2(f"{folder}/a/b.npz", probabilities)
        ...     labels, probabilities = load_top2(f"{folder}/a/b.npz", (1, 1), num_classes=3)
        >>> labels.ravel().tolist(), probabilities.ravel().tolist()
        ([1, 0], [0.5, 0.25])
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise ValueError(f"{path} must end in .npz")
    if not isinstance(probabilities, np.ndarray) or probabilities.dtype.kind != "f":
        kind = getattr(probabilities, "dtype", type(probabilities).__name__)
        raise TypeError(f"probabilities must be an array of floats, not {kind}")
    if probabilities.ndim != 3 or len(probabilities) < 2:
        raise ValueError(f"probabilities have shape {probabilities.shape}, not (K >= 2, H, W)")
    # A softmax may exceed 1 by rounding; NaN fails the comparison.
    if not (probabilities.min(initial=0) >= 0 and probabilities.max(initial=0) <= 1.001):
        raise ValueError("probabilities must be from 0 to 1: apply the softmax to logits first")
    labels, best = _top2(probabilities)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{uuid.uuid4().hex}.npz")
    try:
        np.savez_compressed(temporary, labels=labels, probabilities=best)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load_top2(
    path: str | os.PathLike[str], shape: tuple[int, ...], num_classes: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Read what `save_top2` wrote, or another program in the same format."""
    remedy = "save the model's predictions on this data set again with save_top2"
    if not Path(path).is_file():
        raise NoPredictionError(f"{path}: no saved prediction: {remedy}")
    try:
        # np.load would read an array of any kind under this name.
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as file:
            labels, probabilities = file["labels"], file["probabilities"]
    except (KeyError, OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} is no file of saved predictions ({error}): {remedy}") from None
    problem = _problem(labels, probabilities, shape, num_classes)
    if problem:
        raise ValueError(f"{path}: {problem}: {remedy}")
    return labels, probabilities


def _top2(probabilities: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.float16]]:
    """Return the labels and probabilities of the best two classes, class by class to save memory.

    Comparisons are those of the given type; only the result is rounded to float16.
    """
    shape = (2, *probabilities.shape[1:])
    labels = np.zeros(shape, np.min_scalar_type(len(probabilities) - 1))
    best = np.full(shape, -1, probabilities.dtype)
    for label, probability in enumerate(probabilities):
        first, second = probability > best[0], probability > best[1]
        for array, value in ((labels, label), (best, probability)):
            np.copyto(array[1], value, where=second)
            np.copyto(array[1], array[0], where=first)
            np.copyto(array[0], value, where=first)
    return labels, (np.minimum(best, 1) + 0.0).astype(np.float16)  # + 0.0: no negative zeros


def _problem(
    labels: NDArray[Any], probabilities: NDArray[Any], shape: tuple[int, ...], num_classes: int
) -> str | None:
    """Return what is wrong with the content of a file."""
    for name, array in (("labels", labels), ("probabilities", probabilities)):
        if array.shape != (2, *shape):
            return f"{name} have shape {array.shape}, but the mask needs {(2, *shape)}"
    if labels.dtype.kind not in "iu" or probabilities.dtype not in (np.float16, np.float32):
        return (
            f"labels are {labels.dtype} and probabilities {probabilities.dtype}, not integers "
            "and float16 or float32"
        )
    low, high = labels.min(), labels.max()
    if low < 0 or high >= num_classes:
        return f"class id {low if low < 0 else high} is none of the {num_classes} classes"
    if (labels[0] == labels[1]).any():
        return "the best and the second best class are the same somewhere"
    # The bits of floats from 0 to 1 have the order of the numbers; those of all others are larger.
    bits = probabilities.view(f"u{probabilities.itemsize}")
    if bits.max() > np.ones(1, probabilities.dtype).view(bits.dtype)[0]:
        return "probabilities are not all from 0 to 1"
    if (bits[0] < bits[1]).any():
        return "the second class is more probable than the first somewhere"
    return None
