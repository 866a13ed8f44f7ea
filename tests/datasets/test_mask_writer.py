"""A written mask is like the clean one but for the pixels that changed."""

import numpy as np
import pytest
from PIL import Image
from png_bits import png_chunks, read_png, write_png

from segnoise.datasets.cityscapes import LABEL_IDS
from segnoise.datasets.mask_files import MaskReader
from segnoise.datasets.mask_writer import MaskWriter
from segnoise.datasets.problems import DatasetError

COLORS = {(0, 0, 0): 0, (255, 0, 0): 1, (250, 0, 0): 1, (0, 0, 255): 2}


def write(reader, source, changes, name=None):
    """Change pixels {(row, column): id} of a mask; return the new file."""
    noisy = reader(source).copy()
    for place, label in changes.items():
        noisy[place] = label
    target = source.with_name(name or f"noisy{source.suffix}")
    MaskWriter(reader).write(source, noisy, target)
    assert (reader(target) == noisy).all()
    return target


def test_voc_palette_masks_keep_their_palette(tmp_path):
    source = tmp_path / "m.png"
    picture = Image.fromarray(np.array([[0, 15, 255], [0, 0, 255]], np.uint8))
    picture.putpalette(np.random.default_rng(3).integers(0, 256, 768).tolist())
    picture.save(source)
    target = write(MaskReader(21), source, {(0, 0): 20, (0, 1): 255})
    after = Image.open(target)
    assert after.mode == "P"
    assert after.getpalette() == Image.open(source).getpalette()
    assert png_chunks(target)[b"PLTE"] == png_chunks(source)[b"PLTE"]
    assert np.array(after).tolist() == [[20, 255, 255], [0, 0, 255]]


def test_cityscapes_keeps_label_ids(tmp_path):
    source = tmp_path / "m.png"
    stored = np.array([[7, 8, 3, 1, 0, 26]], np.uint8)  # 3, 1, 0: three kinds of void
    Image.fromarray(stored).save(source)
    reader = MaskReader(19, value_map=LABEL_IDS)
    assert reader(source).tolist() == [[0, 1, 255, 255, 255, 13]]
    target = write(reader, source, {(0, 0): 13, (0, 1): 255, (0, 5): 18})
    assert np.array(Image.open(target)).tolist() == [[26, 0, 3, 1, 0, 33]]


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_shallow_grey(tmp_path, bits):
    source, top = tmp_path / "m.png", 2**bits - 1
    write_png(source, [[0, 1, top], [0, 0, 1]], bits)
    target = write(MaskReader(16), source, {(0, 0): top, (1, 2): 0})
    assert read_png(target) == (bits, [[top, 1, top], [0, 0, 0]])


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palettes_of_every_depth(tmp_path, bits):
    source, top = tmp_path / "m.png", 2**bits - 1
    write_png(source, [[0, 1, top], [0, 0, 1]], bits, bytes(range(3 * (top + 1) % 256)))
    target = write(MaskReader(256, ignore_index=999), source, {(0, 0): top})
    assert read_png(target) == (bits, [[top, 1, top], [0, 0, 1]])


def test_16_bits(tmp_path):
    source = tmp_path / "m.png"
    Image.fromarray(np.array([[0, 299, 65535]], np.uint16)).save(source)
    reader = MaskReader(300, ignore_index=65535)
    target = write(reader, source, {(0, 0): 260, (0, 1): 65535})
    assert read_png(target) == (16, [[260, 65535, 65535]])


def test_a_value_map_is_inverted(tmp_path):
    source = tmp_path / "m.png"
    Image.fromarray(np.array([[0, 255, 255]], np.uint8)).save(source)
    target = write(MaskReader(2, value_map={0: 0, 255: 1}), source, {(0, 0): 1, (0, 1): 0})
    assert read_png(target) == (8, [[255, 0, 255]])


def test_the_first_of_several_values_is_written(tmp_path):
    source = tmp_path / "m.png"
    Image.fromarray(np.array([[9, 9, 5, 4]], np.uint8)).save(source)
    target = write(MaskReader(2, value_map={9: 0, 5: 1, 4: 1}), source, {(0, 0): 1})
    assert read_png(target) == (8, [[5, 9, 5, 4]])


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_colour_coded_masks(tmp_path, mode):
    source = tmp_path / "m.png"
    rgb = np.array([[(0, 0, 0), (250, 0, 0), (250, 0, 0), (0, 0, 255)]], np.uint8)
    picture = Image.fromarray(rgb)
    if mode == "P":
        picture = Image.fromarray(np.array([[0, 2, 2, 3]], np.uint8))
        picture.putpalette([channel for color in COLORS for channel in color])
    picture.convert(mode).save(source)
    reader = MaskReader(3, mask_format="rgb", colors=COLORS)
    target = write(reader, source, {(0, 0): 1, (0, 1): 2})
    after = Image.open(target)
    assert after.mode == mode
    expected = [[[255, 0, 0], [0, 0, 255], [250, 0, 0], [0, 0, 255]]]
    assert np.array(after.convert("RGB")).tolist() == expected


@pytest.mark.parametrize(
    ("name", "array", "mode"),
    [
        ("m.tif", np.array([[0, 1, 2]], np.uint8), "L"),
        ("m.tif", np.array([[0, 1, 2]], np.uint16), "I;16"),
        ("m.tif", np.array([[0, 1, 2]], np.int32), "I"),
        ("m.tif", np.array([[0, 1, 1]], bool), "1"),
        ("m.bmp", np.array([[0, 1, 2]], np.uint8), "L"),
        ("p.tif", np.array([[0, 1, 2]], np.uint8), "P"),
        ("p.bmp", np.array([[0, 1, 2]], np.uint8), "P"),
    ],
)
def test_other_formats_keep_mode_and_palette(tmp_path, name, array, mode):
    source, options = tmp_path / name, {}
    picture = Image.fromarray(array)
    if mode == "P":
        picture.putpalette(list(range(9)))
    if name.endswith("tif"):
        options = {"compression": "tiff_deflate"}
    picture.save(source, **options)
    target = write(MaskReader(3), source, {(0, 0): 1})
    before, after = Image.open(source), Image.open(target)
    assert (after.format, after.mode) == (before.format, mode)
    assert after.info.get("compression") == before.info.get("compression")
    assert np.array(after).tolist() == [[1, *array[0, 1:].tolist()]]
    if mode == "P":
        assert after.getpalette()[:9] == list(range(9))


def test_lossless_webp(tmp_path):
    source = tmp_path / "m.webp"
    Image.fromarray(np.array([[(0, 0, 0), (255, 0, 0)]], np.uint8)).save(source, lossless=True)
    write(MaskReader(3, mask_format="rgb", colors=COLORS), source, {(0, 0): 2})


def test_an_unchanged_mask_is_the_same_file(tmp_path):
    source = tmp_path / "m.png"
    Image.fromarray(np.array([[0, 1]], np.uint8)).save(source, compress_level=1, optimize=False)
    target = write(MaskReader(2), source, {})
    assert target.read_bytes() == source.read_bytes()


def refused(reader, source, changes, words):
    with pytest.raises(DatasetError, match=words):
        write(reader, source, changes)


def test_no_value_for_void(tmp_path):
    source = tmp_path / "m.png"
    Image.fromarray(np.array([[0, 255]], np.uint8)).save(source)
    reader = MaskReader(2, value_map={0: 0, 255: 1})
    words = r"m.png: value_map has no value for void, which the noise makes; add one to value_map"
    refused(reader, source, {(0, 0): 255}, words)
    Image.fromarray(np.array([[(0, 0, 0), (255, 0, 0)]], np.uint8)).save(source)
    reader = MaskReader(3, mask_format="rgb", colors=COLORS)
    refused(reader, source, {(0, 0): 255}, r"color_table has no colour for void")


def test_no_value_for_a_class(tmp_path):
    source = tmp_path / "m.png"
    Image.fromarray(np.array([[0, 0]], np.uint8)).save(source)
    refused(MaskReader(3, value_map={0: 0, 1: 1}), source, {(0, 0): 2}, "no value for class 2")


@pytest.mark.parametrize(("bits", "label", "need"), [(1, 255, 8), (2, 7, 8), (8, 300, 16)])
def test_too_few_bits(tmp_path, bits, label, need):
    source = tmp_path / "m.png"
    write_png(source, [[0, 1]], bits)
    reader = MaskReader(320, ignore_index=65535) if label == 300 else MaskReader(9)
    words = f"{label} for .* does not fit its {bits} bits? a pixel; save the masks with {need} bits"
    refused(reader, source, {(0, 0): label}, words)


def test_a_palette_without_the_colour(tmp_path):
    source = tmp_path / "m.png"
    picture = Image.fromarray(np.array([[0, 1]], np.uint8))
    picture.putpalette([0, 0, 0, 255, 0, 0])
    picture.save(source)
    reader = MaskReader(3, mask_format="rgb", colors=COLORS)
    refused(reader, source, {(0, 0): 2}, r"its palette lacks \(0, 0, 255\) for class 2")


def test_grey_as_colours(tmp_path):
    source = tmp_path / "m.png"
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(source)
    reader = MaskReader(3, mask_format="rgb", colors=COLORS)
    refused(reader, source, {(0, 0): 1}, r"is no RGB file \(Pillow mode L\)")


def test_deep_colours(tmp_path):
    import cv2

    source = tmp_path / "m.png"
    cv2.imwrite(str(source), np.zeros((2, 2, 3), np.uint16))
    reader = MaskReader(3, mask_format="rgb", colors=COLORS)
    refused(reader, source, {(0, 0): 1}, "has 16 bits a channel; save the masks with 8 bits")


def test_jpeg_cannot_hold_noise(tmp_path):
    source = tmp_path / "m.jpg"
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(source)
    refused(MaskReader(4), source, {(3, 3): 3}, r"m.jpg: JPEG cannot hold .*; convert .* to PNG")
