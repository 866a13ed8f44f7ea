"""A gallery of noise models at equal dose: what each does to the same masks."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from tqdm import tqdm

from segnoise.checks import check_choice, check_integer, check_number
from segnoise.datasets.base import LabelledImages
from segnoise.datasets.labels.noisy_labels import NoisyLabels, built_model
from segnoise.datasets.wrapped import labelled
from segnoise.drawing import VOID_COLOR, colorize, grid, legend, overlay
from segnoise.errors import ConfigError, DataError
from segnoise.inspection.gallery_style import CELL, STYLE, VIEWS
from segnoise.noise import (
    AsymmetricFlip,
    Calibration,
    Noise,
    NoiseReport,
    calibrate,
    realised_noise,
)
from segnoise.pages import escape, page, picture_uri
from segnoise.pictures import shown
from segnoise.tables import markdown

_MEASURES = {
    "pixel_rate": "{:g} % of the pixels changed",
    "miou": "mIoU of {:g} % between clean and noisy labels",
    "boundary_rate": "{:g} % changed of the pixels near boundaries",
}
_TO_VOID = (233, 30, 140)  # void's own colour would not be told from the pale picture


class Cell(NamedTuple):
    """An image's labels under one noise, and what it did to them."""

    noisy: np.ndarray
    report: NoiseReport


@dataclasses.dataclass(frozen=True)
class Gallery:
    """Images (rows) under noise models at equal dose (columns)."""

    columns: Mapping[str, Calibration]  # by title
    samples: Sequence[Mapping[str, Any]]
    cells: Sequence[Sequence[Cell]]
    metainfo: Mapping[str, Any]
    measure: str
    target: float
    failures: Mapping[str, str]  # title -> why a model could not be brought to the target

    def png(self) -> np.ndarray:
        """Return the differences of all cells as one picture, (H, W, 3)."""
        palette = self.metainfo["palette"]
        rows = []
        for sample, cells in zip(self.samples, self.cells, strict=True):
            image, clean = _small(shown(sample["image"])), sample["mask"]
            row = [image, overlay(image, _small(clean), palette)]
            rows.append(row + [_view("difference", sample, cell, palette) for cell in cells])
        heads = [
            title if found.hit else f"{title} (missed: {100 * found.reached:.1f} %)"
            for title, found in self.columns.items()
        ]
        titles = ["image", "clean labels", *heads]
        names = [sample["sample_id"] for sample in self.samples]
        classes, void = self._shown()
        names_shown = [self.metainfo["classes"][label] for label in classes]
        colors = [palette[label] for label in classes]
        key = legend(names_shown, colors, len(titles) * CELL, void)
        return grid(rows, titles, names, key, CELL)

    def table(self) -> str:
        """Return what each model was set to, as text."""
        rows = []
        for title, found in self.columns.items():
            reached = f"{100 * found.reached:.1f}" + ("" if found.hit else " (missed)")
            spread = "-" if math.isnan(found.spread) else f"{100 * found.spread:.1f}"
            rows.append([title, _brief(found.noise), reached, spread])
        header = ["noise", "model", f"{self.measure} %", "± over masks"]
        failed = [f"{title} is left out: {why}" for title, why in self.failures.items()]
        return "\n".join([markdown(header, rows, left=(0, 1)), *failed])

    def html(self) -> str:
        """Return the gallery as a self-contained page; the view is chosen by three buttons."""
        title = f"Noise at equal dose: {_MEASURES[self.measure].format(100 * self.target)}"
        buttons = "".join(
            f'<input class="view" type="radio" name="view" id="view-{view}"'
            f"{' checked' if view == 'difference' else ''}>"
            for view in VIEWS
        )
        labels = "".join(f'<label for="view-{view}">{view}</label>' for view in VIEWS)
        head = (
            f'<header><div class="bar"><h1>{escape(title)}</h1>'
            f'<div class="views" role="group" aria-label="what the columns show">{labels}</div>'
            "</div></header>"
        )
        about = (
            '<p class="text faint">Difference: changed pixels in the colour of what they became; '
            f"pink became void.</p>{self._legend()}"
        )
        heads = "".join(map(_column_head, self.columns, self.columns.values()))
        rows = "".join(map(self._row, range(len(self.samples))))
        table = f"<table><thead><tr><th>image</th>{heads}</tr></thead><tbody>{rows}</tbody></table>"
        failed = "".join(
            f'<p class="text faint"><b>{escape(name)}</b> is left out: {escape(why)}</p>'
            for name, why in self.failures.items()
        )
        body = f"{buttons}{head}<main>{about}{table}{failed}</main>"
        return page(title, body, STYLE + self._clean_pictures())

    def _clean_pictures(self) -> str:
        """Return CSS that holds each row's clean picture once, for all its cells."""
        rules = []
        for number, sample in enumerate(self.samples):
            image = _small(shown(sample["image"]))
            picture = overlay(image, _small(sample["mask"]), self.metainfo["palette"])
            height, width = picture.shape[:2]
            rules.append(
                f".row-{number} .clean {{ aspect-ratio: {width} / {height}; background: "
                f"url({picture_uri(picture)}) center / 100% 100%; }}"
            )
        return "\n".join(rules)

    def _legend(self) -> str:
        classes, void = self._shown()
        names, palette = self.metainfo["classes"], self.metainfo["palette"]
        entries = [(names[label], tuple(map(int, palette[label]))) for label in classes]
        keys = "".join(
            f"<span><i style='background: rgb{color}'></i>{escape(name)}</span>"
            for name, color in entries + [("void", VOID_COLOR)] * void
        )
        return f'<div class="text legend">{keys}</div>'

    def _shown(self) -> tuple[list[int], bool]:
        """Return the classes in any of the masks, clean or noisy, and whether void is in one."""
        masks = [sample["mask"] for sample in self.samples]
        masks += [cell.noisy for cells in self.cells for cell in cells]
        labels = sorted({label for mask in masks for label in np.unique(mask).tolist()})
        classes = [label for label in labels if label < len(self.metainfo["classes"])]
        return classes, len(classes) < len(labels)

    def _row(self, number: int) -> str:
        sample, palette = self.samples[number], self.metainfo["palette"]
        name = escape(sample["sample_id"])
        image = picture_uri(_small(shown(sample["image"])))
        cells = [
            f'<td><figure><img src="{image}" alt="image {name}">'
            f"<figcaption>{name}</figcaption></figure></td>"
        ]
        for title, cell in zip(self.columns, self.cells[number], strict=True):
            about = escape(f"{title} on {sample['sample_id']}")
            pictures = [
                f'<div class="picture clean" role="img" aria-label="clean labels of {name}"></div>'
            ]
            for view in ("noisy", "difference"):
                address = picture_uri(_view(view, sample, cell, palette))
                pictures.append(
                    f'<img class="{view}" src="{address}" alt="{view} labels: {about}">'
                )
            rates = (100 * cell.report.pixel_rate, 100 * cell.report.mean_iou)
            caption = "{:.1f} % changed, mIoU {:.1f}".format(*rates)
            cells.append(
                f"<td><figure>{''.join(pictures)}<figcaption>{caption}</figcaption></figure></td>"
            )
        return f'<tr class="row-{number}">{"".join(cells)}</tr>'


def noise_gallery(
    dataset: LabelledImages,
    noises: Mapping[str, Any],
    *,
    target: float = 0.1,
    measure: str = "pixel_rate",
    images: int = 4,
    sample: int = 32,
    seed: int = 0,
    progress: bool = False,
) -> Gallery:
    """Bring noise models to one dose on a data set, and apply them to some of its images.

    `noises` are models or configs by title, `images` rows spread evenly over the data set, and
    `sample` masks to calibrate on. Models that cannot be built, do not fit the data or cannot reach
    the target are in the gallery's `failures`.

    Raises:
        ConfigError: If all models fail, or an argument is out of range.
        DataError: If a sample cannot be read.
    """
    dataset = labelled(dataset)
    check_number("target", target, above=0, most=1)
    check_integer("images", images, 1)
    check_integer("sample", sample, 1)
    check_choice("measure", measure, _MEASURES)
    columns: dict[str, Calibration] = {}
    failures: dict[str, str] = {}
    for title, config in tqdm(noises.items(), "calibrating", unit="noise", disable=not progress):
        try:
            noise = built_model(config, dataset.metainfo)
            NoisyLabels(dataset, noise, seed)  # has the data what the model needs?
            columns[title] = calibrate(noise, dataset, target, measure, seed, sample=sample)
        except DataError:
            raise  # the files', not the model's
        except (TypeError, ValueError) as error:
            failures[title] = str(error)
    if not columns:
        reasons = [f"{title}: {why}" for title, why in failures.items()] or ["none is given"]
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        raise ConfigError(f"no noise can be shown on {dataset!r}: {reasons[0]}{more}")
    last = len(dataset) - 1
    indices = np.unique(np.linspace(0, last, min(images, len(dataset))).round().astype(int))
    noisy_sets = [NoisyLabels(dataset, found.noise, seed) for found in columns.values()]
    num_classes, ignore_index = len(dataset.metainfo["classes"]), dataset.metainfo["ignore_index"]

    def cell(noisy_set: NoisyLabels, index: int) -> Cell:
        clean, noisy = noisy_set.load_masks(index)
        return Cell(noisy, realised_noise(clean, noisy, num_classes, ignore_index))

    cells = [[cell(noisy_set, index) for noisy_set in noisy_sets] for index in indices.tolist()]
    samples = [dataset[index] for index in indices.tolist()]
    return Gallery(columns, samples, cells, dataset.metainfo, measure, target, failures)


def default_noises(dataset: LabelledImages) -> dict[str, Any]:
    """Return one noise of each kind that a data set can serve, with titles.

    Objects are those of all classes but the one that covers most pixels of a few masks.
    """
    num_classes = len(dataset.metainfo["classes"])
    pixels = np.zeros(num_classes, np.int64)
    for index in np.unique(np.linspace(0, len(dataset) - 1, 8).astype(int)).tolist():
        mask = dataset.load_mask(index)
        pixels += np.bincount(mask[mask < num_classes], minlength=num_classes)
    things = [label for label in range(num_classes) if label != pixels.argmax()]
    return {
        "symmetric flips": {"type": "SymmetricFlip", "rate": 0.1},
        "pair flips": {
            "type": "AsymmetricFlip",
            "transition_matrix": {"pair": num_classes, "rate": 0.1},
        },
        "feature-dependent": {"type": "FeatureDependent", "rate": 0.1},
        "erosion": {"type": "BoundaryErosion", "width": 2},
        "dilation": {"type": "BoundaryDilation", "width": 2},
        "opening": {"type": "BoundaryOpening", "width": 2},
        "closing": {"type": "BoundaryClosing", "width": 2},
        "jitter": {"type": "BoundaryJitter", "std": 3.0, "length": 20.0},
        "Markov walk": {
            "type": "MarkovBoundary",
            "steps": 50,
            "expand": 0.8,
            "boundary_flip": 0.05,
            "pixel_flip": 0.0,
        },
        "distance transform": {"type": "DistanceMorphology", "low": 1.0, "high": 5.0},
        "area-controlled": {"type": "AreaControlled", "alpha": 1.0, "beta": 0.3},
        "annotators": {"type": "Annotators"},
        "polygon noise": {
            "type": "PolygonNoise",
            "morphology": 0.25,
            "jitter": 0.25,
            "simplify": 0.25,
        },
        "coarse polygons": {"type": "CoarsePolygon", "tolerance": 4.0},
        "boxes": {"type": "BoxMask", "rate": 0.5, "classes": things},
        "hulls": {"type": "HullMask", "rate": 0.5, "classes": things},
        "shift": {"type": "Shift", "distance": 3.0},
        "rotation": {"type": "Rotate", "angle": 5.0},
        "elastic": {"type": "Elastic", "amplitude": 4.0, "length": 30.0},
        "region swap": {"type": "RegionSwap", "rate": 0.2, "classes": things},
        "omission": {"type": "Omission", "rate": 0.3, "classes": things},
        "spurious objects": {"type": "SpuriousObjects", "count": 3.0, "classes": things},
        "void dropout": {"type": "VoidDropout", "rate": 0.1, "regions": "components"},
    }


def _column_head(title: str, found: Calibration) -> str:
    reached = f"{100 * found.reached:.1f}"
    if math.isnan(found.spread):
        about = f"{reached} % on {found.num_masks} mask{'s' * (found.num_masks != 1)}"
    else:
        about = f"{reached} ± {100 * found.spread:.1f} % on {found.num_masks} masks"
    missed = "" if found.hit else f'<small class="missed">missed: reached {reached} %</small>'
    return (
        f"<th>{escape(title)}<code>{escape(_brief(found.noise))}</code>"
        f"{missed}<small>{escape(found.measure)} {about}</small></th>"
    )


def _brief(noise: Noise) -> str:
    """Return a model's repr without what goes without saying: defaults and number of classes."""
    if isinstance(noise, AsymmetricFlip):
        return f"AsymmetricFlip(dose {noise.dose:.3g})"
    told = [
        f"{field.name}={_short(getattr(noise, field.name))}"
        for field in dataclasses.fields(noise)
        if field.name != "num_classes" and getattr(noise, field.name) != field.default
    ]
    return f"{type(noise).__name__}({', '.join(told)})"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else repr(value)


def _view(
    view: str, sample: Mapping[str, Any], cell: Cell, palette: Sequence[Sequence[int]]
) -> np.ndarray:
    """Return the picture of a cell."""
    image, noisy = _small(shown(sample["image"])), _small(cell.noisy)
    if view == "noisy":
        return overlay(image, noisy, palette)
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    pale = (255 - (255 - grey.astype(np.int32)) * 2 // 5).astype(np.uint8)
    changed = (noisy != _small(sample["mask"]))[..., None]
    return np.where(changed, _visible(colorize(noisy, palette, _TO_VOID)), pale)


def _visible(colors: np.ndarray) -> np.ndarray:
    """Return colours that stand out from a pale picture: near white becomes darker."""
    bright = colors.min(axis=2, keepdims=True) > 190
    return np.where(bright, (colors * 0.6).astype(np.uint8), colors)


def _small(picture: np.ndarray) -> np.ndarray:
    """Return a picture or a mask at twice the cell's width at most, without mixing its labels."""
    height, width = picture.shape[:2]
    if width <= 2 * CELL:
        return picture
    how = cv2.INTER_AREA if picture.ndim == 3 else cv2.INTER_NEAREST
    size = (2 * CELL, max(1, round(height * 2 * CELL / width)))
    return np.asarray(cv2.resize(picture, size, interpolation=how))
