"""Volumes with label maps, as samples slice by slice: NIfTI, nnU-Net's layout, DICOM series."""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segnoise.checks import check_choice, check_float, check_integer
from segnoise.datasets.base import DATASETS, SampleFiles, SegmentationDataset, Slice
from segnoise.datasets.files.masks import ValueMap
from segnoise.datasets.files.pairing import checked_folder, read_split
from segnoise.datasets.files.palettes import default_palette
from segnoise.datasets.files.volumes import (
    NIFTI,
    PLANES,
    Volume,
    VolumeReader,
    check_grids,
    is_volume,
    thickest_plane,
    volume_name,
)
from segnoise.datasets.folder import checked_root, class_names, split_list
from segnoise.datasets.problems import DatasetError, Problem, one_problem
from segnoise.errors import ConfigError
from segnoise.files import read_text, user_path
from segnoise.tables import markdown

WINDOWS = {
    "soft tissue": (-160.0, 240.0),
    "lung": (-1350.0, 150.0),
    "bone": (-500.0, 1300.0),
    "brain": (0.0, 80.0),
}
"""Windows of CT by name, from black to white in HU: center 40 and width 400, -600 and 1500, 400
and 1800, 40 and 80."""
_CHANNEL = re.compile(r"_(\d{4})$")


@dataclass(frozen=True)
class Intensity:
    """What the numbers of a volume become before a network reads them.

    Args:
        kind: "z-score": less the mean of the whole volume, over its standard deviation. A name of
            `WINDOWS`, or (low, high): clipped, and scaled to 0..1. "raw": as they are.

    Raises:
        ConfigError: If it is none of these.

    Example:
        >>> Intensity("brain")(np.array([[-20.0, 20, 100]]), None).tolist()
        [[0.0, 0.25, 1.0]]
    """

    kind: str | Sequence[float]

    def __post_init__(self) -> None:
        if isinstance(self.kind, str):
            check_choice("intensity", self.kind, ("z-score", "raw", *WINDOWS))
            return
        if not isinstance(self.kind, Sequence) or len(self.kind) != 2:
            raise ConfigError(
                f"intensity={self.kind!r}: give 'z-score', 'raw', one of {', '.join(WINDOWS)}, or "
                "(low, high)"
            )
        low, high = (check_float("intensity", bound) for bound in self.kind)
        if low >= high:
            raise ConfigError(f"intensity={self.kind!r} must be (low, high) with low < high")
        object.__setattr__(self, "kind", (low, high))

    def statistics(self, volume: np.ndarray) -> tuple[float, float] | None:
        """Return mean and standard deviation of a volume where they are needed."""
        if self.kind != "z-score":
            return None
        return float(volume.mean(dtype=np.float64)), max(float(volume.std(dtype=np.float64)), 1e-6)

    def __call__(self, values: np.ndarray, statistics: tuple[float, float] | None) -> np.ndarray:
        """Return a part of a volume as float32."""
        if statistics is not None:
            low, width = statistics
        elif self.kind == "raw":
            return values.astype(np.float32)
        else:
            low, high = WINDOWS[self.kind] if isinstance(self.kind, str) else self.kind
            values, width = np.clip(values, low, high), high - low
        return ((values - np.float32(low)) / np.float32(width)).astype(np.float32, copy=False)


def neighbours(number: int, context: int, count: int) -> list[int]:
    """Return the slices that a sample shows: those beside it too, the first and the last repeated.

    Example:
        >>> neighbours(0, 1, 20), neighbours(19, 2, 20)
        ([0, 0, 1], [17, 18, 19, 19, 19])
    """
    return [min(max(n, 0), count - 1) for n in range(number - context, number + context + 1)]


def slice_image(
    volumes: Sequence[np.ndarray],
    statistics: Sequence[tuple[float, float] | None],
    number: int,
    context: int,
    intensity: Intensity,
) -> np.ndarray:
    """Return a slice of a case as an image (H, W, C).

    Args:
        volumes: The case's channels, (D, H, W) each.
        statistics: Of each, see `Intensity`.
        number: Of the slice.
        context: Slices on each side that are channels too.
        intensity: What the numbers become.
    """
    places = neighbours(number, context, len(volumes[0]))
    parts = [
        intensity(volume[place], known)
        for place in places
        for volume, known in zip(volumes, statistics, strict=True)
    ]
    return np.stack(parts, axis=2)


@dataclass(frozen=True)
class _Case:
    name: str
    images: tuple[Path, ...]
    labels: Path


@DATASETS.register
class VolumeDataset(SegmentationDataset):
    """Volumes and their label maps; a sample is a slice, called "case/slice".

    A case is a NIfTI file (.nii, .nii.gz) or a folder with a DICOM series; its labels are a NIfTI
    file of its name on the same grid. Two trees are known, that of folders, and nnU-Net's, where
    `dataset.json` names the classes, and with the class "ignore", the highest label, void:

        root/images/CASE.nii.gz or CASE/*.dcm    root/labels/CASE.nii.gz    root/classes.txt
        root/imagesTr/CASE_0000.nii.gz, ..._0001.nii.gz    root/labelsTr/    root/dataset.json

    The axes of all files are brought into one order, so that pictures are upright; grids of image
    and labels are compared when the set is made. Noise models see whole label maps, see
    `NoisyLabels`. Images are float32, (H, W, C).

    Args:
        root: The data set's folder.
        split: A name, such as "train", whose list of cases `train.txt` is looked for as
            `FolderDataset` does, or the path of a list; None takes all cases.
        image_dir: Folder of the images; None is "imagesTr" where there is one, else "images".
        label_dir: Folder of the label maps; None is "labelsTr" or "labels" likewise.
        split_dir: Folder of the lists.
        classes: Class names, or a file of them (default dataset.json or classes.txt).
        palette: Colours of the classes.
        plane: "axial", "coronal" or "sagittal": in which slices lie; None takes the one whose
            slices lie farthest apart in most cases, axial where all are even.
        context: Slices on each side that become channels too (2.5-D): C is 2 context + 1 times the
            channels of a case, those of the lowest slice first.
        intensity: What the numbers become, see `Intensity`.
        value_map: Value in the label maps -> class id, complete; see `MaskReader`.
        ignore_index: The label of void.
        skip_empty: Leave out slices that hold nothing but class 0 and void; for training. Reads
            all label maps at once.
        cache_mb: Memory for decoded cases, in each process; at least one case is kept, so that
            slices of a case that follow each other cost little. Training draws slices from all
            cases: give what holds them all, or each slice costs the decoding of a case.

    Raises:
        ConfigError: If an argument has no meaning, or the reader of such files is not installed.
        DatasetError: If files are missing or cannot be read, or grids of image and labels differ.
    """

    def __init__(
        self,
        root: str | Path,
        split: str | Path | None = None,
        *,
        image_dir: str | Path | None = None,
        label_dir: str | Path | None = None,
        split_dir: str | Path | None = None,
        classes: Sequence[str] | str | Path | None = None,
        palette: Sequence[Sequence[int]] | None = None,
        plane: str | None = None,
        context: int = 0,
        intensity: str | Sequence[float] = "z-score",
        value_map: ValueMap | None = None,
        ignore_index: int = 255,
        skip_empty: bool = False,
        cache_mb: int = 1024,
    ) -> None:
        root = checked_root(root)
        names, colors, known_map = _classes(root, classes, ignore_index)
        if plane is not None:
            check_choice("plane", plane, PLANES)
        self._context = check_integer("context", context, 0, 64)
        self._intensity = Intensity(intensity)
        self._most = check_integer("cache_mb", cache_mb, 0) * 2**20
        self._cases = _find(root, split, image_dir, label_dir, split_dir)
        volumes = _opened(self._cases, plane or "axial")
        if plane is None:
            plane = thickest_plane([images[0] for images in volumes])
            volumes = volumes if plane == "axial" else _opened(self._cases, plane)
        self._reader = VolumeReader(
            len(names), plane, value_map=value_map or known_map, ignore_index=ignore_index
        )
        self._volumes = volumes
        self._cache: OrderedDict[tuple[int, str], Any] = OrderedDict()
        self._slices = [
            (n, number) for n, (image, *_) in enumerate(volumes) for number in range(image.shape[0])
        ]
        if skip_empty:
            self._slices = [
                (n, number)
                for n in range(len(volumes))
                for number, labels in enumerate(self._labels(n))
                if ((labels != 0) & (labels != ignore_index)).any()
            ]
            if not self._slices:
                raise one_problem(
                    root, "all slices hold class 0 and void alone", "leave skip_empty out"
                )
        super().__init__(
            [
                SampleFiles(
                    f"{self._cases[n].name}/{number:03d}",
                    self._cases[n].images[0],
                    self._cases[n].labels,
                )
                for n, number in self._slices
            ],
            classes=names,
            palette=palette or colors or default_palette(len(names)),
            read_mask=self._reader,
            ignore_index=ignore_index,
        )
        modalities = len(self._cases[0].images)
        self.metainfo["image"] = {
            "channels": modalities * (2 * context + 1),
            "bands": None,
            "dtype": "float32",
            "image_range": None,
            "volume": {
                "plane": plane,
                "context": context,
                "intensity": list(self._intensity.kind)
                if isinstance(self._intensity.kind, tuple)
                else self._intensity.kind,
                "modalities": modalities,
            },
        }

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cache": OrderedDict()}  # a spawned process has its own

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"{name}({len(self)} slices of {len(self._cases)} cases, {self._reader.plane})"

    def describe(self) -> str:
        """Return a table of the cases that are alike in spacing and in how they are stored."""
        alike: dict[tuple[str, str], list[Volume]] = {}
        for image, *_ in self._volumes:
            spacing = " x ".join(f"{side:.4g}" for side in image.spacing)
            alike.setdefault((spacing, image.stored_axes), []).append(image)
        rows = []
        for (spacing, axes), images in sorted(alike.items()):
            sides = zip(*(image.shape for image in images), strict=True)
            sizes = [f"{min(s)}" if min(s) == max(s) else f"{min(s)} to {max(s)}" for s in sides]
            first = images[0].path.name if len(images) == 1 else f"{images[0].path.name} ..."
            rows.append((str(len(images)), spacing, axes, *sizes, first))
        head = ("cases", "spacing, mm", "axes in the file", "slices", "rows", "columns", "files")
        title = f"{self._reader.plane} slices; spacing of slices, rows, columns"
        return f"{title}\n{markdown(head, rows, left=(1, 2, 6))}"

    def slice_of(self, index: int) -> Slice:
        """Return which slice a sample is; reads no file."""
        n, number = self._slices[index]
        return Slice(self._cases[n].name, number, self._volumes[n][0].spacing)

    def whole_of(self, index: int) -> tuple[str, int]:
        """Return the case that a sample is a slice of, and the number of the slice."""
        n, number = self._slices[index]
        return self._cases[n].name, number

    def load_whole(self, index: int) -> np.ndarray:
        """Return the labels of the case that a sample is a slice of, (D, H, W)."""
        return self._labels(self._slices[index][0]).copy()

    def load_mask(self, index: int) -> np.ndarray:
        """Return a sample's labels, (H, W) ids, without decoding its image."""
        n, number = self._slices[index]
        return self._labels(n)[number].copy()

    def load_image(self, index: int) -> np.ndarray:
        """Return a sample's image, (H, W, C) float32."""
        n, number = self._slices[index]
        volumes, statistics = self._kept(n, "image", lambda: self._read_images(n))
        return slice_image(volumes, statistics, number, self._context, self._intensity)

    def _labels(self, n: int) -> np.ndarray:
        labels: np.ndarray = self._kept(n, "labels", lambda: self._reader.of(self._volumes[n][-1]))
        return labels

    def _read_images(self, n: int) -> tuple[list[np.ndarray], list[tuple[float, float] | None]]:
        volumes = [volume.read() for volume in self._volumes[n][:-1]]
        return volumes, [self._intensity.statistics(volume) for volume in volumes]

    def _kept(self, n: int, part: str, read: Callable[[], Any]) -> Any:
        """What was read of a case; of those that are kept, the one longest unused goes first."""
        key = n, part
        if key not in self._cache:
            found = read()
            self._cache[key] = found
            while len(self._cache) > 2 and sum(map(_bytes, self._cache.values())) > self._most:
                self._cache.popitem(last=False)
            return found
        self._cache.move_to_end(key)
        return self._cache[key]


def _bytes(kept: Any) -> int:
    return int(kept.nbytes) if isinstance(kept, np.ndarray) else sum(v.nbytes for v in kept[0])


def _classes(
    root: Path, classes: Sequence[str] | str | Path | None, ignore_index: int
) -> tuple[Sequence[str], Any, dict[int, int] | None]:
    """Class names, their colours, and the value map of nnU-Net's dataset.json."""
    path = root / "dataset.json"
    if classes is not None or not path.is_file():
        return *class_names(root, classes), None
    try:
        labels = json.loads(read_text(path))["labels"]
        if all(str(key).isdigit() for key in labels):  # {"0": "background"}, as before version 2
            labels = {name: int(key) for key, name in labels.items()}
        if not all(isinstance(value, int) for value in labels.values()):
            raise one_problem(
                path,
                "has regions of several labels, which overlap",
                "give classes: a name for each label",
            )
        ordered = sorted(labels, key=lambda name: labels[name])
        values = [labels[name] for name in ordered]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise one_problem(
            path, f"names no labels ({type(error).__name__}: {error})", "give classes"
        ) from None
    if values != list(range(len(values))):
        raise one_problem(path, f"numbers its labels {values}", "number them from 0 without gaps")
    value_map = {value: value for value in values}
    if "ignore" in labels:
        if ordered[-1] != "ignore":
            raise one_problem(path, "'ignore' is not the highest label", "make it the highest")
        ordered.pop()
        value_map[values[-1]] = ignore_index
    return ordered, None, value_map


def _find(
    root: Path,
    split: str | Path | None,
    image_dir: str | Path | None,
    label_dir: str | Path | None,
    split_dir: str | Path | None,
) -> list[_Case]:
    if split is None and split_dir is not None:
        raise ConfigError(f"split_dir={str(split_dir)!r} has the lists of splits: give a split")
    numbered = (root / "imagesTr").is_dir()
    image_dir = image_dir or ("imagesTr" if numbered else "images")
    label_dir = label_dir or ("labelsTr" if numbered else "labels")
    remedy = "check root and the folder names, or unpack the data there"
    folders = [checked_folder(root / user_path(f), remedy) for f in (image_dir, label_dir)]
    images: dict[str, dict[int, Path]] = {}
    for path in _volumes_in(folders[0]):
        name, channel = volume_name(path), 0
        if (found := _CHANNEL.search(name)) and (root / "dataset.json").is_file():
            name, channel = name[: found.start()], int(found[1])
        if (other := images.setdefault(name, {}).setdefault(channel, path)) != path:
            raise one_problem(path, f"is of the case {name!r}, as {other.name}", "remove one")
    labels = {volume_name(path): path for path in _volumes_in(folders[1]) if path.is_file()}
    if not images:
        raise one_problem(
            folders[0], f"holds no volume ({', '.join(NIFTI)}, folders of DICOM files)", remedy
        )
    listed = list(images) if split is None else read_split(split_list(root, split, split_dir))
    problems = []
    for name in listed:
        for known, folder, what in ((images, folders[0], "image"), (labels, folders[1], "labels")):
            if name not in known:
                problems.append(
                    Problem(
                        str(folder / f"{name}.nii.gz"),
                        f"{what} of the case {name!r} missing",
                        "add the file, or drop the case from the split",
                    )
                )
    if problems:
        raise DatasetError(problems, str(root))
    cases = []
    for name in listed:
        channels = images[name]
        if sorted(channels) != list(range(len(images[listed[0]]))):
            raise one_problem(
                next(iter(channels.values())),
                f"the case {name!r} has channels {sorted(channels)}, {listed[0]!r} "
                f"{sorted(images[listed[0]])}",
                "give all cases the same channels, from _0000 on",
            )
        cases.append(_Case(name, tuple(channels[n] for n in sorted(channels)), labels[name]))
    return cases


def _volumes_in(folder: Path) -> list[Path]:
    return [p for p in sorted(folder.iterdir()) if not p.name.startswith(".") and is_volume(p)]


def channel_files(path: Path, count: int) -> list[Path]:
    """Return the files of all channels of a case, in nnU-Net's names, given that of the first.

    Raises:
        DatasetError: If there are several, and it is not called as the first.
    """
    if count == 1:
        return [path]
    name = volume_name(path)
    if not name.endswith("_0000"):
        raise one_problem(
            path,
            f"is one file, and the network reads {count} channels",
            "give the first, CASE_0000.nii.gz, beside CASE_0001.nii.gz and so on",
        )
    end = path.name[len(name) :]
    return [path.with_name(f"{name[:-4]}{n:04d}{end}") for n in range(count)]


def _opened(cases: Sequence[_Case], plane: str) -> list[list[Volume]]:
    """The images of each case and its labels, with grids that agree."""
    found: list[list[Volume]] = []
    problems: list[Problem] = []
    for case in cases:
        try:
            first, *others = volumes = [Volume(p, plane) for p in (*case.images, case.labels)]
            for other in others:
                check_grids(first, other)
            found.append(volumes)
        except DatasetError as error:
            problems += error.problems
    if problems:
        raise DatasetError(problems, "volumes")
    return found
