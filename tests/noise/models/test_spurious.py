import numpy as np
import pytest

from segnoise.noise import SpuriousObjects, generator
from segnoise.noise.geometry.components import connected_components


class Counted(list):
    """A list of masks that remembers which were read."""

    def __init__(self, masks):
        super().__init__(masks)
        self.read = []

    def __getitem__(self, index):
        self.read.append(index)
        return super().__getitem__(index)


def pasted_by_hand(mask, others, noise, rng):
    """Follow the definition, pixel by pixel."""
    donors = rng.integers(len(others), size=noise.donors)
    time, places = rng.standard_exponential(), []
    if time < noise.count:
        for index in donors:
            found = connected_components(others[index], 255)
            for number in range(len(found)):
                if noise.classes is None or found.label[number] in noise.classes:
                    pixels = np.argwhere(found.index == number)
                    places.append((pixels - pixels.min(axis=0), found.label[number]))
    noisy = mask.copy()
    while places and time < noise.count:
        pixels, label = places[rng.integers(len(places))]
        corner = []
        for size, own in zip(mask.shape, pixels.max(axis=0) + 1, strict=True):
            low, high = (0, size - own) if own <= size else (size - own, 0)
            corner.append(rng.integers(low, high, endpoint=True))
        for row, column in pixels + corner:
            inside = 0 <= row < mask.shape[0] and 0 <= column < mask.shape[1]
            if inside and noisy[row, column] != 255:
                noisy[row, column] = label
        time += rng.standard_exponential()
    return noisy


@pytest.mark.parametrize("classes", [None, (1, 2)])
def test_against_the_definition(patches, classes):
    others = [patches(seed, shape) for seed, shape in [(1, (17, 23)), (2, (9, 60)), (3, (40, 7))]]
    noise = SpuriousObjects(4, classes, donors=2)
    for seed in range(25):
        mask = patches(100 + seed)
        noisy = noise(mask, generator(seed), others=others)
        expected = pasted_by_hand(mask, others, noise, generator(seed))
        np.testing.assert_array_equal(noisy, expected)


@pytest.mark.parametrize("count", [0.5, 3])
def test_the_number_of_objects_is_poisson(count):
    mask = np.zeros((1000, 1000), np.uint8)
    donor = np.array([[0, 1]], np.uint8)
    noise = SpuriousObjects(count, classes=[1])
    numbers = np.array(
        [np.count_nonzero(noise(mask, generator(seed), others=[donor])) for seed in range(300)]
    )
    assert abs(numbers.mean() - count) < 4 * np.sqrt(count / 300)
    variance_of_variance = (count + 2 * count**2) / 300
    assert abs(numbers.var() - count) < 4 * np.sqrt(variance_of_variance)


def test_an_object_larger_than_the_mask_covers_it():
    donor = np.zeros((30, 3), np.uint8)
    donor[:25] = 1
    mask = np.zeros((10, 8), np.uint8)
    mask[4, :] = 255
    widths = set()
    for seed in range(10):
        noisy = SpuriousObjects(0.5, classes=[1])(mask, generator(seed), others=[donor])
        columns = (noisy == 1).any(axis=0)
        assert (noisy[:, columns] == np.where(mask[:, columns] == 255, 255, 1)).all()
        widths.add(int(columns.sum()))
    assert {0, 3} <= widths


def test_a_higher_count_only_adds_objects(patches):
    mask = np.zeros((60, 60), np.uint8)
    donor = patches(0)
    for seed in range(10):
        few, many = (
            SpuriousObjects(count, classes=[1])(mask, generator(seed), others=[donor])
            for count in (2, 6)
        )
        assert (many[few == 1] == 1).all()


def test_no_more_masks_are_read_than_needed(patches):
    mask = patches(0)
    others = Counted([patches(seed) for seed in range(20)])
    for seed in range(20):
        others.read.clear()
        noisy = SpuriousObjects(1, donors=2)(mask, generator(seed), others=others)
        assert len(others.read) in (0, 2)
        if not others.read:
            np.testing.assert_array_equal(noisy, mask)
    SpuriousObjects(50)(mask, generator(0), others=others)
    assert len(others.read) <= 3


def test_donors_without_such_objects():
    mask = np.zeros((5, 5), np.uint8)
    for donor in (mask, np.full((4, 4), 255, np.uint8), np.zeros((0, 3), np.uint8)):
        noisy = SpuriousObjects(9, classes=[3])(mask, generator(0), others=[donor])
        np.testing.assert_array_equal(noisy, mask)


def test_bad_sources():
    mask, noise = np.zeros((5, 5), np.uint8), SpuriousObjects(50)
    with pytest.raises(ValueError, match="needs others"):
        noise(mask, generator(0))
    with pytest.raises(ValueError, match="no mask to borrow from beside this one: others is empty"):
        noise(mask, generator(0), others=[])
    with pytest.raises(TypeError, match="a mask of others has dtype float64"):
        noise(mask, generator(0), others=[np.zeros((2, 2))])
    with pytest.raises(ValueError, match="class id=300 does not fit a mask of dtype uint8"):
        noise(mask, generator(0), others=[np.full((2, 2), 300, np.int32)])
