import cv2
import numpy as np
import pytest

from segnoise.noise.geometry.superpixels import superpixels


def scene(seed, shape=(90, 130)):
    """Return a picture of flat polygons under a little noise, and which polygon is where."""
    rng = np.random.default_rng(seed)
    parts = np.zeros(shape, np.uint8)
    for number in range(1, 6):
        corners = rng.integers(0, (shape[1], shape[0]), (4, 2), dtype=np.int32)
        cv2.fillConvexPoly(parts, cv2.convexHull(corners), number)
    colors = np.array([[20, 60, 90], [200, 40, 40], [60, 220, 60], [90, 90, 250], [240, 230, 90],
                       [130, 130, 130]])  # fmt: skip
    image = colors[parts] + rng.normal(0, 3, (*shape, 3))
    return np.clip(image, 0, 255).astype(np.uint8), parts


def assert_partition(patches, shape):
    assert patches.shape == shape
    assert patches.dtype == np.int32
    assert patches.flags.c_contiguous
    count = patches.max()
    assert np.unique(patches).tolist() == list(range(1, count + 1))
    for number in range(1, count + 1):
        region = (patches == number).astype(np.uint8)
        assert cv2.connectedComponents(region, connectivity=4)[0] == 2


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (7, 9), (33, 20)])
def test_patches_are_connected_and_numbered_without_gaps(shape):
    for size in [1, 2, 5, 8, 20, 1000]:
        rng = np.random.default_rng(0)
        for image in (
            rng.integers(0, 256, (*shape, 3), dtype=np.uint8),
            rng.integers(0, 256, shape, dtype=np.uint8),
            np.zeros((*shape, 3), np.uint8),
        ):
            patches = superpixels(image, size)
            assert_partition(patches, shape)
            cells = [max(1, int(side / size + 0.5)) for side in shape]
            assert patches.max() <= np.prod(cells)
            if size < 8:
                assert patches.max() == np.prod(cells)


@pytest.mark.parametrize("size", [6, 12, 20])
def test_patches_keep_to_edges(size):
    for seed in range(3):
        image, parts = scene(seed)
        patches = superpixels(image, size)
        # Each pixel takes the polygon that is most frequent in its patch.
        table = np.zeros((patches.max() + 1, 6), int)
        np.add.at(table, (patches, parts), 1)
        wrong = (table.argmax(1)[patches] != parts).mean()
        # The squares of a grid, for comparison.
        rows, columns = np.indices(parts.shape) // size
        grid = rows * 1000 + columns
        squares = np.zeros((grid.max() + 1, 6), int)
        np.add.at(squares, (grid, parts), 1)
        assert wrong < 0.5 * (squares.argmax(1)[grid] != parts).mean()


def test_flat_images_are_divided_evenly():
    patches = superpixels(np.full((96, 128), 77, np.uint8), 16)
    assert patches.max() == 6 * 8
    areas = np.bincount(patches.ravel())[1:]
    assert areas.min() > 0.5 * 256
    assert areas.max() < 1.6 * 256
    # Numbered in reading order of the cells.
    assert patches[8, 8] == 1
    assert patches[8, 24] == 2
    assert patches[24, 8] == 9


def test_grey_is_a_colour():
    grey = scene(4)[0][..., 1]
    np.testing.assert_array_equal(
        superpixels(grey, 9), superpixels(np.stack([grey] * 3, axis=-1), 9)
    )
