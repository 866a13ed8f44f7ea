"""Find the image and the mask of every sample, and everything that is missing."""

from __future__ import annotations

import os
import re
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from segnoise.datasets.base import SampleFiles
from segnoise.datasets.problems import DatasetError, Problem, one_problem, problem_of
from segnoise.errors import DataError
from segnoise.files import read_text

EXTENSIONS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")


@dataclass(frozen=True)
class FileIndex:
    """The files of a folder and its subfolders by sample id.

    The id is the path below the folder, with forward slashes, without the suffix:
    `aachen/000019` for `aachen/000019_leftImg8bit.png` and the suffix `_leftImg8bit.png`; a suffix
    of None stands for the usual `extensions`. `passed` are links to folders that were visited
    already: their places below the folder, and the visited ones.
    """

    folder: Path
    suffix: str | None
    files: dict[str, Path]
    passed: tuple[tuple[str, Path], ...] = ()
    extensions: Sequence[str] = EXTENSIONS

    def expected(self, sample_id: str) -> str:
        """Return the path at which a missing sample was looked for."""
        return str(self.folder / (sample_id + (self.suffix or ".*")))

    def same(self, sample_id: str) -> str | None:
        """Return the id here that is the same text as another folder's; None if there is none.

        One text may be written with composed letters (NFC, as most systems do) or with letters
        and accents apart (NFD, as macOS does).
        """
        if sample_id in self.files:
            return sample_id
        found = self._by_text.get(unicodedata.normalize("NFC", sample_id), [])
        return found[0] if len(found) == 1 else None

    def listed(self, name: str) -> str | None:
        """Return the id that a split list means by a name; None if it is none.

        Lists name files as well as samples, by their paths below this folder or below one that
        holds it, with the slashes of any system. The nearest to the name as it stands counts.
        """
        if name in self.files:
            return name
        path = name.replace("\\", "/")
        paths = [name, path, re.sub(r"^(\./|/)+", "", path)]
        parts = Path(os.path.abspath(self.folder)).parts
        for number in range(1, len(parts) + 1):
            above = "/".join(part.strip("/") for part in parts[-number:]) + "/"
            paths += [p[len(above) :] for p in paths[1:3] if p.startswith(above)]
        found = []
        for path in paths:
            own, usual = (_without_suffix(path, s, self.extensions) for s in (self.suffix, None))
            stems = (path, own, usual)
            found += [self.same(stem) for stem in stems if stem]
        return next(filter(None, found), None)

    def missing(self, sample_id: str, what: str, remedy: str, partner: FileIndex) -> Problem:
        """Return the problem of a sample that is not here; names a file that may be meant."""
        for link, visited in self.passed:
            if f"{sample_id}/".startswith(f"{link}/"):
                what += f" ({self.folder / link} is a link to {visited}, whose files count once)"
                return Problem(self.expected(sample_id), what, remedy)
        near = None if partner.folder == self.folder else self._near(sample_id)
        return Problem(self.expected(sample_id), f"{what} ({near})" if near else what, remedy)

    def _near(self, sample_id: str) -> str | None:
        wanted = _folded(sample_id)
        for other in self._by_folded.get(wanted, []):
            return f"{self.files[other].name} is there, but in another spelling: rename one of them"
        names = self._names
        start = bisect_left(names, (wanted, ""))
        for folded, name in names[start : start + 100]:
            if not folded.startswith(wanted):
                break
            end = folded[len(wanted) :]
            if end[:1].isalnum():  # scan_10 is not scan_1
                continue
            if self.suffix is not None:
                return f"{name} is there, but does not end in {self.suffix!r}: give its suffix"
            if os.path.splitext(name)[1].lower() in self.extensions:
                return f"{name} is there, but not by that name: give the suffix {end!r}"
            kinds = ", ".join(self.extensions)
            return f"{name} is there, but is no image file ({kinds}): convert it"
        # A path of another system or folder, or a name with its quotation marks.
        last = wanted.strip("\"'").rpartition("/")[2]
        for stem in (last, os.path.splitext(last)[0]):
            if len(found := self._by_last_name.get(stem, [])) == 1:
                return f"{self.files[found[0]].name} is there: write {found[0]!r} into the list"
        return None

    @cached_property
    def _by_text(self) -> dict[str, list[str]]:
        return _grouped(self.files, lambda text: unicodedata.normalize("NFC", text))

    @cached_property
    def _by_folded(self) -> dict[str, list[str]]:
        return _grouped(self.files, _folded)

    @cached_property
    def _by_last_name(self) -> dict[str, list[str]]:
        return _grouped(self.files, lambda text: _folded(text).rpartition("/")[2])

    @cached_property
    def _names(self) -> list[tuple[str, str]]:
        """All files of the folder, sorted, whatever their suffix: read for messages only."""
        paths = (
            (parent.relative_to(self.folder) / name).as_posix()
            for parent, names in _walk(self.folder, [])
            for name in names
        )
        return sorted((_folded(path), path) for path in paths)


def index_folder(
    folder: Path,
    suffix: str | None,
    exclude: str | None = None,
    extensions: Sequence[str] = EXTENSIONS,
) -> FileIndex:
    """List a folder's files by sample id; hidden files and those that end in `exclude` are none.

    Links to folders are followed, and each folder is visited once: a link to a folder above it
    would otherwise repeat all samples without end.

    Raises:
        DatasetError: If the folder or one below it is missing or cannot be listed, or two files
            have one id (`a.png` and `a.jpg`).
    """
    checked_folder(folder, "check root and the folder names, or unpack the data there")
    files: dict[str, Path] = {}
    passed: list[tuple[str, Path]] = []
    problems = []
    for parent, names in _walk(folder, passed):
        for name in names:
            if name.startswith(".") or (exclude and name.endswith(exclude)):
                continue
            stem = _without_suffix(name, suffix, extensions)
            if stem is None:
                continue
            path = Path(parent, name)
            sample_id = (path.parent.relative_to(folder) / stem).as_posix()
            if sample_id in files:
                problems.append(
                    Problem(
                        str(path),
                        f"has the same sample id {sample_id!r} as {files[sample_id].name}",
                        "remove one of the two, or give the suffix that tells them apart",
                    )
                )
            files.setdefault(sample_id, path)
    if problems:
        raise DatasetError(problems, str(folder))
    return FileIndex(folder, suffix, files, tuple(passed), extensions)


def checked_folder(folder: Path, remedy: str) -> Path:
    """Return a folder if it exists; the error says what is there instead, and the remedy."""
    if not os.path.isdir(folder):
        what = "folder not found"
        if os.path.exists(folder):
            what = "is a file, not a folder"
        elif os.path.islink(folder):
            what = f"is a link to {os.readlink(folder)}, which is not there"
        raise one_problem(folder, what, remedy)
    return folder


def read_split(path: Path) -> list[str]:
    """Return the lines of a split list that are not blank: one sample each."""
    try:
        lines = read_text(path, errors="surrogateescape").splitlines()
    except FileNotFoundError:
        raise one_problem(
            path, "split list not found", "write one sample id a line into it"
        ) from None
    except DataError as error:
        raise problem_of(path, error) from None
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        raise one_problem(path, what, "let yourself read it, or give another list") from None
    ids = [line.strip() for line in lines if line.strip()]
    if not ids:
        raise one_problem(path, "split list is empty", "write one sample id a line into it")
    if twice := [sample_id for sample_id, count in Counter(ids).items() if count > 1]:
        what, remedy = "names the sample {!r} more than once", "drop the repeated line"
        problems = [Problem(str(path), what.format(name), remedy) for name in twice]
        raise DatasetError(problems, str(path))
    return ids


def pair_listed(
    ids: Iterable[str], images: FileIndex, masks: FileIndex, split: Path
) -> list[SampleFiles]:
    """Return the files of the listed samples, in the list's order.

    A line is a sample's id, or its image's file; or, in two columns, the files of its image and
    its mask, as lists of other tools have them.
    """
    files: dict[str, SampleFiles] = {}
    lines: dict[str, str] = {}
    problems = []
    for line in ids:
        sample_id, mask_id = images.listed(line), None
        if sample_id is None and (columns := _columns(line)):
            sample_id, mask_id = images.listed(columns[0]), masks.listed(columns[1])
            if sample_id is not None and mask_id is None:
                what = f"the second column of {line!r} names no mask in {masks.folder}"
                problems.append(Problem(str(split), what, "write one sample id a line into it"))
                continue
            if sample_id != mask_id and set(columns) <= images.files.keys() & masks.files.keys():
                what = f"{line!r} names two samples"
                problems.append(Problem(str(split), what, "write one sample id a line into it"))
                continue
        remedy = f"add the file, or drop {line!r} from {split}"
        mask_id = mask_id or masks.same(sample_id or line)
        if sample_id is None:
            problems.append(images.missing(line, "image missing", remedy, masks))
        if mask_id is None:
            problems.append(masks.missing(sample_id or line, "mask missing", remedy, images))
        if sample_id is None or mask_id is None:
            continue
        if sample_id in files:
            what = f"names the sample {sample_id!r} more than once: {lines[sample_id]!r}, {line!r}"
            problems.append(Problem(str(split), what, "drop one of the two lines"))
        files[sample_id] = SampleFiles(sample_id, images.files[sample_id], masks.files[mask_id])
        lines[sample_id] = line
    if problems:
        raise DatasetError(problems, str(split))
    return list(files.values())


def pair_all(images: FileIndex, masks: FileIndex) -> list[SampleFiles]:
    """Return the files of all samples, sorted by id."""
    if not images.files:
        what = f"holds no images (*{images.suffix})" if images.suffix else "holds no images"
        kinds = sorted({os.path.splitext(name)[1] or name for _, name in images._names})
        if kinds:
            what += f", but other files ({', '.join(kinds[:4])})"
        raise one_problem(images.folder, what, "check the folder and the image suffix")
    pairs = {sample_id: masks.same(sample_id) for sample_id in sorted(images.files)}
    problems = [
        masks.missing(
            sample_id, f"mask missing for image {images.files[sample_id]}", "add it", images
        )
        for sample_id, mask_id in pairs.items()
        if mask_id is None
    ]
    alone = set(masks.files) - set(pairs.values())
    problems += [
        images.missing(mask_id, f"image missing for mask {masks.files[mask_id]}", "add it", masks)
        for mask_id in sorted(alone)
    ]
    if problems:
        raise DatasetError(problems, f"{images.folder} and {masks.folder}")
    return [SampleFiles(i, images.files[i], masks.files[m]) for i, m in pairs.items() if m]


def _walk(folder: Path, passed: list[tuple[str, Path]]) -> Iterator[tuple[Path, list[str]]]:
    """Yield each real folder at or below one with its files' names; real ones before links.

    Links that are passed over, and the folders visited before, are added to `passed`.
    """
    visited: dict[tuple[int, int], Path] = {}
    tops = [folder]
    for top in tops:  # grows while links are found
        for parent, folders, names in os.walk(top, onerror=_refuse):
            status = os.stat(parent)
            first = visited.setdefault((status.st_dev, status.st_ino), Path(parent))
            if str(first) != parent:
                passed.append((Path(parent).relative_to(folder).as_posix(), first))
                folders.clear()
                continue
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            paths = [Path(parent, name) for name in folders]
            tops += [path for path in paths if path.is_symlink()]
            yield Path(parent), sorted(names)


def _refuse(error: OSError) -> None:
    what = f"cannot be listed: {error.strerror}"
    remedy = "let yourself read it (chmod u+rx), or move it out of the data set's folder"
    raise one_problem(str(error.filename), what, remedy)


def _without_suffix(name: str, suffix: str | None, extensions: Sequence[str]) -> str | None:
    if suffix is not None:
        return name[: -len(suffix)] if name.endswith(suffix) and name != suffix else None
    stem, extension = os.path.splitext(name)
    return stem if extension.lower() in extensions else None


def _columns(line: str) -> list[str] | None:
    """Return a line's two columns; None if it has not two."""
    for separator in ("\t", ",", ";", None):
        columns = [column.strip() for column in line.split(separator)]
        if len(columns) == 2 and all(columns):
            return columns
    return None


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold().replace("\\", "/")


def _grouped(names: Iterable[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(key(name), []).append(name)
    return groups
