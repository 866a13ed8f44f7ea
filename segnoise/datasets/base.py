"""The data set all others are: pairs of files, class names, and a way to read them."""

from __future__ import annotations

import math
import operator
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch.utils.data import Dataset

from segnoise.datasets.files.bands import checked_bands, read_bands
from segnoise.datasets.files.images import read_image
from segnoise.datasets.files.instances import read_instances
from segnoise.datasets.files.palettes import Color, Palette
from segnoise.datasets.problems import DatasetError, Problem, one_problem
from segnoise.errors import ConfigError
from segnoise.registry import Registry
from segnoise.tables import printable

Sample = dict[str, Any]

MOST_CLASSES = 65535  # and void
DATASETS = Registry("dataset")
"""The data sets by name; ``@DATASETS.register`` above a class of your own adds it."""


class SampleFiles(NamedTuple):
    """The files of one sample."""

    sample_id: str
    image: Path
    mask: Path
    instances: Path | None = None


class Slice(NamedTuple):
    """Which slice of a volume a sample is."""

    case: str
    number: int
    """In the volume, from 0."""
    spacing: tuple[float, ...]
    """Millimetres between slices, rows and columns."""


class LabelledImages(Dataset[Sample]):
    """A labelled data set; what only some have is None where a class derived from it gives none.

    `labelled` completes a data set of another class that follows the protocol; `Wrapped` gives it
    to one of another library.

    Attributes:
        metainfo: `dict(classes=(name, ...), palette=((r, g, b), ...), ignore_index=255)`.
        noise: What the labels have been corrupted with.
        fingerprint: What decides the labels besides the names and files of the samples.
        mask_reader: Reads a mask file, a path, as the data set's own are read.
        load_masks: Of an index: the clean labels and the data set's own, both (H, W).
        load_image: Of an index: the image, (H, W, 3) uint8.
        load_instances: Of an index: the instance map, (H, W).
        has_instances: Of an index: whether the sample has an instance map; reads no file.
        slice_of: Of an index: the `Slice` that the sample is, of data sets of volumes; reads no
            file.
        whole_of: Of an index: the name of the larger label map that the sample is a part of, and
            the part, which ends where that ends; noise sees such maps whole. Of a volume, that is
            the label map of a case, (D, H, W), and a slice.
        load_whole: Of an index: that label map.
    """

    metainfo: dict[str, Any]
    noise: Any = None
    fingerprint: Any = None
    mask_reader: Any = None
    load_masks: Any = None
    load_image: Any = None
    load_instances: Any = None
    has_instances: Any = None
    slice_of: Any = None
    whole_of: Any = None
    load_whole: Any = None

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def sample_id(self, index: int) -> str:
        """Return the name of a sample; reads no file."""

    @abstractmethod
    def load_mask(self, index: int) -> np.ndarray:
        """Return a sample's labels without decoding its image."""

    @abstractmethod
    def paths(self, index: int) -> tuple[Path, Path]:
        """Return the image file and the mask file of a sample."""


class SegmentationDataset(LabelledImages):
    """Images with masks of class ids, read from files.

    A sample is `dict(image=(H, W, 3) uint8 RGB, mask=(H, W) ids, sample_id=str)`; ids are 0..K-1
    and `ignore_index` (255) for void, uint8 unless one of them exceeds 255. Where `bands` are given
    the image is (H, W, C) of `dtype`.

    Attributes:
        metainfo: `dict(classes=(name, ...), palette=((r, g, b), ...), ignore_index=255)`.

    Args:
        files: The samples.
        classes: K class names.
        palette: K colours, (r, g, b) in 0..255.
        read_mask: Reads a mask file as (H, W) ids.
        read_instances: Reads an instance map as (H, W) object numbers, 0 for none.
        image_range: See `read_image`.
        bands: Numbers of the bands to read, see `read_bands`; None for 8-bit RGB.
        dtype: Type of the bands' numbers.
        ignore_index: The id of void.

    Raises:
        ConfigError: If class names repeat or do not match the palette in number.
        DatasetError: If there is no sample, or two of one name.
    """

    def __init__(
        self,
        files: Sequence[SampleFiles],
        *,
        classes: Sequence[str],
        palette: Sequence[Sequence[int]],
        read_mask: Callable[[Path], np.ndarray],
        read_instances: Callable[[Path], np.ndarray] = read_instances,
        image_range: tuple[float, float] | None = None,
        bands: Sequence[int] | None = None,
        dtype: str = "uint8",
        ignore_index: int = 255,
    ) -> None:
        self.metainfo: dict[str, Any] = {
            "classes": checked_classes(classes),
            "palette": checked_palette(palette, len(classes)),
            "ignore_index": ignore_index,
        }
        self._files = list(files)
        self._read_mask = read_mask
        self._read_instances = read_instances
        self._image_range = checked_range(image_range)
        self._bands, self._dtype = checked_bands(bands, dtype), dtype
        if dtype != "uint8" and image_range is not None:
            raise ConfigError(
                f"image_range={image_range!r} makes bytes, dtype={dtype!r} keeps the numbers: give "
                "one of them (the model's preprocessor normalises numbers)"
            )
        if self._bands is not None or image_range is not None:
            self.metainfo["image"] = {
                "channels": 3 if self._bands is None else len(self._bands),
                "bands": self._bands,
                "dtype": dtype,
                "image_range": self._image_range,
            }

    def __len__(self) -> int:
        return len(self._files)

    def __repr__(self) -> str:
        classes = len(self.metainfo["classes"])
        return f"{type(self).__name__}({len(self)} images, {classes} classes)"

    def sample_id(self, index: int) -> str:
        """Return the name of a sample; reads no file."""
        return self._files[index].sample_id

    def paths(self, index: int) -> tuple[Path, Path]:
        """Return the image file and the mask file of a sample."""
        return self._files[index].image, self._files[index].mask

    @property
    def mask_reader(self) -> Callable[[Path], np.ndarray]:
        """What reads the set's mask files: a `MaskReader` in all data sets of this package."""
        return self._read_mask

    def load_image(self, index: int) -> np.ndarray:
        """Return a sample's image, (H, W, 3) uint8 RGB, or (H, W, C) where bands are given."""
        path = self._files[index].image
        if self._bands is None:
            return read_image(path, self._image_range)
        return read_bands(path, self._bands, self._dtype, self._image_range)

    def load_mask(self, index: int) -> np.ndarray:
        """Return a sample's labels, (H, W) ids, without decoding its image."""
        return self._read_mask(self._files[index].mask)

    def has_instances(self, index: int) -> bool:
        """Return whether a sample has an instance map; reads no file."""
        return self._files[index].instances is not None

    def load_instances(self, index: int) -> np.ndarray:
        """Return a sample's instance map, (H, W): equal numbers are one object, 0 is none."""
        files = self._files[index]
        if files.instances is None:
            raise one_problem(
                files.mask,
                "there is no instance map for it",
                "unpack the data set's instance maps, or give FolderDataset its instance_dir",
            )
        return self._read_instances(files.instances)

    def __getitem__(self, index: int) -> Sample:
        """Return one sample; if a file cannot be read, the other one's problems are told too."""
        problems: list[Problem] = []
        parts: Sample = {}
        for part, load in (("image", self.load_image), ("mask", self.load_mask)):
            try:
                parts[part] = load(index)
            except DatasetError as error:
                problems += error.problems
        if len(parts) < 2:
            raise DatasetError(problems, f"sample {self.sample_id(index)!r}")
        sizes = parts["image"].shape[:2], parts["mask"].shape
        if sizes[0] != sizes[1]:
            raise DatasetError([size_problem(*self.paths(index), *sizes)])
        return {**parts, "sample_id": self.sample_id(index)}


def size_problem(
    image_path: Path, mask_path: Path, image_size: tuple[int, ...], mask_size: tuple[int, ...]
) -> Problem:
    """Return the problem of a mask whose (height, width) is not its image's."""
    remedy = "export the mask at the image's size, or check that the two belong together"
    if image_size == mask_size[::-1]:
        remedy = "one of them is turned: an EXIF orientation that the other lacks? Save it upright"
    sizes = [f"{width}x{height}" for height, width in (mask_size, image_size)]
    return Problem(str(mask_path), f"mask is {sizes[0]}, image {image_path} {sizes[1]}", remedy)


def check_same_classes(
    ours: Mapping[str, Any], theirs: Mapping[str, Any], names: tuple[str, str]
) -> None:
    """Raise unless two data sets give every label the same meaning.

    Class i of one must be class i of the other, by name, and void must have one id, where both say
    it: a score of predictions in one order against labels in another is wrong, and nothing else
    would say so. `names` are what the message calls the two, which asks to mend the second.

    Example:
        >>> train = dict(classes=("sky", "tree", "road"), ignore_index=255)
        >>> check_same_classes(train, train, ("train_data", "val_data"))
        >>> val = dict(train, classes=("sky", "road", "tree"))
        >>> check_same_classes(train, val, ("train_data", "val_data"))
        Traceback (most recent call last):
        segnoise.errors.ConfigError: val_data has the classes of train_data in another order: its \
id 1 is 'road', there 'tree'; list its classes in that order, and if its masks are numbered by \
the old list, give it value_map={0: 0, 1: 2, 2: 1, 255: 255}
    """
    one, other = (tuple(map(str, metainfo["classes"])) for metainfo in (ours, theirs))
    first, second = names
    voids = {metainfo.get("ignore_index") for metainfo in (ours, theirs)} - {None}
    place = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    if one == other:
        if len(voids) > 1:
            raise ConfigError(
                f"{second} has ignore_index={theirs['ignore_index']}, {first} "
                f"{ours['ignore_index']}: give both one number for void"
            )
        return
    what = f"it has {len(other)} classes, there are {len(one)}"
    if place is not None:
        what = f"its id {place} is {other[place]!r}, there {one[place]!r}"
    if sorted(one) == sorted(other):
        table = {index: one.index(name) for index, name in enumerate(other)}
        table |= {m.get("ignore_index", 255): ours.get("ignore_index", 255) for m in (theirs, ours)}
        raise ConfigError(
            f"{second} has the classes of {first} in another order: {what}; list its classes in "
            f"that order, and if its masks are numbered by the old list, give it value_map={table}"
        )
    raise ConfigError(
        f"{second} has other classes than {first}: {what}; give both the same names in the same "
        "order, and labels that only one of them has a value_map to void"
    )


def check_same_images(
    ours: Mapping[str, Any], theirs: Mapping[str, Any], names: tuple[str, str]
) -> None:
    """Raise unless two data sets read the same bands as the same numbers; see `FolderDataset`.

    Raises:
        ConfigError: If they do not.
    """
    one, other = (
        {k: v for k, v in metainfo.get("image", {}).items() if v is not None}
        for metainfo in (ours, theirs)
    )
    if one != other:
        said = [
            ", ".join(f"{k}={v!r}" for k, v in each.items()) or "8-bit RGB" for each in (one, other)
        ]
        raise ConfigError(
            f"{names[1]} reads other images than {names[0]}: {said[1]}, there {said[0]}; give both "
            "the same bands, dtype and image_range"
        )


def checked_classes(classes: Sequence[str]) -> tuple[str, ...]:
    """Return class names as text: at least one, none twice, none blank or no line of text."""
    if isinstance(classes, str) or not isinstance(classes, Sequence) or not classes:
        raise ConfigError(f"classes={classes!r} must be a list of at least one name")
    names = tuple(map(str, classes))
    if len(names) > MOST_CLASSES:
        raise ConfigError(
            f"{len(names)} classes: masks hold ids of 16 bits, so {MOST_CLASSES} at most"
        )
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ConfigError(f"class names repeat: {', '.join(repeated)}")
    for name in names:
        if not name.strip() or printable(name) != name:
            raise ConfigError(
                f"class name {name!r} is blank or holds a control character: write it as one "
                "line of text"
            )
    return names


def checked_palette(palette: Sequence[Sequence[int]], num_classes: int) -> Palette:
    """Return the palette as tuples: one colour a class, each three numbers in 0..255."""
    if not isinstance(palette, Sequence) or len(palette) != num_classes:
        given = f"{len(palette)} colours" if isinstance(palette, Sequence) else repr(palette)
        raise ConfigError(f"palette has {given} for {num_classes} classes: give a colour a class")
    colors: list[Color] = []
    for color in palette:
        try:
            red, green, blue = bytes(map(operator.index, color))
        except (TypeError, ValueError):
            raise ConfigError(
                f"palette colour {color!r} must be three whole numbers in 0..255"
            ) from None
        colors.append((red, green, blue))
    return tuple(colors)


def checked_range(image_range: tuple[float, float] | None) -> tuple[float, float] | None:
    """Return (low, high) as floats, the lower one first; None as it is."""
    if image_range is None:
        return None
    try:
        low, high = (float(bound) for bound in image_range)
    except (TypeError, ValueError):
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ConfigError(f"image_range={image_range!r} must be (low, high) with low < high")
    return low, high
