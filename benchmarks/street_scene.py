"""A generated street scene: what a mask of Cityscapes is to the code that works on it.

Bands of sky, building, vegetation, sidewalk and road, hundreds of polygons of all sizes in front
of them down to thin poles, a void rim and void patches. As in the real ones, outlines are drawn
by hand (straight pieces between clicked points), and the PNG takes some tens of kilobytes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

NUM_CLASSES = 19
VOID = 255

ROAD, SIDEWALK, BUILDING, WALL, FENCE, POLE, LIGHT, SIGN, VEGETATION, TERRAIN = range(10)
SKY, PERSON, RIDER, CAR, TRUCK, BUS, TRAIN, MOTORCYCLE, BICYCLE = range(10, 19)

# (class, how many, least and greatest height over the image's height, width over height)
OBJECTS = (
    (BUILDING, 8, 0.20, 0.45, 0.9),
    (VEGETATION, 26, 0.05, 0.30, 1.2),
    (TERRAIN, 8, 0.02, 0.06, 4.0),
    (WALL, 5, 0.03, 0.08, 3.0),
    (FENCE, 8, 0.03, 0.08, 3.0),
    (TRUCK, 2, 0.10, 0.20, 1.3),
    (BUS, 2, 0.12, 0.22, 1.2),
    (TRAIN, 1, 0.12, 0.16, 2.5),
    (CAR, 34, 0.02, 0.16, 1.4),
    (PERSON, 44, 0.02, 0.22, 0.35),
    (RIDER, 8, 0.03, 0.12, 0.5),
    (BICYCLE, 16, 0.02, 0.10, 0.9),
    (MOTORCYCLE, 5, 0.03, 0.09, 0.9),
    (SIGN, 36, 0.01, 0.05, 0.9),
    (LIGHT, 24, 0.01, 0.04, 0.4),
    (VOID, 40, 0.005, 0.04, 1.0),
)
WITH_INSTANCES = range(PERSON, BICYCLE + 1)


class Scene(NamedTuple):
    """A mask and what noise models may look at beside it.

    Attributes:
        mask: (H, W) uint8, classes 0 to 18 and 255.
        instances: (H, W) int32; the number of a person, rider or vehicle, 0 elsewhere.
        image: (H, W, 3) uint8; the classes' colours under blur and grain.
    """

    mask: NDArray[np.uint8]
    instances: NDArray[np.int32]
    image: NDArray[np.uint8]


def street_scene(height: int = 1024, width: int = 2048, seed: int = 0) -> Scene:
    """Draw a scene; the same arguments give the same one everywhere."""
    rng = np.random.default_rng([seed, height, width])
    mask = np.full((height, width), SKY, np.uint8)
    instances = np.zeros((height, width), np.int32)
    for label, top in ((BUILDING, 0.12), (VEGETATION, 0.36), (SIDEWALK, 0.50), (ROAD, 0.56)):
        _fill(mask, _below(rng, height, width, top), label)
    number = 0
    for label, count, least, greatest, aspect in OBJECTS:
        for _ in range(count):
            tall = height * float(rng.uniform(least, greatest))
            # Things further away are smaller and higher up, as on a plane seen from a car.
            ground = height * (0.45 + 0.35 * float(rng.beta(1.2, 2.0)))
            centre = float(rng.uniform(0, width)), ground - tall * float(rng.uniform(0, 1))
            outline = _outline(rng, centre, tall * aspect, tall)
            _fill(mask, outline, label)
            number += 1
            _fill(instances, outline, number if label in WITH_INSTANCES else 0)
    for _ in range(30):
        thick = max(1, round(height * float(rng.uniform(0.002, 0.009))))
        x, top, foot = (float(v) for v in rng.uniform((0, 0.1, 0.5), (width, 0.45, 0.7)))
        pole = [(x, top * height), (x + thick, top * height)]
        pole += [(x + thick + rng.uniform(-2, 2), foot * height), (x, foot * height)]
        _fill(mask, np.array(pole), POLE)
        _fill(instances, np.array(pole), 0)
    bonnet = np.array([(0.2, 1), (0.25, 0.93), (0.4, 0.9), (0.6, 0.9), (0.75, 0.93), (0.8, 1)])
    rim = max(1, height // 200)
    for labels, value in ((mask, VOID), (instances, 0)):
        _fill(labels, bonnet * (width, height), value)
        cv2.rectangle(labels, (0, 0), (width - 1, height - 1), value, rim)
    return Scene(mask, instances, _image(rng, mask))


def _below(rng: np.random.Generator, height: int, width: int, top: float) -> NDArray[Any]:
    """Return the outline of all that lies below a rugged horizon."""
    x = np.sort(rng.uniform(0, width, 40))
    y = height * (top + 0.06 * rng.standard_normal(40).cumsum() / 6)
    skyline = np.stack([np.r_[0, x, width], np.r_[y[0], y, y[-1]]], axis=1)
    return np.concatenate([skyline, [(width, height), (0, height)]])


def _outline(
    rng: np.random.Generator, centre: tuple[float, float], wide: float, tall: float
) -> NDArray[Any]:
    """Return a closed outline around a point, as an annotator clicks it."""
    # One click every few pixels, as many as patience allows.
    points = int(np.clip((wide + tall) / 6, 6, 60))
    angle = np.sort(rng.uniform(0, 2 * np.pi, points))
    radius = rng.uniform(0.75, 1.0, (points, 1))
    return centre + radius * np.stack([wide / 2 * np.cos(angle), tall / 2 * np.sin(angle)], axis=1)


def _fill(labels: NDArray[Any], outline: NDArray[Any], value: int) -> None:
    cv2.fillPoly(labels, [np.rint(outline).astype(np.int32)], value)


def _image(rng: np.random.Generator, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    colours = rng.integers(40, 216, (256, 3)).astype(np.uint8)
    image = cv2.GaussianBlur(colours[mask], (0, 0), 1.5).astype(np.float32)
    image += 8 * rng.standard_normal(mask.shape, dtype=np.float32)[..., None]
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)
