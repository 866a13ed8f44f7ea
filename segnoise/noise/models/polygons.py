"""Per-object annotation errors: objects drawn too large, too small, shakily or with few clicks."""

from __future__ import annotations

import dataclasses
import numbers
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segnoise.checks import check_rate
from segnoise.noise import parameters
from segnoise.noise.base import Dose, Noise, register
from segnoise.noise.geometry.components import Components, connected_components
from segnoise.noise.geometry.layers import Polygon, Scattered, Shape, redraw
from segnoise.noise.geometry.outlines import Outline, drawn, simplified, trace
from segnoise.noise.geometry.transitions import Rows, matrix_rows
from segnoise.noise.mask import Mask, check_class_ids
from segnoise.noise.sources import Sources

_LARGEST = 1 << 12
_NEAR = 3  # pixels


def _check_flip(name: str, value: Any, noise: Any) -> float | Rows:
    """Return a rate, or the rows of a transition matrix."""
    if isinstance(value, numbers.Real):
        return check_rate(name, value)
    return matrix_rows(value, noise.num_classes)


@register
@dataclasses.dataclass(frozen=True)
class PolygonNoise(Noise):
    """Each object suffers one annotation error at most, and may take another class.

    An object is an 8-connected region of one class, or an instance. Independently of the others,
    each draws one of four fates:

    - with probability `morphology`: it is dilated or eroded, each with probability 1/2, by a
      k x k square: its boundary moves by (k - 1) / 2 pixels. The image's border is no boundary.
    - with probability `jitter`: every vertex of its outlines moves by N(0, sigma^2) in x and
      in y, rounded to pixels, each on its own.
    - with probability `simplify`: its outlines are simplified by Douglas-Peucker with `tolerance`
      pixels, as by `CoarsePolygon`.
    - else its shape stays.

    Outlines run through the centres of an object's outermost pixels, around its holes too. The
    object becomes the pixels that an odd number of outlines encloses, and those on an outline.
    With `class_flip` = r, also independently, it takes with probability r another class, drawn
    uniformly from the others of `classes`, or from all of `classes` with `include_self`; with a
    transition matrix T it takes class j with probability T[i, j].

    Which vertices: those of a traced outline are all corners of its pixels, so that slanted
    edges have one every few pixels and straight edges none. Jitter then frays the former and
    tilts the latter. An annotator's polygon has vertices where the boundary bends: they are found
    by simplifying the outline with `vertex_tolerance`. With 0 all corners move.

    Objects are a pile with the largest at the bottom (see `layers.redraw`): a new shape covers
    larger objects, and smaller ones cover it, whether they changed or not. What an object leaves
    behind takes the fill. Vertices move object by object, those of single pixels last.

    `scale` = s is the dose. It multiplies sigma, the tolerance, the boundary's shift (k - 1) / 2
    and each class's chance of a flip, up to 1, but not the three shares. A shift between two
    integers becomes either at random, such that it is right on average. The draws of a mask are
    the same at every dose.

    Source: COCO-N and Cityscapes-N (arXiv 2406.10891; "scale", "localization" and "approximation"
    noise). `build_noise("coco-n-easy", num_classes=K)`, and -medium and -hard, are its levels, and
    differ in this: as instances overlap there, holes are filled, whereas in a mask of all classes
    a hole may hold something larger than the object, and stays; parts that simplification leaves
    fewer than four vertices are dropped there, and stay here too. Those sets have things only:
    list them in `classes`, unless roads and skies are to change too.

    Args:
        num_classes: K; ids 0 to K-1.
        morphology: Share of the objects that are dilated or eroded.
        jitter: Share of the objects whose vertices move.
        simplify: Share of the objects that are simplified; the three add up to 1 at most.
        kernel: k, in pixels; odd, from 1 to 4095.
        sigma: Standard deviation of a vertex's shift along each axis, in pixels; from 0 to 4096.
        tolerance: Of Douglas-Peucker, in pixels; from 0 to 4096.
        class_flip: r, from 0 to 1, or T as K rows of K probabilities or in a short form (see
            `segnoise.noise.transition_matrix`); T is kept resolved, as a tuple of tuples.
        include_self: Whether the class that a rate draws may be the true one: then only the share
            r (m - 1) / m of the objects flips, with m classes that take part.
        vertex_tolerance: Of Douglas-Peucker, in pixels, to choose the vertices that jitter moves.
        scale: s, from 0 to 8; 0 changes nothing.
        fill: What vacated pixels become: "neighbor" (the label of the nearest other object),
            "void", or a class id.
        classes: Ids of the classes whose objects take part; None stands for all.
        regions: What an object is: "components" or "instances", see `RegionSwap`.
        ignore_index: Void; stays as it is.

    Raises:
        ValueError: If the shares exceed 1, or there is no other class to flip to; on a call, if
            the mask holds an id that is neither a class nor void.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import PolygonNoise, generator
        >>> mask = np.zeros((5, 8), np.uint8)
        >>> mask[1:4, 2:6] = 1
        >>> noise = PolygonNoise(num_classes=2, morphology=1, jitter=0, simplify=0, classes=[1])
        >>> [int(noise(mask, generator(0, name)).sum()) for name in "abcd"]
        [2, 30, 2, 2]
    """

    DOSE = Dose("scale", high=8.0)

    num_classes: int = parameters.integer(1)
    morphology: float = parameters.rate(default=0.2)
    jitter: float = parameters.rate(default=0.2)
    simplify: float = parameters.rate(default=0.2)
    kernel: int = parameters.integer(1, _LARGEST, default=3)
    sigma: float = parameters.number(0, _LARGEST, default=2.0)
    tolerance: float = parameters.number(0, _LARGEST, default=5.0)
    class_flip: float | tuple[tuple[float, ...], ...] = parameters.parameter(
        _check_flip, default=0.0
    )
    include_self: bool = parameters.flag(default=False)
    vertex_tolerance: float = parameters.number(0, _LARGEST, default=1.0)
    scale: float = parameters.number(0, DOSE.high, default=1.0)
    fill: str | int = parameters.fill()
    classes: tuple[int, ...] | None = parameters.classes()
    regions: str = parameters.regions("components", "instances")
    ignore_index: int = parameters.void()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, not {self.kernel}: it would shift the object")
        if (total := self.morphology + self.jitter + self.simplify) > 1 + 1e-9:
            raise ValueError(
                f"morphology={self.morphology}, jitter={self.jitter} and simplify={self.simplify} "
                f"add up to {total:.4g}, more than all objects"
            )
        if self.classes and self.classes[-1] >= self.num_classes:
            raise ValueError(
                f"classes lists {self.classes[-1]}, but there are {self.num_classes} classes "
                f"(0 to {self.num_classes - 1})"
            )
        alone = len(self._choices()) < 2 and not self.include_self
        if alone and isinstance(self.class_flip, float) and self.class_flip:
            raise ValueError(
                f"class_flip={self.class_flip} needs a second class to flip to: list more in "
                "classes, give a transition matrix, or set it to 0"
            )

    def _corrupt(self, mask: Mask, rng: np.random.Generator, sources: Sources) -> Mask:
        check_class_ids(mask, self.num_classes, self.ignore_index)
        found = connected_components(mask, self.ignore_index, sources.instances)
        # As many numbers for every object, so that no parameter shifts the draws of the others.
        share, direction, rounding, flip, target = rng.random((5, len(found)))
        limits = np.cumsum([self.morphology, self.jitter, self.simplify])
        fates = np.searchsorted(limits, share, side="right").tolist()
        shift = np.floor(self.scale * (self.kernel - 1) / 2 + rounding).astype(int)
        shift[direction >= 0.5] *= -1
        labels = self._flipped(found.label.astype(np.intp), flip, target).tolist()
        takes_part = np.ones(len(found), bool)
        if self.classes is not None:
            takes_part = np.isin(found.label, self.classes)
        shapes: dict[int, Shape | Polygon] = {}
        dots = takes_part & (found.area == 1)
        dots &= (np.array(fates) != 0) | (shift <= _NEAR)  # larger squares are painted one by one
        for number in np.flatnonzero(takes_part & ~dots).tolist():
            fate, label = fates[number], labels[number]
            if fate == 0 and shift[number]:
                shapes[number] = _moved(found, number, int(shift[number]), label)
            elif fate == 1 and self.scale * self.sigma:
                lines = self._jittered(trace(found, number), rng, mask.shape)
                shapes[number] = drawn(lines, label, mask.shape)
            elif fate == 2 and self.scale * self.tolerance and found.area[number] > 3:
                shapes[number] = Polygon(self._simplified(trace(found, number)), label)
            elif label != found.label[number]:
                shapes[number] = _moved(found, number, 0, label)
        scattered = self._dots(found, dots, np.array(fates), shift, np.array(labels), rng)
        return redraw(
            mask, found, shapes, shapes.__getitem__, self.fill, self.ignore_index, scattered
        )

    def _dots(
        self,
        objects: Components,
        dots: NDArray[np.bool_],
        fates: NDArray[np.intp],
        shift: NDArray[np.intp],
        labels: NDArray[np.intp],
        rng: np.random.Generator,
    ) -> Scattered:
        """Return what becomes of objects of one pixel, of which noisy masks are full."""
        number = np.flatnonzero(dots)
        row, column = objects.box[number, :2].T.copy()
        fate, change, size = fates[number], shift[number], objects.index.shape
        jittered = np.flatnonzero(fate == 1)
        offset = self.scale * self.sigma * rng.standard_normal((len(jittered), 2))
        for place, side, along in ((column, size[1], 0), (row, size[0], 1)):
            far = (place[jittered] + offset[:, along]).clip(-side, 2 * side)
            place[jittered] = np.rint(far).astype(np.intp)
        # A square around it; nothing of it if it is eroded, unless it is all that there is.
        reach = np.where(fate == 0, change, 0)
        if size == (1, 1):
            reach[:] = 0
        owner, rows, columns = [], [], []
        for step in np.unique(reach[reach >= 0]).tolist():
            of, square = np.flatnonzero(reach == step), np.arange(-step, step + 1)
            shape = of.size, square.size, square.size
            owner.append(np.broadcast_to(number[of, None, None], shape).ravel())
            rows.append(np.broadcast_to(row[of, None, None] + square[:, None], shape).ravel())
            columns.append(np.broadcast_to(column[of, None, None] + square, shape).ravel())
        empty = np.empty(0, np.intp)
        pixels = (np.concatenate([empty, *parts]) for parts in (owner, rows, columns))
        return Scattered(number, labels[number], *pixels)

    def _jittered(
        self, outlines: list[Outline], rng: np.random.Generator, shape: tuple[int, ...]
    ) -> list[Outline]:
        sigma, size = self.scale * self.sigma, np.array(shape[::-1])
        bent = [simplified(outline, self.vertex_tolerance) for outline in outlines]
        moved = [outline + sigma * rng.standard_normal(outline.shape) for outline in bent]
        # However large sigma is, what lies further away than that need not be drawn.
        return [np.rint(line.clip(-size, 2 * size)).astype(np.int32) for line in moved]

    def _simplified(self, outlines: list[Outline]) -> list[Outline]:
        return [simplified(outline, self.scale * self.tolerance) for outline in outlines]

    def _choices(self) -> NDArray[np.intp]:
        """Return the classes that trade labels when `class_flip` is a rate."""
        return np.array(self.classes or range(self.num_classes), np.intp)

    def _flipped(
        self, label: NDArray[np.intp], flip: NDArray[np.float64], target: NDArray[np.float64]
    ) -> NDArray[np.intp]:
        """Return the labels of objects after the flips, given two uniform numbers for each."""
        if isinstance(self.class_flip, float):
            choices = self._choices()
            other = np.floor(target * (len(choices) - 1)).astype(np.intp)
            other += other >= np.searchsorted(choices, label)
            self_too = (len(choices) - 1) / len(choices) if self.include_self else 1.0
            chance = np.array(self.class_flip * self_too)
            taken = choices[np.minimum(other, len(choices) - 1)]
        else:
            away = np.array(self.class_flip)
            np.fill_diagonal(away, 0)
            reached = np.cumsum(away, axis=1)[label]
            chance = reached[:, -1]
            taken = np.sum(target[:, None] * chance[:, None] >= reached, axis=1)
        return np.where(flip < self.scale * chance, taken, label)


def _moved(objects: Components, number: int, shift: int, label: int) -> Shape:
    """Return an object dilated by a number of pixels, or eroded if it is negative."""
    top, left, bottom, right = objects.box[number].tolist()
    margin = max(shift, 1)  # to erode, a rim of one pixel shows where the object ends
    top, left = max(top - margin, 0), max(left - margin, 0)
    window = objects.index[top : bottom + margin, left : right + margin]
    region = (window == number).view(np.uint8)
    height, width = (2 * min(abs(shift), size) + 1 for size in region.shape)
    change = cv2.dilate if shift > 0 else cv2.erode
    moved = change(region, np.ones((height, width), np.uint8))
    return Shape(top, left, moved.view(np.bool_), label)
