import numpy as np
import pytest

from segnoise.noise import generator
from segnoise.noise.geometry.boundary_walk import Hits, walk

SHAPES = [(13, 17), (1, 20), (20, 1), (2, 2), (1, 1)]


def blobs(seed, shape):
    rng = np.random.default_rng(seed)
    region = np.zeros(shape, bool)
    for _ in range(4):
        top, left = rng.integers(0, shape[0]), rng.integers(0, shape[1])
        region[top : top + rng.integers(1, 6), left : left + rng.integers(1, 6)] ^= True
    return region


def literal_step(region, grow, hit):
    """One step by its definition, pixel by pixel."""
    height, width = region.shape
    after = region.copy()
    for y in range(height):
        for x in range(width):
            around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
            around = [p for p in around if 0 <= p[0] < height and 0 <= p[1] < width]
            if region[y, x] != grow and any(region[p] == grow for p in around) and hit[y, x]:
                after[y, x] = grow
    return after


class Table:
    """Draws that depend on the step and the pixel only, not on the order of the questions."""

    def __init__(self, seed, steps, shape, flip):
        self.hits = np.random.default_rng(seed).random((steps, *shape)) < flip
        self.steps = iter(self.hits)
        self.width = shape[1] + 2

    def __call__(self, pixels):
        row, column = np.divmod(pixels, self.width)
        return np.flatnonzero(next(self.steps)[row - 1, column - 1])


@pytest.mark.parametrize("shape", SHAPES)
def test_equals_the_definition_pixel_by_pixel(shape):
    for expand in [0.0, 0.2, 0.5, 0.8, 1.0]:
        for flip in [0.1, 0.5, 1.0]:
            for seed in range(2):
                steps = 40
                grows = np.random.default_rng(seed).random(steps) < expand
                draw = Table(seed, steps, shape, flip)
                region = expected = blobs(seed, shape)
                before = region.copy()
                for grow, hit in zip(grows, draw.hits, strict=True):
                    expected = literal_step(expected, grow, hit)
                np.testing.assert_array_equal(walk(region, grows, draw), expected)
                np.testing.assert_array_equal(region, before)


def test_long_walks_with_many_leftovers():
    shape, steps = (24, 24), 240
    grows = np.arange(steps) % 40 < 20
    draw = Table(5, steps, shape, 0.3)
    expected = region = blobs(7, shape)
    for grow, hit in zip(grows, draw.hits, strict=True):
        expected = literal_step(expected, grow, hit)
    np.testing.assert_array_equal(walk(region, grows, draw), expected)


def test_nothing_to_walk_on():
    grows = np.ones(5, bool)
    for region in (np.zeros((4, 5), bool), np.ones((4, 5), bool)):
        np.testing.assert_array_equal(walk(region, grows, Hits(0.5, generator(0))), region)
    region = blobs(0, (9, 9))
    np.testing.assert_array_equal(walk(region, grows[:0], Hits(0.5, generator(0))), region)


@pytest.mark.parametrize("probability", [0.002, 0.05, 0.3, 0.97, 1.0])
def test_hits_one_draw_at_a_time(probability):
    """The same row of draws, however it is cut up, and with gaps that are geometric."""
    sizes = np.random.default_rng(0).integers(0, 3000, 20)
    together = Hits(probability, generator(0))(np.empty(sizes.sum()))
    hits, pieces, start = Hits(probability, generator(0)), [], 0
    for size in sizes:
        pieces.append(start + hits(np.empty(size)))
        start += size
    np.testing.assert_array_equal(np.concatenate(pieces), together)

    rng, expected, position = generator(0), [], -1
    rate = -np.log1p(-probability) if probability < 1 else np.inf
    while True:
        position += 1 + int(rng.standard_exponential() / rate)
        if position >= sizes.sum():
            break
        expected.append(position)
    assert together.tolist() == expected


@pytest.mark.parametrize("probability", [0.02, 0.05, 0.4, 0.9])
def test_hits_are_as_frequent_as_asked_and_independent(probability):
    count = 400_000
    hit = np.zeros(count, bool)
    hit[Hits(probability, generator(1))(np.empty(count))] = True
    variance = probability * (1 - probability)
    assert abs(hit.mean() - probability) < 4 * np.sqrt(variance / count)
    covariance = np.mean((hit[1:] - probability) * (hit[:-1] - probability))
    assert abs(covariance) < 4 * variance / np.sqrt(count)
