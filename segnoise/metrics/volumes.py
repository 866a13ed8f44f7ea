"""Scores of whole volumes: overlap, and how near surfaces lie to each other in millimetres."""

from __future__ import annotations

import importlib
import math
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.dist import all_gather_object, get_dist_info
from numpy.typing import NDArray

from segnoise.errors import ConfigError


def volume_scores(
    prediction: NDArray[Any],
    target: NDArray[Any],
    num_classes: int,
    spacing: Sequence[float],
    tolerance: float,
    ignore_index: int = 255,
) -> list[dict[str, float | None]]:
    r"""Scores of each class in a volume.

    .. math:: \mathrm{surface\ Dice} = \frac{|\{x \in S_P : d(x, S_T) \le \tau\}|
        + |\{x \in S_T : d(x, S_P) \le \tau\}|}{|S_P| + |S_T|}

    where S are the voxels of a region that touch others by a face, or the volume's end, and d is
    the Euclidean distance of their centers (Nikolov et al., arXiv 1809.04430, on voxels). Where
    the target is void, neither counts.

    Args:
        prediction: (D, H, W) class ids.
        target: likewise, or ``ignore_index``.
        num_classes: K.
        spacing: millimetres along each axis.
        tolerance: tau, in millimetres.
        ignore_index: label of void.

    Returns:
        Of each class IoU, Dice and surface_dice in 0..1, None where neither has it; of a class
        that only one has, 0.

    Raises:
        ConfigError: if SciPy is not installed.

    Example:
        >>> target = np.zeros((3, 5, 5), np.uint8)
        >>> target[1, 1:4, 1:4] = 1
        >>> moved = np.roll(target, 1, axis=2)
        >>> volume_scores(moved, target, 2, (3, 1, 1), tolerance=1)[1]
        {'IoU': 0.5, 'Dice': 0.6666666666666666, 'surface_dice': 1.0}
    """
    valid = target != ignore_index
    found = []
    for label in range(num_classes):
        one, other = (prediction == label) & valid, (target == label) & valid
        both, sizes = int((one & other).sum()), int(one.sum()) + int(other.sum())
        found.append(
            {
                "IoU": both / (sizes - both) if sizes else None,
                "Dice": 2 * both / sizes if sizes else None,
                "surface_dice": _surface_dice(one, other, spacing, tolerance) if sizes else None,
            }
        )
    return found


def _surface_dice(
    one: NDArray[np.bool_], other: NDArray[np.bool_], spacing: Sequence[float], tolerance: float
) -> float:
    try:
        ndimage = importlib.import_module("scipy.ndimage")
    except ImportError as error:
        raise ConfigError(
            f"scipy is not installed ({error}): pip install 'segnoise[medical]'"
        ) from None
    surfaces = [region & ~ndimage.binary_erosion(region) for region in (one, other)]
    if not all(surface.any() for surface in surfaces):
        return 0.0
    near = 0
    for own, others in (surfaces, surfaces[::-1]):
        distance = ndimage.distance_transform_edt(~others, sampling=spacing)
        near += int((distance[own] <= tolerance * (1 + 1e-9)).sum())
    return near / sum(int(surface.sum()) for surface in surfaces)


class CaseScores:
    """Collects slices of volumes in any order and scores the cases.

    Args:
        dataset: whose samples are slices.
        tolerance: of surfaces, in millimetres.
    """

    def __init__(self, dataset: Any, tolerance: float) -> None:
        self._places = {dataset.sample_id(n): dataset.slice_of(n) for n in range(len(dataset))}
        self._classes = tuple(dataset.metainfo["classes"])
        self._void = int(dataset.metainfo["ignore_index"])
        self._tolerance = tolerance
        self._slices: dict[str, bytes] = {}  # compressed: label maps take a hundredth then
        self._shapes: dict[str, tuple[int, int]] = {}

    def add(self, sample_id: str, prediction: NDArray[Any], target: NDArray[Any]) -> None:
        """Add a slice, (H, W) each."""
        pair = np.stack([prediction, target]).astype(np.uint16)
        self._slices[sample_id] = zlib.compress(pair.tobytes(), 1)
        self._shapes[sample_id] = prediction.shape[0], prediction.shape[1]

    def result(self) -> dict[str, Any]:
        """Return, in percent, the mean over the cases and each case, by class.

        In the processes of a training together, all have the same.
        """
        slices, shapes = self._slices, self._shapes
        if get_dist_info()[1] > 1:
            for others in all_gather_object((slices, shapes)):
                slices, shapes = {**slices, **others[0]}, {**shapes, **others[1]}
        cases: dict[str, list[str]] = {}
        for name in slices:
            cases.setdefault(self._places[name].case, []).append(name)
        found = {}
        for case, names in sorted(cases.items()):
            depth = 1 + max(self._places[name].number for name in names)
            pair = np.full((2, depth, *shapes[names[0]]), self._void, np.uint16)
            for name in names:
                flat = np.frombuffer(zlib.decompress(slices[name]), np.uint16)
                pair[:, self._places[name].number] = flat.reshape(2, *shapes[name])
            spacing = self._places[names[0]].spacing
            scores = volume_scores(
                pair[0], pair[1], len(self._classes), spacing, self._tolerance, self._void
            )
            found[case] = {
                label: {key: None if v is None else 100 * v for key, v in own.items()}
                for label, own in zip(self._classes, scores, strict=True)
            }
        return {
            "surface_tolerance_mm": self._tolerance,
            "mean": {
                label: _mean([own[label] for own in found.values()]) for label in self._classes
            },
            "cases": found,
        }


def _mean(scores: Sequence[dict[str, float | None]]) -> dict[str, float | None]:
    """The mean of the cases that have a class; None where none has."""
    means = {}
    for key in ("IoU", "Dice", "surface_dice"):
        values = [own[key] for own in scores if own[key] is not None]
        means[key] = math.fsum(values) / len(values) if values else None  # type: ignore[arg-type]
    return means
