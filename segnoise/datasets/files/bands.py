"""Read an image of any bands and number type as the file's own numbers."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from segnoise.checks import check_choice, check_integer
from segnoise.datasets.files.images import (
    load_picture,
    opened,
    orientation,
    read_deep_color,
    stored_numbers,
    stored_size,
    stretch,
)
from segnoise.datasets.problems import DatasetError, one_problem
from segnoise.errors import ConfigError

DTYPES = ("uint8", "uint16", "int16", "float32")
"""What the numbers of an image may be in memory."""

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PHOTOMETRIC = {
    0: "white is 0 in it", 3: "it has a palette", 5: "it holds inks (CMYK)", 8: "it is CIE L*a*b*",
    32803: "it holds a sensor's pattern", 34892: "it holds a sensor's raw numbers",
}  # fmt: skip
_LAST_EXACT = 2**24  # float32 holds all whole numbers up to it


def checked_bands(bands: Sequence[int] | None, dtype: str) -> tuple[int, ...] | None:
    """Return the numbers of the bands, from 1, in the order wanted; None for 8-bit RGB.

    Raises:
        ConfigError: If one is no whole number above 0, or there are none for another type.

    Example:
        >>> checked_bands([4, 3, 2], "uint16")
        (4, 3, 2)
    """
    check_choice("dtype", dtype, DTYPES)
    if bands is None:
        if dtype != "uint8":
            raise ConfigError(
                f"dtype={dtype!r} keeps the files' own numbers: name the bands to read, such as "
                "bands=[1, 2, 3, 4], or [1] for grey images"
            )
        return None
    if isinstance(bands, (str, bytes)) or not isinstance(bands, Sequence) or not bands:
        raise ConfigError(
            f"bands must be a list of numbers from 1, such as [1, 2, 3], not {bands!r}"
        )
    return tuple(check_integer("bands", band, 1) for band in bands)


def read_bands(
    path: str | Path,
    bands: Sequence[int],
    dtype: str,
    image_range: tuple[float, float] | None = None,
) -> np.ndarray:
    """Read some bands of an image as numbers of a given type, never changed in value.

    TIFF is read by tifffile, NumPy's .npy as (H, W) or (H, W, C), all else by Pillow. Orientation
    is not applied: a mask belongs to the pixels as they are stored. An alpha band counts as a band
    like others.

    Args:
        path: The file.
        bands: Their numbers, from 1, in the order wanted.
        dtype: "uint8", "uint16", "int16" or "float32".
        image_range: Values that become 0 and 255, with those between in proportion; None changes
            none.

    Returns:
        (H, W, C) of the type.

    Raises:
        DatasetError: If the file is missing, damaged, of a kind that could be read in more than
            one way, or lacks a band; if a number does not fit the type, is NaN or infinite, or
            the file's own sign of no data.
        ConfigError: If TIFF's reader is not installed.
    """
    stored, nodata = stored_bands(path)
    if max(bands) > stored.shape[2]:
        raise one_problem(
            path, f"has {stored.shape[2]} band(s), band {max(bands)} is wanted", "change bands"
        )
    chosen = stored[:, :, [band - 1 for band in bands]]
    if nodata is not None and (count := int((chosen == nodata).all(2).sum())):
        raise one_problem(
            path,
            f"{count} pixels hold {nodata:g}, which the file says is no data",
            "take RasterDataset, for which they are void, or fill them and drop the tag",
        )
    if image_range is not None:
        chosen = stretch(as_type(chosen, "float32", path), image_range)
    return as_type(chosen, dtype, path)


def stored_bands(path: str | Path) -> tuple[np.ndarray, float | None]:
    """Return the numbers that a file holds, (H, W, B), and what in it stands for no data.

    Raises:
        DatasetError, ConfigError: See `read_bands`.
    """
    head = _head(path)
    if head.startswith(_TIFF):
        return _read_tiff(path)
    if head.startswith(b"\x93NUMPY"):
        return _read_array(path), None
    picture, raw_mode = load_picture(path)
    if "16" in raw_mode and picture.mode in ("RGB", "RGBA", "RGBX"):
        values = read_deep_color(path)
    elif picture.mode in ("L", "I", "F", "LA", "RGB", "RGBA") or picture.mode.startswith("I;16"):
        values = stored_numbers(picture, raw_mode)
    else:
        raise one_problem(
            path,
            f"its pixels are no numbers of bands (Pillow's mode {picture.mode})",
            "save it as grey, RGB or RGBA PNG, or leave bands and dtype out: 8-bit RGB",
        )
    return values.reshape(*values.shape[:2], -1), None


class Header(NamedTuple):
    """What a file says before its pixels are decoded."""

    size: tuple[int, int]
    """(height, width) as stored."""
    orientation: int
    """How it asks to be turned when shown, 1 to 8 as EXIF counts."""


def read_header(path: str | Path) -> Header:
    """Read the header of any file that `read_bands` reads.

    Raises:
        DatasetError, ConfigError: See `read_bands`.
    """
    head = _head(path)
    if head.startswith(b"\x93NUMPY"):
        array = _load_array(path, mmap_mode="r")
        return Header((int(array.shape[0]), int(array.shape[1])), 1)
    try:
        with opened(path) as picture:
            return Header(stored_size(picture), orientation(picture))
    except DatasetError:
        if not head.startswith(_TIFF):
            raise
    with _tiff(path) as page:  # of bands that Pillow does not know
        tag = page.tags.get(274)
        size = int(page.imagelength), int(page.imagewidth)
        return Header(size, int(tag.value) if tag is not None else 1)


def as_type(values: np.ndarray, dtype: str, path: str | Path) -> np.ndarray:
    """Return numbers as another type, in which they are the same.

    Raises:
        DatasetError: If one does not fit, or is not finite.
    """
    wanted = np.dtype(dtype)
    if values.dtype.kind not in "uif":
        raise one_problem(path, f"holds {values.dtype} numbers", "save real numbers")
    if values.dtype.kind == "f":
        finite = np.isfinite(values)
        if not finite.all():
            row, column, band = np.unravel_index(np.argmin(finite), finite.shape)
            raise one_problem(
                path,
                f"holds {int((~finite).sum())} numbers that are NaN or infinite, the first at row "
                f"{row}, column {column}, band {band + 1}",
                "fill them before, or take RasterDataset, for which they are void",
            )
    if values.dtype == wanted or not values.size:
        return np.ascontiguousarray(values, wanted)
    low, high = values.min(), values.max()
    least, most = (-_LAST_EXACT, _LAST_EXACT)
    if wanted.kind in "ui":
        least, most = (int(bound) for bound in (np.iinfo(wanted).min, np.iinfo(wanted).max))
    exact = wanted.kind == "f" and values.dtype.kind == "f"  # float64: the nearest float32
    if not exact and not (least <= low and high <= most):
        raise one_problem(
            path, f"holds {low} to {high}, which {dtype} does not", f"give dtype={_fitting(values)}"
        )
    with np.errstate(over="ignore"):  # becomes infinite, which is looked for
        result = values.astype(wanted)
    if wanted.kind in "ui" and values.dtype.kind == "f" and not np.array_equal(result, values):
        raise one_problem(path, f"holds fractions, which {dtype} does not", "give dtype='float32'")
    if exact and not np.isfinite(result).all():
        raise one_problem(path, f"holds {low} to {high}, beyond float32", "rescale it")
    return np.ascontiguousarray(result)


def _fitting(values: np.ndarray) -> str:
    low, high = float(values.min()), float(values.max())
    for dtype in DTYPES[:3]:
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return repr(dtype)
    return "'float32'" if max(-low, high) <= _LAST_EXACT else "'float32' and rescale the file"


def _head(path: str | Path) -> bytes:
    """The first bytes of a regular file."""
    try:
        with open(path, "rb") as file:
            return file.read(8)
    except OSError:
        with opened(path):  # which says what is wrong
            return b""


def _read_array(path: str | Path) -> np.ndarray:
    values = _load_array(path)
    return np.asarray(values.reshape(*values.shape[:2], -1))


def _load_array(path: str | Path, mmap_mode: Literal["r"] | None = None) -> np.ndarray:
    try:
        values: np.ndarray = np.load(path, mmap_mode, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise one_problem(path, f"cannot be read: {error}", "save it again by numpy.save") from None
    if values.ndim not in (2, 3):
        raise one_problem(
            path, f"is an array of the shape {values.shape}", "save it as (H, W) or (H, W, C)"
        )
    return values


def _read_tiff(path: str | Path) -> tuple[np.ndarray, float | None]:
    """The one picture of a TIFF, and GDAL's tag of no data."""
    with _tiff(path) as page:
        _refuse_odd(path, page)
        values = page.asarray()
        nodata = page.tags.get(42113)
        text = str(nodata.value).strip("\0 ") if nodata is not None else ""
    if page.planarconfig == 2 and values.ndim == 3:
        values = np.moveaxis(values, 0, 2)
    if values.ndim not in (2, 3):
        raise one_problem(path, f"has the shape {values.shape}", "save one picture of bands")
    return values.reshape(*values.shape[:2], -1), _number(text)


@contextmanager
def _tiff(path: str | Path) -> Iterator[Any]:
    """The one page of a TIFF; whatever its reader says in the block names the file."""
    tifffile = optional_import("tifffile", "tiff")
    try:
        with tifffile.TiffFile(path) as file:
            # Overviews (bit 0) and transparency masks (bit 2) are pages too.
            pages = [page for page in file.pages if not int(page.subfiletype) & 5]
            if len(pages) != 1:
                raise one_problem(
                    path, f"holds {len(pages)} pictures, of which one can be used",
                    "save each as a file of its own, or all as bands of one",
                )  # fmt: skip
            yield pages[0]
    except (DatasetError, MemoryError):
        raise
    except Exception as error:  # tifffile and its codecs raise what they please
        words = " ".join(str(error).split()) or type(error).__name__
        if "imagecodecs" in words:
            raise ConfigError(f"{path}: {words}: pip install 'segnoise[tiff]'") from None
        raise one_problem(
            path, f"cannot be read: {words[:200]}", "fetch or export the file again"
        ) from None


def _refuse_odd(path: str | Path, page: Any) -> None:
    """Raise for a page whose numbers are no brightness, or whose pixels are missing."""
    kind = int(page.photometric)
    if kind in _PHOTOMETRIC or (kind == 6 and int(page.compression) not in (6, 7)):
        what = _PHOTOMETRIC.get(kind, "it holds brightness and two colour differences (YCbCr)")
        raise one_problem(
            path, f"is a TIFF whose numbers are no bands: {what}",
            "save it as grey or RGB (gdal_translate -expand rgb, or any image program)",
        )  # fmt: skip
    end = Path(path).stat().st_size
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        if offset + count > end:
            raise one_problem(
                path, f"is cut: its pixels go to byte {offset + count}, the file has {end}",
                "fetch or export the file again",
            )  # fmt: skip


def _number(text: str) -> float | None:
    """The number of GDAL's tag; None for NaN, which is no number anyway, and for no tag."""
    try:
        value = float(text)
    except ValueError:
        return None
    return None if math.isnan(value) else value


def optional_import(name: str, extra: str) -> Any:
    """Import a library that an extra of ours brings.

    Raises:
        ConfigError: If it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(
            f"{name} is not installed ({error}): pip install 'segnoise[{extra}]'"
        ) from None
