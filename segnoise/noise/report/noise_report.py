"""What a noise did to masks: counts that add up over images, and the rates made of them."""

from __future__ import annotations

import dataclasses
import html
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from segnoise.checks import check_integer
from segnoise.noise.geometry.bit_maps import packed
from segnoise.noise.mask import Mask, check_class_ids, check_mask, check_void
from segnoise.noise.report.boundary import MAX_DISTANCE, count_by_distance
from segnoise.noise.report.correlation import (
    LAGS,
    autocorrelation,
    correlation_length,
    count_pairs,
)
from segnoise.noise.report.joint import count_jointly
from segnoise.noise.report.table import report_table

_NEAR = 3  # pixels; within this distance of a boundary a change counts as near it


@dataclasses.dataclass(frozen=True, eq=False)
class NoiseReport:
    """Counts of what happened to the labels of a number of masks; reports add with `+` and `sum`.

    Sums are exact and do not depend on the order. Arrays are copied, as int64, and read-only.
    All rates are fractions, of the clean masks' valid pixels unless they say otherwise; pixels
    that are void in the clean mask are in none of them. Distances are Chebyshev, in pixels.

    Attributes:
        confusion: (K, K) int64; pixels of clean class i (row) with noisy class j (column).
        to_void: (K,) int64; pixels of clean class i that became void.
        near_valid: (17,) int64; valid pixels at distance 1, ..., 16 and beyond from a boundary of
            the clean mask: another label, void included, is that far away and none is nearer.
        near_changed: (17,) int64; those of them that changed.
        clean_objects: (K,) int64; 8-connected regions of each class in the clean masks.
        noisy_objects: (K,) int64; those of the noisy masks, where the clean one is not void.
        matched_objects: (K,) int64; clean objects that a noisy one of their class matches with
            IoU > 1/2, the rule of panoptic quality (Kirillov et al., Panoptic Segmentation, CVPR
            2019), which makes matches unique.
        changed_objects: (K,) int64; matched objects with IoU < 1.
        gone_pixels: (K,) int64; pixels of clean objects of which none kept its class.
        lag_pairs: (12,) int64; pairs of a changed and a valid pixel (1, 2, 3, 4, 6, 8, 12, 16, 24,
            32, 48, 64) px apart along a row or a column.
        lag_changed: (12,) int64; those of them whose other pixel changed too.
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
        >>> report.boundary_share(1), round(report.boundary_rate(1), 3)
        (1.0, 0.667)
        >>> report.matched_objects.tolist(), report.lost_objects.tolist()
        ([1, 0, 0], [0, 1, 0])
        >>> (report + report).num_masks
        2
    """

    SHAPES: ClassVar[Mapping[str, tuple[str | int, ...]]] = {
        "num_masks": (),
        "confusion": ("K", "K"),
        "to_void": ("K",),
        "near_valid": (MAX_DISTANCE + 1,),
        "near_changed": (MAX_DISTANCE + 1,),
        "clean_objects": ("K",),
        "noisy_objects": ("K",),
        "matched_objects": ("K",),
        "changed_objects": ("K",),
        "gone_pixels": ("K",),
        "lag_pairs": (len(LAGS),),
        "lag_changed": (len(LAGS),),
    }

    confusion: NDArray[np.int64]
    to_void: NDArray[np.int64]
    near_valid: NDArray[np.int64]
    near_changed: NDArray[np.int64]
    clean_objects: NDArray[np.int64]
    noisy_objects: NDArray[np.int64]
    matched_objects: NDArray[np.int64]
    changed_objects: NDArray[np.int64]
    gone_pixels: NDArray[np.int64]
    lag_pairs: NDArray[np.int64]
    lag_changed: NDArray[np.int64]
    num_masks: int

    def __post_init__(self) -> None:
        size = len(np.atleast_1d(self.confusion))
        for name, shape in self.SHAPES.items():
            value = getattr(self, name)
            if not shape:
                object.__setattr__(self, name, check_integer(name, value, 0))
                continue
            array = np.array(value)
            expected = tuple(size if side == "K" else side for side in shape)
            if array.shape != expected or array.dtype.kind not in "iu":
                raise ValueError(
                    f"{name} must be integers of shape ({', '.join(map(str, shape))}) with one K "
                    f"for all counts, not {array.dtype} of shape {array.shape}"
                )
            if array.size and array.min() < 0:
                raise ValueError(f"{name} must be counts, not {array.min()}")
            array = array.astype(np.int64)
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @classmethod
    def empty(cls, num_classes: int) -> NoiseReport:
        """Return the counts of nothing, the start of a sum."""
        size = check_integer("num_classes", num_classes, 1)
        empty: dict[str, Any] = {
            name: np.zeros([size if side == "K" else int(side) for side in shape], int)
            for name, shape in cls.SHAPES.items()
        }
        return cls(**{**empty, "num_masks": 0})

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.confusion)

    def __add__(self, other: object) -> NoiseReport:
        if not isinstance(other, NoiseReport):
            return NotImplemented
        if other.num_classes != self.num_classes:
            raise ValueError(
                f"cannot add reports on {self.num_classes} and {other.num_classes} classes"
            )
        return NoiseReport(**{n: getattr(self, n) + getattr(other, n) for n in self.SHAPES})

    def __radd__(self, other: object) -> NoiseReport:
        # sum() starts from 0.
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NoiseReport) and self.to_counts() == other.to_counts()

    def __hash__(self) -> int:
        return hash(tuple(np.asarray(getattr(self, name)).tobytes() for name in self.SHAPES))

    def to_counts(self) -> dict[str, Any]:
        """Return all counts as plain integers, in lists."""
        return {name: np.asarray(getattr(self, name)).tolist() for name in self.SHAPES}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> NoiseReport:
        """Return the report whose counts `to_dict` or `to_counts` gave; the rest is passed over.

        Raises:
            TypeError: If what should be an integer is none.
            ValueError: If a count is missing, as in what another version wrote, or of the wrong
                shape or type.
        """
        if missing := [name for name in cls.SHAPES if name not in data]:
            raise ValueError(
                f"the noise report lacks {', '.join(missing)}: it is no report, or another version "
                "of segnoise wrote it; measure the noise again"
            )
        return cls(**{name: data[name] for name in cls.SHAPES})

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
        return _ratio(self.changed, self.valid)

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
        return float(present.mean()) if present.size else math.nan

    def boundary_share(self, distance: int = _NEAR) -> float:
        """Return the share of the changed pixels that lie within a distance of a boundary.

        Args:
            distance: Pixels, 1 to 16: a pixel counts if the square of side 2 d + 1 around it holds
                another label in the clean mask.

        Returns:
            The share; NaN if nothing changed.

        Raises:
            ValueError: If the distance is out of range.
        """
        return _ratio(self._within(self.near_changed, distance), self.changed)

    def boundary_rate(self, distance: int = _NEAR) -> float:
        """Return the share of the valid pixels within a distance of a boundary that changed.

        NaN if no pixel lies there. The distance is that of `boundary_share`.
        """
        near = self._within(self.near_valid, distance)
        return _ratio(self._within(self.near_changed, distance), near)

    @staticmethod
    def _within(counts: NDArray[np.int64], distance: int) -> int:
        return int(counts[: check_integer("distance", distance, 1, MAX_DISTANCE)].sum())

    @property
    def lost_objects(self) -> NDArray[np.int64]:
        """(K,) clean objects that no noisy object matches."""
        return np.asarray(self.clean_objects - self.matched_objects)

    @property
    def added_objects(self) -> NDArray[np.int64]:
        """(K,) noisy objects that match no clean one."""
        return np.asarray(self.noisy_objects - self.matched_objects)

    @property
    def autocorrelation(self) -> NDArray[np.float64]:
        """(12,) spatial autocorrelation of the map of changed pixels.

        rho(lag) = (P(changed at x + lag | changed at x) - p) / (1 - p) with the pixel rate p, over
        lags along rows and columns of (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64) px. p is that of
        all masks together: that some have more noise than others is correlation, too. NaN where no
        mask is large enough, nothing changed or everything did.
        """
        return autocorrelation(self.lag_pairs, self.lag_changed, self.pixel_rate)

    @property
    def correlation_length(self) -> float:
        """Pixels at which `autocorrelation` falls below 1/e, linear between the lags.

        0.63 for errors that are independent from pixel to pixel; infinity if it does not fall
        that low within 64 px, or within the largest mask; NaN if nothing changed or everything did.
        """
        return correlation_length(self.autocorrelation)

    def __repr__(self) -> str:
        return (
            f"NoiseReport(num_classes={self.num_classes}, num_masks={self.num_masks}, "
            f"pixel_rate={self.pixel_rate:.4g}, mean_iou={self.mean_iou:.4g})"
        )

    def _repr_html_(self) -> str:
        """The table, for notebooks."""
        return f"<pre>{html.escape(self.table())}</pre>"

    def to_dict(self) -> dict[str, Any]:
        """Return the rates, for readers, and the counts, for `from_dict`.

        JSON has neither NaN nor infinity: both become None. A correlation length of None with an
        autocorrelation that has values is beyond the largest lag.
        """
        rates = {
            "pixel_rate": self.pixel_rate,
            "mean_iou": self.mean_iou,
            "iou": self.iou.tolist(),
            "class_pixels": self.class_pixels.tolist(),
            "class_changed": self.class_changed.tolist(),
            "boundary_distance": _NEAR,
            "boundary_share": self.boundary_share(),
            "boundary_rate": self.boundary_rate(),
            "lost_objects": self.lost_objects.tolist(),
            "added_objects": self.added_objects.tolist(),
            "lags": list(LAGS),
            "autocorrelation": self.autocorrelation.tolist(),
            "correlation_length": self.correlation_length,
        }
        return {name: _finite(value) for name, value in rates.items()} | self.to_counts()

    def table(self, classes: Sequence[str] | None = None) -> str:
        """Return a table for people, in percent; plain text that is Markdown too.

        Args:
            classes: The K class names; by default their ids.

        Raises:
            ValueError: If there are not K names.
        """
        return report_table(self, classes, _NEAR)


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
    if not clean.size:
        return dataclasses.replace(NoiseReport.empty(size), num_masks=1)
    is_valid = clean != void
    valid, wrong = packed(is_valid), packed((clean != noisy) & is_valid)
    joint, objects = count_jointly(clean, noisy, size, void)
    near_valid, near_changed = count_by_distance(clean, valid, wrong)
    lag_pairs, lag_changed = count_pairs(valid, wrong)
    return NoiseReport(
        confusion=joint[:, :size],
        to_void=joint[:, size],
        near_valid=near_valid,
        near_changed=near_changed,
        **objects,
        lag_pairs=lag_pairs,
        lag_changed=lag_changed,
        num_masks=1,
    )


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def _finite(value: Any) -> Any:
    """Replace NaN and infinity, which JSON does not have, by None."""
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value if math.isfinite(value) else None
