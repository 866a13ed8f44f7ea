import cv2
import numpy as np
import pytest

from segnoise.noise import (
    BoundaryClosing,
    BoundaryDilation,
    BoundaryErosion,
    BoundaryOpening,
    generator,
)
from segnoise.noise.models.boundary import boundary_band

RNG = generator(0)
DTYPES = [np.uint8, np.uint16, np.int32, np.int64]
# What each model does to the ranks in a pixel's square, in turn.
STEPS = [
    (BoundaryErosion, [min]),
    (BoundaryDilation, [max]),
    (BoundaryOpening, [min, max]),
    (BoundaryClosing, [max, min]),
]
ALL = [model for model, _ in STEPS]


def square(y, x, width):
    return slice(max(y - width, 0), y + width + 1), slice(max(x - width, 0), x + width + 1)


def by_rank(mask, width, steps, classes=None, void=255):
    """Follow the definition word by word, one pixel at a time."""

    def rank(label):
        # Listed classes first, then fewer pixels, then the higher id.
        return classes is None or label in classes, -(mask == label).sum(), label

    noisy = mask
    for choose in steps:
        before, noisy = noisy, noisy.copy()
        for y, x in np.argwhere(mask != void):
            near = square(y, x, width)
            noisy[y, x] = choose(set(before[near][mask[near] != void].tolist()), key=rank)
    if classes is not None:
        kept = ~np.isin(mask, classes) & ~np.isin(noisy, classes)
        noisy[kept] = mask[kept]
    return noisy


def eroded_to(fill, mask, width, classes=None, void=255):
    """The same for an erosion with a fill."""
    noisy = mask.copy()
    for y, x in np.argwhere(mask != void):
        listed = classes is None or mask[y, x] in classes
        if listed and len(np.unique(mask[square(y, x, width)])) > 1:
            noisy[y, x] = void if fill == "void" else fill
    return noisy


@pytest.mark.parametrize(("model", "steps"), STEPS)
@pytest.mark.parametrize("classes", [None, (1, 3), (0, 1, 2)])
def test_equals_the_definition(patches, model, steps, classes):
    for width in [0, 1, 2, 5, 100]:
        for seed in range(3):
            mask = patches(seed, void=seed != 2)
            expected = by_rank(mask, width, steps, classes)
            for dtype in DTYPES:
                noisy = model(width, classes=classes)(mask.astype(dtype), RNG)
                np.testing.assert_array_equal(noisy, expected.astype(dtype), strict=True)


@pytest.mark.parametrize(("model", "steps"), STEPS)
@pytest.mark.parametrize("classes", [None, (601, 603)])
def test_equals_the_definition_beyond_a_byte(patches, model, steps, classes):
    for top, void in [(900, 255), (40_000, 40_000), (70_000, 255), (70_000, -100)]:
        mask = patches(1, dtype=np.int64, void=False, offset=600)
        mask[mask == 0] = top
        mask[2:5, 3:9] = void
        expected = by_rank(mask, 2, steps, classes, void)
        noisy = model(2, classes=classes, ignore_index=void)(mask, RNG)
        np.testing.assert_array_equal(noisy, expected)


@pytest.mark.parametrize("fill", ["void", 0, 2, 700])
@pytest.mark.parametrize("classes", [None, (1, 3), (0, 1, 2)])
def test_erosion_with_a_fill_equals_the_definition(patches, fill, classes):
    for width in [0, 1, 2, 5, 100]:
        for seed in range(4):
            mask = patches(seed, void=seed % 2 == 0, dtype=np.uint16)
            noise = BoundaryErosion(width, fill, classes)
            expected = eroded_to(fill, mask, width, classes)
            np.testing.assert_array_equal(noise(mask, RNG), expected)
            far = 70_000 * (mask.astype(np.int64) == 0) + mask
            if classes is None:
                expected = eroded_to(fill, far, width)
                np.testing.assert_array_equal(noise(far, RNG), expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_byte_full_of_classes(dtype):
    mask = np.random.default_rng(0).permutation(256).reshape(16, 16).astype(dtype)
    for model, steps in STEPS[:2]:
        noisy = model(1, ignore_index=300)(mask, RNG)
        np.testing.assert_array_equal(noisy, by_rank(mask, 1, steps, void=300))


def test_more_classes_than_can_be_ranked():
    mask = np.arange(70_000).reshape(70, 1000)
    assert (BoundaryErosion(1, fill=0, ignore_index=-1)(mask, RNG) == 0).all()
    with pytest.raises(ValueError, match="mask holds 70000 classes, but at most 65535"):
        BoundaryDilation(1, ignore_index=-1)(mask, RNG)


def test_ties_in_size_go_to_the_lower_id_as_stuff_and_to_the_higher_as_thing():
    mask = np.array([[5, 5, 5, 3, 3, 3, 4, 4, 4]], np.uint8)
    assert BoundaryErosion(1)(mask, RNG).tolist() == [[5, 5, 3, 3, 3, 3, 3, 4, 4]]
    assert BoundaryDilation(1)(mask, RNG).tolist() == [[5, 5, 5, 5, 3, 4, 4, 4, 4]]


@pytest.mark.parametrize("width", [1, 3])
def test_erosion_of_one_class_is_dilation_of_the_other(patches, width):
    mask = patches(1, (40, 50), num_classes=2)
    for one in (0, 1):
        np.testing.assert_array_equal(
            BoundaryErosion(width, classes=[one])(mask, RNG),
            BoundaryDilation(width, classes=[1 - one])(mask, RNG),
        )


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("fill", ["void", 0])
def test_erosion_equals_class_by_class_erosion(patches, width, fill):
    ndimage = pytest.importorskip("scipy.ndimage")
    mask = patches(3, (60, 80), num_classes=19)
    kernel = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    by_opencv = np.full_like(mask, 255 if fill == "void" else fill)
    by_opencv[mask == 255] = 255
    by_scipy, interior = by_opencv.copy(), np.zeros(mask.shape, bool)
    for label in [*range(19), 255]:
        region = mask == label
        inside = cv2.erode(region.astype(np.uint8), kernel) == 1
        interior |= inside
        by_opencv[inside] = label
        by_scipy[ndimage.binary_erosion(region, kernel, border_value=1)] = label
    noisy = BoundaryErosion(width, fill)(mask, RNG)
    np.testing.assert_array_equal(noisy, by_opencv)
    np.testing.assert_array_equal(noisy, by_scipy)
    np.testing.assert_array_equal(boundary_band(mask, width), ~interior)
    assert 0 < interior.mean() < 1


def scene(*parts):
    """A mask of 20 x 40 zeros with rectangles: rows, columns, class."""
    mask = np.zeros((20, 40), np.uint8)
    for top, bottom, left, right, label in parts:
        mask[top:bottom, left:right] = label
    return mask


BOX, HANDLE = (4, 14, 4, 14, 1), (8, 10, 14, 25, 1)


@pytest.mark.parametrize(
    ("noise", "before", "after"),
    [
        (BoundaryErosion(2), [BOX, (0, 20, 24, 26, 2)], [(6, 12, 6, 12, 1)]),
        (
            BoundaryDilation(2),  # and merge over the gap
            [(4, 14, 5, 10, 1), (4, 14, 14, 16, 2)],
            [(2, 16, 3, 12, 1), (2, 16, 12, 18, 2)],
        ),
        (BoundaryOpening(2), [BOX, HANDLE, (2, 6, 30, 34, 2)], [BOX]),
        (BoundaryClosing(2), [BOX, HANDLE], [BOX, HANDLE]),
        (BoundaryClosing(2), [BOX, (7, 10, 6, 9, 0), (4, 14, 17, 25, 1)], [(4, 14, 4, 25, 1)]),
    ],
)
def test_objects_by_hand(noise, before, after):
    np.testing.assert_array_equal(noise(scene(*before), RNG), scene(*after))


def test_removed_parts_take_the_class_around_them():
    mask = scene((0, 20, 15, 40, 1), (5, 6, 3, 6, 2), (5, 6, 20, 24, 3))
    np.testing.assert_array_equal(BoundaryOpening(1)(mask, RNG), scene((0, 20, 15, 40, 1)))


@pytest.mark.parametrize(
    ("noise", "before", "after"),
    [
        # Classes that are not listed keep to themselves.
        (BoundaryDilation(1, [1]), [0, 0, 0, 2, 2, 0, 0, 1, 1], [0, 0, 0, 2, 2, 0, 1, 1, 1]),
        (BoundaryOpening(1, [2]), [0, 0, 1, 0, 0, 0, 2, 0, 0], [0, 0, 1, 0, 0, 0, 0, 0, 0]),
        (
            BoundaryClosing(1, [2]),
            [1, 1, 0, 1, 1, 2, 2, 0, 2, 2, 0, 0, 0, 0, 0, 0],
            [1, 1, 0, 1, 1, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0],
        ),
        # Listed ones lose even when they are the larger.
        (BoundaryErosion(1), [0, 0, 1, 1, 1, 1, 1], [0, 1, 1, 1, 1, 1, 1]),
        (BoundaryErosion(1, classes=[1]), [0, 0, 1, 1, 1, 1, 1], [0, 0, 0, 1, 1, 1, 1]),
        # A void rim shrinks objects only where a fill is given.
        (BoundaryErosion(2), [0, 0, 0, 0, 255, 255, 7, 7, 7], [0, 0, 0, 0, 255, 255, 7, 7, 7]),
        (BoundaryErosion(3), [0, 0, 0, 0, 255, 255, 7, 7, 7], [0, 0, 0, 0, 255, 255, 0, 7, 7]),
        (BoundaryErosion(2, 0), [0, 0, 0, 0, 255, 255, 7, 7, 7], [0, 0, 0, 0, 255, 255, 0, 0, 7]),
        # Along void, an object counts as if it went on beyond.
        (BoundaryOpening(1), [0, 0, 0, 3, 3, 255, 255, 0, 0], [0, 0, 0, 3, 3, 255, 255, 0, 0]),
        (BoundaryClosing(1), [0, 0, 0, 3, 3, 255, 255, 0, 0], [0, 0, 0, 3, 3, 255, 255, 0, 0]),
        # The image's border is no boundary.
        (BoundaryErosion(1), [1, 1, 1, 0, 0, 0], [1, 1, 0, 0, 0, 0]),
        (BoundaryErosion(2, "void"), [1, 1, 1, 1], [1, 1, 1, 1]),
        (BoundaryErosion(2, 0), [1, 1, 1, 1], [1, 1, 1, 1]),
    ],
)
def test_rows_by_hand(noise, before, after):
    assert noise(np.array([before], np.uint8), RNG).tolist() == [after]


@pytest.mark.parametrize("model", ALL)
def test_void_neither_wins_nor_loses(model):
    # One row of class 7 between two rims of void: nothing but void is near.
    mask = np.full((5, 9), 255, np.uint8)
    mask[2] = 7
    np.testing.assert_array_equal(model(3)(mask, RNG), mask)


@pytest.mark.parametrize("model", ALL)
def test_only_a_fractional_width_draws_one_of_its_neighbours(model, patches):
    mask = np.kron(patches(0), np.ones((3, 3), np.uint8))
    rng = generator(1)
    before = rng.bit_generator.state
    narrow, wide = model(2)(mask, rng), model(3)(mask, rng)
    assert rng.bit_generator.state == before
    drawn = [model(2.3)(mask, generator(seed)) for seed in range(200)]
    count = sum((noisy == wide).all() for noisy in drawn)
    assert sum((noisy == narrow).all() for noisy in drawn) == 200 - count
    assert abs(count - 60) < 4 * (200 * 0.3 * 0.7) ** 0.5


def test_parameters_are_kept_in_one_form():
    assert repr(BoundaryErosion(3.0)) == repr(BoundaryErosion(3))
    assert str(BoundaryDilation(3).with_dose(5.0)).startswith("BoundaryDilation(width=5, ")
    assert BoundaryErosion(3).with_dose(2.5).width == 2.5
    noise = BoundaryErosion(np.float32(1.5), classes=[3, 1, 3])
    assert (noise.width, noise.classes) == (1.5, (1, 3))
    assert hash(noise) == hash(BoundaryErosion(1.5, classes=(1, 3)))
