"""Images of any bands: files that other programs write are read right, or refused with a remedy."""

import re

import numpy as np
import pytest
from PIL import Image
from tiffs import tiff

from segnoise.datasets.files.bands import as_type, checked_bands, read_bands
from segnoise.datasets.problems import DatasetError
from segnoise.errors import ConfigError

tifffile = pytest.importorskip("tifffile")
RNG = np.random.default_rng(0)


def numbers(bands, dtype, size=(40, 30)):
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return RNG.normal(0, 1e3, (*size, bands)).astype(kind)
    bounds = np.iinfo(kind)
    return RNG.integers(max(bounds.min, -(2**20)), min(bounds.max, 2**20), (*size, bands), kind)


LAYOUTS = {
    "strips": {},
    "one strip": {"rowsperstrip": 40},
    "tiles": {"tile": (16, 16)},
    "deflate": {"compression": "zlib", "predictor": True},
    "lzw": {"compression": "lzw"},
    "zstd tiles": {"compression": "zstd", "tile": (16, 16)},
    "big": {"bigtiff": True},
    "big-endian": {"byteorder": ">"},
    "orientation": {"extratags": [(274, "H", 1, 6, True)]},
}


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_tiffs_of_every_layout_are_read_as_they_were_written(tmp_path, layout, planar):
    path = tmp_path / "a.tif"
    for bands in (2, 3, 4, 5, 13):
        for dtype in ("uint8", "uint16", "int16", "float32"):
            values = numbers(bands, dtype)
            written = values if planar == "contig" else np.moveaxis(values, 2, 0)
            tifffile.imwrite(
                path, written, planarconfig=planar, photometric="minisblack", **LAYOUTS[layout]
            )
            order = [bands, 1]
            found = read_bands(path, order, dtype)
            assert found.dtype == dtype
            assert np.array_equal(found, values[:, :, [bands - 1, 0]])


def test_our_own_tiffs_and_other_files(tmp_path):
    values = numbers(3, "uint16")
    path = tmp_path / "a.tif"
    for planar in (False, True):
        path.write_bytes(tiff(values, planar=planar, order=">", orientation=3))
        assert np.array_equal(read_bands(path, [1, 2, 3], "uint16"), values)
    grey = numbers(1, "uint16")[:, :, 0]
    Image.fromarray(grey).save(tmp_path / "g.png")
    assert np.array_equal(read_bands(tmp_path / "g.png", [1], "uint16")[:, :, 0], grey)
    np.save(tmp_path / "a.npy", numbers(6, "int16"))
    array = np.load(tmp_path / "a.npy")
    assert np.array_equal(read_bands(tmp_path / "a.npy", [6, 2], "int16"), array[:, :, [5, 1]])
    rgba = numbers(4, "uint8")
    Image.fromarray(rgba).save(tmp_path / "c.png")
    assert np.array_equal(read_bands(tmp_path / "c.png", [4, 1], "uint8"), rgba[:, :, [3, 0]])


def test_numbers_become_another_type_only_where_they_stay_the_same(tmp_path):
    for values in (np.array([[[0, 255]]], np.uint16), np.array([[[0.0, 7.0]]]), np.array([[[-0]]])):
        assert np.array_equal(as_type(values, "uint8", "x"), values)
    for values, dtype, words in (
        (np.array([[[256]]], np.uint16), "uint8", "holds 256 to 256.*give dtype='uint16'"),
        (np.array([[[-1, 9]]], np.int16), "uint16", "holds -1 to 9.*dtype='int16'"),
        (np.array([[[40000]]], np.uint16), "int16", "dtype='uint16'"),
        (np.array([[[0.5]]]), "int16", "holds fractions.*dtype='float32'"),
        (np.array([[[2**24 + 1]]], np.int64), "float32", "rescale the file"),
        (np.array([[[1e300]]]), "float32", "beyond float32"),
        (np.array([[[1.0, np.nan], [0, 0]]]), "float32", "row 0, column 0, band 2"),
        (np.array([[[1j]]]), "float32", "real numbers"),
    ):
        with pytest.raises(DatasetError, match=words):
            as_type(values, dtype, "x")
    wide = numbers(2, "float64")
    assert np.array_equal(as_type(wide, "float32", "x"), wide.astype(np.float32))


def refused(tmp_path, values, words, bands=(1,), dtype="uint8", **options):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, values, **options)
    with pytest.raises(DatasetError, match=words) as caught:
        read_bands(path, bands, dtype)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    assert "; " in text


def test_what_could_be_read_in_two_ways_is_refused(tmp_path):
    grey, color = numbers(1, "uint8")[:, :, 0], numbers(3, "uint8")
    palette = np.zeros((3, 256), np.uint16)
    refused(tmp_path, grey, "white is 0", photometric="miniswhite")
    refused(tmp_path, grey, "palette", photometric="palette", colormap=palette)
    refused(tmp_path, numbers(4, "uint8"), "inks", photometric="separated")
    refused(tmp_path, color, "CIE", photometric="cielab")
    refused(tmp_path, np.stack([grey] * 3), "holds 3 pictures", photometric="minisblack")
    refused(tmp_path, grey, r"has 1 band\(s\), band 2 is wanted", bands=(1, 2))
    tag = (42113, "s", 0, "7", True)
    refused(tmp_path, np.full((4, 4), 7, np.uint8), "16 pixels hold 7.*no data", extratags=[tag])
    refused(tmp_path, numbers(1, "uint16")[:, :, 0] | 256, "give dtype='uint16'")


def test_overviews_are_no_second_picture_and_absent_nodata_is_no_fault(tmp_path):
    values = numbers(2, "int16")
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        tag = (42113, "s", 0, "-32768", True)
        file.write(values, photometric="minisblack", planarconfig="contig", extratags=[tag])
        file.write(values[::2, ::2], subfiletype=1, photometric="minisblack", planarconfig="contig")
    assert np.array_equal(read_bands(tmp_path / "a.tif", [1, 2], "int16"), values)


@pytest.mark.parametrize("layout", ["strips", "tiles", "deflate"])
def test_files_that_are_cut_are_refused_wherever_they_are_cut(tmp_path, layout):
    values = numbers(4, "uint16", (64, 64))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, values, photometric="minisblack", **LAYOUTS[layout])
    whole = path.read_bytes()
    for length in (*range(0, len(whole), len(whole) // 40), len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(DatasetError, match=re.escape(str(path))):
            read_bands(path, [1, 2], "uint16")


def test_other_files_are_refused_by_what_they_are(tmp_path):
    for name, content, words in (
        ("a.tif", b"GRIB" + bytes(40), "GRIB"),
        ("b.npy", b"\x93NUMPY\x01\x00cut", "numpy.save"),
        ("c.png", b"", "empty"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DatasetError, match=words):
            read_bands(tmp_path / name, [1], "uint8")
    with pytest.raises(DatasetError, match="file not found"):
        read_bands(tmp_path / "none.tif", [1], "uint8")
    with pytest.raises(DatasetError, match="a folder"):
        read_bands(tmp_path, [1], "uint8")
    Image.new("P", (4, 4)).save(tmp_path / "p.png")
    with pytest.raises(DatasetError, match=r"mode P.*leave bands and dtype out"):
        read_bands(tmp_path / "p.png", [1], "uint8")
    np.save(tmp_path / "d.npy", np.zeros(3))
    with pytest.raises(DatasetError, match=r"\(H, W, C\)"):
        read_bands(tmp_path / "d.npy", [1], "uint8")


def test_arguments():
    assert checked_bands(None, "uint8") is None
    for bands, dtype, words in (
        (None, "uint16", r"bands=\[1, 2, 3, 4\]"),
        ([0], "uint8", "bands must be .*1"),
        ("12", "uint8", "list of numbers"),
        ([], "uint8", "list of numbers"),
        ([1], "uint32", "dtype"),
    ):
        with pytest.raises(ConfigError, match=words):
            checked_bands(bands, dtype)
