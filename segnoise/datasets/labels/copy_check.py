"""Check a noisy copy against its manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from segnoise.datasets.labels.copy_manifest import (
    JOB,
    MANIFEST,
    Manifest,
    MaskRecord,
    differences,
    flat,
    sha256,
)
from segnoise.datasets.labels.copy_plan import CopyPlan, reader_of
from segnoise.datasets.labels.noisy_labels import NoisyLabels
from segnoise.datasets.problems import DatasetError, Problem
from segnoise.errors import DataError
from segnoise.noise import NoiseReport, realised_noise
from segnoise.parallel import Mapper, chunks_of, map_chunks, progress_bar

_CHUNK = 16  # files a worker takes at a time
_REDRAWN = 3  # masks that are made anew where the noise is known
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

    Compared are the parts of the manifest with each other, the hashes of all clean and all noisy
    files, the rates counted anew from both, and the files in the copy with the listed ones; with
    `noisy`, also some masks with what the noise makes now. Files and folders whose names begin
    with a dot are passed over.

    Args:
        folder: The copy.
        noisy: The data set and the noise that the copy should be of; the clean files are looked
            for in its folder. None takes whatever the manifest says.
        recount: Decode the masks and count; False compares manifest, hashes and names only.
        mapper: See `write_noisy_copy`.
        progress: Title of a progress bar on stderr; None shows none.

    Raises:
        DatasetError: If there is no manifest, or the copy is not finished.
    """
    folder = Path(folder)
    manifest = Manifest.read(folder)
    source = manifest.source
    plan: CopyPlan | None = None
    if noisy is not None:
        plan = CopyPlan.of(noisy, folder)
        different = differences(flat(plan.head(), JOB), flat(manifest.head, JOB))
        if different:
            what = f"is of another copy: {different}"
            remedy = "give the config that the copy was written from, or none"
            return [Problem(str(folder / MANIFEST), what, remedy)]
        source = plan.root
    task = _Task(manifest, folder, source, recount)
    named = str(folder / MANIFEST)
    problems = [Problem(named, what, _MEND_COPY) for what in manifest.contradictions()]
    counted = NoiseReport.empty(manifest.mask_reader().num_classes)
    mapper = mapper or partial(map_chunks, workers=0)
    with progress_bar(len(manifest.files), progress, "mask") as bar:
        for chunk in mapper(_check_some, task, chunks_of(range(len(manifest.files)), _CHUNK)):
            for found, report in chunk:
                problems += found
                counted += report or NoiseReport.empty(counted.num_classes)
            bar.update(len(chunk))
    problems = _of_another_source(problems, manifest, source, folder)
    problems += _unlisted(manifest, folder)
    if recount and plan is not None and not problems:
        problems += _redrawn(plan)
    if recount and not problems and counted.to_dict() != manifest.report:
        what = "its report is not the sum of its files' noise"
        problems.append(Problem(named, what, _MEND_COPY))
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
    """Return the files in the copy that nobody has listed; hidden ones are not looked for."""
    listed = {folder / record.path for record in manifest.files} | {folder / MANIFEST}
    found = {
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }
    return [
        Problem(str(path), "is not in the manifest", "remove it") for path in sorted(found - listed)
    ]


def _of_another_source(
    problems: list[Problem], manifest: Manifest, source: Path, folder: Path
) -> list[Problem]:
    """Put one problem in the place of many, where the clean files are not those of the copy."""
    clean = {str(source / record.path) for record in manifest.files}
    others = [problem for problem in problems if problem.path not in clean]
    count = len(problems) - len(others)
    if count and not source.is_dir():
        remedy = "give the config, with data_root=... where the data set is now"
        return [Problem(str(source), "the clean data set is gone", remedy), *others]
    if count and source != manifest.source:
        what = (
            f"was made from {manifest.source}, this config's data set is {source}, where {count} "
            f"of {len(manifest.files)} clean masks are others"
        )
        remedy = "give the data set that was copied, or write a copy of this one"
        return [Problem(str(folder), what, remedy), *others]
    return problems


def _redrawn(plan: CopyPlan) -> list[Problem]:
    """Return which of some masks are not what the noise makes of the clean ones now."""
    problems, reader = [], reader_of(plan.noisy.dataset)
    for number in np.unique(np.linspace(0, len(plan.paths) - 1, _REDRAWN).round()):
        index = int(number)
        try:
            same = np.array_equal(plan.noisy.load_mask(index), reader(plan.target(index)))
        except DataError as error:
            problems.append(Problem(str(plan.target(index)), str(error), _MEND_COPY))
            continue
        if not same:
            what = "is not the mask that noise and seed make with this program"
            problems.append(Problem(str(plan.target(index)), what, _MEND_COPY))
    return problems
