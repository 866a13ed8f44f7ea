import numpy as np
import pytest

from segnoise.noise.geometry.drift import STRETCH, Boundaries, color_steps

ABOVE, BELOW, LEFT, RIGHT = (-1, 0), (1, 0), (0, -1), (0, 1)


def inside(shape, y, x):
    return 0 <= y < shape[0] and 0 <= x < shape[1]


def boundary_pixels(mask):
    """Return {pixel: (rival, way)} by looking at every pixel's neighbours in order."""
    found = {}
    for y, x in np.ndindex(mask.shape):
        for down, right in (ABOVE, BELOW, LEFT, RIGHT):
            there = y + down, x + right
            if inside(mask.shape, *there) and mask[there] != mask[y, x]:
                found[y, x] = (mask[there], (down, right))
    return found


def steps_pixel_by_pixel(image, mask, depth):
    padded = np.pad(image.astype(int), ((1, 1), (1, 1), (0, 0)), mode="edge")
    found = boundary_pixels(mask)

    def color(y, x):
        return padded[y : y + 3, x : x + 3].sum((0, 1))

    def at_depth(y, x, way, label):
        there = y + depth * way[0], x + depth * way[1]
        return there if inside(mask.shape, *there) and mask[there] == label else (y, x)

    difference = {}
    for (y, x), (rival, way) in found.items():
        own = color(*at_depth(y, x, (-way[0], -way[1]), mask[y, x]))
        other = color(*at_depth(y + way[0], x + way[1], way, rival))
        difference[y, x] = own - other if mask[y, x] < rival else other - own
    half = STRETCH // 2
    steps = []
    for y, x in found:
        around = [d for (i, j), d in difference.items() if max(abs(i - y), abs(j - x)) <= half]
        steps.append(np.abs(np.sum(around, axis=0)).max() / 9 / len(around))
    return steps


@pytest.mark.parametrize("shape", [(17, 23), (1, 30), (30, 1), (2, 2)])
def test_equals_the_definition(patches, shape):
    for dtype in [np.uint8, np.int64]:
        for depth in [0, 1, 2, 50]:
            rng = np.random.default_rng(0)
            for seed in range(3):
                mask = patches(seed, shape, void=False).astype(dtype)
                mask[:1, :1] = 3 - mask[:1, :1]
                image = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
                found = boundary_pixels(mask)
                boundaries = Boundaries.of(mask)
                assert [divmod(p, shape[1]) for p in boundaries.at.tolist()] == list(found)
                assert boundaries.label.tolist() == [mask[p] for p in found]
                assert boundaries.rival.tolist() == [rival for rival, _ in found.values()]
                assert boundaries.way.tolist() == [list(way) for _, way in found.values()]
                if found:
                    steps = color_steps(image, mask, boundaries, depth)
                    expected = steps_pixel_by_pixel(image, mask, depth)
                    np.testing.assert_allclose(steps, expected, rtol=1e-6)


def test_a_straight_boundary_shows_the_difference_of_the_colours():
    mask = np.repeat([[0, 1]], 20, axis=1).repeat(30, axis=0).astype(np.uint8)
    image = np.where(mask[..., None] == 1, [90, 30, 80], [60, 70, 80]).astype(np.uint8)
    boundaries = Boundaries.of(mask)
    np.testing.assert_array_equal(color_steps(image, mask, boundaries, 2), 40)
    # Right at the boundary, 3 x 3 pixels see a third of the step from either side.
    np.testing.assert_allclose(color_steps(image, mask, boundaries, 0), 40 / 3, rtol=1e-6)
    grey = np.ascontiguousarray(image[..., 0])
    np.testing.assert_array_equal(color_steps(grey, mask, boundaries, 2), 30)


def test_no_boundary():
    mask = np.zeros((4, 5), np.uint8)
    boundaries = Boundaries.of(mask)
    assert boundaries.at.size == 0
    assert color_steps(np.zeros((4, 5, 3), np.uint8), mask, boundaries, 1).size == 0
