"""How a picture, a raster or a volume is predicted, and written in its own format."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from segnoise.datasets.files.palettes import palette_image
from segnoise.datasets.files.scene_writer import write_outlines, write_scene
from segnoise.datasets.files.scenes import Scene
from segnoise.datasets.files.volumes import Volume, check_grids, write_volume
from segnoise.datasets.problems import DatasetError
from segnoise.datasets.volumes import Intensity, channel_files, slice_image
from segnoise.engine.predictor import MAPS, Predictor, all_classes, as_tensor, labels_of
from segnoise.errors import CheckpointError, ConfigError
from segnoise.files import replacing
from segnoise.models.windows import Windows, ahead, blended_rows
from segnoise.output_folder import OutputFolder


@dataclass(frozen=True)
class Job:
    """An image to predict.

    Attributes:
        source: the file.
        name: what its results are called, below the folder of results, without an end.
        scene: whether it is a raster on a map, to be read by windows and written as one.
        volume: whether it is a NIfTI file or a folder of DICOM files, and becomes a NIfTI file.
    """

    source: Path
    name: str
    scene: bool
    volume: bool = False


@dataclass(frozen=True)
class Run:
    """How images are predicted, and what is written of them."""

    predictor: Predictor
    windows: Windows | None
    batch_size: int
    save: tuple[str, ...]
    bands: Sequence[int] | None
    nodata: float | None

    def settings(self) -> dict[str, Any]:
        """What decides the results besides the images, ready for JSON."""
        views = asdict(self.predictor.inference).items()
        inference = {k: list(v) if isinstance(v, tuple) else v for k, v in views}
        return {
            "checkpoint": str(self.predictor.path),
            "sha256": _digest(self.predictor.path),
            "windows": None if self.windows is None else asdict(self.windows),
            "inference": inference,
            "save": list(self.save),
            "bands": None if self.bands is None else list(self.bands),
            "nodata": self.nodata,
        }

    @property
    def _label_type(self) -> type[np.generic]:
        highest = max(len(self.predictor.classes) - 1, self.predictor.ignore_index)
        return np.uint8 if highest < 256 else np.uint16

    def check(self, jobs: Sequence[Job]) -> None:
        """Raise for an image of another kind than the network's."""
        for job in jobs:
            if job.volume != (self.predictor.image["volume"] is not None):
                reads, given = ("pictures", "a volume") if job.volume else ("volumes", "a picture")
                raise ConfigError(f"{job.source}: is {given}, and the network reads {reads}")
        written: dict[str, Job] = {}
        for job in jobs:
            if not self.files(job):
                raise ConfigError(
                    f"{job.source}: save={list(self.save)} is nothing that is written of it: add "
                    "labels (outlines are written of rasters alone)"
                )
            for name in self.files(job).values():
                if (other := written.setdefault(name, job)) is not job:
                    raise ConfigError(
                        f"of {other.source} and of {job.source} something would be written as "
                        f"{name}: predict them into two folders"
                    )

    def files(self, job: Job) -> dict[str, str]:
        """What is saved of an image -> its file below the folder."""
        if job.volume:
            ends = {name: f".{name}.nii.gz" for name in self.save if name != "outlines"}
            return {
                name: job.name + (end if name != "labels" else ".nii.gz")
                for name, end in ends.items()
            }
        ends = {name: f".{name}.tif" if job.scene else f".{name}.png" for name in self.save}
        ends["labels"] = ".tif" if job.scene else ".png"
        ends["outlines"] = ".geojson"
        if not job.scene:
            ends["scores"] = ".scores.npy"
        wanted = [name for name in self.save if job.scene or name != "outlines"]
        return {name: job.name + ends[name] for name in wanted}

    def parts(self, job: Job) -> list[str]:
        """Files of a scene that is not finished, below the folder."""
        if not job.scene:
            return []
        return [f"{job.name}.{name}.part" for name in (*self._maps(), "source")]

    def _maps(self) -> list[str]:
        """What is computed row by row: labels always, for the outlines."""
        return ["labels", *(name for name in self.save if name not in ("labels", "outlines"))]

    def pictures(self, folder: OutputFolder, jobs: Sequence[Job]) -> list[DatasetError]:
        """Predict pictures; the next is read, and the last written, beside the computation.

        Returns:
            What is wrong with those that cannot be read.
        """
        errors: list[DatasetError] = []
        if not jobs:
            return errors

        def load(job: Job) -> tuple[Job, np.ndarray | DatasetError]:
            try:
                return job, self.predictor.read(job.source)
            except DatasetError as error:
                return job, error

        read = ahead(load, jobs)
        with ThreadPoolExecutor(1) as writer:
            writing: Future[None] | None = None
            for job, image in tqdm(read, "predicting", len(jobs), unit="image"):
                if isinstance(image, DatasetError):
                    errors.append(image)
                    continue
                scores = _finite(self.predictor.probabilities(image, self.windows), job)
                found = {name: self._map(name, scores) for name in self._maps()}
                if writing is not None:
                    writing.result()
                writing = writer.submit(self._write_picture, folder, job, found)
            if writing is not None:
                writing.result()
        return errors

    def _map(self, name: str, scores: Tensor) -> np.ndarray:
        """One of the maps of (K, h, w) scores, on the CPU."""
        if name == "labels":
            return labels_of(scores).cpu().numpy().astype(self._label_type)
        if name == "scores":
            return np.asarray(all_classes(scores).cpu().numpy().astype(np.float16))
        return np.asarray(MAPS[name](scores).cpu().numpy())

    def _write_picture(self, folder: OutputFolder, job: Job, found: dict[str, np.ndarray]) -> None:
        for name, file in self.files(job).items():
            with replacing(folder.path / file) as temporary:
                if name == "scores":
                    np.save(temporary, found[name])
                elif name != "labels":
                    grey = np.rint(255 * found[name]).astype(np.uint8)
                    Image.fromarray(grey).save(temporary, format="PNG")
                elif found[name].dtype == np.uint8:
                    picture = palette_image(found[name], self.predictor.palette)
                    picture.save(temporary, format="PNG")
                else:
                    Image.fromarray(found[name]).save(temporary, format="PNG")

    def scene(self, folder: OutputFolder, job: Job) -> None:
        """Predict a raster, rows at a time; those that are done lie in files of raw numbers."""
        scene = Scene(job.source, self.bands or self.predictor.image["bands"], self.nodata)
        scene.check_brightness()
        height, width = scene.shape
        windows = self.windows or Windows()
        classes = len(self.predictor.classes)
        types = {"labels": np.dtype(self._label_type), "scores": np.dtype(np.float16)}
        shapes = {"scores": (classes, width)}
        parts = {
            name: _Rows(
                folder.path / f"{job.name}.{name}.part",
                types.get(name, np.dtype(np.float32)),
                shapes.get(name, (width,)),
            )
            for name in self._maps()
        }
        _forget_others(folder.path / f"{job.name}.source.part", job.source, parts.values())
        first = min(part.rows() for part in parts.values())
        for part in parts.values():
            part.cut(first)
        valid = _Valid(width, windows.size)

        def read(rows: slice, columns: slice) -> Tensor | None:
            values, there = scene.read(rows, columns)
            valid.note(rows, columns, there)
            if there is not None and not there.any():
                return None
            return as_tensor(self.predictor.as_read(values, job.source))

        todo = blended_rows(
            read, scene.shape, self.predictor.of_batch, windows, self.batch_size, first
        )
        with tqdm(None, job.name, height, initial=first, unit="row") as bar:
            for top, scores in todo if first < height else ():
                rows = self._rows(top, windows, height)
                if scores is not None:
                    rows = _finite(scores, job).shape[1]
                there = valid.of(top, top + rows)
                for name, part in parts.items():
                    found = self._empty(name, rows, width, classes)
                    if scores is not None:
                        found = self._map(name, scores)
                    part.add(self._with_void(name, found, there))
                bar.update(rows)
        self._write_scene(folder, job, scene, parts)
        for name in self.parts(job):
            (folder.path / name).unlink(missing_ok=True)

    def volume(self, folder: OutputFolder, job: Job) -> None:
        """Predict a volume, some slices at a time."""
        known = self.predictor.image["volume"]
        case = [
            Volume(path, known["plane"]) for path in channel_files(job.source, known["modalities"])
        ]
        for other in case[1:]:
            check_grids(case[0], other)
        intensity, numbers = Intensity(known["intensity"]), [volume.read() for volume in case]
        statistics = [intensity.statistics(values) for values in numbers]
        depth = case[0].shape[0]

        def read(first: int) -> Tensor:
            places = range(first, min(first + self.batch_size, depth))
            how = known["context"], intensity
            return torch.stack(
                [as_tensor(slice_image(numbers, statistics, place, *how)) for place in places]
            )

        found: dict[str, list[np.ndarray]] = {name: [] for name in self._maps()}
        with tqdm(None, job.name, depth, unit="slice") as bar:
            for images in ahead(read, range(0, depth, self.batch_size)):
                for scores in _finite(self._of_slices(images), job):
                    for name, maps in found.items():
                        maps.append(self._map(name, scores))
                bar.update(len(images))
        for name, file in self.files(job).items():
            values = np.stack(found[name])
            if name == "scores":
                values = np.moveaxis(values, 1, 3).astype(np.float32)
            write_volume(folder.path / file, values, case[0])

    def _of_slices(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, K, H, W)."""
        if self.windows is None:
            return self.predictor.of_images(images)
        parts = [
            self.predictor.probabilities(x.permute(1, 2, 0).numpy(), self.windows) for x in images
        ]
        return torch.stack(parts)

    @staticmethod
    def _rows(top: int, windows: Windows, height: int) -> int:
        """Rows from one on that no later window sees."""
        return next((start for start in windows.starts(height) if start > top), height) - top

    def _empty(self, name: str, rows: int, width: int, classes: int) -> np.ndarray:
        shape = (classes, rows, width) if name == "scores" else (rows, width)
        return np.zeros(shape, self._label_type if name == "labels" else np.float32)

    def _with_void(self, name: str, found: np.ndarray, there: np.ndarray) -> np.ndarray:
        """Rows with void, or NaN, where the raster has no data; (rows, ...)."""
        if name == "labels":
            return np.where(there, found, self._label_type(self.predictor.ignore_index))
        kept = np.where(there, found, np.array(np.nan, found.dtype))
        return kept.swapaxes(0, 1) if name == "scores" else kept

    def _write_scene(
        self, folder: OutputFolder, job: Job, scene: Scene, parts: dict[str, _Rows]
    ) -> None:
        void, classes = self.predictor.ignore_index, self.predictor.classes
        for name, file in self.files(job).items():
            if name == "outlines":
                labels = parts["labels"].read(slice(0, scene.shape[0]))
                write_outlines(folder.path / file, labels, scene, classes, void)
                continue
            part = parts[name]
            more: dict[str, Any] = {"names": [name], "dtype": np.float32, "nodata": np.nan}
            if name == "labels":
                colors = dict(enumerate(self.predictor.palette))
                more = {"names": classes, "dtype": part.dtype, "nodata": void, "colors": colors}
            elif name == "scores":
                more |= {"names": classes, "bands": len(classes)}
            write_scene(folder.path / file, part.read, scene, **more)


class _Rows:
    """Rows of numbers in a file that grows: what it holds after a kill are whole rows."""

    def __init__(self, path: Path, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        self.path, self.dtype, self.shape = path, dtype, shape
        self._bytes = int(np.prod(shape)) * dtype.itemsize

    def rows(self) -> int:
        """Whole rows that are there."""
        return self.path.stat().st_size // self._bytes if self.path.exists() else 0

    def cut(self, rows: int) -> None:
        """Keep the first rows."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            file.truncate(rows * self._bytes)

    def add(self, values: np.ndarray) -> None:
        """Append rows."""
        with self.path.open("ab") as file:
            file.write(np.ascontiguousarray(values, self.dtype).data)

    def read(self, rows: slice) -> np.ndarray:
        """Some rows: (h, W), or of several bands (B, h, W) as float32."""
        count = (rows.stop - rows.start) * int(np.prod(self.shape))
        values = np.fromfile(self.path, self.dtype, count, offset=rows.start * self._bytes)
        found = values.reshape(-1, *self.shape)
        return found if found.ndim == 2 else found.swapaxes(0, 1).astype(np.float32)


class _Valid:
    """Where a raster has data, of the rows that windows still see."""

    def __init__(self, width: int, size: int) -> None:
        self._map = np.ones((3 * size, width), bool)

    def _places(self, start: int, stop: int) -> np.ndarray:
        return np.arange(start, stop) % len(self._map)

    def note(self, rows: slice, columns: slice, there: np.ndarray | None) -> None:
        self._map[self._places(rows.start, rows.stop), columns] = True if there is None else there

    def of(self, start: int, stop: int) -> np.ndarray:
        return self._map[self._places(start, stop)]


def _forget_others(note: Path, source: Path, parts: Any) -> None:
    """Begin anew where the file is another one than that of the rows that are there."""
    state = source.stat()
    now = f"{source.resolve()} {state.st_size} {state.st_mtime_ns}\n"
    if not note.exists() or note.read_text() != now:
        for part in parts:
            part.path.unlink(missing_ok=True)
        note.parent.mkdir(parents=True, exist_ok=True)
        with replacing(note) as temporary:
            temporary.write_text(now)


def _finite(scores: Tensor, job: Job) -> Tensor:
    if not bool(scores.sum().isfinite()):
        raise CheckpointError(
            f"{job.source}: the network's scores are not finite: its weights have diverged, or "
            "overflow in half precision: take another checkpoint, or leave --bf16 out"
        )
    return scores


def _digest(path: Path) -> str:
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(2**20):
            found.update(block)
    return found.hexdigest()
