"""Find the image and the mask of every sample, and everything that is missing."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from segnoise.datasets.base import SampleFiles
from segnoise.datasets.problems import DatasetError, Problem, one_problem

EXTENSIONS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")


@dataclass(frozen=True)
class FileIndex:
    """The files of a folder and its subfolders by sample id.

    The id is the path below the folder, with forward slashes, without the suffix:
    `aachen/000019` for `aachen/000019_leftImg8bit.png` and the suffix `_leftImg8bit.png`.
    """

    folder: Path
    suffix: str | None
    files: dict[str, Path]

    def expected(self, sample_id: str) -> str:
        """Return the path at which a missing sample was looked for."""
        return str(self.folder / (sample_id + (self.suffix or ".*")))


def index_folder(folder: Path, suffix: str | None, exclude: str | None = None) -> FileIndex:
    """List a folder's files by sample id.

    Args:
        folder: Searched with its subfolders; hidden files are passed over.
        suffix: End of the file names, such as `"_image.png"`; None takes the usual image
            extensions in either case.
        exclude: End of file names to leave out.

    Raises:
        DatasetError: If the folder is missing, or two files have one id (`a.png` and `a.jpg`).
    """
    if not folder.is_dir():
        raise one_problem(
            folder, "folder not found", "check root and the folder names, or unpack the data there"
        )
    files: dict[str, Path] = {}
    problems = []
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.startswith(".") or (exclude and name.endswith(exclude)):
                continue
            stem = _without_suffix(name, suffix)
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
    return FileIndex(folder, suffix, files)


def read_split(path: Path) -> list[str]:
    """Return the sample ids in a split list: one a line, blank lines passed over.

    Raises:
        DatasetError: If the file is missing, unreadable, empty, or names a sample twice.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise one_problem(
            path, "split list not found", "write one sample id a line into it"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise one_problem(path, f"cannot be read: {error}", "save it as UTF-8 text") from None
    ids = [line.strip() for line in lines if line.strip()]
    if not ids:
        raise one_problem(path, "split list is empty", "write one sample id a line into it")
    seen: set[str] = set()
    problems = []
    for sample_id in ids:
        if sample_id in seen:
            what = f"names the sample {sample_id!r} more than once"
            problems.append(Problem(str(path), what, "drop the repeated line"))
        seen.add(sample_id)
    if problems:
        raise DatasetError(problems, str(path))
    return ids


def pair_listed(
    ids: Iterable[str], images: FileIndex, masks: FileIndex, split: Path
) -> list[SampleFiles]:
    """Return the files of the listed samples, in the list's order.

    Raises:
        DatasetError: With one problem for every missing image and every missing mask.
    """
    files = []
    problems = []
    for listed in ids:
        sample_id = listed if listed in images.files else _strip_extension(listed, images)
        image, mask = images.files.get(sample_id), masks.files.get(sample_id)
        remedy = f"add the file, or drop {listed!r} from {split}"
        if image is None:
            problems.append(Problem(images.expected(sample_id), "image missing", remedy))
        if mask is None:
            problems.append(Problem(masks.expected(sample_id), "mask missing", remedy))
        if image is not None and mask is not None:
            files.append(SampleFiles(sample_id, image, mask))
    if problems:
        raise DatasetError(problems, str(split))
    return files


def pair_all(images: FileIndex, masks: FileIndex) -> list[SampleFiles]:
    """Return the files of all samples, sorted by id.

    Raises:
        DatasetError: If there are none, or with one problem for every file without partner.
    """
    if not images.files:
        what = f"holds no images (*{images.suffix})" if images.suffix else "holds no images"
        raise one_problem(images.folder, what, "check the folder and the image suffix")
    problems = [
        Problem(masks.expected(sample_id), f"mask missing for image {image}", "add it")
        for sample_id, image in images.files.items()
        if sample_id not in masks.files
    ]
    problems += [
        Problem(images.expected(sample_id), f"image missing for mask {mask}", "add it")
        for sample_id, mask in masks.files.items()
        if sample_id not in images.files
    ]
    if problems:
        raise DatasetError(problems, f"{images.folder} and {masks.folder}")
    return [SampleFiles(i, images.files[i], masks.files[i]) for i in sorted(images.files)]


def _without_suffix(name: str, suffix: str | None) -> str | None:
    if suffix is not None:
        return name[: -len(suffix)] if name.endswith(suffix) and name != suffix else None
    stem, extension = os.path.splitext(name)
    return stem if extension.lower() in EXTENSIONS else None


def _strip_extension(listed: str, images: FileIndex) -> str:
    """Return the id of a line that gives the image's file name instead."""
    return _without_suffix(listed, images.suffix) or listed
