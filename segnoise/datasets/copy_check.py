"""Check a noisy copy against its manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from segnoise.datasets.copy_manifest import (
    JOB,
    MANIFEST,
    Manifest,
    MaskRecord,
    differences,
    flat,
    sha256,
)
from segnoise.datasets.copy_plan import CopyPlan
from segnoise.datasets.noisy_labels import NoisyLabels
from segnoise.datasets.parallel import Mapper, chunks_of, map_chunks, progress_bar
from segnoise.datasets.problems import DatasetError, Problem
from segnoise.noise import NoiseReport, realised_noise

_CHUNK = 16  # files a worker takes at a time
_MEND_COPY = "write the copy anew: segnoise corrupt ... --overwrite"
_MEND_SOURCE = "restore it, or write the copy anew: segnoise corrupt ... --overwrite"


def verify_noisy_copy(
    folder: str | Path,
    noisy: NoisyLabels | None = None,
    *,
    recount: bool = True,
    mapper: Mapper | None = None,
    progress: str | None = None,
) -> list[Problem]:
    """Return what has changed since a noisy copy was written.

    Compared are the hashes of all clean and all noisy files, the rates counted anew from both,
    and the files beside the listed ones, of which there should be none.

    Args:
        folder: The copy.
        noisy: The data set and the noise that the copy should be of; the clean files are looked
            for in its folder. None takes whatever the manifest says.
        recount: Decode the masks and count; False compares hashes only.
        mapper: See `write_noisy_copy`.
        progress: Title of a progress bar on stderr; None shows none.

    Raises:
        DatasetError: If there is no manifest, or the copy is not finished.
    """
    folder = Path(folder)
    manifest, source = Manifest.read(folder), None
    problems: list[Problem] = []
    if noisy is not None:
        plan = CopyPlan.of(noisy, folder)
        different = differences(flat(plan.head(), JOB), flat(manifest.head, JOB))
        if different:
            what = f"is of another copy: {different}"
            remedy = "give the config that the copy was written from, or none"
            return [Problem(str(folder / MANIFEST), what, remedy)]
        source = plan.root
    task = _Task(manifest, folder, source or manifest.source, recount)
    counted = NoiseReport.empty(manifest.mask_reader().num_classes)
    mapper = mapper or partial(map_chunks, workers=0)
    with progress_bar(len(manifest.files), progress, "mask") as bar:
        for chunk in mapper(_check_some, task, chunks_of(range(len(manifest.files)), _CHUNK)):
            for found, report in chunk:
                problems += found
                counted += report or NoiseReport.empty(counted.num_classes)
            bar.update(len(chunk))
    problems += _unlisted(manifest, folder)
    if recount and not problems and counted.to_dict() != manifest.report:
        what = "its report is not the sum of its files' noise"
        problems.append(Problem(str(folder / MANIFEST), what, _MEND_COPY))
    return problems


def altered(record: MaskRecord, source: Path, folder: Path) -> list[Problem]:
    """Return what is wrong with the hashes of a clean and a noisy file."""
    sides = (
        (source / record.path, record.clean_sha256, "corrupted", _MEND_SOURCE),
        (folder / record.path, record.noisy_sha256, "written", _MEND_COPY),
    )
    problems = []
    for path, expected, verb, remedy in sides:
        kind = "clean" if verb == "corrupted" else "noisy"
        if not path.is_file():
            problems.append(Problem(str(path), f"{kind} mask missing", remedy))
        elif sha256(path.read_bytes()) != expected:
            what = f"{kind} mask has changed since it was {verb}"
            problems.append(Problem(str(path), what, remedy))
    return problems


@dataclass(frozen=True)
class _Task:
    manifest: Manifest
    folder: Path
    source: Path
    recount: bool


def _check_some(
    task: _Task, indices: Sequence[int]
) -> list[tuple[list[Problem], NoiseReport | None]]:
    return [_check_one(task, task.manifest.files[index]) for index in indices]


def _check_one(task: _Task, record: MaskRecord) -> tuple[list[Problem], NoiseReport | None]:
    problems = altered(record, task.source, task.folder)
    if problems or not task.recount:
        return problems, None
    reader = task.manifest.mask_reader()
    try:
        clean, noisy = (reader(root / record.path) for root in (task.source, task.folder))
    except DatasetError as error:
        return list(error.problems), None
    report = realised_noise(clean, noisy, reader.num_classes, reader.ignore_index)
    rate = report.pixel_rate if report.valid else None
    counted = (report.valid, report.changed, rate)
    stated = (record.valid, record.changed, record.pixel_rate)
    if counted != stated:
        what = f"(valid, changed, rate) is {counted}, the manifest says {stated}"
        return [Problem(str(task.folder / record.path), what, _MEND_COPY)], report
    return [], report


def _unlisted(manifest: Manifest, folder: Path) -> list[Problem]:
    """Return the files beside the listed ones that a data set might take for masks."""
    listed = {folder / record.path for record in manifest.files}
    beside = {
        path
        for parent in {path.parent for path in listed}
        if parent.is_dir()
        for path in parent.iterdir()
        if path.is_file() and not path.name.startswith(".") and path.name != MANIFEST
    }
    return [
        Problem(str(path), "is not in the manifest", "remove it")
        for path in sorted(beside - listed)
    ]
