"""What a noise did to masks: counts that add up over images, and the rates made of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnoise.noise.boundary import boundary_band
from segnoise.noise.mask import Mask, check_class_ids, check_integer, check_mask, check_void
from segnoise.noise.report_table import report_table

BOUNDARY_DISTANCE = 3
"""Pixels (Chebyshev) from a clean boundary within which a change counts as near it."""

_BLOCK = 1 << 18  # pixels; bounds the memory of the joint histogram


@dataclasses.dataclass(frozen=True, eq=False)
class NoiseReport:
    """Counts of what happened to the labels of a number of masks; reports add with `+`.

    All rates are fractions of the clean masks' valid pixels; pixels that are void in the clean
    mask are in none of them.

    Attributes:
        confusion: (K, K) int64; pixels of clean class i (row) with noisy class j (column).
        to_void: (K,) int64; pixels of clean class i that became void.
        near_boundary: Changed pixels within `BOUNDARY_DISTANCE` of another label in the clean
            mask (void is such a label).
        num_masks: Number of masks counted.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import realised_noise
        >>> clean = np.array([[0, 0, 0, 0, 1, 1, 1, 255]], np.uint8)
        >>> noisy = np.array([[0, 0, 0, 1, 1, 1, 255, 255]], np.uint8)
        >>> report = realised_noise(clean, noisy, num_classes=3)
        >>> report.confusion.tolist(), report.to_void.tolist()
        ([[3, 1, 0], [0, 2, 0], [0, 0, 0]], [0, 1, 0])
        >>> round(report.pixel_rate, 3), report.transition_matrix.tolist()
        (0.286, [[0.75, 0.25, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        >>> report.iou.tolist()
        [0.75, 0.5, nan]
        >>> (report + report).num_masks
        2
    """

    confusion: NDArray[np.int64]
    to_void: NDArray[np.int64]
    near_boundary: int
    num_masks: int

    def __post_init__(self) -> None:
        confusion = np.array(self.confusion, dtype=np.int64)
        to_void = np.array(self.to_void, dtype=np.int64)
        if confusion.ndim != 2 or confusion.shape != (len(to_void), len(to_void)):
            raise ValueError(
                f"confusion has shape {confusion.shape} and to_void {to_void.shape}, "
                "not (K, K) and (K,)"
            )
        for array in (confusion, to_void):
            array.flags.writeable = False
        object.__setattr__(self, "confusion", confusion)
        object.__setattr__(self, "to_void", to_void)

    @classmethod
    def empty(cls, num_classes: int) -> NoiseReport:
        """Return the report of no masks, the start of a sum."""
        size = check_integer("num_classes", num_classes, 1)
        return cls(np.zeros((size, size), np.int64), np.zeros(size, np.int64), 0, 0)

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.to_void)

    @property
    def class_pixels(self) -> NDArray[np.int64]:
        """(K,) pixels of each class in the clean masks."""
        return np.asarray(self.confusion.sum(axis=1) + self.to_void)

    @property
    def class_changed(self) -> NDArray[np.int64]:
        """(K,) pixels of each clean class that became another class or void."""
        return np.asarray(self.class_pixels - self.confusion.diagonal())

    @property
    def valid(self) -> int:
        """Pixels that are not void in the clean masks."""
        return int(self.class_pixels.sum())

    @property
    def changed(self) -> int:
        """Valid pixels that became another class or void."""
        return int(self.class_changed.sum())

    @property
    def pixel_rate(self) -> float:
        """Share of the valid pixels that changed; NaN if there are none."""
        return self.changed / self.valid if self.valid else float("nan")

    @property
    def boundary_rate(self) -> float:
        """Share of the changed pixels near a boundary of the clean mask; NaN if none changed."""
        return self.near_boundary / self.changed if self.changed else float("nan")

    @property
    def transition_matrix(self) -> NDArray[np.float64]:
        """(K, K) realised P(noisy = j | true = i, not turned void); rows sum to 1.

        A class without such a pixel has the identity's row, so that the matrix can always be
        given to `AsymmetricFlip` or to a loss; `class_pixels` tells which classes were seen.
        """
        totals = self.confusion.sum(axis=1, keepdims=True)
        return np.where(totals > 0, self.confusion / np.maximum(totals, 1), np.eye(len(totals)))

    @property
    def iou(self) -> NDArray[np.float64]:
        """(K,) IoU of the clean and the noisy class i; NaN where neither mask has it.

        IoU_i = C_ii / (clean_i + noisy_i - C_ii) over the pixels that are valid in the clean mask;
        a pixel turned void counts as missed.
        """
        hits = self.confusion.diagonal()
        union = self.class_pixels + self.confusion.sum(axis=0) - hits
        return np.where(union > 0, hits / np.maximum(union, 1), np.nan)

    @property
    def mean_iou(self) -> float:
        """Mean of `iou` over the classes that occur; NaN if none does."""
        present = self.iou[~np.isnan(self.iou)]
        return float(present.mean()) if present.size else float("nan")

    def __add__(self, other: object) -> NoiseReport:
        if not isinstance(other, NoiseReport):
            return NotImplemented
        if other.num_classes != self.num_classes:
            raise ValueError(
                f"cannot add reports on {self.num_classes} and {other.num_classes} classes"
            )
        return NoiseReport(
            self.confusion + other.confusion,
            self.to_void + other.to_void,
            self.near_boundary + other.near_boundary,
            self.num_masks + other.num_masks,
        )

    def __radd__(self, other: object) -> NoiseReport:
        # sum() starts from 0.
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NoiseReport) and self._counts() == other._counts()

    def __hash__(self) -> int:
        return hash((self.confusion.tobytes(), self.to_void.tobytes(), self.num_masks))

    def __repr__(self) -> str:
        return (
            f"NoiseReport(num_classes={self.num_classes}, num_masks={self.num_masks}, "
            f"pixel_rate={self.pixel_rate:.4g}, mean_iou={self.mean_iou:.4g})"
        )

    def _counts(self) -> dict[str, Any]:
        return {
            "num_masks": self.num_masks,
            "near_boundary": self.near_boundary,
            "to_void": self.to_void.tolist(),
            "confusion": self.confusion.tolist(),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the rates, for readers, and the counts, for `from_dict`; NaN becomes None."""
        rates = {
            "pixel_rate": self.pixel_rate,
            "boundary_rate": self.boundary_rate,
            "boundary_distance": BOUNDARY_DISTANCE,
            "mean_iou": self.mean_iou,
            "iou": self.iou.tolist(),
            "class_pixels": self.class_pixels.tolist(),
            "class_changed": self.class_changed.tolist(),
        }
        return {name: _without_nan(value) for name, value in rates.items()} | self._counts()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> NoiseReport:
        """Return the report that `to_dict` wrote; only its counts are read.

        Raises:
            ValueError: If a count is missing, or their shapes do not fit together.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        if missing := [name for name in names if name not in data]:
            raise ValueError(f"the noise report lacks {', '.join(missing)}: write it with to_dict")
        return cls(**{name: data[name] for name in names})

    def table(self, classes: Sequence[str] | None = None) -> str:
        """Return a table for people, in percent; plain text that is Markdown too.

        Args:
            classes: The K class names; by default their ids.

        Raises:
            ValueError: If there are not K names.
        """
        return report_table(self, classes, BOUNDARY_DISTANCE)


def realised_noise(
    clean: Mask, noisy: Mask, num_classes: int, ignore_index: int = 255
) -> NoiseReport:
    """Count what separates a noisy mask from the clean one.

    Args:
        clean: (H, W) class ids.
        noisy: (H, W) class ids; its dtype may differ.
        num_classes: K; ids 0 to K-1.
        ignore_index: Void, in both masks.

    Returns:
        The report on this pair; add those of many pairs with `+` or `sum`.

    Raises:
        TypeError: If a mask is not an integer array.
        ValueError: If a mask is not 2-D, the shapes differ, or an id is neither class nor void.

    Example:
        >>> import numpy as np
        >>> clean = np.zeros((4, 4), np.uint8)
        >>> realised_noise(clean, clean, num_classes=2)
        NoiseReport(num_classes=2, num_masks=1, pixel_rate=0, mean_iou=1)
    """
    size = check_integer("num_classes", num_classes, 1)
    void = check_void(ignore_index, size)
    clean, noisy = check_mask(clean, "clean mask"), check_mask(noisy, "noisy mask")
    if clean.shape != noisy.shape:
        raise ValueError(f"clean mask has shape {clean.shape}, noisy mask {noisy.shape}")
    check_class_ids(clean, size, void, "clean mask")
    check_class_ids(noisy, size, void, "noisy mask")
    joint = _joint_histogram(clean.ravel(), noisy.ravel(), size, void)
    near: int = 0
    if clean.size:
        changed = (clean != noisy) & (clean != void)
        near = int(np.count_nonzero(changed & boundary_band(clean, BOUNDARY_DISTANCE)))
    return NoiseReport(joint[:size, :size], joint[:size, size], near, 1)


def _joint_histogram(clean: Mask, noisy: Mask, size: int, void: int) -> NDArray[np.int64]:
    """Count pairs of labels, with void as label K: (K + 1, K + 1)."""
    joint = np.zeros((size + 1) ** 2, np.int64)
    for start in range(0, clean.size, _BLOCK):
        row = clean[start : start + _BLOCK].astype(np.intp)
        column = noisy[start : start + _BLOCK].astype(np.intp)
        row[row == void] = size
        column[column == void] = size
        joint += np.bincount(row * (size + 1) + column, minlength=joint.size)
    return joint.reshape(size + 1, size + 1)


def _without_nan(value: Any) -> Any:
    """Replace NaN, which JSON does not have, by None."""
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if value != value else value
