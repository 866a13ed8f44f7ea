"""A running mean of what was predicted at every place of every sample."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


class PredictionMemory:
    r"""Running means of the predictions of samples that come back.

    .. math:: t_c \leftarrow m\, t_c + (1 - m)\, \bar p_c

    for every cell c of a sample that its pixels lie in, with the mean prediction
    :math:`\bar p_c` of those pixels and the momentum m, from 0 on. Cells that no pixel lies in stay
    as they are. Kept in float16 in main memory. Under data parallelism the processes exchange what
    they update, so each knows all samples.

    Args:
        momentum: m, 0 <= m < 1.

    Attributes:
        means: (C, cells) for each sample id.

    Example:
        >>> memory = PredictionMemory(momentum=0.5)
        >>> p, cells = torch.tensor([[[0.2, 0.4, 0.9]]]), torch.tensor([[0, 0, -1]])
        >>> memory(p, ["a"], cells, update=True)
        tensor([[[0.1500, 0.1500, 0.0000]]])
        >>> memory.means["a"]
        tensor([[0.1500]], dtype=torch.float16)
    """

    def __init__(self, momentum: float) -> None:
        self.momentum = momentum
        self.means: dict[str, Tensor] = {}

    def __call__(
        self, p: Tensor, sample_id: Sequence[str | int] | Tensor, cells: Tensor, update: bool
    ) -> Tensor:
        """Return the means at the pixels, after an update.

        Args:
            p: (N, C, P) predictions.
            sample_id: N names, or integers.
            cells: (N, P) integers: the cell of each pixel, -1 for none.
            update: whether the predictions enter the means.

        Returns:
            (N, C, P), 0 where a pixel lies in no cell.
        """
        names = names_of(sample_id, len(p))
        news, means = [], []
        for name, q, where in zip(names, p, cells, strict=True):
            mean = self._known(name, q, int(where.max()) + 1 if where.numel() else 0)
            if update:
                mean, touched = self._updated(mean, q, where)
                news.append((name, touched.cpu(), mean[:, touched].to("cpu", torch.float16)))
                self._write(*news[-1])
            means.append(torch.where(where >= 0, mean[:, where.clamp_min(0)], 0))
        if update:
            self._exchange(news)
        return torch.stack(means) if means else torch.zeros_like(p)

    def _known(self, name: str, p: Tensor, cells: int) -> Tensor:
        """The mean of a sample, (C, at least ``cells``), 0 where nothing is known, like ``p``."""
        mean = self.means.get(name)
        known = 0 if mean is None else mean.shape[1]
        whole = p.new_zeros(len(p), max(cells, known, 1))
        if mean is not None:
            if len(mean) != len(p):
                raise ValueError(
                    f"sample {name!r} is remembered with {len(mean)} channels, and now has {len(p)}"
                )
            whole[:, :known] = mean.to(p)
        return whole

    def _updated(self, mean: Tensor, p: Tensor, where: Tensor) -> tuple[Tensor, Tensor]:
        """The new mean, and the cells that have changed."""
        # A step that overflowed, and that a loss scaler skips, leaves no trace.
        seen = (where >= 0) & p.isfinite().all(0)
        cells = where[seen].long()
        count = p.new_zeros(mean.shape[1]).index_add_(0, cells, p.new_ones(len(cells)))
        sums = torch.zeros_like(mean).index_add_(1, cells, p[:, seen])
        new = self.momentum * mean + (1 - self.momentum) * sums / count.clamp_min(1)
        return torch.where(count > 0, new, mean), (count > 0).nonzero().squeeze(1)

    def _write(self, name: str, cells: Tensor, values: Tensor) -> None:
        known = self.means.get(name)
        size = max(
            int(cells.max()) + 1 if len(cells) else 1, 0 if known is None else known.shape[1]
        )
        if known is None or known.shape[1] < size:
            larger = torch.zeros(len(values), size, dtype=torch.float16)
            if known is not None:
                larger[:, : known.shape[1]] = known
            known = self.means[name] = larger
        known[:, cells] = values

    def _exchange(self, news: list[tuple[str, Tensor, Tensor]]) -> None:
        """Learn what the other processes have updated.

        Written in the order of the processes, one's own included: all know the same, even of a
        sample that came to several of them.
        """
        if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
            return
        everybody: list[Any] = [None] * dist.get_world_size()
        dist.all_gather_object(everybody, news)
        for entries in everybody:
            for entry in entries:
                self._write(*entry)


def cells_of_grid(shape: Sequence[int], stride: int) -> Tensor:
    """Return the cell of each pixel of a whole image, in cells of ``stride`` in every direction.

    Args:
        shape: the image's spatial dimensions, any number of them.
        stride: pixels.

    Returns:
        (pixels,) int64; cells are counted along the last dimension first.

    Example:
        >>> cells_of_grid((2, 5), 2).tolist()
        [0, 0, 1, 1, 2, 0, 0, 1, 1, 2]
    """
    cells = torch.zeros((), dtype=torch.int64)
    for length in shape:
        along = torch.arange(length) // stride
        cells = cells.unsqueeze(-1) * -(-length // stride) + along
    return cells.flatten()


def names_of(sample_id: Sequence[str | int] | Tensor, samples: int) -> list[str]:
    """Return a batch's sample ids as names: strings as they are, integers by their digits.

    Example:
        >>> names_of(torch.tensor([7, 12]), 2)
        ['7', '12']
    """
    ids = sample_id.tolist() if isinstance(sample_id, Tensor) else sample_id
    if (
        isinstance(ids, (str, bytes))
        or not isinstance(ids, Iterable)
        or any(isinstance(i, bool) or not isinstance(i, (str, numbers.Integral)) for i in ids)
    ):
        raise TypeError(
            f"sample_id must be a list of strings or integers, one a sample, got {sample_id!r}"
        )
    names = [str(i) for i in ids]
    if len(names) != samples:
        raise ValueError(f"{len(names)} sample ids for {samples} samples: give one for each")
    return names
