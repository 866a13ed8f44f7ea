"""Write a noisy copy of a data set's masks, in the layout and the format of the clean ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from segnoise.datasets.files.mask_writer import MaskWriter
from segnoise.datasets.labels.copy_check import altered, verify_noisy_copy
from segnoise.datasets.labels.copy_journal import JOURNAL, Done, Journal
from segnoise.datasets.labels.copy_manifest import (
    JOB,
    MANIFEST,
    UNFINISHED,
    Manifest,
    MaskRecord,
    differences,
    flat,
    hash_of,
    sha256,
)
from segnoise.datasets.labels.copy_plan import CopyPlan, reader_of
from segnoise.datasets.labels.noisy_labels import NoisyLabels
from segnoise.datasets.problems import DatasetError, Problem
from segnoise.errors import ConfigError, DataError
from segnoise.files import replacing
from segnoise.lock import LOCK
from segnoise.noise import NoiseReport, realised_noise
from segnoise.output_folder import OutputFolder, claim
from segnoise.parallel import Mapper, chunks_of, map_chunks, progress_bar

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
            `MaskReader`, the folder holds something else or leads to the clean masks, or another
            process is writing into it.
        DatasetError: If masks cannot be read or written; holds all problems, and what could be
            written stays for the next call.
    """
    plan = CopyPlan.of(noisy, folder)
    head = plan.head()
    mapper = mapper or partial(map_chunks, workers=0)
    done = (plan.folder / MANIFEST).exists() and not overwrite
    if done and not (plan.folder / LOCK).exists():  # a look does without writing
        return _finished(plan, head, mapper), 0
    with claim(plan.folder, "a noisy copy", adopt=_earlier_copy) as out:
        if (plan.folder / MANIFEST).exists() and not overwrite:  # the last holder was faster
            return _finished(plan, head, mapper), 0
        return _write(plan, head, out, overwrite, mapper, progress)


def _write(
    plan: CopyPlan,
    head: dict[str, Any],
    out: OutputFolder,
    overwrite: bool,
    mapper: Mapper,
    progress: str | None,
) -> tuple[Manifest, int]:
    noisy, journal = plan.noisy, Journal(plan.folder)
    known = _begin(plan, head, out, journal, overwrite)
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
    plan: CopyPlan, head: dict[str, Any], out: OutputFolder, journal: Journal, overwrite: bool
) -> dict[str, Done]:
    """Ready the folder and return the files by sample id that are there and as they should be."""
    begun, done = journal.read()
    if begun is not None:
        keys = (*JOB, "versions")
        different = differences(flat(head, keys), flat(begun, keys))
        if different and not overwrite:
            raise ConfigError(
                f"{plan.folder} was begun as another noisy copy: {different}; choose another "
                "folder, or replace it with --overwrite"
            )
        if different:
            done = []
    kept = [entry for entry in done if not altered(entry.record, plan.root, plan.folder)]
    if len(kept) < len(done) and "others" in getattr(plan.noisy.noise, "needs", ()):
        kept = []  # the others may hold pieces of the one that has changed
    out.expect([*plan.paths, MANIFEST, JOURNAL])
    journal.start(head, kept)
    out.clear(keep=[*plan.paths, JOURNAL])  # another copy's, and the manifest
    out.expect([MANIFEST])
    return {entry.record.sample_id: entry for entry in kept}


def _earlier_copy(folder: Path) -> list[str] | None:
    """Names of the files in a copy of an earlier version, finished or not; None if it is none."""
    begun, done = Journal(folder).read()
    try:
        listed = Manifest.read(folder).files
    except DatasetError:
        if begun is None:
            return None
        listed = ()
    own = [path.relative_to(folder).as_posix() for path in (folder / UNFINISHED).glob("*")]
    names = [MANIFEST, ".lock", *own, *(r.path for r in (*listed, *(d.record for d in done)))]
    return [name for name in names if (folder / name).is_file()]


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
