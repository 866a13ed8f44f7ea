"""Read an image file of any usual kind as (H, W, 3) 8-bit RGB."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from segnoise.datasets.files.kinds import NOT_THIS_TIFF, kind_of, tiff_words
from segnoise.datasets.problems import DatasetError, one_problem
from segnoise.files import not_a_file

_SIGNED_BYTES = "L;8S"  # a raw mode of ours: Pillow takes signed bytes for unsigned ones
_GREY_FACTORS = {"L;2": 85, "L;4": 17}
_SEVERAL = ("TIFF", "GIF", "PNG", "WEBP", "AVIF")  # formats that may hold several pictures
# The way back from each orientation.
_UNTURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
# What Pillow's readers raise when a file is damaged.
_DAMAGED = (
    OSError, SyntaxError, ValueError, EOFError, KeyError, IndexError, TypeError, struct.error,
    zlib.error, OverflowError, ZeroDivisionError, SystemError, NotImplementedError,
)  # fmt: skip
STRETCH = (0.1, 99.9)  # percentiles that become black and white where no range is given


def read_image(path: str | Path, image_range: tuple[float, float] | None = None) -> np.ndarray:
    """Read an image as 8-bit RGB.

    Grey images get three equal channels; alpha is dropped; palettes are looked up. Images with
    more than 8 bits a channel are mapped linearly to 0..255: from `image_range` where it is
    given, else from the image's own 0.1 and 99.9 percentiles, over all channels together. Give a
    range when brightness means the same in every image (CT numbers, reflectances). EXIF and
    TIFF orientation is not applied: a mask belongs to the pixels as they are stored.
    """
    picture, raw_mode = load_picture(path)
    if "16" in raw_mode and picture.mode in ("RGB", "RGBA", "RGBX", "LA"):
        values = read_deep_color(path)
    elif picture.mode in ("L", "I", "F", "RGB") or picture.mode.startswith("I;16"):
        values = stored_numbers(picture, raw_mode)
        if values.dtype.kind == "f":
            _check_finite(path, values)
    else:
        values = np.array(picture.convert("RGB"))
    if values.dtype != np.uint8 or image_range is not None:
        values = stretch(values, image_range)
    return cv2.cvtColor(values, cv2.COLOR_GRAY2RGB) if values.ndim == 2 else values


def image_size(path: str | Path) -> tuple[int, int]:
    """Return (height, width) of the pixels as stored, from a file's header."""
    with opened(path) as picture:
        return stored_size(picture)


def stored_size(picture: Image.Image) -> tuple[int, int]:
    """Return (height, width) of an opened picture's pixels as stored."""
    if picture.format == "TIFF":  # whose size Pillow turns by the orientation
        width, height = (picture.tag_v2[tag] for tag in (256, 257))  # type: ignore[attr-defined]
        return int(height), int(width)
    return picture.height, picture.width


def load_picture(path: str | Path) -> tuple[Image.Image, str]:
    """Decode a file completely; return it and the name of its raw pixel layout.

    Pillow, because OpenCV fills what is missing of a truncated JPEG with grey and says nothing.
    Its pixels are those of the file as they are stored: Pillow itself turns TIFFs, and no others,
    by their orientation.
    """
    with opened(path) as picture:
        raw_mode = _raw_mode(picture)
        _refuse_misread(path, picture)
        turned = picture.tag_v2.get(274, 1) if picture.format == "TIFF" else 1  # type: ignore[attr-defined]
        if turned in _UNTURN:
            # Files with a name are mapped to memory, where Pillow forgets to turn them.
            picture.filename = ""  # type: ignore[attr-defined]
        picture.load()
        if turned in _UNTURN:
            stored = picture.transpose(_UNTURN[turned])
            stored.format = picture.format
            return stored, raw_mode
        return picture, raw_mode


def orientation(picture: Image.Image) -> int:
    """Return how a picture asks to be turned when shown: 1 (as it is) to 8, as EXIF counts."""
    # Not by PNG's own getexif, which decodes the picture: a header is to be read quickly.
    return int(Image.Image.getexif(picture).get(ExifTags.Base.Orientation, 1))


def stored_numbers(picture: Image.Image, raw_mode: str) -> np.ndarray:
    """Return a picture's numbers as the file holds them, in the machine's byte order."""
    values = np.array(picture)
    if raw_mode == "I;32N":  # unsigned, which Pillow's integers are not
        return values.view(np.uint32)
    if raw_mode == _SIGNED_BYTES:
        return values.view(np.int8)
    # Pillow spreads 2- and 4-bit grey over 0..255; dividing brings the stored numbers back.
    factor = _GREY_FACTORS.get(raw_mode[:3], 1) if picture.mode == "L" else 1
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    return values // np.uint8(factor) if factor > 1 else values


@contextmanager
def opened(path: str | Path) -> Iterator[Image.Image]:
    """Open a picture; whatever is wrong with the file becomes a problem with its remedy."""
    try:
        if other := not_a_file(path):
            raise one_problem(path, f"is {other}, not a file", "put the picture in its place")
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
        found = kind_of(path)
        what, remedy = f"not a readable image ({_size(path)})", "fetch or export the file again"
        if found is not None:
            what, remedy = f"{what}: {found.what}", found.remedy
        raise one_problem(path, what, remedy) from None
    except Image.DecompressionBombError:
        raise one_problem(
            path, "too many pixels for one image", "cut it and its mask into tiles"
        ) from None
    except _DAMAGED as error:
        remedy = "fetch or export the file again; if other programs show it, save it as PNG"
        if isinstance(error, PermissionError):
            remedy = "let yourself read it (chmod u+r)"
        words = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise one_problem(path, f"cannot be read: {words} ({_size(path)})", remedy) from None


def _refuse_misread(path: str | Path, picture: Image.Image) -> None:
    """Raise for pictures of which Pillow would show a part, or something else."""
    if picture.format not in _SEVERAL:
        return
    pages: int = picture.n_frames if getattr(picture, "is_animated", False) else 1  # type: ignore[attr-defined]
    if picture.format == "TIFF":
        tags = picture.tag_v2  # type: ignore[attr-defined]
        bands, bits = tags.get(277, 1), max(tags.get(258, (1,)))
        if bands > 4 or (bands > 1 and bits > 8 and tags.get(284, 1) == 2):
            raise one_problem(path, f"is {tiff_words(path)}", NOT_THIS_TIFF)
        # Overviews and transparency are pages too.
        pages = 1 + sum(not _subfile(picture, page) & 5 for page in range(1, pages))
        picture.seek(0)
    if pages > 1:
        raise one_problem(
            path, f"holds {pages} pictures, of which one can be used", "save each as a file"
        )


def _subfile(picture: Image.Image, page: int) -> int:
    picture.seek(page)
    return int(picture.tag_v2.get(254, 0))  # type: ignore[attr-defined]


def _raw_mode(picture: Image.Image) -> str:
    """Return the stored layout, such as "RGB;16B" where Pillow's mode says only "RGB"."""
    if picture.mode == "L" and picture.format == "TIFF":
        tags = picture.tag_v2  # type: ignore[attr-defined]
        if tags.get(339) == (2,):
            return _SIGNED_BYTES
    tiles = getattr(picture, "tile", None)
    args = tiles[0].args if tiles else ""
    first = args[0] if isinstance(args, tuple) and args else args
    return first if isinstance(first, str) else ""


def read_deep_color(path: str | Path) -> np.ndarray:
    """Read a colour image with 16 bits a channel, of which Pillow keeps 8."""
    # Not imread: it cannot open names that are not UTF-8.
    values = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None:
        raise one_problem(path, "OpenCV cannot decode it", "export it as PNG or plain TIFF")
    if values.ndim == 2:
        return values
    return cv2.cvtColor(values, cv2.COLOR_BGRA2RGB if values.shape[2] == 4 else cv2.COLOR_BGR2RGB)


def stretch(values: np.ndarray, image_range: tuple[float, float] | None) -> np.ndarray:
    """Map a range of numbers to 0..255, or what lies between their own STRETCH percentiles."""
    low, high = image_range if image_range is not None else np.percentile(values, STRETCH)
    wide = values.dtype.itemsize > 2  # float32 holds 16-bit numbers and their differences
    scaled = (values.astype(np.float64 if wide else np.float32) - low) * (
        255.0 / max(high - low, 1e-12)
    )
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)


def _check_finite(path: str | Path, values: np.ndarray) -> None:
    finite = np.isfinite(values)
    if not finite.all():
        row, column = np.unravel_index(np.argmin(finite), finite.shape)
        raise one_problem(
            path,
            f"holds {int((~finite).sum())} pixels of NaN or infinity, the first at row {row}, "
            f"column {column}",
            "write numbers there before the export, as numpy.nan_to_num(image, nan=0, posinf=0, "
            "neginf=0) does",
        )


def _size(path: str | Path) -> str:
    try:
        return f"{Path(path).stat().st_size} bytes"
    except OSError:
        return "size unknown"
