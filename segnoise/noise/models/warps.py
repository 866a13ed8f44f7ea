"""Random shift, rotation and elastic distortion of masks against their images."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnoise.noise import parameters
from segnoise.noise.base import Dose, Noise, register
from segnoise.noise.geometry.components import Components, connected_components
from segnoise.noise.geometry.layers import Scattered, Shape, pixels_of, redraw
from segnoise.noise.geometry.resampling import Coordinates, rotated, rotation, warp
from segnoise.noise.geometry.smooth_field import LARGEST_LENGTH, SmoothField
from segnoise.noise.mask import Mask, planes
from segnoise.noise.sources import Sources

_SMALL = 64  # pixels; objects that are shifted pixel by pixel rather than one by one


@register
@dataclasses.dataclass(frozen=True)
class Shift(Noise):
    """The mask, or each object, lies a given distance off, in a random direction.

    The offset is distance * (sin t, cos t) pixels down and to the right, with an angle t that is
    uniform on the circle. Either part is rounded up or down to a whole number, at random such that
    it is right on average. The distance itself is not random, so that all masks get the same dose;
    for a random one, list several shifts in `OneOf`.

    - regions="mask": one offset for all. Pixel p takes the label at p - offset; with
      fill="neighbor", what lies outside the image continues the nearest pixel of the border.
    - regions="components" or "instances" (see `RegionSwap`): each gets an offset of its own. Larger
      ones are laid down first. None is moved further down or right, up or left, than leaves a row
      and a column of its bounding box inside the mask: beyond that, a greater distance does not do
      more.

    A pixel that its label leaves, and that nothing moves onto, takes the fill. Void does not move:
    it stays where it is, and nothing moves onto pixels where void would have come to lie.

    Source: the misregistration of maps and aerial images, which Mnih and Hinton (Learning to
    label aerial images from noisy data, ICML 2012) model as a translation that is constant over a
    patch. Several classes, and moving objects one by one, are this library's generalisation.

    Args:
        distance: In pixels, from 0 to 16384.
        regions: What moves as one: "mask", "components" or "instances".
        classes: Ids of the classes that move, as a layer over the others, which stay (such as the
            buildings of a map); None stands for all.
        fill: What a pixel becomes that its label left and that nothing moved onto: "void", a class
            id, or "neighbor": the nearest label of the classes that do not move, or of the result
            where all move. What single objects left, others near it take.
        ignore_index: Void; stays as it is.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import Shift, generator
        >>> mask = np.array([[0, 0, 1, 1, 0, 0, 2, 2, 0, 255]], np.uint8)
        >>> Shift(distance=2)(mask, generator(1)).tolist()
        [[0, 0, 0, 1, 1, 0, 0, 2, 2, 255]]
        >>> mask = np.repeat(mask, 3, axis=0)
        >>> Shift(distance=1, regions="components", classes=[1, 2])(mask, generator(4)).tolist()[1]
        [0, 1, 1, 0, 0, 0, 0, 2, 0, 255]
    """

    DOSE = Dose("distance", high=1 << 14)
    VOLUMES = True

    distance: float = parameters.number(0, DOSE.high)
    regions: str = parameters.regions("mask", "components", "instances")
    classes: tuple[int, ...] | None = parameters.classes()
    fill: str | int = parameters.fill()
    ignore_index: int = parameters.void()

    def _corrupt(self, mask: Mask, rng: np.random.Generator, sources: Sources) -> Mask:
        if self.regions != "mask":
            return self._shift_objects(mask, rng, sources)
        down, right = self._offsets(rng, 1)[0]
        if not down and not right:
            unmoved: Mask = mask.copy()
            return unmoved
        columns = np.arange(mask.shape[-1])[None] - right

        def source(top: int, bottom: int) -> tuple[NDArray[Any], NDArray[Any]]:
            return np.arange(top, bottom)[:, None] - down, columns

        return _warped(mask, source, self)

    @property
    def takes_volumes(self) -> bool:
        """Only where all moves as one."""
        return self.regions == "mask"

    def _shift_objects(self, mask: Mask, rng: np.random.Generator, sources: Sources) -> Mask:
        objects = connected_components(mask, self.ignore_index, sources.instances)
        moving = _of_classes(objects, self.classes)
        offset = np.zeros((len(objects), 2), np.intp)
        offset[moving] = np.array(self._offsets(rng, len(moving)), np.intp).reshape(-1, 2)
        # So that a row and a column of each box stay inside.
        offset = offset.clip(1 - objects.box[:, 2:], np.array(mask.shape) - 1 - objects.box[:, :2])
        moves = offset.any(axis=1)
        small = objects.area <= _SMALL

        def shifted(number: int) -> Shape:
            top, left = (objects.box[number, :2] + offset[number]).tolist()
            return Shape(top, left, objects.region(number), int(objects.label[number]))

        large = np.flatnonzero(moves & ~small)
        owner, row, column = pixels_of(objects, moves & small)
        scattered = Scattered(
            number := np.flatnonzero(moves & small),
            objects.label[number],
            owner,
            row + offset[owner, 0],
            column + offset[owner, 1],
        )
        return redraw(mask, objects, large, shifted, self.fill, self.ignore_index, scattered)

    def _offsets(self, rng: np.random.Generator, count: int) -> list[tuple[int, int]]:
        return [
            (
                math.floor(self.distance * math.sin(2 * math.pi * turn) + up),
                math.floor(self.distance * math.cos(2 * math.pi * turn) + left),
            )
            for turn, up, left in rng.random((count, 3)).tolist()
        ]


@register
@dataclasses.dataclass(frozen=True)
class Rotate(Noise):
    """The mask, or each object, is turned by a random angle.

    The angle is uniform on [-angle, angle] degrees. The label at p is the one at the pixel nearest
    to c + R (p - c), where R turns by the drawn angle and c is the centre of the image or, with
    "components" or "instances", of the object: the mean of its pixels. What comes from outside,
    what nothing moves onto, and void are treated as `Shift` treats them, and so are objects. Each
    object of two pixels or more takes some 0.1 ms, so that a mask of a hundred thousand crumbs,
    such as pixel flips leave, takes seconds.

    Source: the rotations of noisy annotations such as T-Loss's (Gonzalez-Jimenez et al., MICCAI
    2023: up to 30 degrees, with a shift), without their search for a given area of error. Several
    classes, and the choice of what turns, are this library's.

    Args:
        angle: The greatest angle, in degrees, from 0 to 180.
        regions: What turns as one: "mask", "components" or "instances".
        classes: Ids of the classes that turn, as a layer over the others; None stands for all.
        fill: See `Shift`.
        ignore_index: Void; stays as it is.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import Rotate, generator
        >>> mask = np.zeros((5, 5), np.uint8)
        >>> mask[2, 1:] = 1
        >>> Rotate(angle=90)(mask, generator(0)).tolist()
        [[0, 0, 0, 0, 1], [0, 0, 0, 1, 0], [0, 0, 1, 0, 0], [0, 1, 0, 0, 0], [0, 0, 0, 0, 0]]
    """

    DOSE = Dose("angle", high=180)
    VOLUMES = True

    angle: float = parameters.number(0, 180)
    regions: str = parameters.regions("mask", "components", "instances")
    classes: tuple[int, ...] | None = parameters.classes()
    fill: str | int = parameters.fill()
    ignore_index: int = parameters.void()

    def _corrupt(self, mask: Mask, rng: np.random.Generator, sources: Sources) -> Mask:
        if not self.angle:
            unmoved: Mask = mask.copy()
            return unmoved
        if self.regions != "mask":
            return self._rotate_objects(mask, rng, sources)
        height, width = mask.shape[-2:]
        centre = (height - 1) / 2, (width - 1) / 2
        source = rotation(self._angles(rng, 1)[0], centre, 0, width)
        return _warped(mask, source, self)

    @property
    def takes_volumes(self) -> bool:
        """Only where all turns as one."""
        return self.regions == "mask"

    def _rotate_objects(self, mask: Mask, rng: np.random.Generator, sources: Sources) -> Mask:
        objects = connected_components(mask, self.ignore_index, sources.instances)
        turning = _of_classes(objects, self.classes)
        angles = dict(zip(turning, self._angles(rng, len(turning)), strict=True))
        # A single pixel turns about itself.
        turning = [number for number in turning if objects.area[number] > 1]

        def turned(number: int) -> Shape:
            top, left = objects.box[number, :2].tolist()
            window = slice(-top, mask.shape[0] - top), slice(-left, mask.shape[1] - left)
            down, right, region = rotated(objects.region(number), angles[number], window)
            return Shape(top + down, left + right, region, int(objects.label[number]))

        return redraw(mask, objects, turning, turned, self.fill, self.ignore_index)

    def _angles(self, rng: np.random.Generator, count: int) -> list[float]:
        angles: list[float] = np.radians(rng.uniform(-self.angle, self.angle, count)).tolist()
        return angles


@register
@dataclasses.dataclass(frozen=True)
class Elastic(Noise):
    """The mask is distorted by a smooth random field of displacements.

    The label at p is the one at the pixel nearest to p + u(p). The two components of u are
    independent Gaussian fields of mean 0, standard deviation amplitude / sqrt(2) and correlation
    exp(-|p - q|^2 / length^2) between p and q. So the displacement |u| has the root mean square
    `amplitude`, and points much closer than `length` move together. Where the amplitude is not
    small against the length, the field folds and tears regions apart. What comes from outside,
    what nothing moves onto, and void are treated as `Shift` treats them.

    Source: the elastic distortions of Simard et al. (Best practices for convolutional neural
    networks applied to visual document analysis, ICDAR 2003): white noise blurred by a Gaussian,
    here with the amplitude that results rather than a factor before the blur. As errors of maps:
    Girard et al. (Aligning and updating cadaster maps with aerial images, ACCV 2018) displace
    buildings by smooth random fields of up to 32 pixels, at 0.3 m a pixel.

    Args:
        amplitude: Root mean square of the displacement, in pixels, from 0 to 16384.
        length: Correlation length, in pixels, from 1 to 16384. Below 8, it takes more time.
        classes: Ids of the classes that move, as a layer over the others; None stands for all.
        fill: See `Shift`.
        ignore_index: Void; stays as it is.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import Elastic, generator
        >>> mask = np.array([[0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]], np.uint8)
        >>> Elastic(amplitude=2, length=3)(mask, generator(0)).tolist()
        [[0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 3]]
    """

    DOSE = Dose("amplitude", high=1 << 14)
    VOLUMES = True

    amplitude: float = parameters.number(0, DOSE.high)
    length: float = parameters.number(1, LARGEST_LENGTH, default=32.0)
    classes: tuple[int, ...] | None = parameters.classes()
    fill: str | int = parameters.fill()
    ignore_index: int = parameters.void()

    def _corrupt(self, mask: Mask, rng: np.random.Generator, sources: Sources) -> Mask:
        if not self.amplitude:
            unmoved: Mask = mask.copy()
            return unmoved
        shape = mask.shape[-2], mask.shape[-1]
        down, right = (SmoothField(shape, self.length, rng) for _ in range(2))
        scale = np.float32(self.amplitude / math.sqrt(2))

        def source(top: int, bottom: int) -> tuple[NDArray[Any], NDArray[Any]]:
            rows = np.rint(down.rows(top, bottom) * scale).astype(np.int32)
            rows += np.arange(top, bottom, dtype=np.int32)[:, None]
            columns = np.rint(right.rows(top, bottom) * scale).astype(np.int32)
            columns += np.arange(mask.shape[-1], dtype=np.int32)
            return rows, columns

        return _warped(mask, source, self)


def _warped(mask: Mask, source: Coordinates, model: Shift | Rotate | Elastic) -> Mask:
    """Lay a mask's classes down elsewhere, in a volume those of all slices alike."""
    how = model.fill, model.classes, model.ignore_index
    return np.stack([warp(own, source, *how) for own in planes(mask)]).reshape(mask.shape)


def _of_classes(objects: Components, classes: tuple[int, ...] | None) -> list[int]:
    """Return the numbers of the objects that belong to one of the classes."""
    if classes is None:
        return list(range(len(objects)))
    numbers: list[int] = np.flatnonzero(np.isin(objects.label, classes)).tolist()
    return numbers
