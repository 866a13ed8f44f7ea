"""Stack samples into a batch of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from segnoise.datasets.base import Sample
from segnoise.datasets.contract import check_sample
from segnoise.errors import DataError


def collate(samples: Sequence[Sample]) -> dict[str, Any]:
    """Return the batch of some samples.

    Args:
        samples: N samples with images of one size.

    Returns:
        `image` (N, C, H, W) uint8, or float32 for other numbers; `mask` (N, H, W) uint8, or int64
        where ids exceed 255; `clean_mask` likewise, and `cells` (N, H, W) int64, if every sample
        has them; `sample_id`, N names.

    Raises:
        DataError: If the images differ in size, or a sample is not what `check_sample` asks for.

    Example:
        >>> sample = {"image": np.zeros((4, 6, 3), np.uint8), "mask": np.ones((4, 6), np.uint8),
        ...           "sample_id": "a"}
        >>> batch = collate([sample, sample])
        >>> batch["image"].shape, batch["mask"].dtype, batch["sample_id"]
        (torch.Size([2, 3, 4, 6]), torch.uint8, ['a', 'a'])
    """
    for sample in samples:
        check_sample(sample)
    sizes = {sample["image"].shape[:2] for sample in samples}
    if len(sizes) > 1:
        listed = ", ".join(
            f"{s['sample_id']} {s['image'].shape[1]}x{s['image'].shape[0]}" for s in samples[:8]
        )
        raise DataError(
            f"images of one batch differ in size ({listed}): for training, crop or resize them in "
            "the transform (RandomScaleCrop, ResizeFlip); for validation and test, take batches of "
            "one (eval_batch_size=1)"
        )
    batch: dict[str, Any] = {
        "image": _stack([sample["image"].transpose(2, 0, 1) for sample in samples], np.float32),
        "mask": _stack([sample["mask"] for sample in samples]),
        "sample_id": [sample["sample_id"] for sample in samples],
    }
    for key in ("clean_mask", "cells"):
        if all(key in sample for sample in samples):
            batch[key] = _stack([sample[key] for sample in samples])
    return batch


def _stack(arrays: Sequence[np.ndarray], wide: type[np.generic] = np.int64) -> torch.Tensor:
    stacked = np.ascontiguousarray(np.stack(arrays))
    # torch computes little with uint16 and indexes with int64 only.
    return torch.from_numpy(stacked if stacked.dtype == np.uint8 else stacked.astype(wide))
