import numpy as np
import pytest

from segnoise.noise.geometry.handover import hand_over
from segnoise.noise.geometry.ranks import Ranks


def handed_over(ranks, gaps, keep_ground=False):
    canvas = np.where(gaps, 0, ranks).astype(ranks.dtype)
    own = ranks.copy()
    hand_over(canvas, gaps.__getitem__, lambda rows: own[rows].copy(), keep_ground=keep_ground)
    np.testing.assert_array_equal(canvas[~gaps], ranks[~gaps])
    return canvas


def test_of_two_classes_the_other_one_gets_it():
    rng = np.random.default_rng(0)
    for shape in [(12, 15), (1, 30), (30, 1), (500, 700)]:
        ranks = np.ones(shape, np.uint8)
        ranks[shape[0] // 3 :, shape[1] // 2 :] = 2
        gaps = rng.random(shape) < 0.3
        np.testing.assert_array_equal(handed_over(ranks, gaps), np.where(gaps, 3 - ranks, ranks))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_nearest_other_class(patches, dtype):
    """Against a search over all pixels; a boundary pixel's partner is at most a diagonal away."""
    for seed in range(6):
        mask = patches(seed, (24, 30), num_classes=5, void=False)
        ranks = mask.astype(dtype) + dtype(1 if dtype == np.uint8 else 400)
        gaps = np.random.default_rng(seed).random(ranks.shape) < 0.5
        made = handed_over(ranks, gaps)
        rows, columns = np.indices(ranks.shape)
        for y, x in zip(*np.nonzero(gaps), strict=True):
            distance = np.hypot(rows - y, columns - x)
            other = ranks != ranks[y, x]
            near = distance <= 1.05 * distance[other].min() + 1.5
            assert made[y, x] in set(ranks[other & near].tolist())


def test_a_single_class_gets_its_own_pixels_back():
    ranks = np.full((5, 6), 3, np.uint8)
    np.testing.assert_array_equal(handed_over(ranks, np.eye(5, 6, dtype=bool)), ranks)


def test_the_lower_of_two_that_drew_back_keeps_the_ground():
    ranks = np.array([[1, 1, 1, 1, 2, 2, 2, 2]], np.uint8)
    both = np.array([[0, 0, 1, 1, 1, 1, 0, 0]], bool)
    upper = np.array([[0, 0, 0, 0, 1, 1, 0, 0]], bool)
    lower = np.array([[0, 0, 1, 1, 0, 0, 0, 0]], bool)
    assert handed_over(ranks, both, True).tolist() == [[1, 1, 1, 1, 1, 1, 2, 2]]
    assert handed_over(ranks, upper, True).tolist() == [[1, 1, 1, 1, 1, 1, 2, 2]]
    assert handed_over(ranks, lower, True).tolist() == [[1, 1, 2, 2, 2, 2, 2, 2]]
    assert handed_over(ranks, both).tolist() == [[1, 1, 2, 2, 1, 1, 2, 2]]


def test_large_maps_are_looked_at_in_cells(patches):
    """What is more than a cell away from a third class is the same as at full resolution."""
    small = patches(3, (17, 23), num_classes=4, void=False)
    ranks = np.kron(Ranks.of(small, None, 255).encode(small), np.ones((40, 40), np.uint8))
    assert ranks.size > 1 << 18
    gaps = np.zeros(ranks.shape, bool)
    edges = np.zeros(ranks.shape, bool)
    edges[1:] |= ranks[1:] != ranks[:-1]
    edges[:, 1:] |= ranks[:, 1:] != ranks[:, :-1]
    gaps[5:, 5:] = edges[:-5, :-5]
    made = handed_over(ranks, gaps)
    assert (made[gaps] != ranks[gaps]).all()
    y, x = np.nonzero(gaps)
    reach = range(-12, 13)
    clipped = [
        ranks[np.clip(y + dy, 0, len(ranks) - 1), np.clip(x + dx, 0, ranks.shape[1] - 1)]
        for dy in reach
        for dx in reach
    ]
    assert np.any([part == made[gaps] for part in clipped], axis=0).all()
