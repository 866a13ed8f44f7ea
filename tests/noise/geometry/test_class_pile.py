import numpy as np
import pytest

from segnoise.noise.geometry.class_pile import ClassPile


def unchanged(sheets, rank):
    window = sheets.window(rank, 2)
    return [(window, sheets.region(rank, window))]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.int64])
def test_a_pile_that_is_only_taken_apart_stays_the_same(patches, dtype):
    for classes in [None, (1,), (0, 3), (9,)]:
        for fill in ["neighbor", "void", 2, 77]:
            for seed in range(4):
                mask = patches(seed, dtype=dtype)
                pile = ClassPile.of(mask, classes, 255)
                np.testing.assert_array_equal(
                    pile.to_mask(pile.lay_back(unchanged, fill), fill), mask, strict=True
                )


def test_more_than_a_byte_of_classes():
    mask = np.random.default_rng(0).permutation(400).reshape(20, 20).astype(np.int32) * 300
    pile = ClassPile.of(mask, None, 255)
    assert len(pile.changing) == 399
    np.testing.assert_array_equal(pile.to_mask(pile.lay_back(unchanged, "neighbor"), 0), mask)


def test_order_and_what_may_change():
    mask = np.array([[4, 4, 4, 4, 2, 2, 7, 255, 7, 7]], np.uint8)
    pile = ClassPile.of(mask, None, 255)
    assert [int(pile.ranks.labels[rank]) for rank in pile.changing] == [7, 2]
    pile = ClassPile.of(mask, (2, 4), 255)
    assert [int(pile.ranks.labels[rank]) for rank in pile.changing] == [4, 2]


def test_void_is_divided_among_the_nearest():
    mask = np.array([[4, 255, 255, 255, 255, 2, 2, 2, 255]], np.uint8)
    ranks = ClassPile.of(mask, None, 255).sheets().ranks
    assert ranks.tolist() == [[2, 2, 2, 1, 1, 1, 1, 1, 1]]
    void = np.full((3, 3), 255, np.uint8)
    assert not ClassPile.of(void, None, 255).sheets().ranks.any()


def test_regions_cover_what_lies_below_and_no_void():
    mask = np.array([[0, 0, 0, 0, 0, 2, 2, 2, 1, 1, 255, 0]], np.uint8)
    pile = ClassPile.of(mask, None, 255)

    def all_grow(sheets, rank):
        ((window, region),) = unchanged(sheets, rank)
        region = region.copy()
        region[:, 1:] |= region[:, :-1].copy()
        region[:, :-1] |= region[:, 1:].copy()
        return [(window, region)]

    noisy = pile.to_mask(pile.lay_back(all_grow, "neighbor"), "neighbor")
    assert noisy.tolist() == [[0, 0, 0, 0, 2, 2, 2, 1, 1, 1, 255, 1]]


def nothing_left(sheets, rank):
    window = sheets.window(rank)
    return [(window, np.zeros_like(sheets.region(rank, window)))]


@pytest.mark.parametrize(
    ("fill", "expected"), [("neighbor", 0), ("void", 255), (0, 0), (1, 1), (9, 9)]
)
def test_what_was_given_up_takes_the_fill(fill, expected):
    mask = np.array([[0, 0, 0, 0, 1, 1, 255, 0]], np.uint8)
    pile = ClassPile.of(mask, (1,), 255)
    noisy = pile.to_mask(pile.lay_back(nothing_left, fill), fill)
    assert noisy.tolist() == [[0, 0, 0, 0, expected, expected, 255, 0]]


def test_windows():
    mask = np.zeros((300, 500), np.uint8)
    mask[192:194, 3:9] = 1
    mask[290:, 490:] = 255
    sheets = ClassPile.of(mask, None, 255).sheets()
    window = sheets.window(2)
    assert window == (slice(192, 194), slice(3, 9))
    assert sheets.window(2, 4) == (slice(188, 198), slice(0, 13))
    assert sheets.region(2, window).all()
