"""Pictures: colours are exact where they carry meaning, layouts hold what they are given."""

import numpy as np
import pytest
from PIL import Image

from segnoise.drawing import boundaries, colorize, grid, legend, overlay, save_png

PALETTE = ((0, 0, 0), (200, 30, 40), (20, 160, 220))


def test_colorize_equals_a_loop():
    mask = np.random.default_rng(0).choice([0, 1, 2, 255], (9, 11)).astype(np.uint8)
    colors = colorize(mask, PALETTE, ignore_color=(1, 2, 3))
    assert colors.dtype == np.uint8
    for row in range(9):
        for column in range(11):
            label = mask[row, column]
            expected = PALETTE[label] if label < 3 else (1, 2, 3)
            assert tuple(colors[row, column]) == expected
    assert (
        colorize(mask.astype(np.int64) * 300, PALETTE)[mask == 255]
        == colorize(np.array([[999]], np.uint16), PALETTE)
    ).all()


def test_overlay_tints_and_outlines_but_leaves_black_classes_alone():
    image = np.full((20, 20, 3), 100, np.uint8)
    mask = np.zeros((20, 20), np.uint8)
    mask[5:15, 5:15] = 1
    mixed = overlay(image, mask, PALETTE, alpha=0.5)
    assert (mixed[0:4] == 100).all()
    assert mixed[9, 9].tolist() == [150, 65, 70]
    assert tuple(mixed[14, 9]) == PALETTE[1]
    assert (image == 100).all()


def test_boundaries_equal_a_loop():
    mask = np.random.default_rng(1).integers(0, 2, (6, 7))
    edge = boundaries(mask)
    for row in range(6):
        for column in range(7):
            right = column < 6 and mask[row, column] != mask[row, column + 1]
            below = row < 5 and mask[row, column] != mask[row + 1, column]
            assert edge[row, column] == (right or below)


def test_legend_shows_every_colour_and_wraps():
    wide = legend(["a", "b", "c"], PALETTE, width=400)
    narrow = legend(["a", "b", "c"], PALETTE, width=60)
    assert wide.shape[1] == 400
    assert narrow.shape[0] > wide.shape[0]
    for color in PALETTE:
        assert (wide == color).all(axis=2).sum() > 50
        assert (narrow == color).all(axis=2).sum() > 50
    assert legend(["a very long class name indeed"], PALETTE[:1], width=10).shape[1] > 10


def test_grid_holds_its_pictures():
    red, blue = np.zeros((30, 40, 3), np.uint8), np.zeros((60, 40, 3), np.uint8)
    red[..., 0] = 255
    blue[..., 2] = 255
    grey = np.full((300, 400), 77, np.uint8)
    footer = np.full((12, 700, 3), 5, np.uint8)
    picture = grid([[red, blue], [grey, red]], ["x", "y"], ["one", "two"], footer, cell_width=100)
    assert picture.shape[1] >= 700
    count = {
        "red": (picture == (255, 0, 0)).all(2).sum(),
        "blue": (picture == (0, 0, 255)).all(2).sum(),
        "grey": (picture == 77).all(2).sum(),
        "footer": (picture == 5).all(2).sum(),
    }
    # cells are 100 x 75; the upright blue one is 50 x 75 in its cell
    assert count["red"] == 2 * 100 * 75
    assert count["blue"] == 50 * 75
    assert count["grey"] == 100 * 75
    assert count["footer"] == 12 * 700
    with pytest.raises(ValueError, match="no pictures"):
        grid([])


def test_long_titles_are_shortened():
    cell = np.zeros((10, 10, 3), np.uint8)
    assert grid([[cell]], ["x" * 500], ["y" * 500]).shape[1] == 256 + 40


def test_save_png_is_whole_or_nothing(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (8, 9, 3)).astype(np.uint8)
    path = tmp_path / "new" / "p.png"
    save_png(path, picture)
    assert (np.array(Image.open(path)) == picture).all()
    with pytest.raises(Exception, match=r"array|type|handle"):
        save_png(path, np.zeros((2, 2, 7)))
    assert (np.array(Image.open(path)) == picture).all()
    assert [p.name for p in path.parent.iterdir()] == ["p.png"]
