"""Predict pictures, scenes and volumes, each in its own format: behind tools/predict.py."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from segnoise.checks import check_choice, check_integer
from segnoise.datasets.files.scenes import PICTURES, RASTERS, is_scene
from segnoise.datasets.files.volumes import NIFTI, is_volume, volume_name
from segnoise.datasets.problems import DatasetError
from segnoise.engine.predict_images import Job, Run
from segnoise.engine.predictor import MAPS, Predictor
from segnoise.errors import ConfigError, DataError
from segnoise.files import read_text, user_path, write_json
from segnoise.models.windows import Windows
from segnoise.output_folder import OutputFolder, claim
from segnoise.records import read_record

SAVED = ("labels", "scores", *MAPS, "outlines")
"""What may be written of an image."""

KIND = "predicted images"
RECORD = "predictions.json"
_SCHEMA = {"settings": dict, "classes": [str], "palette": [[int]], "ignore_index": int}


def find_inputs(inputs: Sequence[str | Path]) -> list[Job]:
    """Find the images that are meant.

    Args:
        inputs: files; folders of a DICOM series; other folders, with all below them; lists
            (``.txt``) of one path a line, each absolute or below the list's folder.

    Raises:
        ConfigError: if there are none, or two would have results of one name.
        DataError: if one is missing.
    """
    jobs: list[Job] = []
    for given in map(user_path, inputs):
        if given.is_dir() and not is_volume(given):
            found = sorted(p for p in given.rglob("*") if _is_image(p, given))
            if not found:
                raise DataError(
                    f"{given}: no image in it; known are {', '.join(PICTURES + RASTERS + NIFTI)} "
                    "and folders of DICOM files"
                )
            jobs += [_job(path, path.relative_to(given)) for path in found]
        elif given.suffix == ".txt":
            lines = [line.strip() for line in read_text(given).splitlines()]
            for line in filter(None, lines):
                path = given.parent / user_path(line)
                jobs.append(_job(path, Path(Path(line).name if Path(line).is_absolute() else line)))
        else:
            jobs.append(_job(given, Path(given.name)))
    if not jobs:
        raise ConfigError(
            "nothing to predict: give pictures, rasters, volumes, folders or lists of them"
        )
    names: dict[str, Job] = {}
    for job in jobs:
        other = names.setdefault(job.name, job)
        if not other.source.samefile(job.source):
            raise ConfigError(
                f"{other.source} and {job.source} would both be written as {job.name}: predict "
                "them into two folders"
            )
    return list(names.values())


def _is_image(path: Path, below: Path) -> bool:
    if any(part.startswith(".") for part in path.relative_to(below).parts):
        return False
    known = path.suffix.lower() in PICTURES + RASTERS and not path.is_dir()
    return known or is_volume(path)


def _job(path: Path, name: Path) -> Job:
    volume = path.exists() and is_volume(path)
    if not path.is_file() and not volume:
        raise DataError(f"{path}: {'no file' if not path.exists() else 'is no file'}; change it")
    stem = name.with_name(volume_name(path)) if volume else name.with_suffix("")
    parts = [part for part in stem.parts if part not in ("..", "/")]
    scene = not volume
    if scene:
        with contextlib.suppress(DatasetError):  # which it raises again when its turn comes
            scene = is_scene(path)
    return Job(path, "/".join(parts), scene, volume)


def first_channels(jobs: Sequence[Job]) -> list[Job]:
    """Of cases in several files, CASE_0000 and so on, the first, called by the case."""
    others = re.compile(r"_(?!0000)\d{4}$")
    kept = [job for job in jobs if not others.search(job.name)]
    return [replace(job, name=job.name.removesuffix("_0000")) for job in kept]


def predict(
    predictor: Predictor,
    inputs: Sequence[str | Path],
    out: str | Path,
    *,
    windows: Windows | None = None,
    batch_size: int = 8,
    save: Sequence[str] = ("labels",),
    bands: Sequence[int] | None = None,
    nodata: float | None = None,
    overwrite: bool = False,
) -> list[Path]:
    """Write the predictions of images, each in the way of its own kind.

    A picture gets a palette PNG of class ids (16-bit grey PNG for more than 255 classes); a
    raster a GeoTIFF with its place, colours and class names, void where the raster has no data.
    "confidence" (the probability of the class that is predicted) and "entropy" (0 to 1, over
    log K) are 8-bit grey pictures, of a raster float32; "scores" an array (K, H, W) of float16
    in a .npy file, of a raster a band a class; "outlines" GeoJSON, of rasters alone. A volume gets
    NIfTI files with its affine and header, "scores" along a fourth axis.

    Images that are there are not predicted again: a call that was interrupted goes on, a scene at
    its last rows. One that has changed since is predicted anew. One that cannot be read does not
    keep the others from it; the error comes at the end, with all of them.

    Args:
        predictor: the network.
        inputs: as of :func:`find_inputs`.
        out: folder of the results, new or of an earlier call with the same settings.
        windows: overlapping windows for all images; None takes for rasters windows of 512 pixels
            that overlap by 128, and reads pictures as the checkpoint's inference says.
        batch_size: windows computed at once.
        save: some of ``SAVED``.
        bands: of rasters, instead of those that the training read.
        nodata: of rasters, instead of what the files say.
        overwrite: replace results of other settings.

    Returns:
        The files, those that were there included.

    Raises:
        ConfigError, DataError: for inputs, arguments or a folder that cannot be used.
        CheckpointError: if the scores are not finite.
    """
    for name in save:
        check_choice("save", name, SAVED)
    check_integer("batch_size", batch_size, 1)
    jobs = find_inputs(inputs)
    _keep_apart(out, [Path(given) for given in inputs], jobs)
    if predictor.image["volume"] and predictor.image["volume"]["modalities"] > 1:
        jobs = first_channels(jobs)
    run = Run(predictor, windows, batch_size, tuple(save), bands, nodata)
    settings = run.settings()
    with claim(out, KIND) as folder:
        record = folder.path / RECORD
        if overwrite:
            folder.clear()
        elif _begun(folder) and read_record(record, _SCHEMA)["settings"] != settings:
            raise ConfigError(
                f"--out {folder.path} holds predictions of other settings or weights "
                f"({record.name} says which): take another folder, or replace them by --overwrite"
            )
        folder.expect([RECORD])
        write_json(
            record,
            {
                "settings": settings,
                "classes": list(predictor.classes),
                "palette": [list(color) for color in predictor.palette],
                "ignore_index": predictor.ignore_index,
            },
        )
        run.check(jobs)
        files = {job: run.files(job) for job in jobs}
        folder.expect(name for job in jobs for name in (*files[job].values(), *run.parts(job)))
        todo = [job for job in jobs if not _done(job, folder.path, files[job].values())]
        if len(todo) < len(jobs):
            print(f"{len(jobs) - len(todo)} of {len(jobs)} images are predicted already")
        errors = run.pictures(folder, [job for job in todo if not job.scene and not job.volume])
        for job in todo:
            try:
                if job.scene:
                    run.scene(folder, job)
                if job.volume:
                    run.volume(folder, job)
            except DatasetError as error:
                errors.append(error)
        if errors:
            print(f"{len(todo) - len(errors)} of {len(todo)} images are predicted")
            problems = [problem for error in errors for problem in error.problems]
            raise DatasetError(problems, f"what cannot be predicted into {folder.path}")
        folder.finish()
    return [folder.path / name for job in jobs for name in files[job].values()]


def _keep_apart(out: str | Path, inputs: Sequence[Path], jobs: Sequence[Job]) -> None:
    """Refuse a folder of results whose files the next call would take for images."""
    real = Path(os.path.realpath(user_path(out)))
    for given in filter(Path.is_dir, map(user_path, inputs)):
        if real.is_relative_to(os.path.realpath(given)) and not is_volume(given):
            raise ConfigError(
                f"--out {out} lies in {given}, whose images are predicted: name a folder apart"
            )
    for job in jobs:
        if Path(os.path.realpath(job.source)).is_relative_to(real):
            raise ConfigError(
                f"{job.source} lies in --out {out}, where files are replaced: name a folder apart"
            )


def _done(job: Job, folder: Path, files: Iterable[str]) -> bool:
    """Whether the results are there, and the image has not changed since."""
    since = job.source.stat().st_mtime_ns
    found = [folder / file for file in files]
    return all(path.exists() and path.stat().st_mtime_ns >= since for path in found)


def _begun(folder: OutputFolder) -> bool:
    """Whether there are results, or rows of them, and not only what a failed call has left."""
    names = [name for name in folder.held() if name != RECORD and not name.endswith(".source.part")]
    return any((folder.path / name).stat().st_size for name in names)
