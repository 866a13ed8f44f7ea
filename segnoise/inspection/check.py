"""Open every file of a data set before hours of training, and count what the labels are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from segnoise.datasets.base import LabelledImages, size_problem
from segnoise.datasets.files.bands import read_header
from segnoise.datasets.problems import DatasetError, Problem, problems_of
from segnoise.datasets.wrapped import file_paths, labelled
from segnoise.errors import DataError
from segnoise.inspection.remarks import Seen, look, remarks_on, sentences
from segnoise.noise import NoiseReport, realised_noise
from segnoise.parallel import chunks_of, map_chunks, progress_bar
from segnoise.tables import markdown

_CHUNK = 16  # samples a worker takes at a time


@dataclass(frozen=True, eq=False)
class DatasetCheck:
    """What a look at some samples of a data set found; checks of different samples add with `+`.

    Attributes:
        num_samples: Samples looked at, also those with problems.
        problems: Everything wrong, file by file.
        histogram: (K,) int64, pixels of each class in the labels that training sees: the noisy
            ones, where the data set is `NoisyLabels`. Samples with problems are not counted.
        images_with: (K,) int64, samples that contain each class.
        void: Void pixels.
        noise: The realised noise, for `NoisyLabels`; else None.
        seen: What there is to compare between samples, and to say of their files.
    """

    num_samples: int
    problems: tuple[Problem, ...]
    histogram: np.ndarray
    images_with: np.ndarray
    void: int
    noise: NoiseReport | None = None
    seen: tuple[Seen, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether training may start: no problems, and at least one sample."""
        return not self.problems and self.num_samples > 0

    def __add__(self, other: DatasetCheck) -> DatasetCheck:
        if not isinstance(other, DatasetCheck):
            return NotImplemented
        reports = [check.noise for check in (self, other) if check.noise is not None]
        return DatasetCheck(
            self.num_samples + other.num_samples,
            self.problems + other.problems,
            self.histogram + other.histogram,
            self.images_with + other.images_with,
            self.void + other.void,
            sum(reports[1:], reports[0]) if reports else None,
            self.seen + other.seen,
        )

    @cached_property
    def file_remarks(self) -> list[Problem]:
        """What is no error, but often a mistake, file by file.

        Masks stored with loss, or with one class and void only; palettes that differ;
        orientations that image and mask do not share; images that are there twice.
        """
        return remarks_on(self.seen)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain numbers and texts, ready for JSON."""
        return {
            "num_samples": self.num_samples,
            "problems": [problem.to_dict() for problem in self.problems],
            "remarks": [remark.to_dict() for remark in self.file_remarks],
            "histogram": self.histogram.tolist(),
            "images_with": self.images_with.tolist(),
            "void": self.void,
            "noise": None if self.noise is None else self.noise.to_dict(),
        }

    def remarks(self, classes: Sequence[str]) -> list[str]:
        """Return what is no error but looks wrong, one sentence each; files of a kind in one."""
        found = sentences(self.file_remarks)
        absent = [name for name, count in zip(classes, self.histogram, strict=True) if not count]
        if self.histogram.sum() == 0:
            none = ["All pixels are void." if self.void else "No labels."] * bool(self.num_samples)
            return none + found
        return [f"No pixel of: {', '.join(absent)}."] * bool(absent) + found

    def table(self, classes: Sequence[str]) -> str:
        """Return the label counts as text: a Markdown table, aligned for terminals too.

        Example:
            >>> check = DatasetCheck(2, (), np.array([90, 9]), np.array([2, 1]), 1)
            >>> print(check.table(["sky", "bird"]))
            2 samples, 100 pixels, 1.00 % of them void.
            <BLANKLINE>
            | class | pixels | share % | images |
            | :---- | -----: | ------: | -----: |
            | sky   |     90 |   90.91 |      2 |
            | bird  |      9 |    9.09 |      1 |
        """
        valid = int(self.histogram.sum())
        counts = zip(classes, self.histogram, self.images_with, strict=True)
        rows = [
            (name, f"{count:,}", _percent(count, valid), f"{images:,}")
            for name, count, images in counts
        ]
        table = markdown(("class", "pixels", "share %", "images"), rows)
        pixels = valid + self.void
        void = _percent(self.void, pixels)
        head = f"{self.num_samples:,} samples, {pixels:,} pixels, {void} % of them void."
        if self.noise is not None:
            head += " Counted are the labels as training sees them, noise included."
        notes = [f"Note: {remark}" for remark in self.remarks(classes)]
        return "\n".join([head, "", table, *([""] if notes else []), *notes])


def check_dataset(
    dataset: LabelledImages,
    *,
    images: bool = True,
    workers: int = 0,
    progress: str | None = None,
    indices: Iterable[int] | None = None,
) -> DatasetCheck:
    """Read a data set's samples and report problems, label counts and realised noise.

    Args:
        dataset: Any data set of this package, not transformed.
        images: Decode the images too; False only compares the size in their headers.
        workers: Processes that read; 0 reads in this one.
        progress: Title of a progress bar on stderr; None shows none.
        indices: The samples to look at, such as this process's share; default all.

    Returns:
        The check; problems are collected in it, not raised.

    Raises:
        ConfigError: If the data set does not follow the protocol; shows how to wrap it.
        DataError: If a worker process dies.
    """
    dataset = labelled(dataset)
    chosen = list(range(len(dataset)) if indices is None else indices)
    chunks = chunks_of(chosen, _CHUNK)
    total = _empty(dataset)
    with progress_bar(len(chosen), progress, "image") as bar:
        for part in map_chunks(partial(_check_some, images=images), dataset, chunks, workers):
            total += part
            bar.update(part.num_samples)
            if total.problems:
                bar.set_postfix(problems=len(total.problems))
    return total


def _check_some(dataset: LabelledImages, indices: Sequence[int], images: bool) -> DatasetCheck:
    return sum((_check_one(dataset, index, images) for index in indices), _empty(dataset))


def _check_one(dataset: LabelledImages, index: int, images: bool) -> DatasetCheck:
    empty = _empty(dataset)
    try:
        mask, clean = _load(dataset, index, images)
    except DataError as error:
        path, remedy = file_paths(dataset, index)[1], "mend the sample or drop it from the split"
        found = problems_of(error, path, remedy)
        return DatasetCheck(1, tuple(found), empty.histogram, empty.images_with, 0, empty.noise)
    num_classes, ignore_index = len(empty.histogram), dataset.metainfo["ignore_index"]
    counts = np.bincount(mask.ravel(), minlength=max(num_classes, ignore_index + 1))
    histogram, void = counts[:num_classes], int(counts[ignore_index])
    noise = None if clean is None else realised_noise(clean, mask, num_classes, ignore_index)
    seen = look(dataset, index, [mask] if clean is None else [mask, clean])
    return DatasetCheck(1, (), histogram, (histogram > 0).astype(np.int64), void, noise, (seen,))


def _load(
    dataset: LabelledImages, index: int, images: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the labels as training sees them, and the clean ones where they differ."""
    image_path, mask_path = file_paths(dataset, index)
    # Without a file, as where the data set is another library's, there is no header to read; those
    # of volumes have been compared.
    if images or not image_path.is_file() or dataset.whole_of is not None:
        sample = dataset[index]
        return sample["mask"], sample.get("clean_mask")
    load = dataset.load_masks
    clean, mask = (None, dataset.load_mask(index)) if load is None else load(index)
    size = read_header(image_path).size
    if size != mask.shape:
        raise DatasetError([size_problem(image_path, mask_path, size, mask.shape)])
    return mask, clean


def _empty(dataset: LabelledImages) -> DatasetCheck:
    num_classes = len(dataset.metainfo["classes"])
    zeros = np.zeros(num_classes, np.int64)
    noise = None if dataset.load_masks is None else NoiseReport.empty(num_classes)
    return DatasetCheck(0, (), zeros, zeros, 0, noise)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / max(whole, 1):.2f}"
