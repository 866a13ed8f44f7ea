import numpy as np
import pytest
from PIL import Image

from segnoise.datasets import DatasetError
from segnoise.datasets.files.instances import read_instances

NUMBERS = [[0, 1, 2], [200, 255, 1]]


@pytest.mark.parametrize(
    ("name", "dtype", "top"),
    [("a.png", np.uint8, 255), ("a.png", np.uint16, 65535), ("a.tif", np.int32, 1 << 24)],
)
def test_all_depths(tmp_path, name, dtype, top):
    numbers = np.array([*NUMBERS, [0, 7, top]], dtype)
    Image.fromarray(numbers).save(tmp_path / name)
    found = read_instances(tmp_path / name)
    assert found.dtype == dtype
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, numbers)


def test_palette_indices_and_single_bits(tmp_path):
    picture = Image.fromarray(np.array(NUMBERS, np.uint8))
    picture.putpalette([9] * 768)
    picture.save(tmp_path / "palette.png")
    assert read_instances(tmp_path / "palette.png").tolist() == NUMBERS
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "bits.png")
    assert read_instances(tmp_path / "bits.png").tolist() == [[1, 0]]


def test_big_endian(tmp_path):
    numbers = np.array(NUMBERS, np.uint16)
    picture = Image.frombytes("I;16B", (3, 2), numbers.astype(">u2").tobytes())
    picture.save(tmp_path / "a.tif")
    found = read_instances(tmp_path / "a.tif")
    assert found.dtype.isnative
    assert found.tolist() == NUMBERS


def test_numbers_that_are_no_object(tmp_path):
    Image.fromarray(np.array(NUMBERS, np.uint8)).save(tmp_path / "a.png")
    assert read_instances(tmp_path / "a.png", least=2).tolist() == [[0, 0, 2], [200, 255, 0]]
    assert read_instances(tmp_path / "a.png", void=255).tolist() == [[0, 1, 2], [200, 0, 1]]


def test_errors(tmp_path):
    with pytest.raises(DatasetError, match=r"a.png: file not found"):
        read_instances(tmp_path / "a.png")
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    with pytest.raises(DatasetError, match=r"a.png: is a colour image .*\(mode RGB\)"):
        read_instances(tmp_path / "a.png")
