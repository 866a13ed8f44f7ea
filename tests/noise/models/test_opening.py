import numpy as np
import pytest

from segnoise.noise import BoundaryClosing, BoundaryOpening, generator

RNG = generator(0)
DTYPES = [np.uint8, np.uint16, np.int32, np.int64]


def filtered_pixel_by_pixel(mask, width, first, then, classes, void):
    """Replace each pixel by the `first` and then by the `then` of its neighbours, by rank."""

    def rank(label):
        # Listed classes first, then fewer pixels, then the higher id.
        return classes is None or label in classes, -(mask == label).sum(), label

    def once(labels, choose):
        result = labels.copy()
        for y, x in np.argwhere(mask != void):
            window = (
                slice(max(y - width, 0), y + width + 1),
                slice(max(x - width, 0), x + width + 1),
            )
            around = set(labels[window][mask[window] != void].tolist())
            result[y, x] = choose(around, key=rank)
        return result

    noisy = once(once(mask, first), then)
    if classes is not None:
        kept = ~np.isin(mask, classes) & ~np.isin(noisy, classes)
        noisy[kept] = mask[kept]
    return noisy


@pytest.mark.parametrize(
    ("model", "first", "then"), [(BoundaryOpening, min, max), (BoundaryClosing, max, min)]
)
@pytest.mark.parametrize("classes", [None, (1, 3), (0, 1, 2)])
def test_equals_the_definition(patches, model, first, then, classes):
    for width in [0, 1, 2, 4, 50]:
        for seed in range(3):
            mask = patches(seed, void=seed != 2)
            expected = filtered_pixel_by_pixel(mask, width, first, then, classes, 255)
            for dtype in DTYPES:
                noisy = model(width, classes)(mask.astype(dtype), RNG)
                assert noisy.dtype == dtype
                np.testing.assert_array_equal(noisy, expected)


@pytest.mark.parametrize(
    ("model", "first", "then"), [(BoundaryOpening, min, max), (BoundaryClosing, max, min)]
)
@pytest.mark.parametrize("top", [900, 70_000])
def test_equals_the_definition_beyond_a_byte(patches, model, first, then, top):
    mask = patches(1, dtype=np.int32, offset=600)
    mask[mask == 0] = top
    expected = filtered_pixel_by_pixel(mask, 1, first, then, None, 255)
    np.testing.assert_array_equal(model(1)(mask, RNG), expected)


def test_opening_removes_what_is_thin_and_keeps_wide_objects():
    mask = np.zeros((20, 40), np.uint8)
    mask[4:14, 4:14] = 1
    mask[8:10, 14:25] = 1  # a handle
    mask[2:6, 30:34] = 2
    expected = np.zeros_like(mask)
    expected[4:14, 4:14] = 1
    np.testing.assert_array_equal(BoundaryOpening(2)(mask, RNG), expected)
    np.testing.assert_array_equal(BoundaryClosing(2)(mask[:, :28], RNG), mask[:, :28])


def test_closing_fills_holes_and_merges_neighbours():
    mask = np.zeros((20, 40), np.uint8)
    mask[4:14, 4:14] = 1
    mask[7:10, 6:9] = 0  # a hole
    mask[4:14, 17:25] = 1
    expected = np.zeros_like(mask)
    expected[4:14, 4:25] = 1
    np.testing.assert_array_equal(BoundaryClosing(2)(mask, RNG), expected)


def test_removed_parts_take_the_class_around_them():
    mask = np.zeros((11, 30), np.uint8)
    mask[:, 15:] = 1
    mask[5, 3:6] = 2
    mask[5, 20:24] = 3
    noisy = BoundaryOpening(1)(mask, RNG)
    assert set(noisy[:, :15].ravel()) == {0}
    assert set(noisy[:, 15:].ravel()) == {1}


@pytest.mark.parametrize("model", [BoundaryOpening, BoundaryClosing])
def test_void_neither_wins_nor_loses(model):
    # One row of class 7 between two rims of void: nothing but void is near.
    mask = np.full((5, 9), 255, np.uint8)
    mask[2] = 7
    np.testing.assert_array_equal(model(3)(mask, RNG), mask)
    # Along void, an object counts as if it went on beyond.
    mask = np.array([[0, 0, 0, 0, 0, 0, 3, 3, 255, 255, 0, 0]], np.uint8)
    np.testing.assert_array_equal(model(1)(mask, RNG), mask)


def test_listed_classes_only():
    mask = np.array([[0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0]], np.uint8)
    assert BoundaryOpening(1, classes=[2])(mask, RNG).tolist() == [[0, 0, 0, 1, *[0] * 7]]
    gaps = np.array([[1, 1, 1, 0, 1, 1, 2, 2, 0, 2, 2, 0, 0, 0, 0, 0, 0]], np.uint8)
    closed = [[1, 1, 1, 0, 1, 1, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0]]
    assert BoundaryClosing(1, classes=[2])(gaps, RNG).tolist() == closed


@pytest.mark.parametrize("model", [BoundaryOpening, BoundaryClosing])
def test_only_a_fractional_width_draws(model, patches):
    mask = patches(0, (40, 40))
    rng = generator(1)
    before = rng.bit_generator.state
    narrow, wide = model(1)(mask, rng), model(2)(mask, rng)
    assert rng.bit_generator.state == before
    drawn = [model(1.5)(mask, generator(seed)) for seed in range(60)]
    count = sum((noisy == wide).all() for noisy in drawn)
    assert sum((noisy == narrow).all() for noisy in drawn) == 60 - count
    assert abs(count - 30) < 4 * 15**0.5
