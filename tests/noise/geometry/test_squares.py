import math

import numpy as np
import pytest

from segnoise.noise import generator
from segnoise.noise.geometry.squares import (
    check_width,
    comparable,
    drawn_width,
    square_maximum,
    square_minimum,
)


@pytest.mark.parametrize("value", [3, 3.0, np.int16(3), np.float32(3)])
def test_a_whole_width_becomes_an_int(value):
    assert check_width("width", value) == 3
    assert type(check_width("width", value)) is int


def test_the_mean_of_drawn_widths_is_the_width():
    rng = generator(0)
    drawn = [drawn_width(2.25, rng) for _ in range(10_000)]
    assert set(drawn) == {2, 3}
    assert abs(np.mean(drawn) - 2.25) < 4 * math.sqrt(0.25 * 0.75 / 10_000)
    state = rng.bit_generator.state
    assert drawn_width(7, rng) == 7
    assert rng.bit_generator.state == state


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float64])
def test_filters(dtype):
    for shape in [(1, 8), (8, 1), (5, 6)]:
        for width in [0, 1, 2, 30]:
            values = np.random.default_rng(0).integers(0, 200, shape).astype(dtype)
            least, greatest = square_minimum(values, width), square_maximum(values, width)
            for y, x in np.ndindex(shape):
                around = values[
                    max(y - width, 0) : y + width + 1, max(x - width, 0) : x + width + 1
                ]
                assert (least[y, x], greatest[y, x]) == (around.min(), around.max())


@pytest.mark.parametrize(
    ("labels", "dtype", "expected"),
    [
        ([0, 255], np.uint8, np.uint8),
        ([0, 255], np.uint16, np.uint8),
        ([0, 65_535], np.uint16, np.uint16),
        ([-100, 155], np.int64, np.uint8),
        ([-1, 65_534], np.int32, np.uint16),
        ([-1, 65_535], np.int32, np.float64),
        ([-(2**31), 2**31 - 1], np.int32, np.float64),
        ([2**62, 2**62 + 3], np.int64, np.uint8),
    ],
)
def test_labels_that_opencv_can_compare(labels, dtype, expected):
    mask = np.array([labels], dtype)
    values = comparable(mask)
    assert values.dtype == expected
    assert values[0, 1] - values[0, 0] == labels[1] - labels[0]
