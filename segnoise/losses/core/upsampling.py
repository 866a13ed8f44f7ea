r"""The core's statistics of logits that are upsampled block by block, and never as a whole.

Bilinear upsampling is linear along each axis: :math:`u = R z C^T` with the matrices R (H, h) and
C (W, w), two numbers in a row. Of each image C is applied first, to h rows; bands of output rows
follow from R, are reduced to their statistics, and are forgotten. The backward pass makes each band
again and applies the transposed matrices to its gradient.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from segnoise.losses.core.blocking import block_elements, compute_dtype
from segnoise.losses.core.derivatives import by_operators, twice_differentiable
from segnoise.losses.core.label_statistics import Core


class Band(NamedTuple):
    """Output rows ``rows``, made of the input rows ``source`` by a matrix (rows, source)."""

    rows: slice
    source: slice
    matrix: Tensor


def upsampled_statistics(
    logits: Tensor, target: Tensor, core: Core, align_corners: bool
) -> tuple[Tensor, ...]:
    """Compute the maps of ``Core.statistics`` of upsampled logits."""
    if by_operators(target):
        return _of_the_whole(logits, target, core, align_corners)
    maps: tuple[Tensor, ...] = _UpsampledStatistics.apply(logits, target, core, align_corners)
    return maps


def _of_the_whole(
    logits: Tensor, target: Tensor, core: Core, align_corners: bool
) -> tuple[Tensor, ...]:
    size = target.shape[1:]
    whole = F.interpolate(
        logits.to(compute_dtype(logits)), size=size, mode="bilinear", align_corners=align_corners
    )
    maps = core.statistics(whole.flatten(2), target.flatten(1))
    return tuple(m.reshape(target.shape) for m in maps)


@functools.lru_cache(maxsize=16)
def _bands(
    height: int, out: int, align_corners: bool, most_rows: int, dtype: torch.dtype
) -> tuple[Band, ...]:
    identity = torch.eye(height, dtype=dtype).unsqueeze(0)
    whole = F.interpolate(identity, size=out, mode="linear", align_corners=align_corners)[0].T
    bands = []
    for first in range(0, out, most_rows):
        part = whole[first : first + most_rows]
        used = (part != 0).any(0).nonzero()
        source = slice(int(used[0]), int(used[-1]) + 1)
        bands.append(Band(slice(first, first + len(part)), source, part[:, source].contiguous()))
    return tuple(bands)


class _UpsampledStatistics(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, target: Tensor, core: Core, align_corners: bool
    ) -> tuple[Tensor, ...]:
        ctx.save_for_backward(logits, target)
        ctx.core, ctx.align_corners = core, align_corners
        ctx.set_materialize_grads(False)
        maps = tuple(
            logits.new_empty(target.shape, dtype=compute_dtype(logits)) for _ in (0, *core.sums)
        )
        with torch.autocast(logits.device.type, enabled=False):
            for image in range(len(logits)):
                wide = _wide(logits[image], target.shape[2], align_corners)
                for band in _bands_of(logits, target, align_corners):
                    labels = target[image, band.rows].reshape(1, -1)
                    results = core.statistics(_upsampled(wide, band), labels)
                    for whole, part in zip(maps, results, strict=True):
                        whole[image, band.rows] = part.view(-1, target.shape[2])
        return maps

    @staticmethod
    @twice_differentiable(
        lambda ctx, logits, target: _of_the_whole(logits, target, ctx.core, ctx.align_corners)
    )
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor, None, None, None]:
        logits, target = ctx.saved_tensors
        classes, height, width = logits.shape[1:]
        out_width = target.shape[2]
        gradient = torch.empty_like(logits)
        with torch.autocast(logits.device.type, enabled=False):
            for image in range(len(logits)):
                wide = _wide(logits[image], out_width, ctx.align_corners)
                wide_gradient = torch.zeros_like(wide)
                for band in _bands_of(logits, target, ctx.align_corners):
                    labels = target[image, band.rows].reshape(1, -1)
                    parts = tuple(
                        None if g is None else g[image, band.rows].reshape(1, 1, -1) for g in grads
                    )
                    slope = ctx.core.gradient(_upsampled(wide, band), labels, parts)
                    slope = slope.view(classes, -1, out_width)
                    wide_gradient[:, band.source] += torch.matmul(band.matrix.T, slope)
                gradient[image] = torch.ops.aten.upsample_bilinear2d_backward(
                    wide_gradient.unsqueeze(0), [height, out_width], [1, classes, height, width],
                    ctx.align_corners, None, None,
                )[0]  # fmt: skip
        return gradient, None, None, None


def _wide(image: Tensor, width: int, align_corners: bool) -> Tensor:
    """An image's logits (K, h, w) with the columns upsampled, (K, h, W)."""
    image = image.to(compute_dtype(image)).unsqueeze(0)
    size = (image.shape[2], width)
    return F.interpolate(image, size=size, mode="bilinear", align_corners=align_corners)[0]


def _upsampled(wide: Tensor, band: Band) -> Tensor:
    """A band of the upsampled logits, (1, K, P)."""
    return torch.matmul(band.matrix, wide[:, band.source]).view(1, len(wide), -1)


def _bands_of(logits: Tensor, target: Tensor, align_corners: bool) -> list[Band]:
    height, width = target.shape[1:]
    rows = max(1, block_elements(logits.device) // (logits.shape[1] * width))
    dtype = compute_dtype(logits)
    bands = _bands(logits.shape[2], height, align_corners, min(rows, height), dtype)
    return [band._replace(matrix=band.matrix.to(logits.device)) for band in bands]
