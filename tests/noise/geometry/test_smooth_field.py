import math

import numpy as np
import pytest

from segnoise.noise import generator
from segnoise.noise.geometry.smooth_field import SmoothField


def whole(shape, length, seed):
    return SmoothField(shape, length, generator(seed)).rows(0, shape[0])


@pytest.mark.parametrize("length", [0, 2, 3.9, 4, 7, 16, 21.5, 40])
def test_mean_variance_and_correlation(length):
    side, count = 256, 16
    fields = np.stack([whole((side, side), length, seed) for seed in range(count)]).astype(float)
    # A field has about one independent number per 2 pi sigma^2 pixels or so.
    independent = fields.size / max(1, 2 * math.pi * (length / 2) ** 2)
    assert abs(fields.mean()) < 4 / math.sqrt(independent)
    variance = (fields**2).mean()
    assert abs(variance - 1) < 4 * math.sqrt(2 / independent)
    for lag in {round(length / 2), round(length), round(1.5 * length)} - {0}:
        across = (fields[:, :, lag:] * fields[:, :, :-lag]).mean()
        down = (fields[:, lag:] * fields[:, :-lag]).mean()
        expected = math.exp(-((lag / length) ** 2))
        assert abs((across + down) / 2 / variance - expected) < 0.01 + 2 / math.sqrt(independent)


def test_values_are_normally_distributed():
    values = np.sort(whole((512, 512), 3, 0).ravel())
    share = np.searchsorted(values, [-3, -2, -1, 0, 1, 2, 3]) / values.size
    expected = [0.5 * (1 + math.erf(z / math.sqrt(2))) for z in (-3, -2, -1, 0, 1, 2, 3)]
    np.testing.assert_allclose(share, expected, atol=0.005)


def test_every_pixel_has_nearly_the_same_variance():
    fields = np.stack([whole((64, 64), 16, seed) for seed in range(400)]).astype(float)
    # The interpolation repeats every 4 pixels.
    variance = [(fields[:, y::4, x::4] ** 2).mean() for y in range(4) for x in range(4)]
    assert max(variance) / min(variance) < 1.05


@pytest.mark.parametrize("shape", [(1, 1), (1, 70), (70, 1), (45, 70)])
def test_rows_agree_with_the_whole(shape):
    for length in [0, 3, 5, 33, 500, 2000]:
        field = SmoothField(shape, length, generator(0))
        everything = field.rows(0, shape[0])
        assert everything.shape == shape
        assert everything.dtype == np.float32
        for top, bottom in ((0, 1), (shape[0] // 3, shape[0] // 2 + 1), (shape[0] - 1, shape[0])):
            np.testing.assert_array_equal(field.rows(top, bottom), everything[top:bottom])


@pytest.mark.parametrize("length", [5, 20, 70, 300, 900])
def test_interpolation_is_exact(length):
    field = SmoothField((150, 170), length, generator(0))
    step = field._step
    grid = field._grid * float(field._unit)
    y, x = ((np.arange(size) + 0.5) / step for size in (150, 170))
    top, left = (np.floor(place).astype(int) for place in (y, x))
    v, u = (y - top)[:, None], (x - left)[None]
    corner = [grid[top + i][:, left + j] for i in (0, 1) for j in (0, 1)]
    expected = (1 - v) * ((1 - u) * corner[0] + u * corner[1])
    expected += v * ((1 - u) * corner[2] + u * corner[3])
    np.testing.assert_array_equal(field.rows(0, 150), expected)
