"""The realised noise between two sets of real masks: of one annotator against another, say."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from segnoise.datasets.files.masks import BLACK_AND_WHITE, MaskReader
from segnoise.datasets.files.pairing import FileIndex, index_folder
from segnoise.datasets.problems import DatasetError, Problem, one_problem
from segnoise.inspection.remarks import ONE_CLASS_AND_VOID, sentences
from segnoise.noise import NoiseReport, realised_noise
from segnoise.noise.mask import one_class_and_void
from segnoise.parallel import chunks_of, map_chunks, progress_bar
from segnoise.tables import markdown

_CHUNK = 16  # pairs that a worker takes at a time
_PERCENTILES = (5, 50, 95)
SCHEMA = {"classes": [str], "report": dict, "distributions": dict, "samples": dict}
"""Of what :meth:`MaskComparison.to_dict` returns, as a file holds it."""


class MaskPair(NamedTuple):
    """Two masks of one image."""

    sample_id: str
    clean: Path
    noisy: Path


@dataclasses.dataclass(frozen=True, eq=False)
class MaskComparison:
    """The realised noise of mask pairs, in all and image by image; comparisons add with `+`.

    Attributes:
        report: The sum over all pairs.
        sample_ids: The N pairs, in the order in which they were given.
        pixel_rates: (N,) share of each image's valid pixels that differ; NaN without such pixels.
        ious: (N, K) IoU of each class in each image; NaN where neither mask has it.
        one_class: The masks, clean or noisy, that hold one class and void only.
    """

    report: NoiseReport
    sample_ids: tuple[str, ...]
    pixel_rates: np.ndarray
    ious: np.ndarray
    one_class: tuple[str, ...] = ()

    def __add__(self, other: MaskComparison) -> MaskComparison:
        if not isinstance(other, MaskComparison):
            return NotImplemented
        return MaskComparison(
            self.report + other.report,
            self.sample_ids + other.sample_ids,
            np.concatenate([self.pixel_rates, other.pixel_rates]),
            np.concatenate([self.ious, other.ious]),
            self.one_class + other.one_class,
        )

    @property
    def mean_ious(self) -> np.ndarray:
        """(N,) mean IoU of each image over the classes that it has; NaN if it has none."""
        present = ~np.isnan(self.ious)
        total = np.where(present, self.ious, 0).sum(axis=1)
        return np.where(present.any(axis=1), total / np.maximum(present.sum(axis=1), 1), np.nan)

    def distributions(self, classes: Sequence[str]) -> dict[str, dict[str, float | int | None]]:
        """Return how rates and IoUs spread over the images: percentiles 5, 50, 95, and a count."""
        columns = {"pixel rate": self.pixel_rates, "mean IoU": self.mean_ious}
        for name, column in zip(classes, self.ious.T, strict=True):
            columns[f"IoU of {name}"] = column
        return {name: _distribution(column) for name, column in columns.items()}

    def table(self, classes: Sequence[str]) -> str:
        """Return the report's table, and below it how images differ; in percent."""
        rows = []
        for name, spread in self.distributions(classes).items():
            *values, images = spread.values()
            shown = ["-" if value is None else f"{100 * value:.2f}" for value in values]
            rows.append([name, *shown, f"{images:,}"])
        remedy = f"{BLACK_AND_WHITE} --value-map 0=0 255=1 1=1"
        remarks = [Problem(path, ONE_CLASS_AND_VOID, remedy) for path in self.one_class]
        notes = "".join(f"\n\nNote: {words}" for words in sentences(remarks))
        header = ["%, by image", "percentile 5", "median", "percentile 95", "images"]
        return f"{self.report.table(classes)}\n\n{markdown(header, rows)}{notes}"

    def to_dict(self, classes: Sequence[str]) -> dict[str, Any]:
        """Return everything as plain numbers and texts, ready for JSON; NaN becomes None."""
        samples = zip(self.sample_ids, self.pixel_rates, self.ious, strict=True)
        return {
            "classes": list(classes),
            "one_class": list(self.one_class),
            "report": self.report.to_dict(),
            "distributions": self.distributions(classes),
            "samples": {
                name: {"pixel_rate": _number(rate), "iou": [_number(iou) for iou in ious]}
                for name, rate, ious in samples
            },
        }


def pair_masks(clean: Path, noisy: Path, allow_missing: bool = False) -> list[MaskPair]:
    """Match the masks of two folders by their paths below them, without the suffix; sorted by id.

    The error holds all that have no partner, which `allow_missing` passes over.
    """
    ours, theirs = index_folder(clean, None), index_folder(noisy, None)
    shared = {name: same for name in sorted(ours.files) if (same := theirs.same(name))}
    problems = [] if allow_missing else [*_alone(ours, theirs), *_alone(theirs, ours)]
    if problems and shared:
        raise DatasetError(problems, f"{clean} and {noisy}")
    if not shared:
        what = f"no mask of it has the name of one in {clean}"
        raise one_problem(noisy, what, "names must be the same below both folders, bar the suffix")
    return [MaskPair(i, ours.files[i], theirs.files[same]) for i, same in shared.items()]


def compare_masks(
    pairs: Sequence[MaskPair],
    reader: MaskReader,
    *,
    workers: int = 0,
    progress: str | None = None,
) -> MaskComparison:
    """Measure what separates the masks of each pair; the error holds all that cannot be read."""
    total = _none(reader)
    problems: list[Problem] = []
    with progress_bar(len(pairs), progress, "mask") as bar:
        chunks = chunks_of(range(len(pairs)), _CHUNK)
        for part, wrong in map_chunks(_compare_some, (list(pairs), reader), chunks, workers):
            total += part
            problems += wrong
            bar.update(len(part.sample_ids) + len(wrong))
    if problems:
        raise DatasetError(problems, "masks to compare")
    return total


def _compare_some(
    shared: tuple[Sequence[MaskPair], MaskReader], chunk: Sequence[int]
) -> tuple[MaskComparison, list[Problem]]:
    pairs, reader = shared
    total = _none(reader)
    problems: list[Problem] = []
    for index in chunk:
        try:
            total += _compare_one(pairs[index], reader)
        except DatasetError as error:
            problems += error.problems
    return total, problems


def _compare_one(pair: MaskPair, reader: MaskReader) -> MaskComparison:
    clean, noisy = reader(pair.clean), reader(pair.noisy)
    if clean.shape != noisy.shape:
        sizes = [f"{width}x{height}" for height, width in (noisy.shape, clean.shape)]
        what = f"is {sizes[0]}, its partner {pair.clean} {sizes[1]}"
        raise one_problem(pair.noisy, what, "compare masks of one image at one size")
    report = realised_noise(clean, noisy, reader.num_classes, reader.ignore_index)
    rate = np.array([report.pixel_rate])
    masks = {str(pair.clean): clean, str(pair.noisy): noisy}
    void = reader.ignore_index
    one_class = tuple(path for path, ids in masks.items() if one_class_and_void(ids, void))
    return MaskComparison(report, (pair.sample_id,), rate, report.iou[None], one_class)


def _none(reader: MaskReader) -> MaskComparison:
    size = reader.num_classes
    return MaskComparison(NoiseReport.empty(size), (), np.empty(0), np.empty((0, size)))


def _alone(index: FileIndex, other: FileIndex) -> list[Problem]:
    """Return a problem for each mask that the other folder does not have."""
    remedy = "add it, or let masks without partner be passed over (--allow-missing)"
    return [
        other.missing(sample_id, f"missing, the partner of {path}", remedy, index)
        for sample_id, path in index.files.items()
        if other.same(sample_id) is None
    ]


def _distribution(values: np.ndarray) -> dict[str, float | int | None]:
    present = values[~np.isnan(values)]
    found = np.percentile(present, _PERCENTILES).tolist() if present.size else [None, None, None]
    names = ("percentile_5", "median", "percentile_95")
    return {**dict(zip(names, found, strict=True)), "images": int(present.size)}


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
