import math
import tracemalloc

import cv2
import numpy as np
import pytest
from naive_objects import chamfer

from segnoise.noise import Elastic, Rotate, Shift, generator
from segnoise.noise.geometry.smooth_field import SmoothField

VOID = 255


def nearest_labels(mask, sources, y, x):
    distance = {(i, j): chamfer(i - y, j - x) for i, j in sources}
    least = min(distance.values())
    return {mask[place] for place, d in distance.items() if d < least + 1e-3}


def assert_moved(noisy, mask, source, classes, fill):
    """Follow the definition word by word; several labels may be equally near to a gap."""
    height, width = mask.shape
    labels = set(np.unique(mask).tolist()) - {VOID}
    moving = labels if classes is None else labels & set(classes)
    result, gaps, stayed = mask.copy(), [], []
    for y, x in np.ndindex(mask.shape):
        if mask[y, x] == VOID:
            continue
        i, j = source(y, x)
        inside = 0 <= i < height and 0 <= j < width
        i, j = min(max(i, 0), height - 1), min(max(j, 0), width - 1)
        if (inside or fill == "neighbor") and mask[i, j] in moving:
            result[y, x] = mask[i, j]
        elif mask[y, x] in moving:
            gaps.append((y, x))
        else:
            stayed.append((y, x))
    # Where no label stayed, the nearest one of the result counts.
    known = {(y, x) for y, x in np.ndindex(mask.shape) if mask[y, x] != VOID} - set(gaps)
    for y, x in gaps:
        if fill == "void":
            expected = {VOID}
        elif fill != "neighbor":
            expected = {fill}
        elif stayed:
            expected = nearest_labels(mask, stayed, y, x)
        else:
            expected = nearest_labels(result, known, y, x) if known else {mask[y, x]}
        assert noisy[y, x] in expected
        result[y, x] = noisy[y, x]
    np.testing.assert_array_equal(noisy, result)


LAYERS = [(None, "neighbor"), (None, 3), (None, "void"), ((1, 2), "neighbor"), ((0, 3), 1)]


@pytest.mark.parametrize(("classes", "fill"), LAYERS)
def test_shift_equals_the_definition(patches, classes, fill):
    for distance in [1, 2.5, 30]:
        for seed in range(4):
            mask = patches(seed, (13, 15), void=seed > 0)
            turn, up, left = generator(seed).random(3)
            down = math.floor(distance * math.sin(2 * math.pi * turn) + up)
            right = math.floor(distance * math.cos(2 * math.pi * turn) + left)
            noisy = Shift(distance, classes=classes, fill=fill)(mask, generator(seed))
            assert_moved(noisy, mask, lambda y, x: (y - down, x - right), classes, fill)  # noqa: B023


@pytest.mark.parametrize(("classes", "fill"), LAYERS)
def test_rotation_equals_the_definition(patches, classes, fill):
    for seed in range(6):
        mask = patches(seed, (14, 11), void=seed > 0)
        angle = math.radians(generator(seed).uniform(-70, 70))

        def source(y, x):
            y, x = y - 6.5, x - 5
            row = 6.5 + math.cos(angle) * y + math.sin(angle) * x  # noqa: B023
            column = 5 + math.cos(angle) * x - math.sin(angle) * y  # noqa: B023
            return math.floor(row + 0.5), math.floor(column + 0.5)

        noisy = Rotate(70, classes=classes, fill=fill)(mask, generator(seed))
        assert_moved(noisy, mask, source, classes, fill)


@pytest.mark.parametrize(("classes", "fill"), LAYERS)
@pytest.mark.parametrize("length", [1, 7.5, 100])
def test_elastic_equals_the_definition(patches, length, classes, fill):
    for seed in range(3):
        mask = patches(seed, (13, 15), void=seed > 0)
        rng = generator(seed)
        down, right = (SmoothField(mask.shape, length, rng).rows(0, 13) for _ in range(2))
        scale = 3 / math.sqrt(2)

        def source(y, x):
            return round(y + scale * down[y, x]), round(x + scale * right[y, x])  # noqa: B023

        noisy = Elastic(3, length, classes, fill)(mask, generator(seed))
        assert_moved(noisy, mask, source, classes, fill)


@pytest.mark.parametrize("noise", [Shift(40), Rotate(180, fill="neighbor"), Elastic(60, 9)])
def test_where_only_void_arrives_labels_stay(noise):
    mask = np.full((9, 9), VOID, np.uint8)
    mask[0, 0] = 7
    for seed in range(10):
        np.testing.assert_array_equal(noise(mask, generator(seed)), mask)


def squares(dtype=np.uint8):
    mask = np.zeros((90, 120), dtype)
    for number, (top, left) in enumerate([(15, 20), (15, 80), (60, 20), (60, 80)]):
        mask[top : top + 12, left : left + 16] = 1 + number % 2
    return mask


@pytest.mark.parametrize("regions", ["mask", "components"])
def test_things_move_as_they_are_and_uncover_what_is_behind(regions):
    mask = squares()
    noisy = Shift(6, regions, classes=[1, 2])(mask, generator(3))
    assert np.bincount(noisy.ravel()).tolist() == np.bincount(mask.ravel()).tolist()
    offsets = set()
    for top, left in [(15, 20), (15, 80), (60, 20), (60, 80)]:
        around = noisy[top - 8 : top + 20, left - 8 : left + 24] > 0
        rows, columns = np.nonzero(around.any(1))[0], np.nonzero(around.any(0))[0]
        assert (rows.size, columns.size, around.sum()) == (12, 16, 12 * 16)
        offsets.add((int(rows[0]) - 8, int(columns[0]) - 8))
        assert abs(math.hypot(*offsets.pop() if regions == "mask" else (6, 0)) - 6) < 1.5
    assert len(offsets) == (0 if regions == "mask" else 4)


def test_each_object_turns_about_its_own_centre():
    mask = squares()
    noisy = Rotate(90, "components", classes=[1, 2])(mask, generator(5))
    drawn = generator(5).uniform(-90, 90, 4)
    for angle, (top, left) in zip(drawn, [(15, 20), (15, 80), (60, 20), (60, 80)], strict=True):
        part = np.ascontiguousarray(noisy[top - 12 : top + 24, left - 12 : left + 28] > 0)
        moments = cv2.moments(part.astype(np.uint8), binaryImage=True)
        assert moments["m00"] == pytest.approx(12 * 16, rel=0.06)
        assert moments["m10"] / moments["m00"] == pytest.approx(12 + 7.5, abs=0.3)
        assert moments["m01"] / moments["m00"] == pytest.approx(12 + 5.5, abs=0.3)
        # The long axis; rows grow downwards, so that it turns against the angle.
        axis = math.degrees(math.atan2(2 * moments["mu11"], moments["mu20"] - moments["mu02"])) / 2
        assert abs((axis + angle + 90) % 180 - 90) < 5


def test_instances_move_as_one():
    mask = np.zeros((60, 80), np.uint8)
    mask[20:40, 20:25] = mask[20:40, 55:60] = 1
    together = mask.astype(np.int32)
    apart = np.where(mask == 1, np.arange(80) // 40 + 1, 0)
    with pytest.raises(ValueError, match="needs instances"):
        Shift(4, "instances")(mask, generator(0))

    def vectors(noise, instances):
        """Return the ways from the left bar's centre to the right one's, for some seeds."""
        for seed in range(6):
            noisy = noise(mask, generator(seed), instances=instances)
            left, right = (
                np.mean(np.nonzero(part), axis=1) for part in (noisy[:, :40], noisy[:, 40:])
            )
            yield right - left + (0, 40)

    shift = Shift(4, "instances", classes=[1], fill=0)
    np.testing.assert_array_equal(list(vectors(shift, together)), [(0, 35)] * 6)
    assert np.ptp(list(vectors(shift, apart)), axis=0).min() >= 2
    turn = Rotate(40, "instances", classes=[1], fill=0)
    down, right = np.transpose(list(vectors(turn, together)))
    np.testing.assert_allclose(np.hypot(down, right), 35, atol=0.7)
    assert np.ptp(down) > 10
    np.testing.assert_allclose(list(vectors(turn, apart)), [(0, 35)] * 6, atol=0.4)


@pytest.mark.parametrize("shape", [(1, 40_000), (40_000, 1)])
def test_masks_longer_than_opencv_maps(shape):
    mask = (np.arange(40_000, dtype=np.int32) + 70_000).reshape(shape)
    for noise in (Shift(300), Rotate(180), Elastic(20, 50)):
        noisy = noise(mask, generator(1)).ravel()
        assert (noisy != mask.ravel()).mean() > 0.9
        assert np.isin(noisy, mask).all()
    offset = set((Shift(300)(mask, generator(1)) - mask).ravel()[400:-400].tolist())
    assert len(offset) == 1


@pytest.mark.parametrize("noise", [Shift(5), Rotate(5), Elastic(5)])
def test_memory_is_a_small_multiple_of_the_mask(noise):
    mask = np.kron(np.arange(32, dtype=np.uint8).reshape(4, 8), np.ones((256, 256), np.uint8))
    noise(mask[:64], generator(0))  # tables that stay
    tracemalloc.start()
    try:
        noise(mask, generator(0))
        assert tracemalloc.get_traced_memory()[1] < 5 * mask.size  # the result is one of them
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("distance", [300, 16384])
def test_far_shifts_leave_a_part_of_each_object_inside(distance):
    mask = np.zeros((20, 30), np.uint8)
    mask[4:16, 5:25] = 1
    mask[9, 14] = 2
    for seed in range(5):
        noisy = Shift(distance, "components", classes=(1,))(mask, generator(seed))
        assert 0 < np.count_nonzero(noisy == 1) < 239
        noisy = Shift(distance, "components", classes=(2,))(mask, generator(seed))
        assert np.count_nonzero(noisy == 2) == 1
        assert noisy[9, 14] != 2
