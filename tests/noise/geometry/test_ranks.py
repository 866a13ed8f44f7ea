import functools

import numpy as np
import pytest

from segnoise.noise.geometry.ranks import Ranks, highest_within, lowest_within
from segnoise.noise.geometry.squares import square_maximum

square = functools.partial(square_maximum, width=1)


@pytest.mark.parametrize(
    ("dtype", "table"),
    [
        (np.uint8, {}),
        (np.uint16, {5: 40_000}),
        (np.int32, {0: 70_000}),
        (np.int64, {255: -100, 7: -3}),
        (np.int64, {255: -(2**40), 5: 2**60, 0: 2**60 + 1}),
    ],
)
def test_order(dtype, table):
    for classes in [None, (0, 5), (5,), (9,)]:
        # 0 has most pixels; 3 and 5 have the same number; 7 has one.
        rows = [[0, 0, 0, 5, 5], [7, 3, 3, 255, 0]]
        mask = np.array([[table.get(label, label) for label in row] for row in rows], dtype)
        listed = None if classes is None else tuple(table.get(label, label) for label in classes)
        ranks = Ranks.of(mask, listed, table.get(255, 255))
        tied = sorted((3, 5), key=lambda label: table.get(label, label))
        order = [0, *tied, 7]
        if classes is not None:
            order = [c for c in order if c not in classes] + [c for c in order if c in classes]
        assert ranks.labels[1:].tolist() == [table.get(label, label) for label in order]
        expected = [[order.index(c) + 1 if c != 255 else 0 for c in row] for row in rows]
        assert ranks.encode(mask).tolist() == expected
        assert ranks.first_listed == 1 + sum(c not in (classes or order) for c in order)
        assert ranks.encode(mask[1:]).tolist() == expected[1:]
        back = ranks.decode(ranks.encode(mask), ranks.encode(mask))
        assert back.dtype == dtype
        np.testing.assert_array_equal(back, mask)


def test_filters_leave_void_out():
    ranks = np.array([[3, 1, 0, 2, 0, 0, 0]], np.uint8)
    assert highest_within(ranks, square).tolist() == [[3, 3, 0, 2, 0, 0, 0]]
    assert lowest_within(ranks, square).tolist() == [[1, 1, 0, 2, 0, 0, 0]]


@pytest.mark.parametrize(("count", "dtype"), [(255, np.uint8), (256, np.uint16)])
def test_as_many_ranks_as_fit(count, dtype):
    mask = np.random.default_rng(0).permutation(count).reshape(1, -1).astype(np.uint16)
    ranks = Ranks.of(mask, None, 999)
    own = ranks.encode(mask)
    assert own.dtype == dtype
    np.testing.assert_array_equal(own, mask + 1)
    lowest = ranks.decode(lowest_within(own, square), own)
    np.testing.assert_array_equal(lowest, -square(-mask.astype(float)))


def test_pixels_stay_where_no_listed_class_is_involved():
    mask = np.array([[0, 0, 0, 1, 1, 2]], np.uint8)
    ranks = Ranks.of(mask, (2,), 255)
    own = ranks.encode(mask)
    assert ranks.decode(highest_within(own, square), own).tolist() == [[0, 0, 0, 1, 2, 2]]
    assert ranks.decode(lowest_within(own, square), own).tolist() == [[0, 0, 0, 1, 1, 1]]
