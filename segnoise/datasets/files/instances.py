"""Read an instance map: which pixels belong to one object."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from segnoise.datasets.files.images import load_picture, stored_numbers
from segnoise.datasets.problems import one_problem


def read_instances(path: str | Path, least: int = 1, void: int | None = None) -> np.ndarray:
    """Return the object numbers of an image's pixels, (H, W); 0 for void and those below `least`.

    The image is grey of 1 to 32 bits, or has a palette, whose indices are the numbers.
    """
    picture, raw_mode = load_picture(path)
    if picture.mode not in ("1", "L", "P", "I") and not picture.mode.startswith("I;16"):
        raise one_problem(
            path,
            f"is a colour image or a fraction a pixel (mode {picture.mode}), not object numbers",
            "save the numbers as 8- or 16-bit grey PNG, or 32-bit TIFF",
        )
    if picture.mode == "1":
        numbers = np.array(picture).astype(np.uint8)
    else:
        numbers = stored_numbers(picture, raw_mode)
    numbers[numbers < least] = 0
    if void is not None:
        numbers[numbers == void] = 0
    return numbers
