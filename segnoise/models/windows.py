"""Class probabilities of images of any size: overlapping windows, blended row by row of windows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from segnoise.checks import check_choice, check_integer

S = TypeVar("S")
T = TypeVar("T")
BLENDS = ("gaussian", "cosine", "constant")
_SIGMA = 0.125  # of a window's side
_LEAST = 1e-3  # of the greatest weight: a corner that one window alone sees has a score too


@dataclass(frozen=True)
class Windows:
    r"""Overlapping windows over an image, and how their scores are blended.

    .. math:: p_k(x) = \sum_j w(x - x_j) p_{k,j}(x) \Big/ \sum_j w(x - x_j)

    over the windows j at :math:`x_j` that see the pixel x. The weight w is the product of one
    profile for the rows and one for the columns of a window of n pixels: a Gaussian of sigma n / 8
    ("gaussian"), :math:`\sin^2(\pi (i + 1/2) / n)` ("cosine"), or 1 ("constant"); where
    less than 1/1000 of their greatest value is left, that.

    Args:
        size: side of a window, in pixels; smaller images are one window.
        overlap: pixels of a window that the next one sees too, below ``size``. The last windows
            touch the image's end, and overlap more.
        blend: "gaussian", "cosine" or "constant".

    Raises:
        ConfigError: for a value out of its range.

    Example:
        >>> Windows(size=512, overlap=128).starts(1000)
        [0, 384, 488]
    """

    size: int = 512
    overlap: int = 128
    blend: str = "gaussian"

    def __post_init__(self) -> None:
        check_integer("window", self.size, 1, 2**15)
        check_integer("overlap", self.overlap, 0, self.size - 1)
        check_choice("blend", self.blend, BLENDS)

    def starts(self, length: int) -> list[int]:
        """First pixels of the windows that cover an axis; the last one touches its end."""
        last = max(length - self.size, 0)
        return [*range(0, last, self.size - self.overlap), last]

    def profile(self, length: int) -> Tensor:
        """Weights of a window's pixels along an axis, float32; the greatest is near 1."""
        place = (torch.arange(length, dtype=torch.float64) + 0.5) / length
        if self.blend == "gaussian":
            weight = torch.exp(-0.5 * ((place - 0.5) / _SIGMA) ** 2)
        elif self.blend == "cosine":
            weight = torch.sin(math.pi * place) ** 2
        else:
            weight = torch.ones_like(place)
        return weight.clamp_min(_LEAST).float()

    def total(self, length: int) -> Tensor:
        """Sum of the weights along an axis of an image, (length,)."""
        side = min(self.size, length)
        profile, total = self.profile(side), torch.zeros(length)
        for start in self.starts(length):
            total[start : start + side] += profile
        return total


def blended_rows(
    read: Callable[[slice, slice], Tensor | None],
    shape: tuple[int, int],
    probabilities: Callable[[Tensor], Tensor],
    windows: Windows,
    batch_size: int = 8,
    first: int = 0,
) -> Iterator[tuple[int, Tensor | None]]:
    """Predict an image of any size, and hand over its rows as soon as no window touches them.

    Memory is bounded by the scores of one row of windows, K x window x width floats, and two
    batches, which are read in a thread beside the computation.

    Args:
        read: (rows, columns) -> (C, h, w) of that part of the image; None where it has no pixel
            that counts, which is not computed.
        shape: (height, width) of the image.
        probabilities: (N, C, h, w) -> (N, K, h, w) on any device.
        windows: which ones.
        batch_size: windows that are computed at once.
        first: row to begin with; those before it are not computed again after an interruption.

    Yields:
        (top, scores): the number of the first row, and (K, rows, width) float32 probabilities on
        the device of ``probabilities``, 0 where nothing counts; None if none in these rows does.

    Example:
        >>> image = torch.arange(12.0).view(1, 3, 4)
        >>> read = lambda rows, columns: image[:, rows, columns]
        >>> parts = blended_rows(read, (3, 4), lambda x: x, Windows(size=2, overlap=1))
        >>> bool(torch.cat([rows for _, rows in parts], 1).allclose(image))
        True
    """
    height, width = shape
    sides = min(windows.size, height), min(windows.size, width)
    tops, lefts = windows.starts(height), windows.starts(width)
    ends = [*tops[1:], height]
    # Windows that see a row that is wanted.
    needed = [top for top in tops if top + sides[0] > first]
    weights = windows.profile(sides[0])[:, None] * windows.profile(sides[1])
    down, across = windows.total(height)[:, None], windows.total(width)
    batches = [
        (top, lefts[n : n + batch_size]) for top in needed for n in range(0, len(lefts), batch_size)
    ]

    def load(batch: tuple[int, list[int]]) -> tuple[int, list[int], Tensor | None]:
        top, columns = batch
        rows = slice(top, top + sides[0])
        parts = [(left, read(rows, slice(left, left + sides[1]))) for left in columns]
        full = [(left, part) for left, part in parts if part is not None]
        return top, [left for left, _ in full], torch.stack([p for _, p in full]) if full else None

    band: Tensor | None = None  # sums of rows that windows still see, from `top` on
    for number, (top, columns, images) in enumerate(ahead(load, batches)):
        if images is not None:
            scores = probabilities(images)
            if band is None:
                band = scores.new_zeros(scores.shape[1], sides[0], width)
                weights, down, across = (x.to(scores) for x in (weights, down, across))
            scores = scores * weights
            for left, score in zip(columns, scores, strict=True):
                band[:, :, left : left + sides[1]] += score
        if number + 1 < len(batches) and batches[number + 1][0] == top:
            continue
        end = ends[tops.index(top)]
        start = max(top, first)
        if end > start:
            if band is None:
                yield start, None
            else:
                done = band[:, start - top : end - top]
                yield start, done / (down[start:end] * across)
        if band is not None and end < height:
            kept = band[:, end - top :].clone()
            band[:, : kept.shape[1]] = kept
            band[:, kept.shape[1] :] = 0


def ahead(work: Callable[[S], T], items: Iterable[S]) -> Iterator[T]:
    """Do work on items in a thread, one item ahead of who takes the results.

    Example:
        >>> list(ahead(lambda x: 2 * x, range(3)))
        [0, 2, 4]
    """
    with ThreadPoolExecutor(1) as pool:
        waiting: Future[T] | None = None
        for item in items:
            following = pool.submit(work, item)
            if waiting is not None:
                yield waiting.result()
            waiting = following
        if waiting is not None:
            yield waiting.result()
