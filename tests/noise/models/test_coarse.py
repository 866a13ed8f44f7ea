import naive_objects as naive
import numpy as np
import pytest

from segnoise.noise import BoxMask, CoarsePolygon, HullMask, generator
from segnoise.noise.geometry.components import connected_components
from segnoise.noise.geometry.outlines import trace

GAP = 9


def boxed(pixels, shape):
    rows, columns = zip(*pixels, strict=True)
    where = np.zeros(shape, bool)
    where[min(rows) : max(rows) + 1, min(columns) : max(columns) + 1] = True
    return where


def chosen(found, rate, seed, classes):
    """Draw one number for each object, in order."""
    draws = generator(seed).random(len(found))
    return [
        n
        for n, (label, _) in enumerate(found)
        if draws[n] < rate and (classes is None or label in classes)
    ]


@pytest.mark.parametrize("rate", [0, 0.4, 1])
@pytest.mark.parametrize("classes", [None, (1, 3)])
def test_boxes_against_brute_force(patches, rate, classes):
    for seed in range(6):
        mask = patches(seed)
        found = naive.objects(mask)
        shapes = {
            n: (boxed(found[n][1], mask.shape), found[n][0])
            for n in chosen(found, rate, seed, classes)
        }
        expected = naive.pile(mask, found, shapes, GAP)
        np.testing.assert_array_equal(BoxMask(rate, classes)(mask, generator(seed)), expected)


def test_boxes_of_instances(patches):
    for seed in range(6):
        mask = patches(seed)
        instances = np.random.default_rng(seed).integers(0, 3, mask.shape, np.int32)
        instances[:, ::2] = 0
        found = naive.objects(mask, instances=instances)
        shapes = {n: (boxed(found[n][1], mask.shape), found[n][0]) for n in range(len(found))}
        noisy = BoxMask(regions="instances")(mask, generator(0), instances=instances)
        np.testing.assert_array_equal(noisy, naive.pile(mask, found, shapes, GAP))


def test_boxes_lie_on_what_is_larger_and_below_what_is_smaller():
    mask = np.zeros((8, 10), np.uint8)
    mask[1:7, 1] = mask[6, 1:7] = 1
    mask[2:4, 3:5] = 2
    mask[2, 8:] = 255
    noisy = BoxMask()(mask, generator(0))
    expected = np.zeros_like(mask)
    expected[1:7, 1:7] = 1
    expected[2:4, 3:5] = 2
    expected[2, 8:] = 255
    np.testing.assert_array_equal(noisy, expected)


def test_hull_against_brute_force():
    for seed in range(25):
        rng = np.random.default_rng(seed)
        mask = np.zeros((16, 18), np.uint8)
        for y, x in zip(*rng.integers(3, 13, (2, 5)), strict=True):
            mask[y : y + 3, x : x + 2] = 1
        instances = mask.astype(np.int32)
        noisy = HullMask(classes=[1], regions="instances")(mask, generator(0), instances=instances)
        pixels = np.argwhere(mask == 1)
        for p in np.ndindex(mask.shape):
            depth = depth_in_hull(np.array(p), pixels)
            # Pixels between the hull and the nearest ones to its edges, half a pixel beyond.
            if depth >= 0:
                assert noisy[p] == 1
            elif depth < -0.5:
                assert noisy[p] == 0


def depth_in_hull(p, pixels):
    """Return how far a pixel is within the hull: the least over many directions, to a hair."""
    angles = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    directions = np.stack([np.sin(angles), np.cos(angles)])
    return ((pixels @ directions).max(0) - p @ directions).min() + 1e-9


def test_hulls_fill_bays_but_do_not_cover_what_is_smaller():
    mask = np.zeros((9, 20), np.uint8)
    mask[1:8, 1:8] = 1
    mask[3:6, 3:6] = 2
    mask[1:8, 10:12] = mask[1:3, 12:16] = mask[6:8, 12:16] = 3
    mask[4, 15:17] = 2
    expected = mask.copy()
    expected[1:8, 10:16] = 3
    expected[4, 15] = 2
    np.testing.assert_array_equal(HullMask(classes=[1, 3])(mask, generator(0)), expected)


@pytest.mark.parametrize("tolerance", [0.6, 1.5, 4, 50])
@pytest.mark.parametrize("classes", [None, (1, 2)])
def test_polygons_against_the_definition(patches, tolerance, classes):
    for seed in range(4):
        mask = np.kron(patches(seed, (8, 9)), np.ones((2, 3), np.uint8))
        found, traced = naive.objects(mask), connected_components(mask, 255)
        shapes = {}
        for n in chosen(found, 0.8, seed, classes):
            lines = [line.reshape(-1, 2) for line in trace(traced, n)]
            lines = [naive.simplified(line, tolerance) for line in lines]
            shapes[n] = (naive.drawn(lines, mask.shape), found[n][0])
        noise = CoarsePolygon(tolerance, 0.8, GAP, classes)
        noisy = noise(mask, generator(seed))
        np.testing.assert_array_equal(noisy, naive.pile(mask, found, shapes, GAP))


def test_more_tolerance_changes_more():
    y, x = np.mgrid[:90, :120]
    wave = 12 * np.sin(np.arctan2(y - 45, x - 60) * 9)
    mask = (np.hypot(y - 45, x - 60) < 28 + wave / 3).astype(np.uint8)
    changed = [
        np.count_nonzero(CoarsePolygon(t)(mask, generator(0)) != mask) for t in (0, 1, 3, 9, 27)
    ]
    assert changed == sorted(changed)
    assert changed[0] == 0
    assert changed[-1] > 3 * changed[1] > 0


def test_vacated_pixels_go_to_the_surround_not_back_to_the_object():
    mask = np.zeros((20, 30), np.uint8)
    mask[6:15, 5:25] = 1
    mask[1:6, 10:14] = 1  # a spike, shorter than the tolerance
    left = CoarsePolygon(6, classes=[1], fill=GAP)(mask, generator(0)) == GAP
    noisy = CoarsePolygon(6, classes=[1])(mask, generator(0))
    assert left.sum() >= 12
    assert (noisy[left] == 0).all()
