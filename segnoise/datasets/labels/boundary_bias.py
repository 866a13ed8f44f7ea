"""Boundaries that annotators draw too wide or too narrow: measured on a few clean masks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from segnoise.checks import check_float

_ALL, _FIRST, _LAST = slice(None), slice(None, -1), slice(1, None)
# Slices whose elements are neighbours: side by side, and one below the other.
_NEIGHBOURS = (((_ALL, _FIRST), (_ALL, _LAST)), ((_FIRST, _ALL), (_LAST, _ALL)))


def signed_distance(inside: np.ndarray) -> np.ndarray:
    """Return the distance to a region's boundary in pixels, negative inside.

    The boundary runs between pixels: one next to it has -0.5 or 0.5. It is infinite where there is
    no boundary.

    Example:
        >>> signed_distance(np.array([[True, True, False, False]])).tolist()
        [[-1.5, -0.5, 0.5, 1.5]]
    """
    if not inside.any():
        return np.full(inside.shape, np.inf, np.float32)
    if inside.all():
        return np.full(inside.shape, -np.inf, np.float32)
    to_outside, to_inside = (
        cv2.distanceTransform(part.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        for part in (inside, ~inside)
    )
    return np.where(inside, 0.5 - to_outside, to_inside - 0.5).astype(np.float32)


def boundary_bias(
    pairs: Iterable[tuple[np.ndarray, np.ndarray]],
    num_classes: int,
    ignore_index: int,
    limit: float = 20.0,
) -> np.ndarray:
    r"""Return by how many pixels each class extends too far over each other, on average.

    A place of a boundary is a pair of neighbouring pixels of two classes k and j in the noisy mask,
    neither void in either mask. There k extends too far by :math:`(d_k - d_j) / 2`, with
    :math:`d_k` the signed distance to the boundary of k in the clean mask. Places where that
    exceeds ``limit`` pixels belong to an object that one of the masks lacks, and are left out.

    Args:
        pairs: clean and noisy masks, (H, W) each, of some images.
        num_classes: K.
        ignore_index: label of void.
        limit: pixels, > 0.

    Returns:
        (K, K), at [k, j] > 0 where k is drawn too large against j; antisymmetric; 0 for classes
        that never meet.

    Source: Yao et al., Learning to Segment from Noisy Annotations: A Spatial Correction Approach,
    ICLR 2023, for one boundary; a bias for each pair of classes is ours.

    Example:
        >>> clean, noisy = np.array([[1, 0, 0, 0]]), np.array([[1, 1, 1, 0]])
        >>> boundary_bias([(clean, noisy)], num_classes=2, ignore_index=255).tolist()
        [[0.0, -2.0], [2.0, 0.0]]
    """
    limit = check_float("limit", limit, above=0)
    total = np.zeros((num_classes, num_classes))
    places = np.zeros((num_classes, num_classes), np.int64)
    for clean, noisy in pairs:
        for k, j, excess in _excesses(clean, noisy, num_classes, ignore_index):
            near = np.abs(excess) <= limit
            for first, second, sign in ((k, j, 1), (j, k, -1)):
                np.add.at(total, (first[near], second[near]), sign * excess[near])
                np.add.at(places, (first[near], second[near]), 1)
    bias: np.ndarray = total / np.maximum(places, 1)
    return bias


def _excesses(
    clean: np.ndarray, noisy: np.ndarray, num_classes: int, ignore_index: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Give k, j and by how far k extends too far over j, at the places of an image's boundaries."""
    valid = (clean != ignore_index) & (noisy != ignore_index)
    present = np.unique(noisy[valid])
    slot = np.zeros(num_classes, np.int64)
    slot[present] = np.arange(len(present))
    distances = [signed_distance(clean == k) for k in present]
    for one, other in _NEIGHBOURS:
        place = (noisy[one] != noisy[other]) & valid[one] & valid[other]
        if not place.any():
            continue
        # Of each class at all places, between the two pixels.
        there = np.stack([(d[one][place] + d[other][place]) / 2 for d in distances])
        k, j = noisy[one][place].astype(np.int64), noisy[other][place].astype(np.int64)
        number = np.arange(len(k))
        with np.errstate(invalid="ignore"):  # infinite where the clean mask has no such class
            excess = (there[slot[k], number] - there[slot[j], number]) / 2
        yield k, j, excess.astype(np.float64)


def shift_boundaries(mask: np.ndarray, bias: np.ndarray, ignore_index: int) -> np.ndarray:
    r"""Move every boundary back by its bias.

    A pixel labelled j becomes the class k of the mask with the largest
    :math:`b_{jk} - d_k > 0`: j extends too far over k by :math:`b_{jk}` pixels, and k's boundary is
    nearer than that, at the distance :math:`d_k`. Void stays void.

    Source: as of :func:`boundary_bias`.

    Example:
        >>> shift_boundaries(np.array([[1, 1, 1, 0]]), np.array([[0.0, -2.0], [2.0, 0.0]]), 255)
        array([[1, 0, 0, 0]])
    """
    void = mask == ignore_index
    owner = np.where(void, 0, mask)
    best = np.zeros(mask.shape)
    shifted = mask.copy()
    present = np.unique(mask[~void])
    for k in present:
        reach = np.maximum(bias[:, k], 0)
        if not reach[present].any():
            continue
        excess = np.where(void, 0, reach[owner] - signed_distance(mask == k))
        taken = (excess > best) & (mask != k)
        shifted[taken] = k
        best[taken] = excess[taken]
    return shifted
