import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segnoise.noise.components import connected_components


def flood_fill(mask, ignore_index, instances):
    """Number the components one by one, in reading order."""
    index = np.full(mask.shape, -1, np.int32)
    height, width = mask.shape
    numbers = np.zeros_like(mask) if instances is None else instances
    count = 0
    for seed in np.ndindex(*mask.shape):
        if mask[seed] == ignore_index or index[seed] >= 0:
            continue
        index[seed] = count
        stack = [seed]
        while stack:
            row, column = stack.pop()
            if numbers[row, column] > 0:  # wherever the instance is, near or far
                near = list(np.ndindex(*mask.shape))
            else:
                near = [(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
            for y, x in near:
                if (
                    0 <= y < height
                    and 0 <= x < width
                    and index[y, x] < 0
                    and mask[y, x] == mask[row, column]
                    and numbers[y, x] == numbers[row, column]
                ):
                    index[y, x] = count
                    stack.append((y, x))
        count += 1
    return index


masks = hnp.arrays(
    dtype=st.sampled_from([np.uint8, np.uint16, np.int32]),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    elements=st.sampled_from([0, 1, 5, 255]),
)


@pytest.mark.parametrize("with_instances", [False, True])
@settings(max_examples=150, deadline=None)
@given(mask=masks, seed=st.integers(0, 99))
def test_against_flood_fill(with_instances, mask, seed):
    instances = None
    if with_instances:
        instances = np.random.default_rng(seed).integers(0, 4, mask.shape, np.int32)
    found = connected_components(mask, 255, instances)
    expected = flood_fill(mask, 255, instances)
    np.testing.assert_array_equal(found.index, expected)
    assert len(found) == expected.max() + 1
    for number in range(len(found)):
        region = expected == number
        rows, columns = np.nonzero(region)
        box = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
        assert found.box[number].tolist() == box
        assert found.area[number] == region.sum()
        assert (mask[region] == found.label[number]).all()
        np.testing.assert_array_equal(found.region(number), region[found.window(number)])


def test_void_only():
    found = connected_components(np.full((3, 4), 255, np.uint8), 255)
    assert len(found) == 0
    assert (found.index == -1).all()
