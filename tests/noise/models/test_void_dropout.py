import numpy as np
import pytest

from segnoise.noise import VoidDropout, generator
from segnoise.noise.geometry.components import connected_components


@pytest.mark.parametrize("rate", [0.0, 0.001, 0.25, 0.3, 0.999, 1.0])
def test_share_of_pixels(rate):
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


def test_only_the_listed_classes(patches):
    mask = patches(2, (60, 60))
    for regions in ("pixels", "components"):
        noisy = VoidDropout(1.0, regions, classes=[1, 3])(mask, generator(0))
        expected = np.where((mask == 1) | (mask == 3), 255, mask)
        np.testing.assert_array_equal(noisy, expected)


def test_components_against_a_loop(patches):
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


def test_instances_and_superpixels():
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
