import math

import numpy as np
import pytest

from segnoise.noise.geometry.resampling import rotated, rotation, warp


@pytest.mark.parametrize("shape", [(1, 1), (1, 8), (7, 4), (6, 6), (5, 9)])
def test_half_turns_are_exact(shape):
    mask = np.arange(shape[0] * shape[1], dtype=np.int32).reshape(shape)
    centre = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    for angle, expected in ((math.pi, mask[::-1, ::-1]), (0.0, mask)):
        source = rotation(angle, centre, 0, shape[1])
        np.testing.assert_array_equal(warp(mask, source, "neighbor", None, -1), expected)


def test_positive_angles_turn_counterclockwise():
    mask = np.arange(25, dtype=np.uint8).reshape(5, 5)
    noisy = warp(mask, rotation(math.pi / 2, (2, 2), 0, 5), "neighbor", None, 255)
    np.testing.assert_array_equal(noisy, np.rot90(mask))


@pytest.mark.parametrize("seed", range(8))
def test_rotated_region_pixel_by_pixel(seed):
    rng = np.random.default_rng(seed)
    region = rng.random((rng.integers(1, 9), rng.integers(1, 12))) < 0.6
    region[0, 0] = True
    angle = rng.uniform(-math.pi, math.pi)
    window = slice(-6, 9), slice(-5, 14)
    top, left, turned = rotated(region, angle, window)
    assert window[0].start <= top <= top + turned.shape[0] <= window[0].stop
    assert window[1].start <= left <= left + turned.shape[1] <= window[1].stop
    row, column = (places.mean() for places in np.nonzero(region))
    for y in range(window[0].start, window[0].stop):
        for x in range(window[1].start, window[1].stop):
            i = math.floor(row + math.cos(angle) * (y - row) + math.sin(angle) * (x - column) + 0.5)
            j = math.floor(
                column + math.cos(angle) * (x - column) - math.sin(angle) * (y - row) + 0.5
            )
            inside = 0 <= i < region.shape[0] and 0 <= j < region.shape[1]
            covered = 0 <= y - top < turned.shape[0] and 0 <= x - left < turned.shape[1]
            assert (covered and turned[y - top, x - left]) == (inside and region[i, j])
