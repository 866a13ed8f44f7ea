"""Boundaries: measured against clean ones, and moved back."""

import numpy as np
import pytest
from scipy import ndimage

from segnoise.datasets.labels.boundary_bias import boundary_bias, shift_boundaries, signed_distance


def discs(radius):
    """Two discs of class 1 and 2 on background 0, and a stripe of void."""
    y, x = np.mgrid[:80, :120]
    mask = np.zeros((80, 120), np.uint8)
    mask[(y - 40) ** 2 + (x - 30) ** 2 <= radius[0] ** 2] = 1
    mask[(y - 40) ** 2 + (x - 80) ** 2 <= radius[1] ** 2] = 2
    mask[:3] = 255
    return mask


def test_the_distance_is_scipys():
    inside = discs((20, 12)) == 1
    found = signed_distance(inside)
    to_outside, to_inside = (ndimage.distance_transform_edt(m) for m in (inside, ~inside))
    expected = np.where(inside, 0.5 - to_outside, to_inside - 0.5)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def halves(*widths):
    return [np.repeat(np.arange(40)[None] < w, 30, 0).astype(int) for w in widths]


def test_straight_boundaries_exactly():
    clean, noisy = halves(10, 13)
    wide, narrow = np.array([[0, -3], [3, 0]]), np.array([[0, 3], [-3, 0]])
    assert (boundary_bias([(clean, noisy)], 2, 255) == wide).all()
    assert (boundary_bias([(noisy, clean)], 2, 255) == narrow).all()
    assert not boundary_bias([(clean, clean)], 2, 255).any()
    np.testing.assert_array_equal(shift_boundaries(noisy, wide, 255), clean)
    np.testing.assert_array_equal(shift_boundaries(clean, narrow, 255), noisy)
    np.testing.assert_array_equal(shift_boundaries(clean, np.zeros((2, 2)), 255), clean)


def test_classes_of_opposite_bias():
    clean, noisy = discs((18, 18)), discs((22, 15))
    bias = boundary_bias([(clean, noisy)], 3, 255)
    # Discs of pixels: their outlines are stairs.
    assert bias[1:, 0] == pytest.approx([4, -3], abs=0.4)
    assert (bias == -bias.T).all()
    corrected = shift_boundaries(noisy, bias, 255)
    assert (corrected != clean).mean() < 0.2 * (noisy != clean).mean()
    np.testing.assert_array_equal(corrected == 255, clean == 255)
    assert corrected.dtype == noisy.dtype


def test_missing_objects_are_no_boundaries():
    clean, noisy = discs((18, 18)), discs((21, 18))
    noisy[noisy == 2] = 0
    noisy[60:64, 110:114] = 1  # far from the disc: an object of its own
    bias = boundary_bias([(clean, noisy)], 3, 255, limit=10)
    assert bias[1, 0] == pytest.approx(3, abs=0.4)
    assert not bias[2].any()
    clean[clean == 1] = 0
    assert not boundary_bias([(clean, noisy)], 3, 255, limit=10).any()


def test_the_mean_is_over_boundaries_of_all_images():
    clean, one, other = halves(10, 12, 16)
    bias = boundary_bias([(clean, one), (clean, other)], 2, 255)
    assert bias[1, 0] == 4


def test_a_wrong_limit():
    with pytest.raises(ValueError, match="limit must be above 0, not 0"):
        boundary_bias([], 2, 255, limit=0)
