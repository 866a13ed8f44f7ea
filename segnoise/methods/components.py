"""Connected components of label maps, by OpenCV on the CPU."""

from __future__ import annotations

import cv2
import numpy as np


def components(labels: np.ndarray, void: np.ndarray | None = None) -> tuple[int, np.ndarray]:
    """Number the connected regions of equal labels; pixels that meet at a corner are connected.

    Args:
        labels: (H, W) integers.
        void: (H, W) bool, where no region is; None for nowhere.

    Returns:
        The number of regions n, and an (H, W) int32 map with 1..n, and 0 at void.

    Example:
        >>> components(np.array([[0, 1, 1], [0, 0, 2]]), np.array([[0, 0, 0], [0, 0, 1]], bool))[0]
        2
        >>> components(np.array([[3, 1, 3]]))[1]
        array([[2, 1, 3]], dtype=int32)
    """
    numbers = np.zeros(labels.shape, np.int32)
    count = 0
    valid = np.ones(labels.shape, bool) if void is None else ~void
    for value in np.unique(labels[valid]):
        found, regions = cv2.connectedComponents(
            ((labels == value) & valid).astype(np.uint8), connectivity=8
        )
        numbers = np.where(regions > 0, regions + count, numbers)
        count += found - 1
    return count, numbers.astype(np.int32)
