"""Write a noisy copy of a data set's masks, in the layout and the format of the clean ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from segnoise.datasets.copy_check import altered, verify_noisy_copy
from segnoise.datasets.copy_journal import Done, Journal
from segnoise.datasets.copy_lock import LOCK, locked
from segnoise.datasets.copy_manifest import (
    JOB,
    MANIFEST,
    Manifest,
    MaskRecord,
    differences,
    flat,
    hash_of,
    sha256,
)
from segnoise.datasets.copy_plan import CopyPlan, reader_of
from segnoise.datasets.mask_writer import MaskWriter
from segnoise.datasets.noisy_labels import NoisyLabels
from segnoise.datasets.parallel import Mapper, chunks_of, map_chunks, progress_bar
from segnoise.datasets.problems import DatasetError, Problem
from segnoise.errors import ConfigError, DataError
from segnoise.files import replacing
from segnoise.noise import NoiseReport, realised_noise

_CHUNK = 8  # files a worker takes at a time


def write_noisy_copy(
    noisy: NoisyLabels,
    folder: str | Path,
    *,
    overwrite: bool = False,
    mapper: Mapper | None = None,
    progress: str | None = None,
) -> tuple[Manifest, int]:
    """Write the noisy masks of a data set as files like its own, and a manifest.

    The files lie in `folder` as the clean ones lie below the folder that holds the data set's
    images and masks. Killed at any time, the same call goes on; files and manifest depend on the
    arguments and the clean files only. The data set's own reader gets exactly the masks that
    `noisy` gives: this is checked for each file as it is written.

    Args:
        noisy: The data set and its noise.
        folder: The copy's folder: new or empty, or with this very copy, finished or not.
        overwrite: Replace another noisy copy, or write this one anew.
        mapper: How the work is spread: `mapper(work, shared, chunks)` yields
            `work(shared, chunk)` in order; default one after the other in this process.
            `partial(map_chunks, workers=8)` takes processes, `map_on_ray` a Ray cluster.
        progress: Title of a progress bar on stderr; None shows none.

    Returns:
        The manifest, and how many files this call has written: 0 if the copy was finished.

    Raises:
        ConfigError: If the noise cannot be written down, the masks are not read by a
            `MaskReader`, or the folder holds something else.
        DatasetError: If masks cannot be read or written; holds all problems, and what could be
            written stays for the next call.
        DataError: If another process is writing into the folder.
    """
    plan = CopyPlan.of(noisy, folder)
    head = plan.head()
    mapper = mapper or partial(map_chunks, workers=0)
    if (plan.folder / MANIFEST).exists() and not overwrite:
        return _finished(plan, head, mapper), 0
    if plan.folder.exists() and not plan.folder.is_dir():
        raise ConfigError(f"{plan.folder} is a file: choose a folder for the noisy copy")
    plan.folder.mkdir(parents=True, exist_ok=True)
    with locked(plan.folder):
        if (plan.folder / MANIFEST).exists() and not overwrite:  # the last holder was faster
            return _finished(plan, head, mapper), 0
        return _write(plan, head, overwrite, mapper, progress)


def _write(
    plan: CopyPlan, head: dict[str, Any], overwrite: bool, mapper: Mapper, progress: str | None
) -> tuple[Manifest, int]:
    noisy, journal = plan.noisy, Journal(plan.folder)
    known = _begin(plan, head, journal, overwrite)
    todo = [i for i in range(len(noisy)) if noisy.sample_id(i) not in known]
    problems: list[Problem] = []
    with progress_bar(len(noisy), progress, "mask", done=len(known)) as bar:
        for done, bad in mapper(_corrupt_some, plan, chunks_of(todo, _CHUNK)):
            journal.add(done)
            known.update({entry.record.sample_id: entry for entry in done})
            problems += bad
            bar.update(len(done) + len(bad))
    if problems:
        raise DatasetError(problems, f"{plan.folder} is not finished")
    entries = [known[noisy.sample_id(index)] for index in range(len(noisy))]
    report = NoiseReport.empty(len(noisy.metainfo["classes"]))
    for entry in entries:
        report += NoiseReport.from_dict(entry.report)
    files = tuple(entry.record for entry in entries)
    manifest = Manifest(head, plan.root, report.to_dict(), files, hash_of(head))
    manifest.write(plan.folder)
    journal.remove()
    return manifest, len(todo)


def _finished(plan: CopyPlan, head: dict[str, Any], mapper: Mapper) -> Manifest:
    """Return the manifest of a finished copy if it is this one, and whole."""
    manifest = Manifest.read(plan.folder)
    different = differences(flat(head, JOB), flat(manifest.head, JOB))
    if different:
        raise ConfigError(
            f"{plan.folder} holds another noisy copy: {different}; choose another folder, or "
            "replace it with --overwrite"
        )
    problems = verify_noisy_copy(plan.folder, plan.noisy, recount=False, mapper=mapper)
    if problems:
        raise DatasetError(problems, f"{plan.folder} is not as it was written")
    Journal(plan.folder).remove()
    return manifest


def _begin(
    plan: CopyPlan, head: dict[str, Any], journal: Journal, overwrite: bool
) -> dict[str, Done]:
    """Ready the folder and return the files by sample id that are there and as they should be."""
    begun, done = journal.read()
    has_manifest = (plan.folder / MANIFEST).exists()
    if not journal.exists() and not has_manifest:
        own = (journal.folder.name, LOCK)
        others = [path.name for path in plan.folder.iterdir() if path.name not in own]
        if others:
            raise ConfigError(
                f"{plan.folder} holds {sorted(others)[0]!r} and is no noisy copy: choose a new or "
                "an empty folder"
            )
    if begun is not None:
        keys = (*JOB, "versions")
        different = differences(flat(head, keys), flat(begun, keys))
        if different and not overwrite:
            raise ConfigError(
                f"{plan.folder} was begun as another noisy copy: {different}; choose another "
                "folder, or replace it with --overwrite"
            )
        if different:
            _remove(plan, [entry.record for entry in done])
            done = []
    kept = [entry for entry in done if not altered(entry.record, plan.root, plan.folder)]
    if len(kept) < len(done) and "others" in getattr(plan.noisy.noise, "needs", ()):
        kept = []  # the others may hold pieces of the one that has changed
    journal.start(head, kept)
    if has_manifest:
        _remove(plan, _listed(plan.folder))
        (plan.folder / MANIFEST).unlink()
    return {entry.record.sample_id: entry for entry in kept}


def _listed(folder: Path) -> Sequence[MaskRecord]:
    try:
        return Manifest.read(folder).files
    except DatasetError:
        return ()


def _remove(plan: CopyPlan, records: Sequence[MaskRecord]) -> None:
    """Remove the files of another copy that this one does not replace."""
    wanted = set(plan.paths)
    for record in records:
        path = plan.folder / record.path
        if record.path not in wanted and path.resolve().is_relative_to(plan.folder.resolve()):
            path.unlink(missing_ok=True)


def _corrupt_some(plan: CopyPlan, indices: Sequence[int]) -> tuple[list[Done], list[Problem]]:
    done: list[Done] = []
    problems: list[Problem] = []
    for index in indices:
        try:
            done.append(_corrupt_one(plan, index))
        except DataError as error:
            found = getattr(error, "problems", ())
            remedy = "mend the sample or drop it from the split"
            problems += found or [Problem(str(plan.source(index)), str(error), remedy)]
    return done, problems


def _corrupt_one(plan: CopyPlan, index: int) -> Done:
    noisy, source, target = plan.noisy, plan.source(index), plan.target(index)
    clean_hash = sha256(source.read_bytes()) if source.is_file() else ""
    clean, mask = noisy.load_masks(index)
    with replacing(target, Journal(plan.folder).folder) as temporary:
        MaskWriter(reader_of(noisy.dataset)).write(source, mask, temporary)
        noisy_hash = sha256(temporary.read_bytes())
    metainfo = noisy.metainfo
    report = realised_noise(clean, mask, len(metainfo["classes"]), metainfo["ignore_index"])
    sample_id = noisy.sample_id(index)
    record = MaskRecord(
        path=plan.paths[index],
        sample_id=sample_id,
        seed_key=(noisy.seed, "noise", sample_id),
        clean_sha256=clean_hash,
        noisy_sha256=noisy_hash,
        valid=report.valid,
        changed=report.changed,
        pixel_rate=report.pixel_rate if report.valid else None,
    )
    return Done(record, report.to_dict())
