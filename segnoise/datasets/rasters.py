"""Windows of rasters on a map: aerial and satellite scenes with label rasters or outlines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from segnoise.checks import check_choice, check_integer, check_rate
from segnoise.datasets.base import (
    DATASETS,
    MOST_CLASSES,
    LabelledImages,
    Sample,
    SampleFiles,
    checked_palette,
    checked_range,
)
from segnoise.datasets.files.bands import DTYPES, as_type, checked_bands
from segnoise.datasets.files.images import stretch
from segnoise.datasets.files.label_rasters import RasterReader
from segnoise.datasets.files.pairing import index_folder, pair_listed, read_split
from segnoise.datasets.files.palettes import default_palette
from segnoise.datasets.files.scenes import PICTURES, RASTERS, Scene, same_grid, windows_of
from segnoise.datasets.files.vectors import SUFFIXES as VECTORS
from segnoise.datasets.files.vectors import Outlines
from segnoise.datasets.folder import checked_root, class_names, split_list
from segnoise.datasets.problems import DatasetError, Problem, one_problem
from segnoise.errors import ConfigError
from segnoise.files import user_path
from segnoise.noise.seeding import generator
from segnoise.tables import markdown

_TRIES = 20  # a window: a scene that is not much larger has few
_ENDS = (*RASTERS, *(end for end in PICTURES if end.startswith(".tif")))


class _Window(NamedTuple):
    """A window of a scene, which may go beyond its end."""

    scene: int
    top: int
    left: int


@DATASETS.register
class RasterDataset(LabelledImages):
    """Windows of scenes, which GDAL reads, with label rasters or outlines; needs `segnoise[geo]`.

    A scene `images/x.tif` has its labels in `labels/` under the same name: a raster of class ids on
    the same grid, or outlines (GeoJSON, GeoPackage, Shapefile, FlatGeobuf). No more of a scene than
    a window is in memory. Pixels without data (the file's nodata value, its mask or its alpha band,
    NaN and infinity) are 0 in the image and void in the mask.

    A sample is called `x/<top>_<left>`. With `windows="grid"` windows lie side by side from the
    top left and count every pixel once: beyond a scene's end the image is 0, the mask void. With
    "random" they are drawn once, by `seed`, around pixels with data; an augmentation that crops
    gives other views of them in every epoch.

    Args:
        root: The data set's folder; all other paths are below it, or absolute.
        split: A name, such as "train", whose list of scenes is looked for as `FolderDataset` does,
            or the path of a list; None takes all.
        classes: Class names, or a file of them (default `classes.txt`).
        palette: Colours of the classes.
        image_dir: Folder of the scenes.
        label_dir: Folder of the labels.
        window: Side of a window in pixels.
        windows: "grid", for validation, test and prediction, or "random", for training.
        count: Random windows a scene of average size, no two alike; None is twice as many as a
            grid has.
        balanced: Draw the class first, each alike, then a place where it is, in half of the
            random windows. Reads all labels once.
        seed: Of the random windows.
        area: (top, left, bottom, right) of the part of each scene that counts, in 0..1 of its
            height and width: splits a scene into blocks that share no pixel.
        bands: Numbers of the bands, from 1, in the order wanted; None takes all but alpha.
        dtype: "uint8", "uint16", "int16" or "float32"; None is that of the first scene.
        image_range: Values that become 0 and 255, see `read_image`; the images are then uint8.
        nodata: What stands for no data in the scenes, instead of what the files say.
        label_nodata: What is void in label rasters, besides what the files say.
        value_map: Number in a label raster, or value of the attribute, -> class id.
        attribute: Property of an outline that names its class; None where there are two classes.
        label_crs: Coordinate system of outlines, such as "EPSG:32616", or "image" for the scene's;
            None is what the file says, which in GeoJSON without a word is longitude and latitude.
        resample: Take label rasters of another grid by their nearest pixel; else that is an error.
        ignore_index: The label of void.

    Raises:
        ConfigError: If an argument has no meaning, or rasterio is not installed.
        DatasetError: If a folder, list, scene or label file is missing, or of another place, grid
            or number of bands than it should be; it holds all problems.
    """

    def __init__(
        self,
        root: str | Path,
        split: str | Path | None = None,
        *,
        classes: Sequence[str] | str | Path | None = None,
        palette: Sequence[Sequence[int]] | None = None,
        image_dir: str | Path = "images",
        label_dir: str | Path = "labels",
        window: int = 512,
        windows: str = "grid",
        count: int | None = None,
        balanced: bool = False,
        seed: int = 0,
        area: Sequence[float] = (0, 0, 1, 1),
        bands: Sequence[int] | None = None,
        dtype: str | None = None,
        image_range: tuple[float, float] | None = None,
        nodata: float | None = None,
        label_nodata: int | None = None,
        value_map: Mapping[Any, int] | None = None,
        attribute: str | None = None,
        label_crs: str | None = None,
        resample: bool = False,
        ignore_index: int = 255,
    ) -> None:
        folder = checked_root(root)
        names, shown = class_names(folder, classes)
        colors = palette or shown or default_palette(len(names))
        if ignore_index < len(names) or ignore_index > MOST_CLASSES:
            raise ConfigError(
                f"ignore_index={ignore_index} must lie in {len(names)}..{MOST_CLASSES}, outside "
                f"the classes 0..{len(names) - 1}"
            )
        self._window = check_integer("window", window, 1, 2**15)
        if count is not None:
            check_integer("count", count, 1)
        check_choice("windows", windows, ("grid", "random"))
        self._area = _checked_area(area)
        self._resample = resample
        # Of outlines, the map tells the class of an attribute.
        rasters = None if attribute is not None else value_map
        self._reader = RasterReader(
            len(names), nodata=label_nodata, value_map=rasters, ignore_index=ignore_index
        )
        self._of_outlines = partial(
            Outlines, attribute=attribute, value_map=value_map, crs=label_crs
        )
        for value, label in (value_map or {}).items() if attribute is not None else ():
            if label != ignore_index and not 0 <= label < len(names):
                raise ConfigError(
                    f"value_map takes {value!r} to {label}, neither a class (0..{len(names) - 1}) "
                    f"nor void ({ignore_index}): mend it, or give all classes"
                )
        self._image_range = checked_range(image_range)
        self._files = _find(
            folder, split, folder / user_path(image_dir), folder / user_path(label_dir)
        )
        if dtype is not None and image_range is not None:
            raise ConfigError(
                f"image_range={image_range!r} makes bytes, dtype={dtype!r} keeps the numbers: give "
                "one of them (the model's preprocessor normalises numbers)"
            )
        first = Scene(self._files[0].image, checked_bands(bands, "uint8"), nodata)
        self._dtype = "uint8" if image_range is not None else dtype or _dtype_of(first)
        check_choice("dtype", self._dtype, DTYPES)
        self._bands, self._nodata = checked_bands(first.bands, self._dtype), nodata
        self.metainfo: dict[str, Any] = {
            "classes": tuple(names),
            "palette": checked_palette(colors, len(names)),
            "ignore_index": ignore_index,
        }
        if (self._bands, self._dtype, image_range) != ((1, 2, 3), "uint8", None):
            self.metainfo["image"] = {
                "channels": len(first.bands),
                "bands": self._bands,
                "dtype": self._dtype,
                "image_range": self._image_range,
            }
        self._open = {0: first}
        self._labels: dict[int, Any] = {}
        self._check_scenes()
        if windows == "grid":
            self._windows = [w for number in range(len(self._files)) for w in self._grid(number)]
        else:
            self._windows = self._drawn(count, balanced, seed)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": {}, "_labels": {}}

    def __len__(self) -> int:
        return len(self._windows)

    def __repr__(self) -> str:
        return f"RasterDataset({len(self)} windows of {len(self._files)} scenes)"

    def sample_id(self, index: int) -> str:
        """Return the name of a sample; reads no file."""
        scene, top, left = self._windows[index]
        return f"{self._files[scene].sample_id}/{top:06d}_{left:06d}"

    def paths(self, index: int) -> tuple[Path, Path]:
        """Return the files of the scene and the labels that a sample is a part of."""
        pair = self._files[self._windows[index].scene]
        return pair.image, pair.mask

    @property
    def mask_reader(self) -> RasterReader | None:
        """What reads the label rasters; None where there are outlines, or another grid."""
        outlines = any(pair.mask.suffix.lower() in VECTORS for pair in self._files)
        return None if outlines or self._resample else self._reader

    def whole_of(self, index: int) -> tuple[str, tuple[slice, slice]]:
        """Return the scene that a sample is a window of, and its rows and columns."""
        number, *place = self._part(index)
        return self._files[number].sample_id, (place[0], place[1])

    def load_whole(self, index: int) -> np.ndarray:
        """Return the labels of a sample's whole scene, void where it has no data."""
        number = self._part(index)[0]
        scene, void = self.scene(number), self.metainfo["ignore_index"]
        whole = np.full(scene.shape, void, self._reader.dtype)
        for rows, columns in windows_of(scene.shape, 1024):
            there = scene.read(rows, columns)[1]
            labels = self._read_labels(number, rows, columns)
            whole[rows, columns] = labels if there is None else np.where(there, labels, void)
        return whole

    def describe(self) -> str:
        """Return a table of the scenes: size, place, numbers, and what the labels are."""
        rows = []
        for number, pair in enumerate(self._files):
            scene, labels = self.scene(number), self._labels_of(number)
            height, width = scene.shape
            a, b = scene.place["transform"].a, scene.place["transform"].b
            outlines = isinstance(labels, Outlines)
            shrunk = (min(height, 256), min(width, 256))
            rows.append(
                (
                    pair.sample_id,
                    f"{width:,} x {height:,}",
                    str(scene.place["crs"] or "none"),
                    f"{np.hypot(a, b):.6g}",
                    f"{len(scene.bands)} x {scene.dtype}",
                    f"{100 * (1 - scene.valid_map(shrunk).mean()):.1f}",
                    f"{len(labels):,} outlines" if outlines else f"raster, {labels.dtype}",
                )
            )
        head = ("scene", "pixels", "CRS", "pixel size", "bands", "no data %", "labels")
        return markdown(head, rows, left=(0, 2, 4, 6))

    def scene(self, number: int) -> Scene:
        """Return a scene by its number."""
        if number not in self._open:
            self._open[number] = Scene(self._files[number].image, self._bands, self._nodata)
        return self._open[number]

    def _box(self, number: int) -> tuple[int, int, int, int]:
        """Top, left, bottom, right of what counts of a scene, in pixels."""
        height, width = self.scene(number).shape
        top, left, bottom, right = self._area
        return (
            round(top * height),
            round(left * width),
            round(bottom * height),
            round(right * width),
        )

    def _grid(self, number: int) -> list[_Window]:
        top, left, bottom, right = self._box(number)
        return [
            _Window(number, row, column)
            for row in range(top, bottom, self._window)
            for column in range(left, right, self._window)
        ]

    def _part(self, index: int) -> tuple[int, slice, slice]:
        """Scene, rows and columns of a window, as far as they count."""
        number, top, left = self._windows[index]
        _, _, bottom, right = self._box(number)
        rows = slice(top, min(top + self._window, bottom))
        return number, rows, slice(left, min(left + self._window, right))

    def load_image(self, index: int) -> np.ndarray:
        """Return a sample's image, (window, window, C)."""
        return self._image(index)[0]

    def _image(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """The image, and where there are data."""
        number, rows, columns = self._part(index)
        scene = self.scene(number)
        values, there = scene.read(rows, columns)
        if self._image_range is not None:
            values = stretch(values.astype(np.float32), self._image_range)
        image = as_type(values, self._dtype, scene.path)
        known = np.ones(image.shape[:2], bool) if there is None else there
        return _padded(image, self._window, 0), _padded(known, self._window, False)

    def load_mask(self, index: int) -> np.ndarray:
        """Return a sample's labels, (window, window), void where the scene has no data."""
        known = self._image(index)[1]
        return self._mask(index, known)

    def _mask(self, index: int, known: np.ndarray) -> np.ndarray:
        number, rows, columns = self._part(index)
        void = self.metainfo["ignore_index"]
        labels = _padded(self._read_labels(number, rows, columns), self._window, void)
        return np.where(known, labels, labels.dtype.type(void))

    def __getitem__(self, index: int) -> Sample:
        """Return one sample."""
        image, known = self._image(index)
        return {
            "image": image, "mask": self._mask(index, known), "sample_id": self.sample_id(index),
        }  # fmt: skip

    def _labels_of(self, number: int) -> Any:
        """The label raster or the outlines of a scene."""
        if number not in self._labels:
            pair, scene = self._files[number], self.scene(number)
            if pair.mask.suffix.lower() in VECTORS:
                classes = self.metainfo["classes"]
                self._labels[number] = self._of_outlines(pair.mask, scene, classes)
            else:
                like = scene if self._resample else None
                labels = self._reader.opened(pair.mask, like)
                if differ := same_grid(labels, scene):
                    raise one_problem(
                        pair.mask,
                        f"lies otherwise than {scene.path}: {differ}",
                        "warp it (gdalwarp -r near), or resample=True takes the nearest pixels",
                    )
                self._labels[number] = labels
        return self._labels[number]

    def _read_labels(self, number: int, rows: slice, columns: slice) -> np.ndarray:
        """Class ids of a part of a scene, without regard to where it has data."""
        source = self._labels_of(number)
        if isinstance(source, Outlines):
            return source.read(rows, columns).astype(self._reader.dtype)
        return self._reader.of(source, rows, columns)

    def _check_scenes(self) -> None:
        """Open all scenes and labels, and gather what is wrong with them."""
        problems: list[Problem] = []
        for number in range(len(self._files)):
            try:
                self.scene(number).check_brightness()
                self._labels_of(number)
                top, left, bottom, right = self._box(number)
                if top == bottom or left == right:
                    raise one_problem(
                        self._files[number].image, f"has no pixel in area={self._area}",
                        "give a larger area, or drop the scene from the split",
                    )  # fmt: skip
            except DatasetError as error:
                problems += error.problems
        if problems:
            raise DatasetError(problems, "rasters")

    def _drawn(self, count: int | None, balanced: bool, seed: int) -> list[_Window]:
        """Random windows of all scenes, more of larger ones."""
        grids = [len(self._grid(number)) for number in range(len(self._files))]
        found: list[_Window] = []
        for number, size in enumerate(grids):
            wanted = 2 * size if count is None else round(count * size * len(grids) / sum(grids))
            rng = generator(seed, "windows", self._files[number].sample_id)
            found += self._drawn_in(number, max(1, wanted), balanced, rng)
        return found

    def _drawn_in(
        self, number: int, wanted: int, balanced: bool, rng: np.random.Generator
    ) -> list[_Window]:
        top, left, bottom, right = self._box(number)
        cells = self._cells(number)
        places = np.argwhere(cells)
        if not len(places):
            raise one_problem(
                self._files[number].image, "has no pixel with data in its area",
                "drop it from the split, or give another nodata",
            )  # fmt: skip
        by_class = (
            [np.argwhere(cell) for cell in self._classes_in(number, cells)] if balanced else []
        )
        by_class = [found for found in by_class if len(found)]
        height, width = bottom - top, right - left
        step = height / cells.shape[0], width / cells.shape[1]
        most = max(0, height - self._window), max(0, width - self._window)
        chosen: dict[_Window, None] = {}
        for turn in range(_TRIES * wanted):
            among = by_class[rng.integers(len(by_class))] if by_class and turn % 2 else places
            place = (among[rng.integers(len(among))] + rng.random(2)) * step
            corner = np.clip(place - self._window * rng.random(2), 0, most).round().astype(int)
            chosen[_Window(number, top + int(corner[0]), left + int(corner[1]))] = None
            if len(chosen) == wanted:
                break
        return list(chosen)

    def _cells(self, number: int) -> np.ndarray:
        """Where a scene's area has data, coarsely."""
        top, left, bottom, right = self._box(number)
        height, width = self.scene(number).shape
        scale = max(1, min(self._window // 4, 64))
        whole = self.scene(number).valid_map((-(-height // scale), -(-width // scale)))
        return whole[top // scale : -(-bottom // scale), left // scale : -(-right // scale)]

    def _classes_in(self, number: int, cells: np.ndarray) -> list[np.ndarray]:
        """Of each class the cells that it is in."""
        top, left, bottom, right = self._box(number)
        rows, columns = cells.shape
        found = np.zeros((len(self.metainfo["classes"]), rows, columns), bool)
        height, width = bottom - top, right - left
        for down, across in windows_of((height, width), 1024):
            part = (
                slice(top + down.start, top + down.stop),
                slice(left + across.start, left + across.stop),
            )
            labels = self._read_labels(number, *part)
            for label in np.unique(labels[labels < len(found)]):
                ys, xs = np.nonzero(labels == label)
                at = (ys + down.start) * rows // height, (xs + across.start) * columns // width
                found[label][at] = True
        return list(found & cells)


def _checked_area(area: Sequence[float]) -> tuple[float, float, float, float]:
    if isinstance(area, (str, bytes)) or not isinstance(area, Sequence) or len(area) != 4:
        raise ConfigError(f"area={area!r} must be (top, left, bottom, right) in 0..1")
    top, left, bottom, right = (check_rate("area", side) for side in area)
    if not (top < bottom and left < right):
        raise ConfigError(f"area={area!r} must have top < bottom and left < right")
    return top, left, bottom, right


def _dtype_of(scene: Scene) -> str:
    if scene.dtype in DTYPES:
        return scene.dtype
    raise ConfigError(
        f"{scene.path}: its numbers are {scene.dtype}: say by dtype= which of {', '.join(DTYPES)} "
        "they become, such as 'float32'"
    )


def _find(root: Path, split: str | Path | None, images: Path, labels: Path) -> list[SampleFiles]:
    """The scenes and their labels, whose ids are their names."""
    scenes = index_folder(images, None, extensions=_ENDS)
    if not scenes.files:
        raise one_problem(images, f"holds no raster ({', '.join(_ENDS)})", "change image_dir")
    known = index_folder(labels, None, extensions=(*_ENDS, *VECTORS))
    if split is None:
        return pair_listed(sorted(scenes.files), scenes, known, images)
    listed = split_list(root, split, None)
    return pair_listed(read_split(listed), scenes, known, listed)


def _padded(values: np.ndarray, side: int, fill: Any) -> np.ndarray:
    """A window at its full size, (side, side, ...)."""
    if values.shape[:2] == (side, side):
        return values
    whole = np.full((side, side, *values.shape[2:]), fill, values.dtype)
    whole[: values.shape[0], : values.shape[1]] = values
    return whole
