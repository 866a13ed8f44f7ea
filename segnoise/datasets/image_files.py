"""Read an image file of any usual kind as (H, W, 3) 8-bit RGB."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from segnoise.datasets.problems import DatasetError, one_problem
from segnoise.files import not_a_file

STRETCH = (0.1, 99.9)  # percentiles that become black and white where no range is given


def read_image(path: str | Path, image_range: tuple[float, float] | None = None) -> np.ndarray:
    """Read an image as 8-bit RGB.

    Grey images get three equal channels; alpha is dropped; palettes are looked up. Images with
    more than 8 bits a channel are mapped linearly to 0..255: from `image_range` where it is
    given, else from the image's own 0.1 and 99.9 percentiles, over all channels together. Give a
    range when brightness means the same in every image (CT numbers, reflectances). EXIF
    orientation is not applied: a mask belongs to the pixels as they are stored.

    Args:
        path: PNG, JPEG, TIFF, BMP, WebP or whatever else Pillow reads.
        image_range: (low, high), the values that become 0 and 255; values outside are clipped.
            It holds for 8-bit images too.

    Returns:
        (H, W, 3) uint8.

    Raises:
        DatasetError: If the file is missing, truncated, damaged or no image.
    """
    picture, raw_mode = load_picture(path)
    if "16" in raw_mode and picture.mode in ("RGB", "RGBA", "RGBX", "LA"):
        values = _read_deep_color(path)
    elif picture.mode in ("L", "I", "F", "RGB") or picture.mode.startswith("I;16"):
        values = np.array(picture)
    else:
        values = np.array(picture.convert("RGB"))
    if values.dtype != np.uint8 or image_range is not None:
        values = _stretch(values, image_range)
    return cv2.cvtColor(values, cv2.COLOR_GRAY2RGB) if values.ndim == 2 else values


def image_size(path: str | Path) -> tuple[int, int]:
    """Return (height, width) from a file's header, without decoding it.

    Raises:
        DatasetError: If the file is missing or no image.
    """
    with opened(path) as picture:
        return picture.height, picture.width


def load_picture(path: str | Path) -> tuple[Image.Image, str]:
    """Decode a file completely; return it and the name of its raw pixel layout.

    Pillow, because OpenCV fills what is missing of a truncated JPEG with grey and says nothing.

    Raises:
        DatasetError: If the file is missing, truncated, damaged or no image.
    """
    with opened(path) as picture:
        raw_mode = _raw_mode(picture)
        picture.load()
        return picture, raw_mode


@contextmanager
def opened(path: str | Path) -> Iterator[Image.Image]:
    """Open a picture; whatever is wrong with the file becomes a problem with its remedy.

    Raises:
        DatasetError: If the file is missing, damaged, or no picture.
    """
    try:
        if kind := not_a_file(path):
            raise one_problem(path, f"is {kind}, not a file", "put the picture in its place")
        with Image.open(path) as picture:
            yield picture
    except DatasetError:
        raise
    except FileNotFoundError:
        what = "file not found"
        if os.path.islink(path):
            what = f"is a link to {os.readlink(path)}, which is not there"
        raise one_problem(path, what, "restore it, or drop it from the split list") from None
    except UnidentifiedImageError:
        raise one_problem(
            path, f"not a readable image ({_size(path)})", "fetch or export the file again"
        ) from None
    except Image.DecompressionBombError:
        raise one_problem(
            path, "too many pixels for one image", "cut it and its mask into tiles"
        ) from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise one_problem(
            path, f"cannot be read: {error} ({_size(path)})", "fetch or export the file again"
        ) from None


def _raw_mode(picture: Image.Image) -> str:
    """Return the stored layout, such as "RGB;16B" where Pillow's mode says only "RGB"."""
    tiles = getattr(picture, "tile", None)
    args = tiles[0].args if tiles else ""
    first = args[0] if isinstance(args, tuple) and args else args
    return first if isinstance(first, str) else ""


def _read_deep_color(path: str | Path) -> np.ndarray:
    """Read a colour image with 16 bits a channel, of which Pillow keeps 8."""
    values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if values is None:
        raise one_problem(path, "OpenCV cannot decode it", "export it as PNG or plain TIFF")
    if values.ndim == 2:
        return values
    return cv2.cvtColor(values, cv2.COLOR_BGRA2RGB if values.shape[2] == 4 else cv2.COLOR_BGR2RGB)


def _stretch(values: np.ndarray, image_range: tuple[float, float] | None) -> np.ndarray:
    low, high = image_range if image_range is not None else np.nanpercentile(values, STRETCH)
    scaled = (values.astype(np.float32) - low) * (255.0 / max(high - low, 1e-12))
    return np.rint(np.clip(np.nan_to_num(scaled), 0, 255)).astype(np.uint8)


def _size(path: str | Path) -> str:
    try:
        return f"{Path(path).stat().st_size} bytes"
    except OSError:
        return "size unknown"
