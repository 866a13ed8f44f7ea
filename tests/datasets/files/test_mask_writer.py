"""A written mask is like the clean one but for the pixels that changed."""

import re

import cv2
import numpy as np
import pytest
from PIL import Image
from png_bits import png_chunks, write_png

from segnoise.datasets.files.mask_writer import write_mask
from segnoise.datasets.files.masks import MaskReader
from segnoise.datasets.problems import DatasetError

COLORS = {(0, 0, 0): 0, (255, 0, 0): 1, (250, 0, 0): 1, (0, 0, 255): 2}


def write(reader, source, changes, name=None):
    """Change pixels {(row, column): id} of a mask; return the new file."""
    noisy = reader(source).copy()
    for place, label in changes.items():
        noisy[place] = label
    target = source.with_name(name or f"noisy{source.suffix}")
    write_mask(reader, source, noisy, target)
    assert (reader(target) == noisy).all()
    return target


def bits_and_rows(path):
    """Return the bits a pixel of a PNG file, and its numbers as the file holds them."""
    bits, picture = path.read_bytes()[24], Image.open(path)
    scale = {2: 85, 4: 17}.get(bits, 1) if picture.mode == "L" else 1  # as Pillow shows grey
    return bits, (np.array(picture).astype(int) // scale).tolist()


def test_voc_palette_masks_keep_their_palette(tmp_path):
    source = tmp_path / "m.png"
    picture = Image.fromarray(np.array([[0, 15, 255], [0, 0, 255]], np.uint8))
    picture.putpalette(np.random.default_rng(3).integers(0, 256, 768).tolist())
    picture.save(source, transparency=b"\x07\xff")
    target = write(MaskReader(21), source, {(0, 0): 20, (0, 1): 255})
    before, after = png_chunks(source), png_chunks(target)
    assert {kind: after[kind] for kind in (b"IHDR", b"PLTE", b"tRNS")} == {
        kind: before[kind] for kind in (b"IHDR", b"PLTE", b"tRNS")
    }
    assert np.array(Image.open(target)).tolist() == [[20, 255, 255], [0, 0, 255]]


@pytest.mark.parametrize("palette", [False, True])
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_every_depth_of_grey_and_of_palettes(tmp_path, bits, palette):
    source, top = tmp_path / "m.png", 2**bits - 1
    colors = bytes(range(3 * (top + 1) % 256)) if palette else None
    write_png(source, [[0, 1, top], [0, 0, 1]], bits, colors)
    target = write(MaskReader(256, ignore_index=999), source, {(0, 0): top, (1, 2): 0})
    assert bits_and_rows(target) == (bits, [[top, 1, top], [0, 0, 0]])
    before, after = png_chunks(source), png_chunks(target)
    assert after[b"IHDR"] == before[b"IHDR"]
    assert after.get(b"PLTE", b"").startswith(colors or b"")
    assert (b"PLTE" in after) == palette


def test_16_bits(tmp_path):
    source = tmp_path / "m.png"
    Image.fromarray(np.array([[0, 299, 65535]], np.uint16)).save(source)
    reader = MaskReader(300, ignore_index=65535)
    target = write(reader, source, {(0, 0): 260, (0, 1): 65535})
    assert bits_and_rows(target) == (16, [[260, 65535, 65535]])


def test_the_first_of_several_values_is_written(tmp_path):
    source = tmp_path / "m.png"
    Image.fromarray(np.array([[9, 9, 5, 4]], np.uint8)).save(source)
    target = write(MaskReader(2, value_map={9: 0, 5: 1, 4: 1}), source, {(0, 0): 1})
    assert bits_and_rows(target) == (8, [[5, 9, 5, 4]])


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
        ("m.tif", np.array([[0, 1, 1]], bool), "1"),
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


def test_an_unchanged_mask_is_the_same_file(tmp_path):
    source = tmp_path / "m.png"
    Image.fromarray(np.array([[0, 1]], np.uint8)).save(source, compress_level=1, optimize=False)
    target = write(MaskReader(2), source, {})
    assert target.read_bytes() == source.read_bytes()


def grey(*values, bits=8, **options):
    """Return what writes a file of one row of numbers."""
    if bits < 8:
        return lambda path: write_png(path, [values], bits)
    array = np.array([values], np.uint8 if bits == 8 else np.uint16)
    return lambda path: Image.fromarray(array).save(path, **options)


def rgb(*colors, palette=False, bits=8):
    """Return what writes a file of one row of colours."""

    def make(path):
        if bits == 16:
            cv2.imwrite(str(path), np.zeros((1, len(colors), 3), np.uint16))
            return
        picture = Image.fromarray(np.array([colors], np.uint8))
        (picture.quantize(len(set(colors))) if palette else picture).save(path)

    return make


BLACK, RED = (0, 0, 0), (255, 0, 0)
COLORED = MaskReader(3, mask_format="rgb", colors=COLORS)
WITH_VOID = MaskReader(3, mask_format="rgb", colors={**COLORS, (9, 9, 9): 255})
# A file, its reader, the class that the noise makes; what is said; the advice followed: another
# file, another reader.
ADVICE = {
    "no value for void": (grey(0, 255), MaskReader(2, value_map={0: 0, 255: 1}), 255,
                          "value_map has no value for void, which the noise makes; add one to "
                          "value_map", None, MaskReader(2, value_map={0: 0, 255: 1, 7: 255})),
    "no colour": (rgb(BLACK, RED), COLORED, 255, "color_table has no colour for void", None,
                  WITH_VOID),
    "1 bit": (grey(0, 1, bits=1), MaskReader(9), 255, "255 for void does not fit its 1 bit a "
              "pixel; save the masks with 8 bits", grey(0, 1), None),
    "8 bits": (grey(0, 1), MaskReader(320, ignore_index=65535), 300, "does not fit its 8 bits a "
               "pixel; save the masks with 16 bits", grey(0, 1, bits=16), None),
    "palette": (rgb(BLACK, RED, palette=True), COLORED, 2, "its palette lacks (0, 0, 255) for "
                "class 2; save the masks as RGB PNG", rgb(BLACK, RED), None),
    "grey": (grey(0, 0), COLORED, 1, "is no RGB file (Pillow mode L); save the masks as RGB PNG",
             rgb(BLACK, BLACK), None),
    "deep": (rgb(BLACK, BLACK, bits=16), COLORED, 1, "has 16 bits a channel; save the masks with "
             "8 bits", rgb(BLACK, BLACK), None),
    "jpeg": (grey(*[0] * 16, format="JPEG"), MaskReader(4), 3, "JPEG cannot hold its noisy "
             "labels; convert the masks to PNG", grey(*[0] * 16), None),
}  # fmt: skip


@pytest.mark.parametrize("name", ADVICE)
def test_what_cannot_be_written_and_that_the_advice_works(tmp_path, name):
    make, reader, label, words, mend, other = ADVICE[name]
    source = tmp_path / "m.png"
    make(source)
    with pytest.raises(DatasetError, match=re.escape(words)):
        write(reader, source, {(0, 0): label})
    (mend or make)(source)
    target = write(other or reader, source, {(0, 0): label})
    assert (other or reader)(target)[0, 0] == label
