"""Rasters on a map, read by windows (rasterio, GDAL)."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from segnoise.datasets.files.bands import optional_import
from segnoise.datasets.files.kinds import has_tag
from segnoise.datasets.files.pairing import EXTENSIONS
from segnoise.datasets.problems import one_problem
from segnoise.files import user_path

PICTURES = (*EXTENSIONS, ".npy")
RASTERS = (".vrt", ".img", ".jp2", ".asc", ".bil", ".dem")
"""Ends of files that are rasters, whatever is in them; TIFFs may be."""
_MOST = 10**8  # pixels of what is read whole
_CACHE = 256 * 2**20  # bytes of decoded blocks that GDAL keeps: strips are cut by many windows


class Scene:
    """A raster of any size that GDAL reads: GeoTIFF, VRT, JPEG 2000 and others.

    Only windows of it are in memory. Each thread and process opens the file for itself: handles
    cannot be shared.

    Args:
        path: The file.
        bands: Numbers of the bands to read, from 1; None for all but alpha.
        nodata: What stands for no data, in all bands, instead of what the file says.
        like: A raster on whose grid this one is read, by its nearest pixels; None for its own.

    Raises:
        DataError: If the file cannot be opened, holds several pictures, lacks a band, or has bands
            of several number types.
        ConfigError: If rasterio is not installed.
    """

    def __init__(
        self,
        path: str | Path,
        bands: Sequence[int] | None = None,
        nodata: float | None = None,
        like: Scene | None = None,
    ) -> None:
        self._rasterio = optional_import("rasterio", "geo")
        self.path = user_path(path)
        self._own = threading.local()
        self._nodata = nodata
        self._like = like
        file = self._file
        if len(file.subdatasets) > 1:
            raise one_problem(
                self.path,
                f"holds {len(file.subdatasets)} pictures, of which GDAL would take the first",
                "save each as a file of its own (gdal_translate, whose input gdalinfo names)",
            )
        alpha = [
            band
            for band, kind in enumerate(file.colorinterp, 1)
            if kind.name == "alpha" and bands is None
        ]
        self.bands = tuple(bands or (n for n in range(1, file.count + 1) if n not in alpha))
        if not self.bands or max(self.bands) > file.count or min(self.bands) < 1:
            raise one_problem(
                self.path,
                f"has {file.count} band(s), wanted are {list(self.bands)}",
                "change bands",
            )
        if len(kinds := sorted({file.dtypes[band - 1] for band in self.bands})) > 1:
            raise one_problem(
                self.path,
                f"has bands of several number types: {', '.join(kinds)}",
                "give them one (gdal_translate -ot Float32)",
            )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.bands, self._nodata, self._like)

    def __repr__(self) -> str:
        height, width = self.shape
        return f"Scene({str(self.path)!r}, {height} x {width}, bands {list(self.bands)})"

    @property
    def _file(self) -> Any:
        """This thread's handle; a new one after a fork."""
        if getattr(self._own, "pid", None) != os.getpid():
            try:
                with quiet():
                    file = self._rasterio.open(self.path)
                    self._own.file = file if self._like is None else self._warped(file, self._like)
            except self._rasterio.errors.RasterioIOError as error:
                raise one_problem(
                    self.path,
                    f"cannot be opened: {' '.join(str(error).split())}",
                    "give a file that gdalinfo reads",
                ) from None
            self._own.pid = os.getpid()
        return self._own.file

    def _warped(self, file: Any, like: Scene) -> Any:
        """A file on another one's grid; what it does not cover has no data."""
        vrt = optional_import("rasterio.vrt", "geo")
        marked = {"add_alpha": True} if file.nodata is None else {"nodata": file.nodata}
        height, width = like.shape
        return vrt.WarpedVRT(
            file,
            crs=like.place["crs"],
            transform=like.place["transform"],
            height=height,
            width=width,
            resampling=self._rasterio.enums.Resampling.nearest,
            **marked,
        )

    @cached_property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return int(self._file.height), int(self._file.width)

    @cached_property
    def nodata(self) -> float | None:
        """What the file says stands for no data."""
        found: float | None = self._file.nodata
        return found

    @cached_property
    def dtype(self) -> str:
        """Type of the numbers of the bands."""
        return str(self._file.dtypes[self.bands[0] - 1])

    @cached_property
    def place(self) -> dict[str, Any]:
        """Where the raster lies: crs, transform, ground control points, RPCs; what it has."""
        file = self._file
        points, points_crs = file.gcps
        return {
            "crs": file.crs,
            "transform": file.transform,
            "gcps": (points, points_crs) if points else None,
            "rpcs": file.rpcs,
        }

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """The rectangle that it lies in: left, bottom, right, top, in its own coordinates."""
        height, width = self.shape
        corners = [on_map(self.place["transform"], x, y) for x in (0, width) for y in (0, height)]
        (left, bottom), (right, top) = np.min(corners, 0), np.max(corners, 0)
        return float(left), float(bottom), float(right), float(top)

    def valid_map(self, shape: tuple[int, int]) -> np.ndarray:
        """Where there are data, shrunk to a shape: each cell by one of its pixels."""
        resampling = self._rasterio.enums.Resampling.nearest
        valid = self._read("somewhere", out_shape=shape, resampling=resampling)[1]
        return np.ones(shape, bool) if valid is None else valid

    def read(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray | None]:
        """Read a part of the raster.

        Args:
            rows: Rows from start to stop.
            columns: Columns from start to stop.

        Returns:
            (h, w, C) numbers of the file, 0 where there are none; and (h, w) where there are some,
            None if everywhere. No data is what the file (or ``nodata``) calls so in all of
            these bands, what is transparent, and NaN and infinity in any band.

        Raises:
            DataError: If the file is damaged there.
        """
        where = f"at rows {rows.start} to {rows.stop}, columns {columns.start} to {columns.stop}"
        values, valid = self._read(
            where, window=self._rasterio.windows.Window.from_slices(rows, columns)
        )
        if valid is not None:
            if valid.all():
                return values, None
            values = np.where(valid[:, :, None], values, 0).astype(values.dtype, copy=False)
        return values, valid

    def _read(self, where: str, **part: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """Numbers of a part of the file, and where they are data; None if everywhere."""
        file = self._file
        try:
            values = np.moveaxis(file.read(list(self.bands), **part), 0, 2)
            valid = self._valid(file, values, part)
        except self._rasterio.errors.RasterioIOError as error:
            reason = " ".join(str(error.__cause__ or error).split())
            raise one_problem(
                self.path,
                f"cannot be read {where}: {reason}",
                "fetch or export the file again",
            ) from None
        if values.dtype.kind in "fc":
            finite = np.isfinite(values).all(2)
            valid = finite if valid is None else valid & finite
        return values, valid

    def _valid(self, file: Any, values: np.ndarray, part: Mapping[str, Any]) -> np.ndarray | None:
        if self._nodata is not None:  # which may be a number that the type does not have
            return np.asarray((values != self._nodata).any(2))
        kinds = self._rasterio.enums.MaskFlags
        flags = {band: file.mask_flag_enums[band - 1] for band in self.bands}
        # Alpha and masks are the same for all bands, but for alpha itself.
        shared = [band for band in self.bands if kinds.per_dataset in flags[band]]
        if not shared and any(kinds.all_valid in each for each in flags.values()):
            return None
        masks = file.read_masks(shared[:1] or list(self.bands), **part)
        return np.asarray((masks > 0).any(0))

    def check_brightness(self) -> None:
        """Raise for a raster whose numbers are no brightness, which is no image.

        Raises:
            DataError: If they are those of a palette, or white is 0.
        """
        file, kinds = self._file, self._rasterio.enums.ColorInterp
        what, remedy = "", ""
        if any(file.colorinterp[band - 1] == kinds.palette for band in self.bands):
            what, remedy = "those of a palette", "gdal_translate -expand rgb"
        elif file.tags(ns="IMAGE_STRUCTURE").get("MINISWHITE") == "YES":
            what, remedy = "the less, the brighter (white is 0)", "invert it by any image program"
        if what:
            raise one_problem(self.path, f"its numbers are {what}", remedy)


def on_map(transform: Any, column: float, row: float) -> tuple[float, float]:
    """Where a place of a raster, in pixels from its top left, lies on the map."""
    a, b, c, d, e, f = tuple(transform)[:6]
    return a * column + b * row + c, d * column + e * row + f


def same_grid(one: Scene, other: Scene) -> str:
    """Say in what two rasters do not lie alike, with both values; "" if they do."""
    a, b = one.place, other.place
    if one.shape != other.shape:
        sizes = [f"{width} x {height} pixels" for height, width in (one.shape, other.shape)]
        return f"{sizes[0]}, there {sizes[1]}"
    if a["crs"] != b["crs"]:
        return f"coordinate system {a['crs']}, there {b['crs']}"
    # To a hundredth of a pixel at the far corner.
    pixel = max(abs(b["transform"].a), abs(b["transform"].b), 1e-300)
    steps = np.subtract(a["transform"][:6], b["transform"][:6]) / pixel
    height, width = one.shape
    far = max(abs(steps[0]), abs(steps[3])) * width + max(abs(steps[1]), abs(steps[4])) * height
    if far + max(abs(steps[2]), abs(steps[5])) > 0.01:
        return f"transform {tuple(a['transform'])[:6]}, there {tuple(b['transform'])[:6]}"
    return ""


def is_scene(path: str | Path) -> bool:
    """Return whether a file is a raster on a map, knows no data, or is too large to be read whole.

    Raises:
        ConfigError: If it is, and rasterio is not installed.
    """
    suffix = Path(path).suffix.lower()
    if suffix in RASTERS:
        return True
    if suffix not in (".tif", ".tiff"):
        return False
    # The coordinate system's tag; and files of another kind that are called so.
    if importlib.util.find_spec("rasterio") is None and not has_tag(path, 34735):
        return False
    scene = Scene(path, bands=[1])
    place = scene.place
    somewhere = place["crs"] is not None or place["gcps"] or place["rpcs"] is not None
    somewhere = somewhere or scene.nodata is not None
    return bool(
        somewhere or not place["transform"].is_identity or np.prod(scene.shape, dtype=float) > _MOST
    )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Open files with a small cache; a raster without a place is a picture, of which no warning."""
    rasterio = optional_import("rasterio", "geo")
    if "GDAL_CACHEMAX" not in os.environ:  # of the process: an Env would set it back at its end
        rasterio.env.set_gdal_config("GDAL_CACHEMAX", _CACHE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        yield


def windows_of(shape: tuple[int, int], side: int) -> Iterator[tuple[slice, slice]]:
    """Windows side by side that cover a raster; those at its end are smaller."""
    height, width = shape
    for top in range(0, height, side):
        for left in range(0, width, side):
            yield (
                slice(top, min(top + side, height)),
                slice(left, min(left + side, width)),
            )
