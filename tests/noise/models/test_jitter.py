import cv2
import numpy as np
import pytest
from naive_objects import chamfer

from segnoise.noise import BoundaryJitter, generator
from segnoise.noise.geometry.smooth_field import SmoothField
from segnoise.noise.models import jitter

RNG = generator(0)


def four_neighbours(mask, y, x):
    around = ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1))
    return [mask[i, j] for i, j in around if 0 <= i < mask.shape[0] and 0 <= j < mask.shape[1]]


def allowed_pixel_by_pixel(mask, shift, classes=None, void=255, distance=chamfer):
    """Follow the definition word by word; where several boundaries are nearest, all may decide."""

    def listed(label):
        return classes is None or label in classes

    def rank(label):
        return listed(label), -(mask == label).sum(), label

    crosses = {}
    for y, x in np.argwhere(mask != void):
        cross = {label for label in [mask[y, x], *four_neighbours(mask, y, x)] if label != void}
        if len(cross) > 1 and any(map(listed, cross)):
            crosses[y, x] = cross
    allowed = [[{label} for label in row] for row in mask.tolist()]
    if not crosses:
        return allowed
    boundary = np.array(list(crosses))
    for y, x in np.argwhere(mask != void):
        own, f = mask[y, x], float(shift[y, x])
        away = distance(*(boundary - (y, x)).T)
        outcomes = set()
        for b in map(tuple, boundary[away <= away.min() + 1e-3]):
            new = (max if f > 0 else min)(crosses[b], key=rank)
            one_side = mask[b] == own or not (listed(mask[b]) or listed(own))
            more = rank(new) > rank(own) if f > 0 else rank(new) < rank(own)
            flips = one_side and more and (listed(own) or listed(new))
            if flips and abs(f) >= away.min() + 0.5 - 1e-3:
                outcomes.add(new)
            if not flips or abs(f) <= away.min() + 0.5 + 1e-3:
                outcomes.add(own)
        allowed[y][x] = outcomes
    return allowed


@pytest.mark.parametrize("classes", [None, (1, 3), (0, 1, 2)])
@pytest.mark.parametrize(
    ("std", "length", "bias"), [(2, 5, 0), (1.5, 1, 1), (3, 20, -1), (0, 0, 2), (0, 0, -3.3)]
)
def test_equals_the_definition(patches, monkeypatch, classes, std, length, bias):
    for strip in [1, 1 << 17]:
        monkeypatch.setattr(jitter, "_STRIP_PIXELS", strip)
        for seed in range(3):
            mask = patches(seed, void=seed != 2)
            noisy = BoundaryJitter(std, length, bias, classes)(mask, generator(seed))
            shift = np.full(mask.shape, float(bias))
            if std:
                shift += std * SmoothField(mask.shape, length, generator(seed)).rows(
                    0, mask.shape[0]
                )
            allowed = allowed_pixel_by_pixel(mask, shift, classes)
            assert all(
                noisy[place] in allowed[place[0]][place[1]] for place in np.ndindex(mask.shape)
            )
            assert (noisy != mask).any()
            certain = [len(options) for row in allowed for options in row].count(1)
            assert certain > 0.9 * mask.size  # the test says something


def test_larger_ids_in_the_same_order_rank_alike(patches):
    mask = patches(0, (40, 50))
    noisy = BoundaryJitter(2, 6, classes=(0, 2, 3))(mask, generator(0))
    table = np.array([600, 700, 40_000, 70_000, *[0] * 251, -1])
    large = BoundaryJitter(2, 6, classes=(600, 40_000, 70_000), ignore_index=-1)
    np.testing.assert_array_equal(large(table[mask], generator(0)), table[noisy])


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5])
def test_a_constant_shift_grows_or_shrinks_by_a_disk(width):
    mask = np.zeros((60, 90), np.uint8)
    cv2.ellipse(mask, (40, 30), (25, 14), 20.0, 0.0, 360.0, 1, -1)
    for bias, side in ((width, 1 - mask), (-width, mask)):
        # The pixels along the boundary, and all of this side at most w - 1/2 from one of them.
        rim = side - cv2.erode(side, cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)))
        rim[[0, -1]] = rim[:, [0, -1]] = 0
        away = cv2.distanceTransform(1 - rim, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        flipped = (away <= width - 0.5) & (side == 1)
        noisy = BoundaryJitter(0, 0, bias)(mask, RNG)
        np.testing.assert_array_equal(noisy != mask, flipped)
        # That is a disk of the width's radius, but for pixels that it half covers.
        reach = cv2.distanceTransform(side, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        assert (noisy != mask)[(side == 1) & (reach <= width - 0.25)].all()
        assert not (noisy != mask)[reach > width + 0.75].any()


def test_less_than_half_a_pixel_moves_nothing(patches):
    mask = patches(0)
    np.testing.assert_array_equal(BoundaryJitter(0, 0, 0.49)(mask, RNG), mask)
    np.testing.assert_array_equal(BoundaryJitter(0.05, 3)(mask, RNG), mask)
    assert (BoundaryJitter(0, 0, 0.5)(mask, RNG) != mask).any()


def test_the_smaller_class_is_the_thing():
    mask = np.array([[0] * 6 + [1] * 4 + [2] * 3], np.uint8)
    assert BoundaryJitter(0, 0, 1)(mask, RNG).tolist() == [[0] * 5 + [1] * 4 + [2] * 4]
    assert BoundaryJitter(0, 0, -1)(mask, RNG).tolist() == [[0] * 7 + [1] * 4 + [2] * 2]
    # Listed, the larger class is the thing as well.
    noisy = BoundaryJitter(0, 0, 1, classes=[0])(mask, RNG)
    assert noisy.tolist() == [[0] * 7 + [1] * 3 + [2] * 3]


def test_boundaries_between_unlisted_classes_hold_nobody_up():
    mask = np.array([[0] * 5 + [1] * 4 + [7] * 3], np.uint8)
    noisy = BoundaryJitter(0, 0, 6, classes=[7])(mask, RNG)
    assert noisy.tolist() == [[0] * 3 + [7] * 9]
    # Listed, class 1 decides for the pixels that are nearer to its other boundary.
    assert BoundaryJitter(0, 0, 4)(mask, RNG).tolist() == [[0] * 1 + [1] * 6 + [7] * 5]


def test_nothing_crosses_void():
    mask = np.array([[0, 0, 0, 0, 0, 255, 1, 2, 2]], np.uint8)
    for bias in (5, -5):
        noisy = BoundaryJitter(0, 0, bias)(mask, RNG)
        assert noisy[0, :6].tolist() == [0, 0, 0, 0, 0, 255]
        assert set(noisy[0, 6:]) == {1 if bias > 0 else 2}


def test_the_dose_scales_std_and_bias():
    noise = BoundaryJitter(3, 20, -4)
    assert noise.dose == 5
    assert noise.with_dose(10) == BoundaryJitter(6, 20, -8)
    assert noise.with_dose(0) == BoundaryJitter(0, 20, 0)
    with pytest.raises(ValueError, match="moves nothing: there is no displacement to scale"):
        BoundaryJitter(0, 20).with_dose(1)
