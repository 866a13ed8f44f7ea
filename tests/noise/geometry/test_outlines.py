import cv2
import naive_objects as naive
import numpy as np
import pytest

from segnoise.noise.geometry.components import connected_components
from segnoise.noise.geometry.layers import Polygon, Shape
from segnoise.noise.geometry.outlines import drawn, hull, rectangle, simplified, trace


def speckles(seed):
    """Draw a mask of many holes, bridges and corners, every other one with instances."""
    rng = np.random.default_rng(seed)
    mask = (rng.random(rng.integers(1, 14, 2)) < rng.uniform(0.2, 0.9)).astype(np.uint8)
    mask = np.ascontiguousarray(np.kron(mask, np.ones(rng.integers(1, 4, 2), np.uint8)))
    return mask, rng.integers(0, 3, mask.shape) if seed % 2 else None


def blobs(seed):
    rng = np.random.default_rng(seed)
    return (cv2.GaussianBlur(rng.standard_normal((30, 40)), (0, 0), 3) > 0).astype(np.uint8)


def points(outlines):
    return [line.reshape(-1, 2) for line in outlines]


def test_outlines_give_back_the_object():
    for seed in range(120):
        mask, instances = speckles(seed)
        found = connected_components(mask, 255, instances)
        for number in range(len(found)):
            canvas = np.zeros(mask.shape, np.uint16)
            Polygon(trace(found, number), 0).paint(canvas, 700)
            np.testing.assert_array_equal(canvas == 700, found.index == number)


def test_outlines_without_those_of_holes_fill_them():
    mask = np.zeros((9, 9), np.uint8)
    mask[1:8, 1:8] = 1
    mask[3:6, 3:6] = 0
    found = connected_components(mask, 255)
    ring = int(found.index[1, 1])
    assert len(trace(found, ring)) == 2
    assert points(trace(found, ring, holes=False))[0].tolist() == [[1, 1], [1, 7], [7, 7], [7, 1]]


def test_polygons_are_drawn_by_the_even_odd_rule():
    rng = np.random.default_rng(0)
    for _ in range(150):
        shape = tuple(int(size) for size in rng.integers(3, 13, 2))
        low, high = (-5, 5) if rng.random() < 0.5 else (0, 0)
        lines = [
            np.stack(
                [rng.integers(low, shape[1] + high, n), rng.integers(low, shape[0] + high, n)], 1
            )
            for n in rng.integers(1, 7, rng.integers(1, 4))
        ]
        made = drawn([line.astype(np.int32)[:, None] for line in lines], 7, shape)
        canvas = np.zeros(shape, np.int32)
        made.paint(canvas, 3)
        np.testing.assert_array_equal(canvas == 3, naive.drawn(lines, shape))
        inside = all((line >= 0).all() and (line < shape[::-1]).all() for line in lines)
        assert isinstance(made, Polygon if inside else Shape)
        assert made.label == 7


@pytest.mark.parametrize("tolerance", [0, 0.3, 1, 1.3, 2, 5.1, 10])
def test_douglas_peucker_against_a_recursive_one(tolerance):
    fewer = 0
    for seed in range(12):
        found = connected_components(blobs(seed), 255)
        for number in range(len(found)):
            for line in trace(found, number):
                kept = points([simplified(line, tolerance)])[0].tolist()
                expected = naive.simplified(line.reshape(-1, 2), tolerance)
                assert sorted(map(tuple, kept)) == sorted(expected)
                fewer += len(kept) < len(line)
    assert (fewer > 0) == (tolerance > 0)


def test_what_is_left_out_is_near_the_polygon():
    for seed in range(12):
        found = connected_components(blobs(seed), 255)
        for line in trace(found, 0):
            kept = simplified(line, 2.0).astype(np.float32)
            for x, y in line.reshape(-1, 2).tolist():
                distance = abs(cv2.pointPolygonTest(kept, (x, y), measureDist=True))
                assert distance <= 2 + 2 / np.sqrt(2)


@pytest.mark.parametrize("tolerance", [1, 3, 10, 1000])
def test_thin_objects_keep_three_vertices_and_lines_are_left_alone(tolerance):
    bar = np.array([[0, 0], [2, 0], [3, 1], [60, 1], [60, 4], [30, 5], [0, 4]], np.int32)[:, None]
    assert len(simplified(bar, tolerance)) >= 3
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.int32)[:, None]
    np.testing.assert_array_equal(simplified(square, tolerance), square)
    there_and_back = np.array([[0, 0], [5, 0], [9, 0], [5, 0]], np.int32)[:, None]
    np.testing.assert_array_equal(simplified(there_and_back, tolerance), there_and_back)


def test_hull_leaves_no_point_outside_and_has_no_dent():
    rng = np.random.default_rng(0)
    for _ in range(40):
        cloud = rng.integers(0, 12, (rng.integers(3, 20), 2)).astype(np.int32)
        around = points([hull([cloud[:4, None], cloud[4:, None]] if len(cloud) > 4 else [cloud])])
        corners = around[0].astype(int)
        assert {tuple(p) for p in corners.tolist()} <= {tuple(p) for p in cloud.tolist()}
        step = np.roll(corners, -1, 0) - corners
        away = cloud[None] - corners[:, None]
        side = step[:, None, 0] * away[..., 1] - step[:, None, 1] * away[..., 0]
        assert (side >= 0).all() or (side <= 0).all()


def test_rectangle_is_the_bounding_box():
    canvas = np.zeros((6, 7), np.uint8)
    Polygon([rectangle(np.array([1, 2, 5, 6]))], 0).paint(canvas, 1)
    expected = np.zeros_like(canvas)
    expected[1:5, 2:6] = 1
    np.testing.assert_array_equal(canvas, expected)
