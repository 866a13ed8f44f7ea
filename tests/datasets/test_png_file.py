"""Other pixels, and nothing else, in a PNG file."""

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from png_bits import png_chunks, read_png, write_png

from segnoise.datasets.files.png import png_depth, png_with_samples


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_grey_of_every_depth(tmp_path, bits):
    for width in [1, 7, 8, 9, 33]:
        rng = np.random.default_rng(bits * width)
        before, after = rng.integers(0, 2**bits, (2, 5, width))
        path = tmp_path / "m.png"
        write_png(path, before.tolist(), bits)
        assert png_depth(path.read_bytes()) == bits
        path.write_bytes(png_with_samples(path.read_bytes(), after))
        assert read_png(path) == (bits, after.tolist())


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palette_and_transparency_stay(tmp_path, bits):
    rng = np.random.default_rng(bits)
    palette = rng.integers(0, 256, 3 * 2**bits).astype(np.uint8).tobytes()
    before, after = rng.integers(0, 2**bits, (2, 4, 9))
    path = tmp_path / "m.png"
    write_png(path, before.tolist(), bits, palette, [(b"tRNS", b"\x07\xff")])
    path.write_bytes(png_with_samples(path.read_bytes(), after))
    assert read_png(path) == (bits, after.tolist())
    assert png_chunks(path)[b"PLTE"] == palette
    assert png_chunks(path)[b"tRNS"] == b"\x07\xff"


def test_a_short_palette_goes_on_in_white(tmp_path):
    path = tmp_path / "m.png"
    write_png(path, [[0, 1]], 8, bytes(range(6)))
    path.write_bytes(png_with_samples(path.read_bytes(), np.array([[0, 3]])))
    assert png_chunks(path)[b"PLTE"] == bytes(range(6)) + b"\xff" * 6
    assert np.array(Image.open(path).convert("RGB")).tolist() == [[[0, 1, 2], [255, 255, 255]]]


def test_remarks_stay_and_what_describes_the_old_pixels_goes(tmp_path):
    path = tmp_path / "m.png"
    extra = [(b"tEXt", b"who\0me"), (b"gAMA", b"\0\0\xb1\x8f"), (b"iDOT", b"1234"),
             (b"acTL", bytes(8)), (b"abCd", b"safe to copy: d")]  # fmt: skip
    write_png(path, [[0, 1]], 8, extra=extra)
    path.write_bytes(png_with_samples(path.read_bytes(), np.array([[5, 1]])))
    kept = {b"IHDR", b"tEXt", b"gAMA", b"abCd", b"IDAT", b"IEND"}
    assert set(png_chunks(path)) == kept
    assert Image.open(path).text == {"who": "me"}


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_colours(tmp_path, mode):
    rng = np.random.default_rng(0)
    before, after = rng.integers(0, 256, (2, 6, 5, len(mode)), np.uint8)
    path = tmp_path / "m.png"
    Image.fromarray(before, mode).save(path)
    path.write_bytes(png_with_samples(path.read_bytes(), after))
    assert Image.open(path).mode == mode
    assert (np.array(Image.open(path)) == after).all()


def test_an_interlaced_file_in_several_parts(tmp_path):
    """Pillow writes no interlaced file: this 3 x 1 one is made by hand, pass by pass."""
    import struct
    import zlib

    from png_bits import SIGNATURE, chunk

    passes = [b"\0\x01", b"\0\x03", b"\0\x02"]  # columns 0, 2, 1 of one row
    data = zlib.compress(b"".join(passes))
    path = tmp_path / "m.png"
    path.write_bytes(
        SIGNATURE
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 3, 1, 8, 0, 0, 0, 1))
        + chunk(b"IDAT", data[:4]) + chunk(b"IDAT", data[4:]) + chunk(b"IEND", b"")
    )  # fmt: skip
    assert np.array(Image.open(path)).tolist() == [[1, 2, 3]]
    path.write_bytes(png_with_samples(path.read_bytes(), np.array([[7, 8, 9]])))
    assert np.array(Image.open(path)).tolist() == [[7, 8, 9]]


def test_the_same_pixels_give_the_same_file(tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_text("by", "hand")
    samples = np.arange(12, dtype=np.uint8).reshape(3, 4)
    Image.fromarray(samples).save(tmp_path / "m.png", pnginfo=info)
    once = png_with_samples((tmp_path / "m.png").read_bytes(), samples)
    assert png_with_samples(once, samples) == once


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (np.zeros((2, 3), np.uint8), "shape"),
        (np.zeros((2, 2, 3), np.uint8), "shape"),
        (np.full((2, 2), 4, np.uint8), "4 does not fit 2 bits"),
    ],
)
def test_samples_that_do_not_fit(tmp_path, samples, words):
    write_png(tmp_path / "m.png", [[0, 1], [2, 3]], 2)
    with pytest.raises(ValueError, match=words):
        png_with_samples((tmp_path / "m.png").read_bytes(), samples)
