"""How far an outline lies from where it should be, point by point along it."""

from __future__ import annotations

import dataclasses
import math

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclasses.dataclass(frozen=True, eq=False)
class Displacement:
    """Signed distances of a noisy outline from a clean one, along the clean one.

    Attributes:
        offset: (N,) pixels, at N points that follow each other along the clean outline about one
            pixel apart, the last one next to the first; positive where the noisy region reaches
            beyond the clean one.
        perimeter: Length of the clean outline, in pixels.
        diameter: That of the disk with the clean region's area, in pixels.
    """

    offset: NDArray[np.float64]
    perimeter: float
    diameter: float

    @property
    def mean(self) -> float:
        """The mean offset, in pixels: the bias towards too large (positive) or too small."""
        return float(self.offset.mean())

    @property
    def sd(self) -> float:
        """The standard deviation of the offset along the outline, in pixels."""
        return float(self.offset.std())

    @property
    def correlation_length(self) -> float:
        """Pixels along the outline at which the autocorrelation of the offset falls below 1/e.

        rho(s) = sum_i (o_i - mean) (o_(i+s) - mean) / sum_i (o_i - mean)^2 around the closed
        outline, linear between the points; NaN where the offset is the same everywhere. A shift of
        a disk has cos(2 pi s / perimeter): 0.19 of the perimeter.
        """
        deviation = self.offset - self.offset.mean()
        spectrum = np.abs(np.fft.rfft(deviation)) ** 2
        products = np.fft.irfft(spectrum, len(deviation))
        # Around a closed outline the values sum to 0, so that some fall below 1/e. What rounding
        # leaves of a constant offset is no deviation.
        if not products[0] > 1e-9 * len(deviation):
            return math.nan
        rho = products / products[0]
        below = int(np.argmax(rho < 1 / math.e))
        part = (rho[below - 1] - 1 / math.e) / (rho[below - 1] - rho[below])
        return float((below - 1 + part) * self.perimeter / len(rho))


def boundary_displacement(clean: NDArray[np.bool_], noisy: NDArray[np.bool_]) -> Displacement:
    """Measure how far the outline of a region has moved.

    At a pixel x of the clean region's outer border the offset is o(x) = d(x) - 1/2, where d is the
    Euclidean distance from x to the noisy outline, positive inside the noisy region: the distance
    to the nearest pixel outside it less 1/2, or minus (the distance to the nearest pixel inside
    it less 1/2). The noisy outline's nearest point counts, wherever it lies: the offset is at most
    that along the normal, and large errors that come back close to the outline seem smaller.

    Source: signed distances are the surface distances of segmentation metrics, with a sign; the
    definition is this library's.
    """
    if clean.shape != noisy.shape:
        raise ValueError(f"clean region has shape {clean.shape}, noisy region {noisy.shape}")
    for name, region in (("clean", clean), ("noisy", noisy)):
        if region.all() or not region.any():
            what = "fills the image" if region.any() else "is empty"
            raise ValueError(f"the {name} region {what}: it has no outline to compare")
    lines, _ = cv2.findContours(clean.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    line = max(lines, key=len)[:, 0]
    step = np.hypot(*np.diff(line, axis=0, append=line[:1]).T)
    column, row = line.T
    height, width = clean.shape
    inner = (row > 0) & (row < height - 1) & (column > 0) & (column < width - 1)
    if not inner.any():
        raise ValueError("the clean region lies along the image's border: it has no outline there")
    offset = _inside_by(noisy)[row, column] - 0.5
    perimeter = max(float(step[inner].sum()), 1.0)
    place = np.arange(round(perimeter)) * (perimeter / round(perimeter))
    along = np.cumsum(step[inner]) - step[inner]
    return Displacement(
        np.interp(place, along, offset[inner], period=perimeter),
        perimeter,
        2 * math.sqrt(np.count_nonzero(clean) / math.pi),
    )


def _inside_by(region: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return each pixel's distance to the region's outline, negative outside."""
    inside, outside = (
        cv2.distanceTransform(part.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        for part in (region, ~region)
    )
    return np.where(region, inside - 0.5, 0.5 - outside).astype(np.float64)
