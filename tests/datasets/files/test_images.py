"""Images of every kind become 8-bit RGB; damaged ones are errors."""

import cv2
import numpy as np
import pytest
from PIL import Image

from segnoise.datasets.files.images import image_size, read_image
from segnoise.datasets.problems import DatasetError

RGB = np.random.default_rng(0).integers(0, 256, (12, 17, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("RGB", RGB),
        ("RGBA", RGB),
        ("L", np.dstack([RGB[..., 0]] * 3)),
        ("LA", np.dstack([RGB[..., 0]] * 3)),
    ],
)
def test_eight_bit_modes(tmp_path, mode, expected):
    planes = RGB[..., 0] if mode[0] == "L" else RGB
    if mode.endswith("A"):
        planes = np.dstack([planes, np.full(RGB.shape[:2], 9, np.uint8)])
    Image.fromarray(planes, mode=None).save(tmp_path / "i.png")
    image = read_image(tmp_path / "i.png")
    assert image.dtype == np.uint8
    assert image.flags.writeable
    assert (image == expected).all()
    assert image_size(tmp_path / "i.png") == (12, 17)


def test_palette_and_bilevel_images(tmp_path):
    palette = Image.fromarray(np.array([[0, 1]], np.uint8))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.save(tmp_path / "p.png")
    assert read_image(tmp_path / "p.png").tolist() == [[[10, 20, 30], [40, 50, 60]]]
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "b.png")
    assert read_image(tmp_path / "b.png").tolist() == [[[255] * 3, [0] * 3]]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bit_grey_is_stretched(tmp_path, suffix):
    values = np.arange(4000, 4000 + 100 * 100, dtype=np.uint16).reshape(100, 100)
    cv2.imwrite(str(tmp_path / f"i{suffix}"), values)
    low, high = np.percentile(values, [0.1, 99.9])
    scaled = np.clip((values - low) / (high - low), 0, 1) * 255
    image = read_image(tmp_path / f"i{suffix}")
    assert image.shape == (100, 100, 3)
    assert np.abs(image[..., 1].astype(float) - scaled).max() <= 0.51
    fixed = read_image(tmp_path / f"i{suffix}", image_range=(4000, 24000))
    assert fixed[0, 0, 0] == 0
    assert fixed[-1, -1, 0] == round(9999 / 20000 * 255)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bit_colour_keeps_its_low_bits(tmp_path, suffix, channels):
    """Pillow alone would keep the high byte: 0 everywhere here."""
    rgb = RGB.astype(np.uint16)
    bgr = rgb[..., ::-1]
    if channels == 4:
        bgr = np.dstack([bgr, np.full(bgr.shape[:2], 65535, np.uint16)])
    cv2.imwrite(str(tmp_path / f"i{suffix}"), bgr)
    assert (read_image(tmp_path / f"i{suffix}", image_range=(0, 255)) == RGB).all()


def test_float_and_constant_images(tmp_path):
    Image.fromarray(np.array([[0.0, -1.0, 0.5, 1.0]], np.float32)).save(tmp_path / "f.tif")
    assert read_image(tmp_path / "f.tif", (0, 1))[0, :, 0].tolist() == [0, 0, 128, 255]
    cv2.imwrite(str(tmp_path / "c.png"), np.full((4, 4), 1234, np.uint16))
    assert (read_image(tmp_path / "c.png") == 0).all()


@pytest.mark.parametrize(
    ("suffix", "dtype"),
    [*((end, "u1") for end in (".jpg", ".png", ".tif", ".bmp")), (".png", "u2")],
)
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_truncated_files_are_errors(tmp_path, suffix, share, dtype):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(dtype)
    path = tmp_path / f"i{suffix}"
    if dtype == "u1":
        Image.fromarray(noise).save(path)
    else:
        cv2.imwrite(str(path), noise)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(DatasetError, match=rf"i\{suffix}: .*again"):
        read_image(path)


def test_a_jpeg_whose_end_is_zeros_is_an_error(tmp_path):
    path = tmp_path / "i.jpg"
    Image.fromarray(cv2.resize(RGB, (200, 200))).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + bytes(len(data) // 2))
    with pytest.raises(DatasetError, match="cannot be read"):
        read_image(path)


def test_a_missing_file_and_a_page():
    for read in (read_image, image_size):
        with pytest.raises(DatasetError, match=r"none.png: file not found"):
            read("none.png")
        with pytest.raises(DatasetError, match=r"not a readable image \(\d+ bytes\)"):
            read(__file__)
