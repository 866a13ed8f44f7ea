import dataclasses

import numpy as np
import pytest

from segnoise.noise import AsymmetricFlip, RegionSwap, build_noise, generator
from segnoise.noise.geometry.components import connected_components

K = 4
MATRIX = [[0.5, 0.5, 0, 0], [0, 1, 0, 0], [0.2, 0.2, 0.2, 0.4], [1, 0, 0, 0]]


def chequers(labels, side=3):
    """One square a label, in rows of 10, void between them."""
    mask = np.full((-(-len(labels) // 10) * (side + 1), 10 * (side + 1)), 255, np.uint8)
    for number, label in enumerate(labels):
        top, left = (side + 1) * (number // 10), (side + 1) * (number % 10)
        mask[top : top + side, left : left + side] = label
    return mask


def test_against_a_loop_over_regions(patches):
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


def test_instances_change_as_a_whole():
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
