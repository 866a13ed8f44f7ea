"""Rasters and outlines in the place of a raster on a map: GeoTIFF and GeoJSON."""

from __future__ import annotations

import contextlib
import errno
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segnoise.datasets.files.bands import optional_import
from segnoise.datasets.files.scenes import Scene, quiet
from segnoise.files import replacing

_STRIP = 512  # rows that are written at a time, and the side of a tile


def write_scene(
    path: str | Path,
    read: Callable[[slice], np.ndarray],
    like: Scene,
    *,
    dtype: Any = np.uint8,
    bands: int = 1,
    nodata: float | None = None,
    colors: Mapping[int, Sequence[int]] | None = None,
    names: Sequence[str] = (),
) -> None:
    """Write bands as a tiled, compressed GeoTIFF with overviews that lies on another raster.

    Args:
        path: The file; it appears when it is whole.
        read: Rows -> (h, W) or (B, h, W): strips are asked for, in turn.
        like: The raster whose place and size it has.
        dtype: Of its numbers.
        bands: B.
        nodata: What stands for no data.
        colors: Number -> (r, g, b), of one band of uint8 or uint16.
        names: Of the bands; of one band with ``colors``, of its classes.

    Raises:
        OSError: If it cannot be written.
    """
    rasterio = optional_import("rasterio", "geo")
    place, (height, width) = like.place, like.shape
    tiled = min(height, width) >= _STRIP
    profile = {
        "driver": "GTiff", "dtype": np.dtype(dtype), "count": bands, "height": height,
        "width": width, "crs": place["crs"], "transform": place["transform"], "nodata": nodata,
        "compress": "deflate", "predictor": 3 if np.dtype(dtype).kind == "f" else 2,
        "bigtiff": "IF_SAFER", "tiled": tiled, "num_threads": "all_cpus",
        **({"blockxsize": _STRIP, "blockysize": _STRIP} if tiled else {}),
    }  # fmt: skip
    labels = colors is not None
    with replacing(path) as temporary, quiet():
        with rasterio.open(temporary, "w", **profile) as file:
            for top in range(0, height, _STRIP):
                rows = slice(top, min(top + _STRIP, height))
                window = rasterio.windows.Window.from_slices(rows, slice(0, width))
                strip = read(rows)
                file.write(strip if strip.ndim == 3 else strip[None], window=window)
            if place["gcps"]:
                file.gcps = place["gcps"]
            if place["rpcs"] is not None:
                file.rpcs = place["rpcs"]
            if colors is not None:
                file.write_colormap(1, {n: (*c, 255) for n, c in colors.items()})
                file.update_tags(1, **{f"CLASS_{n}": name for n, name in enumerate(names)})
                file.update_tags(classes=json.dumps(list(names)))
            else:
                for band, name in enumerate(names, 1):
                    file.set_band_description(band, name)
        factors = [2**n for n in range(1, 12) if 2**n * _STRIP <= max(height, width)]
        if factors:
            resampling = rasterio.enums.Resampling
            with rasterio.open(temporary, "r+") as file:
                file.build_overviews(factors, resampling.mode if labels else resampling.average)
        check_written(temporary, read)


def check_written(path: Path, wanted: Callable[[slice], np.ndarray]) -> None:
    """Raise unless a raster holds these rows: GDAL says nothing when it closes onto a full disk.

    Raises:
        OSError: If it does not.
    """
    rasterio = optional_import("rasterio", "geo")
    same = False
    with contextlib.suppress(rasterio.errors.RasterioIOError), rasterio.open(path) as file:
        rows = [slice(y, min(y + _STRIP, file.height)) for y in range(0, file.height, _STRIP)]
        windows = [
            (part, rasterio.windows.Window.from_slices(part, (0, file.width))) for part in rows
        ]
        same = all(
            np.array_equal(
                found := file.read(window=window),
                np.reshape(wanted(part), found.shape),
                equal_nan=found.dtype.kind == "f",
            )
            for part, window in windows
        )
    if not same:
        words = "what was written cannot be read again: is the disk full?"
        raise OSError(errno.EIO, words, str(path))


def write_outlines(
    path: str | Path, labels: np.ndarray, like: Scene, names: Sequence[str], void: int
) -> None:
    """Write the regions of each class as GeoJSON, in longitude and latitude.

    A raster without a coordinate system has its outlines in its own numbers.

    Args:
        path: The file.
        labels: (H, W) class ids; they are in memory meanwhile.
        like: The raster that they lie on.
        names: Of the classes.
        void: Label that gets no outline.
    """
    rasterio = optional_import("rasterio", "geo")
    features = optional_import("rasterio.features", "geo")
    warp = optional_import("rasterio.warp", "geo")
    place = like.place
    known = np.asarray(labels != void)
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file, quiet():
        file.write('{"type": "FeatureCollection", "features": [')
        between = "\n"
        wide = np.asarray(labels, np.int16 if labels.dtype == np.uint8 else np.int32)
        for outline, label in features.shapes(wide, known, transform=place["transform"]):
            if place["crs"] is not None:
                outline = warp.transform_geom(
                    place["crs"], rasterio.crs.CRS.from_epsg(4326), outline, precision=8
                )
            words = {"class": names[int(label)], "id": int(label)}
            feature = {"type": "Feature", "properties": words, "geometry": outline}
            file.write(between + json.dumps(feature))
            between = ",\n"
        file.write("\n]}\n")
