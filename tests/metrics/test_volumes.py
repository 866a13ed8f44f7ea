"""Scores of volumes: cases that can be checked by hand, and a loop over all pairs of voxels."""

from itertools import product

import numpy as np
import pytest

from segnoise.datasets.base import Slice
from segnoise.metrics.volumes import CaseScores, volume_scores

pytest.importorskip("scipy.ndimage")


def box(low, high, shape=(8, 9, 10), label=1):
    mask = np.zeros(shape, np.uint8)
    mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = label
    return mask


def test_a_box_moved_by_one_slice():
    target, moved = box((2, 2, 2), (6, 6, 6)), box((3, 2, 2), (7, 6, 6))
    near, far = (volume_scores(moved, target, 2, (3, 1, 1), t)[1] for t in (3, 2.9))
    assert near["Dice"] == 48 * 2 / 128
    assert near["IoU"] == 48 / 80
    assert near["surface_dice"] == 1
    # Of the 56 voxels of a surface, the end that sticks out is 3 mm off the other, but for its rim,
    # and that of the other within it lies 1 mm or more inside.
    assert 0.5 < far["surface_dice"] < 1
    assert volume_scores(target, target, 2, (1, 1, 1), 0.1)[1] == {
        "IoU": 1, "Dice": 1, "surface_dice": 1,
    }  # fmt: skip


def test_classes_that_only_one_has_and_void():
    target, other = box((0, 0, 0), (2, 2, 2)), box((4, 4, 4), (6, 6, 6), label=2)
    scores = volume_scores(other, target, 4, (1, 1, 1), 1)
    assert scores[1] == scores[2] == {"IoU": 0, "Dice": 0, "surface_dice": 0}
    assert scores[3] == {"IoU": None, "Dice": None, "surface_dice": None}
    target[other == 2] = 255
    assert volume_scores(other, target, 4, (1, 1, 1), 1)[2]["Dice"] is None


def naive_surface_dice(one, other, spacing, tolerance):
    def surface(region):
        points = []
        for point in product(*map(range, region.shape)):
            if not region[point]:
                continue
            for axis, step in product(range(3), (-1, 1)):
                near = list(point)
                near[axis] += step
                inside = 0 <= near[axis] < region.shape[axis]
                if not inside or not region[tuple(near)]:
                    points.append(np.multiply(point, spacing))
                    break
        return points

    one, other = surface(one), surface(other)
    count = 0
    for own, others in ((one, other), (other, one)):
        count += sum(min(np.linalg.norm(p - q) for q in others) <= tolerance for p in own)
    return count / (len(one) + len(other))


@pytest.mark.parametrize("tolerance", [0.5, 1.2, 2.5])
def test_against_a_loop_over_all_pairs(tolerance):
    rng = np.random.default_rng(0)
    target, other = (rng.integers(0, 2, (4, 6, 5)).astype(np.uint8) for _ in range(2))
    other[:2] = target[:2] = 0
    other[1, 1:4, 1:4] = target[0, 1:4, :3] = 1
    spacing = (2.5, 0.8, 1.1)
    found = volume_scores(other, target, 2, spacing, tolerance)[1]["surface_dice"]
    assert found == naive_surface_dice(other == 1, target == 1, spacing, tolerance)


class Slices:
    """Slices of two volumes, of which one lacks a slice."""

    def __init__(self):
        self.metainfo = {"classes": ("a", "b"), "ignore_index": 255}
        self.places = [("x", 0), ("x", 1), ("x", 3), ("y", 0), ("y", 1)]

    def __len__(self):
        return len(self.places)

    def sample_id(self, index):
        return "{}/{}".format(*self.places[index])

    def slice_of(self, index):
        return Slice(*self.places[index], (2.0, 1.0, 1.0))


def test_slices_are_collected_in_any_order():
    data = Slices()
    scores = CaseScores(data, 1.0)
    rng = np.random.default_rng(1)
    volumes = {case: rng.integers(0, 2, (2, 4, 6, 5)).astype(np.uint8) for case in "xy"}
    volumes["x"][1, 2] = 255  # never added
    for n in (4, 2, 0, 3, 1):
        case, number = data.places[n]
        scores.add(data.sample_id(n), volumes[case][0, number], volumes[case][1, number])
    found = scores.result()
    for case, depth in (("x", 4), ("y", 2)):
        expected = volume_scores(*volumes[case][:, :depth], 2, (2, 1, 1), 1.0)
        for name, own in zip("ab", expected, strict=True):
            assert found["cases"][case][name] == {k: 100 * v for k, v in own.items()}
    mean = (found["cases"]["x"]["b"]["Dice"] + found["cases"]["y"]["b"]["Dice"]) / 2
    assert found["mean"]["b"]["Dice"] == pytest.approx(mean)
