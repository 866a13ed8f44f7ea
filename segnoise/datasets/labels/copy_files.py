"""Write noisy masks as files like the clean ones, go on after a kill, and check such files."""

from __future__ import annotations

import contextlib
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from segnoise.datasets.files.mask_writer import write_mask
from segnoise.datasets.labels.noisy_copy import (
    ANEW,
    FORMAT,
    JOURNAL,
    MANIFEST,
    RECORD,
    altered,
    differences,
    digest,
    hash_of,
    labels_of,
    mask_name,
    read_manifest,
    reader_of,
)
from segnoise.datasets.labels.noisy_labels import NoisyLabels
from segnoise.datasets.problems import DatasetError, Problem, one_problem, problems_of
from segnoise.errors import ConfigError, DataError
from segnoise.files import naming, replacing, write_json, write_text
from segnoise.lock import LOCK
from segnoise.noise import NoiseReport, expanded, realised_noise
from segnoise.noise.mask import planes
from segnoise.output_folder import OutputFolder, claim, common_folder, keep_apart
from segnoise.parallel import Mapper, chunks_of, map_here, progress_bar
from segnoise.records import find_fault, read_lines
from segnoise.version import __version__

_CHUNK = 8  # files a worker takes at a time


def write_noisy_copy(
    noisy: NoisyLabels,
    folder: str | Path,
    *,
    overwrite: bool = False,
    mapper: Mapper = map_here,
    progress: str | None = None,
) -> tuple[dict[str, Any], int]:
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
    plan = _Plan.of(noisy, folder)
    named, journal = plan.folder / MANIFEST, plan.folder / JOURNAL
    if named.exists() and not overwrite and not (plan.folder / LOCK).exists():
        return _finished(plan, mapper), 0  # to look needs no right to write
    with claim(plan.folder, "a noisy copy") as out:
        if named.exists() and not overwrite:  # the last holder was faster
            return _finished(plan, mapper), 0
        done = _begin(plan, out, overwrite)
        todo = [i for i, path in enumerate(plan.paths) if path not in done]
        problems: list[Problem] = []
        with progress_bar(len(plan.paths), progress, "mask", done=len(done)) as bar:
            for lines, bad in mapper(_corrupt_some, plan, chunks_of(todo, _CHUNK)):
                with naming(journal), journal.open("a", encoding="utf-8") as file:
                    file.writelines(json.dumps(line) + "\n" for line in lines)
                done.update((line["record"]["path"], line) for line in lines)
                problems += bad
                bar.update(len(lines) + len(bad))
        if problems:
            raise DatasetError(problems, f"{plan.folder} is not finished")
        report = NoiseReport.empty(len(noisy.metainfo["classes"]))
        report += sum(NoiseReport.from_dict(done[path]["report"]) for path in plan.paths)
        manifest = {**plan.head, "source": str(plan.root), "report": report.to_dict()}
        manifest["files"] = [done[path]["record"] for path in plan.paths]
        manifest["sha256"] = hash_of(manifest)
        write_json(named, manifest)
        journal.unlink()
        return manifest, len(todo)


def verify_noisy_copy(
    folder: str | Path,
    noisy: NoisyLabels | None = None,
    *,
    mapper: Mapper = map_here,
    progress: str | None = None,
) -> list[Problem]:
    """Return what has changed since a noisy copy was written.

    Compared are the manifest, all clean and all noisy files with their hashes, and the files in
    the copy with the listed ones; with `noisy`, also some masks with what the noise makes now.
    Files and folders whose names begin with a dot are passed over.

    Args:
        folder: The copy.
        noisy: The data set and the noise that the copy should be of; the clean files are looked
            for in its folder. None takes whatever the manifest says.
        mapper: See `write_noisy_copy`.
        progress: Title of a progress bar on stderr; None shows none.

    Raises:
        DatasetError: If the copy is not finished, or its manifest is missing, damaged or edited.
    """
    manifest = read_manifest(folder)
    if noisy is None:
        return _changes(manifest, Path(folder), Path(manifest["source"]), None, mapper, progress)
    plan = _Plan.of(noisy, folder)
    if different := plan.differs(manifest):
        remedy = "give the config that the copy was written from, or none"
        return [Problem(str(Path(folder, MANIFEST)), f"is of another copy: {different}", remedy)]
    return _changes(manifest, Path(folder), plan.root, noisy, mapper, progress)


def _changes(
    manifest: dict[str, Any],
    folder: Path,
    source: Path,
    noisy: NoisyLabels | None,
    mapper: Mapper,
    progress: str | None = None,
) -> list[Problem]:
    """Return what is not as the manifest says; masks are made anew where the noise is given."""
    files = manifest["files"]
    chunks = chunks_of(range(len(files)), 2 * _CHUNK)
    problems: list[Problem] = []
    with progress_bar(len(files), progress, "mask") as bar:
        found = mapper(_check_some, (files, source, folder, noisy), chunks)
        for chunk, wrong in zip(chunks, found, strict=True):
            problems += wrong
            bar.update(len(chunk))
    clean = {str(source / record["path"]) for record in files}
    others = [problem for problem in problems if problem.path not in clean]
    if (count := len(problems) - len(others)) and not source.is_dir():
        remedy = "give the config, with data_root=... where the data set is now"
        problems = [Problem(str(source), "the clean data set is gone", remedy), *others]
    elif count and str(source) != manifest["source"]:
        what = (
            f"was made from {manifest['source']}, this config's data set is {source}, where "
            f"{count} of {len(files)} clean masks are others"
        )
        remedy = "give the data set that was copied, or write a copy of this one"
        problems = [Problem(str(folder), what, remedy), *others]
    listed = {folder / MANIFEST, *(folder / record["path"] for record in files)}
    for path in sorted(set(folder.rglob("*")) - listed):
        if path.is_file() and "/." not in f"/{path.relative_to(folder).as_posix()}":
            problems.append(Problem(str(path), "is not in the manifest", "remove it"))
    return problems


@dataclass(frozen=True)
class _Plan:
    """What a copy is to be: its head, and the masks' paths below the clean and the noisy folder."""

    noisy: NoisyLabels
    root: Path
    folder: Path
    paths: tuple[str, ...]
    samples: Sequence[int]  # of each mask, the first of a volume's
    head: dict[str, Any]

    @classmethod
    def of(cls, noisy: NoisyLabels, folder: str | Path) -> _Plan:
        named = {mask_name(noisy, index): index for index in reversed(range(len(noisy)))}
        samples = sorted(named.values())
        ids = [mask_name(noisy, index) for index in samples]
        pairs = [noisy.paths(index) for index in samples]
        images, masks = ([os.path.abspath(pair[side]) for pair in pairs] for side in (0, 1))
        above = [{os.path.dirname(path) for path in side} for side in (images, masks)]
        common = common_folder(above[0] | above[1]) or common_folder(above[1])
        root = Path(common or Path(masks[0]).anchor)
        paths = tuple(Path(os.path.relpath(path, root)).as_posix() for path in masks)
        if len(set(paths)) < len(paths):
            shared = next(path for path in paths if paths.count(path) > 1)
            names = [name for name, path in zip(ids, paths, strict=True) if path == shared]
            raise one_problem(
                root / shared,
                f"is the mask of {len(names)} samples ({', '.join(names[:3])})",
                "one file cannot hold their different noise: give each sample a mask of its own",
            )
        keep_apart(folder, images, masks)
        versions = {"segnoise": __version__, "numpy": np.__version__, "opencv": cv2.__version__}
        try:
            head = {
                "format": FORMAT,
                "noise": json.loads(json.dumps(noisy.noise.to_dict())),
                "seed": noisy.seed,
                "dataset": {
                    "type": type(noisy.dataset).__name__,
                    "samples": len(ids),
                    "samples_sha256": hash_of([ids, paths]),
                    **labels_of(noisy.dataset),
                },
                "versions": {**versions, "python": platform.python_version()},
            }
        except TypeError as error:
            raise ConfigError(f"noise: {error}") from error
        return cls(noisy, root, Path(folder).absolute(), paths, samples, head)

    def differs(self, head: dict[str, Any], *more: str) -> str:
        """Return in words how a copy with another head is another one."""
        keys = ("noise", "seed", "dataset", *more)
        head = {**head, "noise": expanded(head["noise"])}  # as today's models are written down
        return differences({key: self.head[key] for key in keys}, head)


def _finished(plan: _Plan, mapper: Mapper) -> dict[str, Any]:
    """Return the manifest of a finished copy if it is this one, and whole."""
    manifest = read_manifest(plan.folder)
    if different := plan.differs(manifest):
        raise ConfigError(
            f"{plan.folder} holds another noisy copy: {different}; choose another folder, or "
            "replace it with --overwrite"
        )
    if problems := _changes(manifest, plan.folder, plan.root, None, mapper):
        raise DatasetError(problems, f"{plan.folder} is not as it was written")
    (plan.folder / JOURNAL).unlink(missing_ok=True)  # of a kill after the last file
    return manifest


def _begin(plan: _Plan, out: OutputFolder, overwrite: bool) -> dict[str, Any]:
    """Ready the folder, and return by path what the journal says of files that can stay.

    The journal holds the head, then a line for each file in its place. It is believed only where
    the hashes of the clean and the noisy file are those that it says.
    """
    journal = plan.folder / JOURNAL
    head, *lines = [line for _, line in read_lines(journal, dict)] or [None]
    damaged = find_fault(head, {"noise": dict, "versions": dict}) is not None
    different = "" if damaged else plan.differs(head, "format", "versions")
    if different and not overwrite:
        raise ConfigError(
            f"{plan.folder} was begun as another noisy copy: {different}; choose another folder, "
            "or replace it with --overwrite"
        )
    done, paths = {}, set(plan.paths)
    for line in lines if head == plan.head else ():
        with contextlib.suppress(TypeError, ValueError):  # damaged
            fault = find_fault(line, {"record": RECORD, "report": dict})
            if fault is None and line["record"]["path"] in paths:
                NoiseReport.from_dict(line["report"])
                done[line["record"]["path"]] = line
    kept = {
        path: line
        for path, line in done.items()
        if not altered(line["record"], plan.root / path, plan.folder / path)
    }
    if len(kept) < len(done) and "others" in plan.noisy.noise.needs:
        kept = {}  # the others may hold pieces of the one that has changed
    out.expect([*plan.paths, MANIFEST, JOURNAL])
    write_text(journal, "".join(json.dumps(line) + "\n" for line in (plan.head, *kept.values())))
    out.clear(keep=[*plan.paths, JOURNAL])  # another copy's, and the manifest
    out.expect([MANIFEST])
    return kept


def _corrupt_some(
    plan: _Plan, indices: Sequence[int]
) -> tuple[list[dict[str, Any]], list[Problem]]:
    """Write some files; return their lines of the journal, and what could not be written."""
    noisy, lines = plan.noisy, []
    problems: list[Problem] = []
    reader, void = reader_of(noisy.dataset), noisy.metainfo["ignore_index"]
    for index in indices:
        path, sample = plan.paths[index], plan.samples[index]
        name = mask_name(noisy, sample)
        source = plan.root / path
        try:
            clean_hash = digest(source)
            load = noisy.load_masks if noisy.whole_of is None else noisy.load_wholes
            clean, mask = load(sample)
            if noisy.whole_of is not None:  # void where the image has no data, not in its labels
                mask = np.where(clean == void, reader(source), mask)
            with replacing(plan.folder / path) as temporary:
                write_mask(reader, source, mask, temporary)
                noisy_hash = digest(temporary)
        except DataError as error:
            problems += problems_of(error, source, "mend the sample or drop it from the split")
            continue
        classes = len(noisy.metainfo["classes"])
        report = NoiseReport.empty(classes)
        for pair in zip(planes(clean), planes(mask), strict=True):
            report += realised_noise(*pair, classes, void)
        record = {
            "path": path,
            "sample_id": name,
            "seed_key": [noisy.seed, "noise", name],  # of its segnoise.noise.generator
            "clean_sha256": clean_hash,
            "noisy_sha256": noisy_hash,
            "valid": report.valid,
            "changed": report.changed,
            "pixel_rate": report.pixel_rate if report.valid else None,
        }
        lines.append({"record": record, "report": report.to_dict()})
    return lines, problems


def _check_some(shared: tuple[Any, ...], indices: Sequence[int]) -> list[Problem]:
    """Return what is wrong with the hashes of some files, and three of all masks made anew."""
    files, source, folder, noisy = shared
    problems: list[Problem] = []
    named = {} if noisy is None else {mask_name(noisy, n): n for n in reversed(range(len(noisy)))}
    for index in indices:
        record = files[index]
        path = folder / record["path"]
        wrong = altered(record, source / record["path"], path)
        problems += wrong
        if noisy is None or wrong or index not in (0, len(files) // 2, len(files) - 1):
            continue
        try:
            sample = named[record["sample_id"]]
            reader = reader_of(noisy.dataset)
            there = reader(path)
            if noisy.whole_of is None:
                same = np.array_equal(noisy.load_mask(sample), there)
            else:
                clean, anew = noisy.load_wholes(sample)
                known = clean != noisy.metainfo["ignore_index"]
                same = np.array_equal(anew[known], there[known])
            if same:
                continue
            what = "is not the mask that noise and seed make with this program"
            problems.append(Problem(str(path), what, ANEW))
        except DataError as error:
            problems += problems_of(error, path, ANEW)
    return problems
