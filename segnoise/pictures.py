"""An image of any numbers and bands as a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def shown(image: NDArray[Any]) -> NDArray[np.uint8]:
    """An image of any numbers as a picture: its first three bands, each stretched.

    Fewer than three give a grey picture of the first. Black and white are the 2nd and the 98th
    percentile of a band's finite numbers. 8-bit RGB is what it is.

    Args:
        image: (H, W) or (H, W, C).

    Returns:
        (H, W, 3) uint8.

    Example:
        >>> shown(np.array([[[0.0, 7], [500, 7], [1000, 7]]]))[0, :, 0].tolist()
        [0, 128, 255]
    """
    if image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3:
        return image
    bands = image[..., None] if image.ndim == 2 else image
    chosen = (0, 1, 2) if bands.shape[2] >= 3 else (0, 0, 0)
    picture = np.zeros((*bands.shape[:2], 3), np.uint8)
    for place, band in enumerate(chosen):
        values = bands[:, :, band].astype(np.float32)
        finite = values[np.isfinite(values)]
        low, high = np.percentile(finite, (2, 98)) if len(finite) else (0, 1)
        scaled = (values - low) * (255 / max(high - low, 1e-12))
        picture[:, :, place] = np.rint(np.clip(np.nan_to_num(scaled), 0, 255))
    return picture
