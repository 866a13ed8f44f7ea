"""Label rasters as class ids, by windows or whole, and written with other ids."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from segnoise.datasets.files.bands import optional_import
from segnoise.datasets.files.masks import MaskReader
from segnoise.datasets.files.scenes import Scene, quiet, windows_of
from segnoise.datasets.problems import DatasetError, one_problem

_SIDE = 1024  # of the windows that are read at a time


class RasterReader(MaskReader):
    """Reads label rasters as (H, W) class ids and refuses labels that the set does not have.

    Args:
        num_classes: K.
        nodata: What is void besides what the files call no data.
        value_map: See `MaskReader`.
        ignore_index: Likewise.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        nodata: float | None = None,
        value_map: Any = None,
        ignore_index: int = 255,
    ) -> None:
        remedy = "give value_map, label_nodata or all classes"
        super().__init__(num_classes, value_map=value_map, ignore_index=ignore_index, remedy=remedy)
        self.nodata = nodata

    def __call__(self, path: str | Path) -> np.ndarray:
        """Read a whole raster."""
        scene = self.opened(path)
        whole = np.empty(scene.shape, self.dtype)
        for rows, columns in windows_of(scene.shape, _SIDE):
            whole[rows, columns] = self.of(scene, rows, columns)
        return whole

    def opened(self, path: str | Path, like: Scene | None = None) -> Scene:
        """Open a raster for `of`.

        Raises:
            DatasetError: If it has several bands.
        """
        scene = Scene(path, like=like)
        if len(scene.bands) > 1:
            raise one_problem(
                path,
                f"has {len(scene.bands)} bands, labels are one band of class ids",
                "save the ids of its colors or classes as one band",
            )
        return scene

    def of(self, scene: Scene, rows: slice, columns: slice) -> np.ndarray:
        """Read a part of an opened raster."""
        values, there = scene.read(rows, columns)
        numbers = values[:, :, 0]
        stored = numbers if numbers.dtype.kind in "ui" else numbers.astype(np.int64)
        if stored is not numbers and not np.array_equal(stored, numbers):
            raise one_problem(scene.path, "holds fractions, no class ids", "round it")
        if self.nodata is not None:
            known = stored != self.nodata
            there = known if there is None else there & known
        if there is not None:  # a value that is known, for the moment
            stored = np.where(there, stored, next(iter(self.labels))).astype(np.int64)
        place = f"{scene.path}, window at row {rows.start}, column {columns.start}"
        ids = self.ids_of(stored, place)
        return ids if there is None else np.where(there, ids, ids.dtype.type(self.ignore_index))

    def write(self, source: Path, noisy: np.ndarray, target: Path) -> None:
        """Write a GeoTIFF like another one that is read as other class ids, (H, W).

        Place, tags, colours, blocks and compression are the source's. A pixel that has not changed
        keeps its number; a changed one gets the first that `value_map` has for its new class, or
        else the class id; void what the file calls no data.

        Raises:
            DatasetError: If the source is no GeoTIFF, or has no number for a class.
        """
        rasterio = optional_import("rasterio", "geo")
        scene = self.opened(source)
        shutil.copyfile(source, target)
        with quiet(), rasterio.open(source) as file:
            driver, kind, nodata = file.driver, np.dtype(file.dtypes[0]), file.nodata
        if driver != "GTiff":
            raise one_problem(
                source, f"is a {driver}, not a GeoTIFF", "convert it: gdal_translate -of GTiff"
            )
        void = self.nodata if nodata is None else nodata
        with quiet(), rasterio.open(target, "r+") as file:
            for rows, columns in windows_of(scene.shape, _SIDE):
                wanted = noisy[rows, columns]
                changed = self.of(scene, rows, columns) != wanted
                if not changed.any():
                    continue
                window = rasterio.windows.Window.from_slices(rows, columns)
                stored = file.read(1, window=window)
                for label in np.unique(wanted[changed]).tolist():
                    value = self.number_of(label, kind, source, void)
                    stored[changed & (wanted == label)] = value
                file.write(stored, 1, window=window)
            if factors := file.overviews(1):
                file.build_overviews(factors, rasterio.enums.Resampling.mode)
        try:
            same = np.array_equal(self(target), noisy)
        except DatasetError:
            same = False
        if not same:  # GDAL says nothing when it closes onto a full disk
            words = "what was written cannot be read again: is the disk full?"
            raise OSError(errno.EIO, words, str(target))
