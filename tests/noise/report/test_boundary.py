import numpy as np
import pytest

from segnoise.noise.geometry.bit_maps import packed
from segnoise.noise.models.boundary import boundary_band
from segnoise.noise.report.boundary import MAX_DISTANCE, count_by_distance


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((60, 90), np.uint8), ((1, 200), np.uint16), ((150, 1), np.int32), ((70, 70), np.int64)],
)
def test_distances_are_those_of_the_boundary_band(patches, shape, dtype):
    clean = patches(3, shape, dtype=dtype)
    valid = clean != 255
    wrong = valid & (np.random.default_rng(0).random(shape) < 0.2)
    near, changed = count_by_distance(clean, packed(valid), packed(wrong))
    for distance in range(1, MAX_DISTANCE + 1):
        band = boundary_band(clean, distance)
        assert near[:distance].sum() == (band & valid).sum()
        assert changed[:distance].sum() == (band & wrong).sum()
    assert near.sum() == valid.sum()
    assert changed.sum() == wrong.sum()
    assert len(near) == len(changed) == MAX_DISTANCE + 1


def test_distance_to_the_nearest_other_label_by_brute_force(patches):
    clean = patches(5, (24, 31))
    valid = clean != 255
    expected = np.zeros(MAX_DISTANCE + 1, int)
    for y, x in zip(*np.nonzero(valid), strict=True):
        rows, columns = np.nonzero(clean != clean[y, x])
        distance = np.maximum(abs(rows - y), abs(columns - x)).min()
        expected[min(distance, MAX_DISTANCE + 1) - 1] += 1
    near, changed = count_by_distance(clean, packed(valid), packed(np.zeros_like(valid)))
    np.testing.assert_array_equal(near, expected)
    assert not changed.any()
