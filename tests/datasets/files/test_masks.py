"""Masks keep their ids, whatever way the file writes them, and wrong labels are refused."""

import numpy as np
import pytest
from PIL import Image
from png_bits import write_png

from segnoise.datasets.files.masks import MaskReader, parse_colors
from segnoise.datasets.problems import DatasetError
from segnoise.errors import ConfigError

IDS = np.array([[0, 1, 2], [20, 255, 0]], np.uint8)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_grey_of_every_depth_keeps_its_numbers(tmp_path, bits):
    rows = [[0, 1, 1], [min(3, 2**bits - 1), 0, 1]]
    write_png(tmp_path / "m.png", rows, bits)
    mask = MaskReader(4)(tmp_path / "m.png")
    assert mask.tolist() == rows
    assert mask.dtype == np.uint8


def test_palette_indices_are_ids_whatever_the_colours(tmp_path):
    picture = Image.fromarray(IDS)
    picture.putpalette(list(range(255, -1, -1)) * 3)
    picture.save(tmp_path / "m.png")
    for mask_format in ("ids", "palette"):
        assert (MaskReader(21, mask_format=mask_format)(tmp_path / "m.png") == IDS).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("num_classes", [21, 254, 255])
def test_label_out_of_range_is_named_with_its_place(tmp_path, dtype, num_classes):
    mask = np.zeros((5, 7), dtype)
    mask[0, 0] = 255
    path = tmp_path / "m.png"
    Image.fromarray(mask).save(path)
    assert (MaskReader(num_classes)(path) == mask).all()
    if num_classes == 21:
        mask[3, 2], mask[4, 4] = 37, 38
        Image.fromarray(mask).save(path)
        with pytest.raises(
            DatasetError,
            match=r"m.png: label 37 at row 3, column 2 \(also 38\) in a 21-class set; .*value_map",
        ):
            MaskReader(num_classes)(path)


def test_first_label_out_of_range(tmp_path):
    for num_classes in (1, 2, 3, 16, 127, 128, 129, 253, 254, 255):
        reader = MaskReader(num_classes)
        path = tmp_path / "m.png"
        Image.fromarray(np.array([[0, num_classes - 1, 255]], np.uint8)).save(path)
        assert reader(path).tolist() == [[0, num_classes - 1, 255]]
        if num_classes < 255:
            Image.fromarray(np.array([[0, num_classes]], np.uint8)).save(path)
            with pytest.raises(DatasetError, match=f"label {num_classes} at row 0, column 1"):
                reader(path)


def test_more_than_255_classes_are_16_bit(tmp_path):
    mask = np.array([[0, 255, 299, 65535]], np.uint16)
    Image.fromarray(mask).save(tmp_path / "m.png")
    read = MaskReader(300, ignore_index=65535)(tmp_path / "m.png")
    assert read.dtype == np.uint16
    assert (read == mask).all()
    with pytest.raises(DatasetError, match=r"label 299 .* in a 299-class set"):
        MaskReader(299, ignore_index=65535)(tmp_path / "m.png")


def test_a_black_and_white_mask_needs_its_value_map(tmp_path):
    path = tmp_path / "m.png"
    Image.fromarray(np.array([[0, 255]], np.uint8)).save(path)
    assert MaskReader(2)(path).tolist() == [[0, 255]]  # documented: 255 alone means void
    assert MaskReader(2, value_map={0: 0, 255: 1})(path).tolist() == [[0, 1]]
    assert MaskReader(2, value_map={"0": 0, "255": 1})(path).tolist() == [[0, 1]]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_values_missing_from_the_map_are_named(tmp_path, dtype):
    path = tmp_path / "m.png"
    Image.fromarray(np.array([[0, 255], [128, 0]], dtype)).save(path)
    with pytest.raises(
        DatasetError, match=r"value 128 at row 1, column 0 is not in value_map.*add 128"
    ):
        MaskReader(2, value_map={0: 0, 255: 1})(path)


def test_value_map_equals_a_loop_over_pixels(tmp_path):
    rng = np.random.default_rng(0)
    value_map = {int(v): int(rng.choice([0, 1, 2, 255])) for v in range(256)}
    raw = rng.integers(0, 256, (30, 40)).astype(np.uint8)
    Image.fromarray(raw).save(tmp_path / "m.png")
    expected = [[value_map[int(v)] for v in row] for row in raw]
    assert MaskReader(3, value_map=value_map)(tmp_path / "m.png").tolist() == expected


def test_rgb_colours_equal_a_loop_over_pixels(tmp_path):
    rng = np.random.default_rng(1)
    palette = tuple(tuple(map(int, rng.integers(0, 256, 3))) for _ in range(6))
    ids = rng.integers(0, 6, (20, 30))
    rgb = np.array(palette, np.uint8)[ids]
    Image.fromarray(rgb).save(tmp_path / "m.png")
    reader = MaskReader(6, mask_format="rgb", colors=parse_colors(None, palette))
    assert reader(tmp_path / "m.png").tolist() == [
        [palette.index(tuple(pixel)) for pixel in row] for row in rgb.tolist()
    ]


def test_rgb_table_may_merge_colours_and_name_void(tmp_path):
    Image.fromarray(np.array([[[255, 0, 0], [250, 0, 0], [0, 0, 0]]], np.uint8)).save(
        tmp_path / "m.png"
    )
    colors = parse_colors({"#ff0000": 1, (250, 0, 0): 1, (0, 0, 0): 255}, ())
    read = MaskReader(2, mask_format="rgb", colors=colors)(tmp_path / "m.png")
    assert read.tolist() == [[1, 1, 255]]
    del colors[250, 0, 0]
    with pytest.raises(DatasetError, match=r"colour \(250, 0, 0\) at row 0, column 1"):
        MaskReader(2, mask_format="rgb", colors=colors)(tmp_path / "m.png")


def test_jpeg_masks_are_told_that_jpeg_is_lossy(tmp_path):
    mask = np.kron(np.eye(8, dtype=np.uint8), np.ones((9, 9), np.uint8)) * 200
    Image.fromarray(mask).save(tmp_path / "m.jpg", quality=60)
    with pytest.raises(DatasetError, match=r"JPEG invents values"):
        MaskReader(2, value_map={0: 0, 200: 1})(tmp_path / "m.jpg")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"mask_format": "colour"}, "must be 'ids', 'palette' or 'rgb', not 'colour'"),
        ({"ignore_index": 3}, "outside the 21 class ids"),
        ({"value_map": {1: 21}}, "class ids are 0..20"),
        ({"value_map": {}}, "is empty"),
        ({"value_map": [0, 1]}, "whole numbers"),
        ({"value_map": {0.5: 1}}, "whole numbers"),
        ({"value_map": {"1": 1, 1: 0}}, "names a file value twice"),
        ({"value_map": {"a": 0}}, "whole numbers"),
        ({"mask_format": "rgb"}, "colour table"),
        ({"colors": {(0, 0, 0): 0}}, "no meaning"),
        ({"mask_format": "rgb", "colors": {(0, 0, 0): 30}}, "class ids are 0..20"),
    ],
)
def test_arguments_without_meaning(arguments, words):
    with pytest.raises(ConfigError, match=words):
        MaskReader(21, **arguments)


def test_parse_colors_refuses_what_is_no_colour():
    for key in ("#ff00", "red", (1, 2), (1, 2, 300)):
        with pytest.raises(ConfigError, match="colour"):
            parse_colors({key: 0}, ())
    with pytest.raises(ConfigError, match="one colour"):
        parse_colors(None, ((0, 0, 0), (0, 0, 0)))
