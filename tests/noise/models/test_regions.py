import dataclasses

import numpy as np
import pytest

from segnoise.noise import (
    AsymmetricFlip,
    Omission,
    RegionSwap,
    VoidDropout,
    build_noise,
    generator,
)
from segnoise.noise.geometry.components import connected_components
from segnoise.noise.geometry.layers import redraw
from segnoise.noise.geometry.superpixels import superpixels
from segnoise.noise.models.regions import _find_regions, _of_each_pixel
from segnoise.noise.sources import Sources

K = 4
MATRIX = [[0.5, 0.5, 0, 0], [0, 1, 0, 0], [0.2, 0.2, 0.2, 0.4], [1, 0, 0, 0]]


def dots(count, label=1):
    """Return a mask of separate single-pixel objects on class 0."""
    mask = np.zeros((2, 2 * count + 1), np.uint8)
    mask[0, 1::2] = label
    return mask


def omitted(noise, mask, seed, label=1):
    """Return which of the dots are missing."""
    noisy = noise(mask, generator(seed))
    assert (noisy[mask == 0] == 0).all()
    return noisy[mask == label] != label


@pytest.mark.parametrize("fill", ["neighbor", "void", 2])
@pytest.mark.parametrize("classes", [None, (1, 3)])
@pytest.mark.parametrize("vary", [False, True])
def test_omitted_objects_are_removed_from_the_pile(patches, fill, classes, vary):
    for seed in range(8):
        mask = patches(seed, (40, 50))
        found = connected_components(mask, 255)
        rng = generator(seed)
        rate = 0.8 * rng.random() if vary else 0.8
        coins = rng.random(len(found))
        gone = {
            number: None
            for number in range(len(found))
            if coins[number] < rate and (classes is None or int(found.label[number]) in classes)
        }
        expected = redraw(mask, found, gone, gone.get, fill, 255)
        noisy = Omission(0.8, fill=fill, classes=classes, vary=vary)(mask, generator(seed))
        np.testing.assert_array_equal(noisy, expected)


def test_an_object_gives_way_to_its_surround():
    mask = np.zeros((9, 12), np.uint8)
    mask[:, 6:] = 5
    mask[3:6, 2:4] = mask[3:6, 8:10] = 7
    noisy = Omission(1.0, classes=[7])(mask, generator(0))
    expected = np.where(np.arange(12) < 6, 0, 5) * np.ones((9, 1))
    np.testing.assert_array_equal(noisy, expected)
    to_zero = Omission(1.0, fill=0, classes=[7])(mask, generator(0))
    np.testing.assert_array_equal(to_zero, np.where(mask == 7, 0, mask))
    to_void = Omission(1.0, fill="void", classes=[7])(mask, generator(0))
    np.testing.assert_array_equal(to_void, np.where(mask == 7, 255, mask))


def test_what_nothing_can_replace_stays():
    mask = np.array([[3, 3, 255]], np.uint8)
    np.testing.assert_array_equal(Omission(1.0)(mask, generator(0)), mask)


def test_a_higher_rate_only_omits_more():
    mask = dots(100)
    for vary in (False, True):
        low, high = (
            omitted(Omission(rate, classes=[1], vary=vary), mask, 3) for rate in (0.3, 0.6)
        )
        assert high[low].all()
        assert high.sum() > low.sum()


def test_only_small_objects():
    mask = np.zeros((8, 30), np.uint8)
    for number, side in enumerate((1, 2, 3, 4)):
        mask[1 : 1 + side, 6 * number + 1 : 6 * number + 1 + side] = 1
    noisy = Omission(1.0, classes=[1], max_area=9)(mask, generator(0))
    assert (noisy == 1).sum() == 16
    assert (noisy[:, 18:] == mask[:, 18:]).all()


def test_omission_of_instances():
    mask = np.array([[0, 1, 1, 1, 0, 1]], np.uint8)
    instances = np.array([[0, 7, 8, 8, 0, 7]], np.uint16)
    seen = set()
    for seed in range(40):
        noise = Omission(0.5, fill=0, classes=[1], regions="instances")
        noisy = noise(mask, generator(seed), instances=instances)[0].tolist()
        assert noisy[1] == noisy[5]
        assert noisy[2] == noisy[3]
        seen.add((noisy[1], noisy[2]))
    assert len(seen) == 4


def chequers(labels, side=3):
    """One square a label, in rows of 10, void between them."""
    mask = np.full((-(-len(labels) // 10) * (side + 1), 10 * (side + 1)), 255, np.uint8)
    for number, label in enumerate(labels):
        top, left = (side + 1) * (number // 10), (side + 1) * (number % 10)
        mask[top : top + side, left : left + side] = label
    return mask


def test_swaps_against_a_loop_over_regions(patches):
    for seed in range(10):
        mask = patches(seed)
        noise = RegionSwap(0.5, K, classes=[1, 2, 3])
        found = connected_components(mask, 255)
        rng = generator(seed)
        coins, shifts = rng.random(len(found)), rng.integers(1, K, len(found))
        expected = mask.copy()
        for number in range(len(found)):
            label = int(found.label[number])
            if coins[number] < 0.5 and label != 0:
                expected[found.index == number] = (label + shifts[number]) % K
        np.testing.assert_array_equal(noise(mask, generator(seed)), expected)


def transitions(noise, mask, seeds, **sources):
    """Count which class the regions of each class became, and check that they stay whole."""
    found = connected_components(mask, 255)
    counts = np.zeros((K, K))
    first = [np.argmax(found.index == number) for number in range(len(found))]
    for seed in range(seeds):
        noisy = noise(mask, generator(seed), **sources)
        after = noisy.ravel()[first]
        table = np.append(after, 255)
        np.testing.assert_array_equal(noisy, table[found.index])
        np.add.at(counts, (found.label, after), 1)
    return counts


def assert_within_four_sigma(counts, matrix):
    total = counts.sum(axis=1, keepdims=True)
    sigma = np.sqrt(matrix * (1 - matrix) / total)
    assert (np.abs(counts / total - matrix) <= 4 * sigma + 1e-12).all()


@pytest.mark.parametrize("matrix", [None, MATRIX])
@pytest.mark.parametrize("rate", [0.3, 1.0])
def test_transition_rates(matrix, rate):
    mask = chequers(np.arange(200) % K)
    counts = transitions(RegionSwap(rate, K, transition_matrix=matrix), mask, 40)
    drawn = (1 - np.eye(K)) / (K - 1) if matrix is None else np.array(matrix)
    assert_within_four_sigma(counts, (1 - rate) * np.eye(K) + rate * drawn)


def test_instances_are_swapped_as_a_whole():
    mask = np.array([[1, 1, 1, 0, 1, 0, 1]], np.uint8)
    instances = np.array([[7, 7, 8, 0, 7, 0, 0]], np.int32)
    noise = RegionSwap(0.5, K, regions="instances")
    seen = set()
    for seed in range(60):
        noisy = noise(mask, generator(seed), instances=instances)[0]
        assert noisy[0] == noisy[1] == noisy[4]
        seen.add((noisy[0] == noisy[2], noisy[0] == noisy[6], noisy[3] == noisy[5]))
    assert len(seen) == 8  # apart from that, pieces change on their own


def test_superpixels_cut_a_class_into_pieces():
    image = np.kron(np.arange(0, 200, 50, np.uint8), np.ones((16, 16), np.uint8))
    mask = np.ones(image.shape, np.uint8)
    noisy = RegionSwap(0.5, K, regions="superpixels", size=16)(mask, generator(1), image=image)
    assert 0.2 < (noisy != mask).mean() < 0.8


def test_a_higher_rate_only_adds_regions(patches):
    mask = patches(0, (60, 60))
    for seed in range(5):
        low, high = (RegionSwap(rate, K)(mask, generator(seed)) for rate in (0.3, 0.6))
        np.testing.assert_array_equal(high[low != mask], low[low != mask])


def test_large_ids():
    mask = np.array([[65535, 3, -100]], np.int32)
    noisy = RegionSwap(1.0, 1 << 16, ignore_index=-100)(mask, generator(0))
    assert noisy[0, 0] != 65535
    assert noisy[0, 1] != 3
    assert ((noisy[0, :2] >= 0) & (noisy[0, :2] < 1 << 16)).all()
    assert noisy[0, 2] == -100


def test_matrix_short_forms_are_those_of_the_flips():
    short = {"pair": K, "rate": 0.4}
    noise = RegionSwap(1.0, K, transition_matrix=short)
    assert noise.transition_matrix == AsymmetricFlip(short).transition_matrix
    assert build_noise(noise.to_dict()) == noise
    assert "transition_matrix=<4 x 4>" in repr(noise)
    assert repr(RegionSwap(0.5, K)) == (
        "RegionSwap(rate=0.5, num_classes=4, regions='components', transition_matrix=None, "
        "size=24, classes=None, ignore_index=255)"
    )
    assert dataclasses.replace(noise, rate=0.5) == noise.with_dose(0.5)


def test_bad_masks():
    noise = RegionSwap(0.5, K)
    with pytest.raises(ValueError, match=r"class id 9 \(2 pixels\)"):
        noise(np.array([[9, 9, 1]], np.uint8), generator(0))
    with pytest.raises(ValueError, match="num_classes - 1=299 does not fit a mask of dtype uint8"):
        RegionSwap(0.5, 300, ignore_index=300)(np.zeros((1, 1), np.uint8), generator(0))
    with pytest.raises(ValueError, match="needs instances"):
        RegionSwap(0.5, K, regions="instances")(np.zeros((1, 1), np.uint8), generator(0))


@pytest.mark.parametrize("rate", [0.0, 0.001, 0.25, 0.3, 0.999, 1.0])
def test_share_of_void_pixels(rate):
    mask = np.arange(250_000, dtype=np.uint8).reshape(500, 500) % 19
    for seed in range(4):
        noisy = VoidDropout(rate)(mask, generator(seed))
        lost = noisy == 255
        np.testing.assert_array_equal(noisy[~lost], mask[~lost])
        for part in (lost, lost[:, :250], lost[mask == 7]):
            assert abs(part.mean() - rate) <= 4 * np.sqrt(rate * (1 - rate) / part.size)


def test_pixels_are_lost_independently():
    lost = VoidDropout(0.3)(np.zeros((600, 600), np.uint8), generator(0)) == 255
    sigma = 0.3 * 0.7 / 600
    for one, other in ((lost[1:], lost[:-1]), (lost[:, 1:], lost[:, :-1])):
        assert abs(np.mean((one - 0.3) * (other - 0.3))) < 4 * sigma


def test_only_the_listed_classes_become_void(patches):
    mask = patches(2, (60, 60))
    for regions in ("pixels", "components"):
        noisy = VoidDropout(1.0, regions, classes=[1, 3])(mask, generator(0))
        expected = np.where((mask == 1) | (mask == 3), 255, mask)
        np.testing.assert_array_equal(noisy, expected)


def test_void_components_against_a_loop(patches):
    for seed in range(8):
        mask = patches(seed, (30, 40), dtype=np.int32)
        found = connected_components(mask, 255)
        coins = generator(seed).random(len(found))
        expected = mask.copy()
        for number in range(len(found)):
            if coins[number] < 0.4:
                expected[found.index == number] = 255
        noisy = VoidDropout(0.4, "components")(mask, generator(seed))
        np.testing.assert_array_equal(noisy, expected)


def test_void_instances_and_superpixels():
    mask = np.ones((32, 64), np.uint8)
    instances = np.repeat(np.arange(1, 5, dtype=np.int32), 16) * np.ones((32, 1), np.int32)
    image = (instances * 50).astype(np.uint8)
    for seed in range(10):
        noisy = VoidDropout(0.5, "instances")(mask, generator(seed), instances=instances)
        lost = (noisy == 255).reshape(32, 4, 16)
        assert (lost.all(axis=(0, 2)) | ~lost.any(axis=(0, 2))).all()
    shares = [
        np.mean(VoidDropout(0.5, "superpixels", size=8)(mask, generator(seed), image=image) == 255)
        for seed in range(40)
    ]
    assert 0.4 < np.mean(shares) < 0.6
    assert np.std(shares) > 0.01


@pytest.mark.parametrize("void", [-1, 255, 65535])
def test_any_void_and_dtype(void):
    mask = np.array([[0, 1, 70000, void]], np.int64)
    noisy = VoidDropout(1.0, ignore_index=void)(mask, generator(0))
    assert (noisy == void).all()
    partly = VoidDropout(0.5, ignore_index=void)(np.tile(mask, (50, 1)), generator(0))
    assert set(np.unique(partly)) == {0, 1, 70000, void}


def test_each_pixel_gets_its_regions_value(patches):
    mask = patches(3)
    found = connected_components(mask, 255)
    values = np.random.default_rng(0).integers(0, 99, len(found))
    made = _of_each_pixel(values, found, -7)
    for place in np.ndindex(*mask.shape):
        assert made[place] == (-7 if mask[place] == 255 else values[found.index[place]])


def test_void_that_fits_no_dtype_is_nowhere():
    found = connected_components(np.array([[1, 2]], np.uint8), -100)
    assert _of_each_pixel(found.label, found, -100).tolist() == [[1, 2]]


def test_superpixel_regions_are_of_one_class_and_one_superpixel(patches):
    mask = patches(1, (40, 50))
    image = np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8)
    found = _find_regions(mask, "superpixels", 10, Sources(image=image), 255)
    pieces = superpixels(image, 10)
    pairs = {}
    for place in np.ndindex(*mask.shape):
        if mask[place] == 255:
            assert found.index[place] == -1
        else:
            pairs.setdefault((mask[place], pieces[place]), set()).add(int(found.index[place]))
    assert all(len(numbers) == 1 for numbers in pairs.values())
    assert len(pairs) == len(found)
