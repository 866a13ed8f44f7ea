import cv2
import numpy as np
import pytest

from segnoise.noise import BoundaryDilation, BoundaryErosion, generator
from segnoise.noise.models.boundary import boundary_band

RNG = generator(0)
DTYPES = [np.uint8, np.uint16, np.int32, np.int64]


def neighbourhood(mask, y, x, width):
    return mask[max(y - width, 0) : y + width + 1, max(x - width, 0) : x + width + 1]


def eroded_pixel_by_pixel(mask, width, fill, classes=None, void=255):
    """Follow the definition word by word, one pixel at a time."""
    noisy = mask.copy()
    for y in range(mask.shape[0]):
        for x in range(mask.shape[1]):
            own = mask[y, x]
            if own == void or (classes is not None and own not in classes):
                continue
            around = set(neighbourhood(mask, y, x, width).ravel().tolist())
            if fill == "neighbor":
                # Classes that cannot lose win; then most pixels; at equal counts the lower id.
                ranks = [
                    (classes is not None and c not in classes, (mask == c).sum(), -c)
                    for c in around
                    if c != void
                ]
                noisy[y, x] = -max(ranks)[2]
            elif len(around) > 1:
                noisy[y, x] = void if fill == "void" else fill
    return noisy


def dilated_pixel_by_pixel(mask, width, classes=None, void=255):
    """Follow the definition word by word, one pixel at a time."""
    noisy = mask.copy()
    for y in range(mask.shape[0]):
        for x in range(mask.shape[1]):
            if mask[y, x] == void:
                continue
            around = set(neighbourhood(mask, y, x, width).ravel().tolist()) - {void}
            # Unlisted classes never grow; of the others, that of fewest pixels, at equal counts
            # that of the higher id. Listed pixels hold a listed class: themselves.
            growing = [c for c in around if classes is None or c in classes]
            if growing:
                noisy[y, x] = min(growing, key=lambda c: ((mask == c).sum(), -c))
    return noisy


@pytest.mark.parametrize("fill", ["neighbor", "void", 0, 2])
@pytest.mark.parametrize("classes", [None, (1, 3), (0, 1, 2)])
def test_equals_the_definition(patches, fill, classes):
    for width in [0, 1, 2, 5, 100]:
        for seed in range(4):
            mask = patches(seed, void=seed % 2 == 0)
            expected = eroded_pixel_by_pixel(mask, width, fill, classes)
            noise = BoundaryErosion(width, fill, classes)
            for dtype in DTYPES:
                noisy = noise(mask.astype(dtype), RNG)
                assert noisy.dtype == dtype
                np.testing.assert_array_equal(noisy, expected)


@pytest.mark.parametrize("fill", ["neighbor", "void", 700])
def test_equals_the_definition_beyond_a_byte(patches, fill):
    for seed in range(3):
        mask = patches(seed, dtype=np.int64, void=False, offset=600)
        mask[mask == 0] = 70_000
        mask[2:5, 3:9] = -100
        noise = BoundaryErosion(2, fill, ignore_index=-100)
        np.testing.assert_array_equal(
            noise(mask, RNG), eroded_pixel_by_pixel(mask, 2, fill, void=-100)
        )


@pytest.mark.parametrize("classes", [None, (1, 3), (0, 1, 2)])
def test_dilation_equals_the_definition(patches, classes):
    for width in [0, 1, 2, 5, 100]:
        for seed in range(4):
            mask = patches(seed, void=seed % 2 == 0)
            expected = dilated_pixel_by_pixel(mask, width, classes)
            for dtype in DTYPES:
                noisy = BoundaryDilation(width, classes)(mask.astype(dtype), RNG)
                assert noisy.dtype == dtype
                np.testing.assert_array_equal(noisy, expected)


@pytest.mark.parametrize("classes", [None, (601, 603)])
def test_dilation_equals_the_definition_beyond_a_byte(patches, classes):
    for seed in range(3):
        mask = patches(seed, dtype=np.uint16, void=False, offset=600)
        mask[2:5, 3:9] = 40_000
        noise = BoundaryDilation(2, classes, ignore_index=40_000)
        expected = dilated_pixel_by_pixel(mask, 2, classes, void=40_000)
        np.testing.assert_array_equal(noise(mask, RNG), expected)
        wide, expected = mask.astype(np.int64), expected.astype(np.int64)
        wide[mask == 0], expected[expected == 0] = 70_000, 70_000
        np.testing.assert_array_equal(
            noise(wide, RNG), dilated_pixel_by_pixel(wide, 2, classes, void=40_000)
        )


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_byte_full_of_classes(dtype):
    mask = np.random.default_rng(0).permutation(256).reshape(16, 16).astype(dtype)
    noisy = BoundaryErosion(1, ignore_index=300)(mask, RNG)
    np.testing.assert_array_equal(noisy, eroded_pixel_by_pixel(mask, 1, "neighbor", void=300))
    noisy = BoundaryDilation(1, ignore_index=300)(mask, RNG)
    np.testing.assert_array_equal(noisy, dilated_pixel_by_pixel(mask, 1, void=300))


def test_more_classes_than_can_be_ranked():
    mask = np.arange(70_000).reshape(70, 1000)
    assert (BoundaryErosion(1, fill=0, ignore_index=-1)(mask, RNG) == 0).all()
    with pytest.raises(ValueError, match="mask holds 70000 classes, but at most 65535"):
        BoundaryDilation(1, ignore_index=-1)(mask, RNG)


def test_ties_in_size_go_to_the_lower_id_as_stuff_and_to_the_higher_as_thing():
    for dtype in DTYPES:
        mask = np.array([[5, 5, 5, 3, 3, 3, 4, 4, 4]], dtype)
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
    by_scipy = by_opencv.copy()
    for label in range(19):
        region = mask == label
        by_opencv[cv2.erode(region.astype(np.uint8), kernel) == 1] = label
        by_scipy[ndimage.binary_erosion(region, kernel, border_value=1)] = label
    noisy = BoundaryErosion(width, fill)(mask, RNG)
    np.testing.assert_array_equal(noisy, by_opencv)
    np.testing.assert_array_equal(noisy, by_scipy)


@pytest.mark.parametrize("width", [1, 3])
def test_band_equals_class_by_class_binary_erosion(patches, width):
    mask = patches(3, (60, 80), num_classes=19)
    kernel = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    interior = np.zeros(mask.shape, bool)
    for label in np.unique(mask):
        interior |= cv2.erode((mask == label).astype(np.uint8), kernel).astype(bool)
    np.testing.assert_array_equal(boundary_band(mask, width), ~interior)
    assert interior.any()
    assert not interior.all()


def test_objects_shrink_by_the_width_and_thin_ones_vanish():
    mask = np.zeros((20, 30), np.uint8)
    mask[4:14, 5:15] = 1
    mask[:, 24:26] = 2
    noisy = BoundaryErosion(2)(mask, RNG)
    expected = np.zeros_like(mask)
    expected[6:12, 7:13] = 1
    np.testing.assert_array_equal(noisy, expected)


def test_objects_grow_by_the_width_and_merge_over_gaps():
    mask = np.zeros((20, 30), np.uint8)
    mask[4:14, 5:10] = 1
    mask[4:14, 14:16] = 2
    noisy = BoundaryDilation(2)(mask, RNG)
    expected = np.zeros_like(mask)
    expected[2:16, 3:12] = 1
    expected[2:16, 12:18] = 2
    np.testing.assert_array_equal(noisy, expected)


def test_classes_that_are_not_listed_keep_to_themselves():
    mask = np.array([[0, 0, 0, 0, 2, 2, 0, 0, 1, 1, 1]], np.uint8)
    noisy = BoundaryDilation(1, classes=[1])(mask, RNG)
    assert noisy.tolist() == [[0, 0, 0, 0, 2, 2, 0, 1, 1, 1, 1]]


def test_the_image_border_is_no_boundary():
    mask = np.ones((6, 6), np.uint8)
    for fill in ("neighbor", "void", 0):
        np.testing.assert_array_equal(BoundaryErosion(2, fill)(mask, RNG), mask)
    mask[:, 3:] = 0
    assert BoundaryErosion(1)(mask, RNG)[0].tolist() == [1, 1, 0, 0, 0, 0]


def test_listed_classes_lose_even_when_they_are_the_larger():
    mask = np.array([[0, 0, 1, 1, 1, 1, 1, 1, 1]], np.uint8)
    assert BoundaryErosion(1)(mask, RNG).tolist() == [[0, 1, 1, 1, 1, 1, 1, 1, 1]]
    noisy = BoundaryErosion(1, classes=[1])(mask, RNG)
    assert noisy.tolist() == [[0, 0, 0, 1, 1, 1, 1, 1, 1]]


def test_void_rim_shrinks_objects_only_where_a_fill_is_given():
    mask = np.array([[0, 0, 0, 0, 255, 255, 7, 7, 7]], np.uint8)
    assert BoundaryErosion(2)(mask, RNG).tolist() == mask.tolist()
    assert BoundaryErosion(3)(mask, RNG).tolist() == [[0, 0, 0, 0, 255, 255, 0, 7, 7]]
    assert BoundaryErosion(2, 0)(mask, RNG).tolist() == [[0, 0, 0, 0, 255, 255, 0, 0, 7]]


@pytest.mark.parametrize("model", [BoundaryErosion, BoundaryDilation])
def test_a_whole_width_does_not_touch_the_generator(model):
    rng = generator(1)
    before = rng.bit_generator.state
    model(1)(np.eye(4, dtype=np.uint8), rng)
    assert rng.bit_generator.state == before


@pytest.mark.parametrize("noise", [BoundaryErosion, BoundaryDilation])
def test_a_fractional_width_is_one_of_its_neighbours(noise, patches):
    mask = np.kron(patches(0), np.ones((3, 3), np.uint8))
    narrow, wide = noise(2)(mask, RNG), noise(3)(mask, RNG)
    count = 0
    for seed in range(400):
        noisy = noise(2.3)(mask, generator(seed))
        assert (noisy == narrow).all() or (noisy == wide).all()
        count += (noisy == wide).all()
    assert abs(count - 120) < 4 * (400 * 0.3 * 0.7) ** 0.5


def test_a_whole_width_is_an_integer():
    assert repr(BoundaryErosion(3.0)) == repr(BoundaryErosion(3))
    assert str(BoundaryDilation(3).with_dose(5.0)).startswith("BoundaryDilation(width=5, ")
    assert BoundaryErosion(3).with_dose(2.5).width == 2.5


def test_listed_classes_are_kept_sorted_and_hashable():
    noise = BoundaryErosion(1, classes=[3, 1, 3])
    assert noise.classes == (1, 3)
    assert hash(noise) == hash(BoundaryErosion(1, classes=(1, 3)))
