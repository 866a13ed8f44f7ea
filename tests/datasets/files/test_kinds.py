"""Files that are not what they should be: what is said of them, and that the advice works."""

import gzip
import io

import numpy as np
import pytest
from PIL import Image
from tiffs import tiff

from segnoise.datasets.files.images import image_size, load_picture, read_image
from segnoise.datasets.files.masks import MaskReader
from segnoise.datasets.problems import DatasetError

RNG = np.random.default_rng(0)
IDS = np.array([[0, 1, 2], [2, 1, 0]])


def complaint(read, path):
    with pytest.raises(DatasetError) as caught:
        read(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


FOREIGN = {
    "a NumPy array": npy(IDS),
    "a ZIP or .npz archive": b"PK\x03\x04" + bytes(40),
    "a gzip file": gzip.compress(bytes(400)),
    "a DICOM file": bytes(128) + b"DICM" + bytes(10),
    "a NIfTI volume": bytes(344) + b"n+1\0" + bytes(100),
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 7\n",
    "a web page": b"\n<!DOCTYPE html><html>Please log in</html>",
    "SVG or other XML": b"<?xml version='1.0'?><svg/>",
    "JSON": b'{"shapes": []}',
    "a text file": b"missing\n",
    "an empty file": b"",
    "a HEIC picture": bytes(4) + b"ftypheic" + bytes(20),
    "a TIFF of 5 bands of 16 bits, compression 1": tiff(np.zeros((2, 2, 5), np.uint16)),
    "a TIFF of 5 bands of 8 bits, compression 1": tiff(np.zeros((2, 2, 5), np.uint8)),
    "a TIFF of 3 bands of 16 bits, one band after the other": tiff(
        np.zeros((2, 2, 3), np.uint16), planar=True
    ),
    "a TIFF of 1 band of 64 floating-point bits": tiff(np.zeros((2, 2)), order=">"),
    "a damaged TIFF": b"II*\0\x08\0\0\0",
}


def test_foreign_files_are_called_by_their_kind(tmp_path):
    path = tmp_path / "a.png"
    for words, content in FOREIGN.items():
        path.write_bytes(content)
        assert words in complaint(read_image, path)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4"])
def test_grey_tiffs_hold_the_numbers_that_are_stored(tmp_path, dtype):
    limits = np.iinfo(dtype)
    stored = RNG.integers(limits.min, limits.max, (5, 7), endpoint=True).astype(dtype)
    stored[0, :2] = limits.min, limits.max
    (tmp_path / "a.tif").write_bytes(tiff(stored))
    wanted = 255 * (stored.astype(float) - limits.min) / (float(limits.max) - limits.min)
    found = read_image(tmp_path / "a.tif", (limits.min, limits.max))[..., 0]
    assert np.abs(found - wanted).max() < 0.501
    labels = {int(value): i % 3 for i, value in enumerate(np.unique(stored))}
    ids = MaskReader(3, value_map=labels)(tmp_path / "a.tif")
    assert ids.tolist() == [[labels[int(value)] for value in row] for row in stored]


@pytest.mark.parametrize("turned", range(1, 9))
def test_orientation_is_applied_to_no_file(tmp_path, turned):
    stored = RNG.integers(0, 256, (5, 7), np.uint8)
    (tmp_path / "a.tif").write_bytes(tiff(stored, orientation=turned))
    exif = Image.Exif()
    exif[274] = turned
    Image.fromarray(stored).save(tmp_path / "a.png", exif=exif)
    Image.fromarray(stored).save(tmp_path / "b.tif", compression="tiff_lzw", tiffinfo={274: turned})
    for path in sorted(tmp_path.iterdir()):
        assert np.array_equal(np.array(load_picture(path)[0]), stored), path
        assert image_size(path) == (5, 7)


def test_pages(tmp_path):
    stored = RNG.integers(0, 256, (4, 4), np.uint8)
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(stored, subfiles=(0, 0, 0)))
    assert "holds 3 pictures, of which one can be used; save each" in complaint(read_image, path)
    path.write_bytes(tiff(stored, subfiles=(0, 1, 4)))  # an overview and a transparency mask
    assert np.array_equal(np.array(load_picture(path)[0]), stored)
    frames = [Image.fromarray(stored // n) for n in (1, 2)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert "holds 2 pictures" in complaint(read_image, tmp_path / "a.gif")


def test_numbers_that_are_none(tmp_path):
    path = tmp_path / "a.tif"
    image = np.array([[0, np.nan, 0.5], [np.inf, 1, -np.inf]], np.float32)
    Image.fromarray(image).save(path)
    for arguments in ({}, {"image_range": (0, 1)}):
        text = complaint(lambda file, given=arguments: read_image(file, **given), path)
        assert "3 pixels of NaN or infinity, the first at row 0, column 1; write numbers" in text
    Image.fromarray(np.nan_to_num(image, nan=0, posinf=0, neginf=0)).save(path)
    assert read_image(path, (0, 1))[..., 0].tolist() == [[0, 0, 128], [0, 255, 0]]


def save(array, mode=None, **options):
    def make(path):
        picture = Image.fromarray(array)
        (picture.convert(mode) if mode else picture).save(path, **options)

    return make


def write(content):
    return lambda path: path.write_bytes(content)


U1, I4 = IDS.astype(np.uint8), IDS.astype(np.int32)
ALL = {0: 0, 1: 1, 2: 2, 255: 255}
COLORS = {(0, 0, 0): 0, (1, 1, 1): 1, (2, 2, 2): 2}
# What is wrong; a part of the advice; the advice followed: another file, other arguments.
ADVICE = {
    "negative": (write(tiff(np.where(IDS == 2, -1, I4))), {},
                 "value_map={0: 0, 1: 1, 2: 2, 255: 255, -1: <class id>}",
                 None, {"value_map": {**ALL, -1: 2}}),
    "large": (write(tiff(np.where(IDS == 2, 70000, I4))), {},
              "70000: <class id>}", None, {"value_map": {**ALL, 70000: 2}}),
    "unsigned": (write(tiff(np.where(IDS == 2, 2**32 - 1, IDS).astype(np.uint32))), {},
                 "4294967295: <class id>}", None, {"value_map": {**ALL, 2**32 - 1: 2}}),
    "unknown": (save(np.where(IDS == 2, 37, U1).astype(np.uint8)), {},
                "value_map={0: 0, 1: 1, 2: 2, 255: 255, 37: <class id>}",
                None, {"value_map": {**ALL, 37: 2}}),
    "not in the map": (save(U1), {"value_map": {0: 0, 1: 1}}, "add 2: its class id",
                       None, {"value_map": {0: 0, 1: 1, 2: 2}}),
    "float": (write(tiff(IDS.astype(np.float32))), {},
              "holds floating-point numbers (Pillow mode F), not class ids; save the ids as 8-",
              save(U1), {}),
    "transparent": (save(U1, "LA"), {}, "grey image with transparency", save(U1), {}),
    "colour": (save(U1, "RGB"), {}, "use mask_format='rgb' with a colour table",
               None, {"mask_format": "rgb", "colors": COLORS}),
    "no colour": (save(IDS.astype(np.uint16)), {"mask_format": "rgb", "colors": COLORS},
                  "use mask_format='ids'", None, {}),
    "no palette": (save(U1), {"mask_format": "palette"}, "use mask_format='ids'", None, {}),
    "other colour": (save(U1, "RGB"), {"mask_format": "rgb", "colors": {(0, 0, 0): 0}},
                     "add (1, 1, 1) with its class id", None,
                     {"mask_format": "rgb", "colors": COLORS}),
    "array": (write(npy(U1)), {}, "PIL.Image.fromarray(numpy.load(file)).save(name)", save(U1), {}),
}  # fmt: skip


@pytest.mark.parametrize("name", ADVICE)
def test_the_advice_works(tmp_path, name):
    make, arguments, advice, mend, others = ADVICE[name]
    path = tmp_path / ("a.tif" if make.__name__ == "<lambda>" else "a.png")
    make(path)
    assert advice in complaint(MaskReader(3, **arguments), path)
    if mend is not None:
        path.unlink()
        path = tmp_path / "a.png"
        mend(path)
    assert MaskReader(3, **others)(path).tolist() == IDS.tolist()
