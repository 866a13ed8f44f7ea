import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segnoise.noise.geometry import components
from segnoise.noise.geometry.components import connected_components, connected_runs


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


def comb(size):
    """Teeth that only the last row joins."""
    mask = np.zeros((size, size), np.uint8)
    mask[:, ::2] = 1
    mask[-1] = 1
    return mask


def spiral(size):
    """One path that winds inwards, far longer than the mask is high."""
    mask = np.zeros((size, size), np.uint8)
    row, column, down, right = 0, 0, 0, 1
    mask[0, 0] = 1
    for run in [size - 1] + [n for n in range(size - 1, 1, -2) for _ in (0, 1)]:
        for _ in range(run):
            row, column = row + down, column + right
            mask[row, column] = 1
        down, right = right, -down
    return mask


def tree(size):
    """Pairs of branches that join level by level from top to bottom."""
    mask = np.zeros((size, size), np.uint8)
    step = 2
    for row in range(1, size):
        step = min(step * 2, size) if row % 9 == 0 else step
        mask[row, ::step] = 1
        if row % 9 == 8:
            for left in range(0, size - step, 2 * step):
                mask[row, left : left + step] = 1
    return mask


def random(size):
    return np.random.default_rng(0).choice([0, 1, 2, 255], (size, size)).astype(np.uint8)


@pytest.mark.parametrize("draw", [comb, spiral, tree, random])
def test_large_patterns_against_scipy(draw, monkeypatch):
    for block in [1, 500, 1 << 17]:
        monkeypatch.setattr(components, "_BLOCK", block)
        mask = draw(75)
        found = connected_components(mask, 255)
        for label in range(3):
            expected, count = scipy.ndimage.label(mask == label, np.ones((3, 3)))
            assert count == (found.label == label).sum()
            pairs = np.unique(np.stack([expected, found.index])[:, mask == label], axis=1)
            assert pairs.shape[1] == count  # one to one
        first = [np.flatnonzero(found.index.ravel() == number)[0] for number in range(len(found))]
        assert first == sorted(first)


def test_runs_are_the_components_row_by_row():
    mask = random(40)
    found, runs = connected_components(mask, 255), connected_runs(mask, 255)
    np.testing.assert_array_equal(np.repeat(runs.number, runs.length), found.index.ravel())
    np.testing.assert_array_equal(runs.label, found.label)
    np.testing.assert_array_equal(runs.area, found.area)
    assert len(runs) == len(found)
    ends = np.cumsum(runs.length)
    assert set(range(40, 1601, 40)) <= set(ends.tolist())
