"""The noise of real annotators on single cells, in the numbers that a noise model needs.

Reads the masks of the BU-BIL cells as docs/noise_real.md describes them, judges each rater's
against the gold standard, and writes the statistics of every rater, of the crowd and of the
experts, over all images and for each of the five data sets. A simulated annotator (--noise) is
measured in the same way, so that the two can be compared.

    python benchmarks/real_noise.py FOLDER --out statistics.json
    python benchmarks/real_noise.py FOLDER --noise "BoundaryErosion(width=3)"
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segnoise.datasets.files.masks import MaskReader
from segnoise.engine import notation
from segnoise.files import write_json
from segnoise.inspection.compare import pair_masks
from segnoise.noise import NoiseReport, build_noise, generator, realised_noise
from segnoise.noise.report.displacement import boundary_displacement
from segnoise.tables import markdown

READ = MaskReader(2)
GROSS = 0.5  # images with less IoU say nothing about outlines: the rater drew something else
Record = dict[str, Any]


def measured(clean: np.ndarray, noisy: np.ndarray) -> Record:
    """Return the report and the measures of one pair of masks with a cell (1) each."""
    report = realised_noise(clean, noisy, 2)
    cell, drawn = clean == 1, noisy == 1
    record = {
        "report": report,
        "iou": report.iou[1],
        "area_ratio": drawn.sum() / cell.sum(),
        "diameter_px": 2 * math.sqrt(cell.sum() / math.pi),
    }
    if record["iou"] < GROSS:
        return record
    moved = boundary_displacement(cell, drawn)
    centers = [np.argwhere(region).mean(axis=0) for region in (cell, drawn)]
    shift = float(np.hypot(*(centers[1] - centers[0])))
    return record | {
        "shift_px": shift,
        "shift_of_diameter": shift / moved.diameter,
        "offset_px": moved.mean,
        "offset_of_diameter": moved.mean / moved.diameter,
        "offset_sd_px": moved.sd,
        "offset_sd_of_diameter": moved.sd / moved.diameter,
        "offset_correlation_px": moved.correlation_length,
        "offset_correlation_of_perimeter": moved.correlation_length / moved.perimeter,
    }


def statistics(records: Sequence[Record]) -> dict[str, Any]:
    """Return what a set of records has in common, and how they spread."""
    total: NoiseReport = sum((r["report"] for r in records), NoiseReport.empty(2))
    found = {
        "images": len(records),
        "pixel_rate": total.pixel_rate,
        "cell_iou": float(total.iou[1]),
        "boundary_share": total.boundary_share(),
        "boundary_rate": total.boundary_rate(),
        "correlation_length": total.correlation_length,
        "missed": total.confusion[1, 0] / total.class_pixels[1],
        "invented": total.confusion[0, 1] / total.class_pixels[1],
        "lost_objects": total.lost_objects[1] / total.clean_objects[1],
        "added_objects": total.added_objects[1] / total.clean_objects[1],
        "gross": float(np.mean([r["iou"] < GROSS for r in records])),
    }
    names = dict.fromkeys(name for record in records for name in record if name != "report")
    for name in names:
        values = np.array([record[name] for record in records if name in record])
        found[name] = spread(values[~np.isnan(values)])
    return found


def spread(values: np.ndarray) -> dict[str, float]:
    """Return mean, standard deviation and percentiles."""
    levels = (5, 25, 50, 75, 95)
    percentiles = {
        f"p{n}": float(v) for n, v in zip(levels, np.percentile(values, levels), strict=True)
    }
    return {"mean": float(values.mean()), "sd": float(values.std()), **percentiles}


def over_raters(items: Sequence[Any]) -> Any:
    """Return the mean and the standard deviation of each number over the raters."""
    if isinstance(items[0], Mapping):
        return {name: over_raters([item[name] for item in items]) for name in items[0]}
    values = np.array(items, float)
    return {"mean": float(values.mean()), "sd": float(values.std(ddof=1)) if len(items) > 1 else 0}


def raters(folder: Path) -> dict[str, dict[str, dict[str, Record]]]:
    """Return the records of each rater of the crowd and of the experts, by image.

    Expert masks that are the gold standard to the pixel are passed over.
    """
    found: dict[str, dict[str, dict[str, Record]]] = {"crowd": {}, "experts": {}}
    for path in sorted((folder / "Raters").iterdir()):
        group = "crowd" if path.name.startswith("mturk") else "experts"
        records = {}
        for pair in pair_masks(folder / "SegmentationClass", path, allow_missing=True):
            clean, noisy = READ(pair.clean), READ(pair.noisy)
            if group == "crowd" or not np.array_equal(clean, noisy):
                records[pair.sample_id] = measured(clean, noisy)
        if records:
            found[group][path.name] = records
    return found


def simulated(folder: Path, noise: Callable[..., np.ndarray], seeds: Iterable[int]) -> Any:
    """Return the records of one simulated rater a seed."""
    masks = {p.stem: READ(p) for p in sorted((folder / "SegmentationClass").glob("*.png"))}
    return {
        f"seed {seed}": {
            name: measured(mask, noise(mask, generator(seed, "noise", name)))
            for name, mask in masks.items()
        }
        for seed in seeds
    }


def summarised(group: Mapping[str, Mapping[str, Record]]) -> dict[str, Any]:
    """Return the statistics of a group of raters: of each, of all images, of each data set."""
    found: dict[str, Any] = {}
    for subset in ("all", "d1", "d2", "d3", "d4", "d5"):
        by_rater = {
            rater: chosen
            for rater, records in group.items()
            if (chosen := [r for n, r in records.items() if subset in ("all", n.split("_")[0])])
        }
        each = {rater: statistics(records) for rater, records in by_rater.items()}
        found[subset] = {
            "raters": each,
            "over_raters": over_raters(list(each.values())),
            "pooled": statistics([r for records in by_rater.values() for r in records]),
        }
    return found


ROWS = {  # what a table shows: title, keys, factor, decimals
    "raters": None,
    "masks": None,
    "diameter of cell, median, px": ("diameter_px.p50", 1, 0),
    "pixels changed, %": ("pixel_rate", 100, 2),
    "IoU of cell, all pixels, %": ("cell_iou", 100, 1),
    "IoU of cell, median image, %": ("iou.p50", 100, 1),
    "IoU of cell, percentile 5, %": ("iou.p5", 100, 1),
    "IoU of cell, percentile 95, %": ("iou.p95", 100, 1),
    "images with IoU < 50 %, %": ("gross", 100, 1),
    "cell pixels missed, %": ("missed", 100, 1),
    "invented, % of cell pixels": ("invented", 100, 1),
    "area drawn / true, mean": ("area_ratio.mean", 1, 3),
    "area drawn / true, sd": ("area_ratio.sd", 1, 3),
    "changes within 3 px, %": ("boundary_share", 100, 1),
    "changed within 3 px, %": ("boundary_rate", 100, 1),
    "correlation of errors, px": ("correlation_length", 1, 1),
    "cells lost, %": ("lost_objects", 100, 1),
    "cells added, %": ("added_objects", 100, 1),
    "offset, mean, px": ("offset_px.mean", 1, 2),
    "offset, sd over images, px": ("offset_px.sd", 1, 2),
    "offset, mean, % of diameter": ("offset_of_diameter.mean", 100, 2),
    "offset, sd over images, % of diameter": ("offset_of_diameter.sd", 100, 2),
    "shift of center, median, % of diameter": ("shift_of_diameter.p50", 100, 2),
    "sd along outline, median, px": ("offset_sd_px.p50", 1, 2),
    "sd along outline, median, % of diameter": ("offset_sd_of_diameter.p50", 100, 2),
    "correlation along outline, median, px": ("offset_correlation_px.p50", 1, 1),
    "same, % of perimeter": ("offset_correlation_of_perimeter.p50", 100, 1),
}


def looked_up(found: Mapping[str, Any], path: str) -> Any:
    """Return an entry of nested dictionaries, such as "iou.p50"."""
    for name in path.split("."):
        found = found[name]
    return found


def group_table(columns: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a table with one column a group: mean over its raters, and their spread."""
    rows = []
    for title, cell in ROWS.items():
        row = [title]
        for part in columns.values():
            if cell is None:
                count = len(part["raters"]) if title == "raters" else part["pooled"]["images"]
                row.append(f"{count:,}")
                continue
            path, factor, digits = cell
            value = looked_up(part["over_raters"], path)
            row.append(f"{factor * value['mean']:.{digits}f} ± {factor * value['sd']:.{digits}f}")
        rows.append(row)
    return markdown(["mean ± sd over raters", *columns], rows)


RATER_COLUMNS = {
    "changed %": ("pixel_rate", 100, 2),
    "IoU %": ("cell_iou", 100, 1),
    "median IoU %": ("iou.p50", 100, 1),
    "gross %": ("gross", 100, 1),
    "area ratio": ("area_ratio.mean", 1, 3),
    "in 3 px %": ("boundary_share", 100, 1),
    "offset %": ("offset_of_diameter.mean", 100, 2),
    "sd %": ("offset_sd_of_diameter.p50", 100, 2),
}


def rater_table(part: Mapping[str, Any]) -> str:
    """Return a table with one row a rater."""
    rows = []
    for name, found in part["raters"].items():
        cells = [f"{f * looked_up(found, path):.{n}f}" for path, f, n in RATER_COLUMNS.values()]
        rows.append([name, f"{found['images']}", *cells])
    return markdown(["rater", "masks", *RATER_COLUMNS], rows)


def finite(value: Any) -> Any:
    """Replace NaN and infinity, which JSON does not have, by None."""
    if isinstance(value, dict):
        return {name: finite(item) for name, item in value.items()}
    return value if math.isfinite(value) else None


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="holds SegmentationClass and Raters")
    parser.add_argument("--noise", help="measure this noise model on the gold masks instead")
    parser.add_argument("--seeds", type=int, default=3, help="raters that --noise simulates")
    parser.add_argument("--out", type=Path, help="JSON file of all statistics")
    settings = parser.parse_args()
    if settings.noise:
        noise = build_noise(notation.part(settings.noise, "noise model"))
        groups = {"simulated": simulated(settings.folder, noise, range(settings.seeds))}
    else:
        groups = raters(settings.folder)
    found = {name: summarised(group) for name, group in groups.items()}
    for name, group in groups.items():
        reports = [record["report"] for records in group.values() for record in records.values()]
        total = sum(reports, NoiseReport.empty(2)).table(["background", "cell"])
        print(f"{name}, all raters together\n\n{total}", end="\n\n")
    print(group_table({name: part["all"] for name, part in found.items()}), end="\n\n")
    for name, part in found.items():
        subsets = {f"{name}, {s}": part[s] for s in part if s != "all"}
        print(group_table(subsets), rater_table(part["all"]), sep="\n\n", end="\n\n")
    if settings.out:
        write_json(settings.out, finite(found))


if __name__ == "__main__":
    main()
