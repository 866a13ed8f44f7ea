import numpy as np
import pytest

from segnoise.noise.geometry import layers
from segnoise.noise.geometry.components import connected_components
from segnoise.noise.geometry.gaps import close_gaps
from segnoise.noise.geometry.layers import Polygon, Shape


def redraw(mask, found, shapes, fill, scattered=None):
    return layers.redraw(mask, found, shapes, shapes.get, fill, 255, scattered)


def drawing(text):
    """Read a mask from lines of characters; a dot is void."""
    rows = [line.split("#")[0].strip() for line in text.strip().splitlines()]
    return np.array([[255 if c == "." else int(c) for c in row] for row in rows], np.uint8)


SCENE = drawing("""
    0000000000
    0111100020
    01331000..
    0111100000
    0000000000
""")


def test_nothing_redrawn():
    found = connected_components(SCENE, 255)
    np.testing.assert_array_equal(redraw(SCENE, found, {}, "neighbor"), SCENE)


def test_a_removed_object_leaves_what_surrounds_it():
    found = connected_components(SCENE, 255)
    number = int(found.index[2, 2])
    noisy = redraw(SCENE, found, {number: None}, "neighbor")
    expected = SCENE.copy()
    expected[2, 2:4] = 1
    np.testing.assert_array_equal(noisy, expected)


def test_a_grown_object_covers_larger_ones_but_no_smaller_ones_and_no_void():
    found = connected_components(SCENE, 255)
    number = int(found.index[1, 1])
    assert found.label[number] == 1
    shape = Shape(-1, 0, np.ones((9, 99), bool), 1)
    noisy = redraw(SCENE, found, {number: shape}, "neighbor")
    expected = drawing("""
        1111111111
        1111111121
        11331111..
        1111111111
        1111111111
    """)
    np.testing.assert_array_equal(noisy, expected)


def test_shapes_are_painted_from_large_to_small():
    found = connected_components(SCENE, 255)
    one, three = int(found.index[1, 1]), int(found.index[2, 2])
    square = np.ones((3, 3), bool)
    noisy = redraw(SCENE, found, {three: Shape(0, 0, square, 7), one: Shape(1, 1, square, 8)}, 0)
    expected = drawing("""
        7770000000
        7778000020
        77780000..
        0888000000
        0000000000
    """)
    np.testing.assert_array_equal(noisy, expected)


def test_a_shape_outside_the_mask_is_lost():
    found = connected_components(SCENE, 255)
    number = int(found.index[1, 8])
    for top, left in [(-5, 0), (0, -5), (50, 0), (0, 50)]:
        shape = Shape(top, left, np.ones((2, 2), bool), 2)
        noisy = redraw(SCENE, found, {number: shape}, "neighbor")
        assert (noisy == np.where(SCENE == 2, 0, SCENE)).all()


@pytest.mark.parametrize(("fill", "label"), [("void", 255), (9, 9)])
def test_gaps_with_a_given_fill(fill, label):
    mask = SCENE.copy()
    close_gaps(mask, SCENE == 1, fill, 255)
    np.testing.assert_array_equal(mask, np.where(SCENE == 1, label, SCENE))


def test_nearest_label_against_a_search():
    rng = np.random.default_rng(0)
    for _ in range(30):
        mask = rng.choice([1, 2, 255], (9, 12)).astype(np.uint8)
        gaps = (rng.random(mask.shape) < 0.4) & (mask != 255)
        noisy = close_gaps(mask.copy(), gaps, "neighbor", 255)
        kept = ~gaps & (mask != 255)
        np.testing.assert_array_equal(noisy[~gaps], mask[~gaps])
        rows, columns = np.nonzero(kept)
        for y, x in zip(*np.nonzero(gaps), strict=True):
            distance = np.hypot(rows - y, columns - x)
            near = distance <= distance.min() * 1.05 + 1e-9  # a 5 x 5 chamfer errs by up to 5 %
            assert noisy[y, x] in set(mask[kept][near].tolist())


def test_gaps_everywhere_keep_their_labels():
    np.testing.assert_array_equal(close_gaps(SCENE.copy(), SCENE != 255, "neighbor", 255), SCENE)


def test_a_polygon_is_painted_like_its_region():
    found = connected_components(SCENE, 255)
    number = int(found.index[1, 1])
    square = np.array([[2, 1], [2, 4], [6, 4], [6, 1]], np.int32)[:, None]
    as_polygon = redraw(SCENE, found, {number: Polygon([square], 8)}, 5)
    as_region = redraw(SCENE, found, {number: Shape(1, 2, np.ones((4, 5), bool), 8)}, 5)
    np.testing.assert_array_equal(as_polygon, as_region)


def shrunk(mask, label, width):
    """Take a band of some columns off the right side of each object of a class."""
    found = connected_components(mask, 255)
    shapes = {}
    for number in np.flatnonzero(found.label == label).tolist():
        region = found.region(number)
        region[:, -width:] = False
        shapes[number] = Shape(*found.box[number, :2].tolist(), region, label)
    return redraw(mask, found, shapes, "neighbor")


@pytest.mark.parametrize("width", [1, 2, 5])
def test_a_band_that_an_object_lost_goes_to_its_neighbour(width):
    mask = np.repeat([[1] * 9 + [2] * 20], 7, axis=0).astype(np.uint8)
    noisy = shrunk(mask, 1, width)
    np.testing.assert_array_equal(noisy, [[1] * (9 - width) + [2] * (20 + width)] * 7)


def test_nothing_is_handed_over_to_void():
    mask = np.repeat([[2] * 20 + [1] * 9 + [255] * 3], 7, axis=0).astype(np.uint8)
    np.testing.assert_array_equal(shrunk(mask, 1, 2), mask)


def test_two_objects_that_both_drew_back_share_the_gap():
    mask = np.repeat([[1] * 9 + [2] * 20], 7, axis=0).astype(np.uint8)
    found = connected_components(mask, 255)
    shapes = {0: Shape(0, 0, np.ones((7, 7), bool), 1), 1: Shape(0, 11, np.ones((7, 18), bool), 2)}
    np.testing.assert_array_equal(redraw(mask, found, shapes, "neighbor"), mask)
    np.testing.assert_array_equal(redraw(mask, found, shapes, "neighbor"), mask)


def test_nearest_label_in_tall_masks():
    # Taller than the strips that distances are computed in, with gaps deeper than their margins.
    mask = np.full((400, 3), 5, np.uint8)
    mask[:40], mask[-60:], mask[199] = 1, 2, 3
    mask[100:110] = 255
    noisy = close_gaps(mask.copy(), mask == 5, "neighbor", 255)
    kept = np.flatnonzero((mask[:, 0] != 5) & (mask[:, 0] != 255))
    for y in np.flatnonzero(mask[:, 0] == 5):
        distance = np.abs(kept - y)
        assert noisy[y, 1] in mask[kept[distance == distance.min()], 0]
    assert (noisy[100:110] == 255).all()


def test_scattered_pixels_lie_in_the_pile_as_shapes_do():
    for seed in range(10):
        rng = np.random.default_rng(seed)
        mask = rng.integers(0, 3, (12, 14)).astype(np.uint8)
        found = connected_components(mask, 255)
        offset = rng.integers(-4, 5, (len(found), 2))
        chosen = rng.random(len(found)) < 0.7
        shapes = {}
        for n in np.flatnonzero(chosen).tolist():
            top, left = (found.box[n, :2] + offset[n]).tolist()
            shapes[n] = layers.Shape(top, left, found.region(n), int(found.label[n]))
        expected = redraw(mask, found, shapes, "neighbor")
        small = chosen & (rng.random(len(found)) < 0.6)
        owner, row, column = layers.pixels_of(found, small)
        scattered = layers.Scattered(
            np.flatnonzero(small),
            found.label[small],
            owner,
            row + offset[owner, 0],
            column + offset[owner, 1],
        )
        shapes = {n: shape for n, shape in shapes.items() if not small[n]}
        noisy = redraw(mask, found, shapes, "neighbor", scattered)
        np.testing.assert_array_equal(noisy, expected)
