"""Connected components of label maps, by OpenCV on the CPU."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor


def components(labels: np.ndarray, void: np.ndarray | None = None) -> tuple[int, np.ndarray]:
    """Number the connected regions of equal labels; pixels that meet at a corner are connected.

    Args:
        labels: (H, W) integers.
        void: (H, W) bool, where no region is; None for nowhere.

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


@dataclass(frozen=True)
class Regions:
    """The connected regions of equal labels of a batch.

    Attributes:
        number: (N, H, W) int64, 1..R, and 0 at void.
        label: (R + 1) int64, each region's label; that of number 0 is 0.
        pixels: (R + 1) int64, each region's size.
    """

    number: Tensor
    label: Tensor
    pixels: Tensor

    @classmethod
    def of(cls, labels: Tensor, void: Tensor) -> Regions:
        """Find the regions of (N, H, W) labels but for void; pixels that meet at a corner connect.

        Example:
            >>> labels = torch.tensor([[[1, 1, 0, 9]], [[1, 0, 0, 0]]])
            >>> found = Regions.of(labels, labels == 9)
            >>> found.number.tolist(), found.label.tolist(), found.pixels.tolist()
            ([[[2, 2, 1, 0]], [[4, 3, 3, 3]]], [0, 0, 1, 0, 1], [1, 1, 2, 3, 1])
        """
        count, maps = 0, []
        for mask, nowhere in zip(labels.cpu().numpy(), void.cpu().numpy(), strict=True):
            found, numbers = components(mask, nowhere)
            maps.append(np.where(numbers > 0, numbers.astype(np.int64) + count, 0))
            count += found
        number = torch.from_numpy(np.stack(maps)).to(labels.device)
        label = torch.zeros(count + 1, dtype=torch.long, device=labels.device)
        label[number[~void]] = labels[~void].long()
        return cls(number, label, number.flatten().bincount(minlength=count + 1))

    def means(self, values: Tensor) -> Tensor:
        """Average (N, C, H, W) over each region: (R + 1, C) float64.

        In float64, since over a million pixels float32 would lose digits; one channel after the
        other, so that no copy of all values is made.
        """
        number = self.number.flatten()
        sums = values.new_zeros((values.shape[1], len(self.pixels)), dtype=torch.double)
        for total, channel in zip(sums, values.unbind(1), strict=True):
            total.index_add_(0, number, channel.flatten().double())
        return sums.T / self.pixels.clamp(min=1).unsqueeze(1)
