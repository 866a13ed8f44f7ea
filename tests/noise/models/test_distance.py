import cv2
import numpy as np
import pytest

from segnoise.noise import DistanceMorphology, generator
from segnoise.noise.models.distance import disk_maximum


def drawn(noise, seed):
    """Return the radius and the direction that the model draws."""
    rng = generator(seed)
    return noise.low + (noise.high - noise.low) * rng.random(), rng.random() < 0.5


def moved_pixel_by_pixel(mask, radius, grows, classes=None, void=255):
    """Follow the definition word by word, one pixel at a time."""

    def rank(label):
        return classes is None or label in classes, -(mask == label).sum(), label

    noisy = mask.copy()
    places = np.argwhere(mask != void)
    for y, x in places:
        near = np.hypot(*(places - (y, x)).T) <= radius
        around = set(mask[tuple(places[near].T)].tolist())
        own, other = mask[y, x], (max if grows else min)(around, key=rank)
        if classes is None or own in classes or other in classes:
            noisy[y, x] = other
    return noisy


@pytest.mark.parametrize("classes", [None, (1, 3)])
def test_equals_the_definition(patches, classes):
    for radius in [0, 0.99, 1, 1.5, 2, 3.7, 5, 100]:
        noise = DistanceMorphology(radius, radius, classes)
        for seed in range(4):  # of both directions
            mask = patches(seed, void=seed % 2 == 0)
            expected = moved_pixel_by_pixel(mask, *drawn(noise, seed), classes)
            np.testing.assert_array_equal(noise(mask, generator(seed)), expected)
        assert {drawn(noise, seed)[1] for seed in range(4)} == {True, False}


def test_equals_the_definition_beyond_a_byte(patches):
    noise = DistanceMorphology(1, 4, ignore_index=-1)
    for seed in range(4):
        mask = patches(seed, dtype=np.int32, void=False, offset=600)
        mask[mask == 0] = 70_000
        mask[3:6, 8:12] = -1
        expected = moved_pixel_by_pixel(mask, *drawn(noise, seed), void=-1)
        np.testing.assert_array_equal(noise(mask, generator(seed)), expected)


def test_thresholds_the_distance_transform_of_a_binary_mask():
    mask = np.zeros((60, 90), np.uint8)
    cv2.ellipse(mask, (40, 30), (25, 14), 20.0, 0.0, 360.0, 1, -1)
    noise = DistanceMorphology(0, 8)
    for seed in range(12):
        radius, grows = drawn(noise, seed)
        to_object = cv2.distanceTransform(1 - mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        to_background = cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        expected = to_object <= radius if grows else to_background > radius
        np.testing.assert_array_equal(noise(mask, generator(seed)), expected)


@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (1, 1), (5, 3)])
def test_disks_are_cut_off_at_the_border(shape):
    for radius in [0, 1, 2.9, 8, 40]:
        values = np.random.default_rng(0).integers(0, 60, shape).astype(np.uint16)
        places = np.argwhere(np.ones(shape, bool))
        expected = [
            values[tuple(places[np.hypot(*(places - place).T) <= radius].T)].max()
            for place in places
        ]
        assert disk_maximum(values, radius).ravel().tolist() == expected


def test_the_dose_scales_both_bounds():
    noise = DistanceMorphology(2, 8)
    assert noise.dose == 8
    assert noise.with_dose(4) == DistanceMorphology(1, 4)
    assert noise.with_dose(0) == DistanceMorphology(0, 0)
    with pytest.raises(ValueError, match="moves nothing: there is no distance to scale"):
        DistanceMorphology(0, 0).with_dose(1)
