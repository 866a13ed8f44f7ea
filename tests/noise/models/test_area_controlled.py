import math

import numpy as np
import pytest

from segnoise.noise import AreaControlled, generator
from segnoise.noise.geometry.bit_maps import packed
from segnoise.noise.geometry.class_pile import ClassPile
from segnoise.noise.models.area_controlled import Motion, nearest_step


def step(region, grow):
    """One step with a 3 x 3 cross, pixel by pixel; what is beyond the border has no say."""
    after = region.copy()
    for y, x in np.ndindex(*region.shape):
        around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
        inside = [p for p in around if 0 <= p[0] < region.shape[0] and 0 <= p[1] < region.shape[1]]
        if any(region[p] == grow for p in inside):
            after[y, x] = grow
    return after


def stepped(region, grow, beta, valid):
    """Repeat steps until the area has changed enough; keep the nearer of the last two."""
    area = np.count_nonzero(region & valid)
    before = region
    while True:
        after = step(before, grow)
        left = np.count_nonzero((after if grow else ~after) & valid)
        if left == np.count_nonzero(valid) or (after == before).all():
            return before
        wrong = [abs(np.count_nonzero(r & valid) - area) / area for r in (before, after)]
        if wrong[1] >= beta:
            return after if wrong[1] - beta <= beta - wrong[0] else before
        before = after


def blob(seed, shape=(22, 26)):
    rng = np.random.default_rng(seed)
    mask = np.zeros(shape, np.uint8)
    for _ in range(3):
        top, left = rng.integers(0, shape[0] - 3), rng.integers(0, shape[1] - 3)
        mask[top : top + rng.integers(2, 9), left : left + rng.integers(2, 9)] = 1
    return mask


@pytest.mark.parametrize("kind", ["dilate", "erode"])
def test_steps_equal_the_definition(kind):
    for beta in [0.05, 0.3, 0.5, 0.7, 1.0, 2.5]:
        for seed in range(5):
            mask = blob(seed)
            expected = stepped(mask > 0, kind == "dilate", beta, np.ones(mask.shape, bool))
            noise = AreaControlled(1, beta, [kind], classes=[1])
            for dtype in (np.uint8, np.int32):
                np.testing.assert_array_equal(noise(mask.astype(dtype), generator(seed)), expected)
            other = AreaControlled(1, beta, [kind])  # the smaller class, by itself
            np.testing.assert_array_equal(other(mask, generator(seed)), expected)


@pytest.mark.parametrize("kind", ["dilate", "erode"])
def test_steps_with_void_and_many_classes(patches, kind):
    """Each class is changed as if it were alone, in a mask whose void was divided."""
    for seed in range(6):
        mask = patches(seed, (24, 28))
        pile = ClassPile.of(mask, (1, 2), 255)
        whole = pile.ranks.labels[pile.sheets().ranks]
        for label in (1, 2):
            if (mask == label).any():
                expected = stepped(whole == label, kind == "dilate", 0.6, mask != 255)
                noise = AreaControlled(1, 0.6, [kind], classes=[label], fill=99)
                noisy = noise(mask, generator(seed))
                np.testing.assert_array_equal(noisy == label, expected & (mask != 255))
                given_up = (mask == label) & ~expected
                assert (noisy[given_up] == 99).all()
                rest = ~expected & ~given_up
                np.testing.assert_array_equal(noisy[rest], mask[rest])


def test_long_growth_leaves_its_window():
    mask = np.zeros((150, 150), np.uint8)
    mask[70:74, 60:63] = 1
    noisy = AreaControlled(1, 4, ["dilate"], classes=[1])(mask, generator(0))
    y, x = np.indices(mask.shape)
    reach = np.maximum(np.maximum(70 - y, y - 73), 0) + np.maximum(np.maximum(60 - x, x - 62), 0)
    areas = [np.count_nonzero(reach <= n) for n in range(9)]
    nearest = min(range(9), key=lambda n: abs(areas[n] - 60))
    np.testing.assert_array_equal(noisy, reach <= nearest)
    big = np.zeros((300, 300), np.uint8)
    big[100:180, 100:180] = 1
    noisy = AreaControlled(1, 3, ["dilate"], classes=[1])(big, generator(0))
    assert noisy[60, 140] == 1
    assert np.count_nonzero(noisy) == pytest.approx(4 * 80 * 80, rel=0.03)


def test_no_class_vanishes_and_none_is_left_alone():
    mask = np.zeros((9, 9), np.uint8)
    mask[3:6, 3:6] = 1
    gone = AreaControlled(1, 4, ["erode"], classes=[1])(mask, generator(0))
    assert gone.sum() == gone[4, 4] == 1
    full = AreaControlled(1, 4, ["dilate"], classes=[0, 1])(np.eye(3, dtype=np.uint8), generator(0))
    assert set(np.unique(full)) == {0, 1}


def test_the_image_border_does_not_erode():
    mask = np.zeros((20, 20), np.uint8)
    mask[:, 10:] = 1
    noisy = AreaControlled(1, 0.5, ["erode"], classes=[1])(mask, generator(0))
    np.testing.assert_array_equal(noisy, np.repeat([[0] * 15 + [1] * 5], 20, axis=0))


def expected_motion(mask, label, beta, angle, direction):
    """Look through all shifts, or all parts of the angle; return the least error and the map."""
    rows, columns = np.nonzero(mask == label)
    x0, y0 = columns.mean(), rows.mean()

    def placed(turn, shift):
        x = math.cos(turn) * (columns - x0) - math.sin(turn) * (rows - y0)
        y = math.sin(turn) * (columns - x0) + math.cos(turn) * (rows - y0)
        return x + x0 + shift * direction[0], y + y0 + shift * direction[1]

    def wrong(turn, shift):
        hit = new = 0
        for px, py in zip(*placed(turn, shift), strict=True):
            place = round(py), round(px)
            if 0 <= place[0] < mask.shape[0] and 0 <= place[1] < mask.shape[1]:
                hit += mask[place] == label
                new += mask[place] not in (label, 255)
        return (len(rows) - hit + new) / len(rows)

    longest = max(np.ptp(rows), np.ptp(columns)) + 1
    if wrong(angle, 0) < beta:
        return min(abs(wrong(angle, s) - beta) for s in range(longest + 1)), wrong
    return min(abs(wrong(angle * n / 64, 0) - beta) for n in range(65)), wrong


@pytest.mark.parametrize("beta", [0.1, 0.5, 0.7, 1.2])
def test_motions_find_the_nearest_shift_or_angle(beta):
    for seed in range(12):
        rng = np.random.default_rng(seed)
        mask = np.zeros((50, 60), np.uint8)
        mask[18 : 18 + rng.integers(5, 16), 20 : 20 + rng.integers(5, 20)] = 1
        angle = math.radians(rng.uniform(-60, 60))
        direction = [(0, 1), (1, 1), (1, 0), (-1, 1), (-1, -1)][rng.integers(5)]
        least, wrong = expected_motion(mask, 1, beta, angle, direction)
        pile = ClassPile.of(mask, (1,), 255)
        tried = []
        motion = Motion(pile.sheets(), 2, packed(mask != 255, free=1), angle, direction)
        own = motion._wrong

        def spy(turn, shift, own=own, tried=tried):
            tried.append((own(turn, shift), turn, shift))
            return tried[-1][0]

        motion._wrong = spy
        parts = list(motion.until(beta))
        found = min(abs(value - beta) for value, _, _ in tried)
        assert found <= least + 0.02
        for value, turn, shift in tried:
            assert value == pytest.approx(wrong(turn, shift), abs=2 / mask.sum())
        moved = np.zeros(mask.shape, bool)
        for window, region in parts:
            moved[window] = region
        realised = np.count_nonzero(moved != (mask == 1)) / mask.sum()
        assert realised == pytest.approx(beta, abs=found + 0.12)


def test_moved_regions_ask_where_they_came_from():
    """Every pixel of the new region comes from the nearest pixel of the old one."""
    mask = np.zeros((40, 50), np.uint8)
    mask[12:30, 15:24] = 1
    mask[12:18, 24:33] = 1
    sheets, valid = ClassPile.of(mask, (1,), 255).sheets(), packed(mask != 255, free=1)
    for angle, direction, shift in [(0.4, (1, 0), 3), (-1.1, (0, 1), 5), (0, (-1, 1), 7)]:
        motion = Motion(sheets, 2, valid, angle, direction)
        made = np.zeros(mask.shape, bool)
        for window, region in motion.moved(angle, shift):
            made[window] = region
        rows, columns = np.nonzero(mask)
        cx, cy = columns.mean(), rows.mean()
        expected = np.zeros(mask.shape, bool)
        for y, x in np.ndindex(*mask.shape):
            dx, dy = x - cx - shift * direction[0], y - cy - shift * direction[1]
            place = (
                round(math.cos(angle) * dy - math.sin(angle) * dx + cy),
                round(math.cos(angle) * dx + math.sin(angle) * dy + cx),
            )
            if 0 <= place[0] < 40 and 0 <= place[1] < 50:
                expected[y, x] = mask[place]
        # Places between two pixels are rounded either way.
        assert np.count_nonzero(made != expected) <= 4
    assert list(Motion(sheets, 2, valid, 0.3, (1, 0)).moved(0.3, 500)) == []


def test_motion_of_a_region_that_is_hardly_valid():
    mask = np.full((400, 400), 255, np.uint8)
    mask[0, 0], mask[0, 399] = 1, 2
    noisy = AreaControlled(1, 0.5, ["affine"])(mask, generator(0))
    assert set(np.unique(noisy)) <= {1, 2, 255}
    np.testing.assert_array_equal(noisy == 255, mask == 255)


def test_void_does_not_count_as_wrong():
    mask = np.zeros((80, 80), np.uint8)
    mask[20:60, 20:60] = 1
    mask[20:60, 54:66] = 255
    for kind in ("dilate", "erode", "affine"):
        for seed in range(4):
            noisy = AreaControlled(1, 0.4, [kind], classes=[1])(mask, generator(seed))
            wrong = np.count_nonzero(noisy != mask) / np.count_nonzero(mask == 1)
            assert wrong == pytest.approx(0.4, abs=0.09)
            np.testing.assert_array_equal(noisy == 255, mask == 255)


def test_nearest_step_by_bisection():
    for goal in np.linspace(-1, 120, 50):
        values = np.cumsum(np.random.default_rng(3).integers(0, 9, 30)).tolist()
        found = nearest_step(lambda n, v=values, g=goal: v[n] - g, 29)
        assert abs(values[found] - goal) == min(abs(value - goal) for value in values)
    assert nearest_step(lambda n: 1.0, 7) == 0
    assert nearest_step(lambda n: -1.0 + n, 1) == 1


@pytest.mark.parametrize("beta", [0.3, 0.5, 0.7])
def test_the_wrong_share_of_the_area_is_beta(beta):
    y, x = np.indices((120, 160))
    mask = ((y - 60) ** 2 + ((x - 70) / 1.4) ** 2 < 30**2).astype(np.uint8)
    for kind in ("dilate", "erode", "affine"):
        for seed in range(6):
            noisy = AreaControlled(1, beta, [kind])(mask, generator(seed))
            wrong = np.count_nonzero(noisy != mask) / mask.sum()
            assert wrong == pytest.approx(beta, abs=0.06)


def test_share_of_masks_and_kinds():
    mask = np.zeros((30, 30), np.uint8)
    mask[8:22, 10:20] = 1
    noise, count = AreaControlled(0.4, 0.5), 1500
    seen = {"none": 0, "more": 0, "less": 0, "moved": 0}
    for seed in range(count):
        noisy = noise(mask, generator("kind", seed))
        if (noisy == mask).all():
            seen["none"] += 1
        elif (noisy >= mask).all():
            seen["more"] += 1
        elif (noisy <= mask).all():
            seen["less"] += 1
        else:
            seen["moved"] += 1
    for name, share in {"none": 0.6, "more": 0.4 / 3, "less": 0.4 / 3, "moved": 0.4 / 3}.items():
        assert abs(seen[name] / count - share) < 4 * math.sqrt(share * (1 - share) / count)


def test_beta_does_not_change_what_is_drawn(patches):
    mask = np.kron(patches(1, void=False), np.ones((4, 4), np.uint8))
    for seed in range(10):
        changed = [
            np.count_nonzero(AreaControlled(0.5, beta)(mask, generator(seed)) != mask)
            for beta in (0, 0.05, 0.3, 0.6)
        ]
        assert changed[0] == 0
        assert changed[1] <= changed[3]
        assert (changed[2] > 0) == (changed[3] > 0)


def test_small_classes_stay_on_top_of_large_ones():
    mask = np.zeros((40, 60), np.uint8)
    mask[10:30, 10:40] = 1
    mask[16:24, 20:28] = 2
    noisy = AreaControlled(1, 0.6, ["dilate"])(mask, generator(0))
    assert (noisy[16:24, 20:28] == 2).all()
    assert np.count_nonzero(noisy == 2) == pytest.approx(1.6 * 64, rel=0.2)
    shrunk = AreaControlled(1, 0.6, ["erode"])(mask, generator(0))
    # Where 1 and 2 both drew back, the larger one has the ground; around 1 it is class 0.
    assert (shrunk[16:24, 20:28][shrunk[16:24, 20:28] != 2] == 1).all()
    assert (shrunk[mask == 0] == 0).all()
    assert shrunk[10, 10] == 0


def test_masks_longer_than_opencv_maps():
    mask = np.zeros((3, 33000), np.uint8)
    mask[:, 32000:32600] = 1
    noisy = AreaControlled(1, 0.5, ("affine",), max_angle=0)(mask, generator(0))
    assert 0 < np.count_nonzero(noisy != mask) < mask.size // 10
