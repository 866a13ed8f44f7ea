import numpy as np
import pytest

from segnoise.noise import Omission, generator
from segnoise.noise.geometry.components import connected_components
from segnoise.noise.geometry.layers import redraw


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


def test_a_higher_rate_only_adds_objects():
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


def test_instances():
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
