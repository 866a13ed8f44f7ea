"""Draw one phantom: a picture like a CT slice, with the exact class of every pixel.

A pure function of (seed, split, index, size). The scene is drawn at twice the resolution;
the mask takes every second pixel of it and the picture averages, so that edges are as soft
as a scanner's while labels stay exact. Then come what a scanner adds: blur, a drifting
illumination, noise that grows with brightness.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from segnoise.noise.seeding import generator

VERSION = 1  # part of the folder name on disk: raise it whenever the pictures change
CLASSES = ("background", "liver", "kidney", "vessel", "lesion")
PALETTE = ((18, 20, 26), (205, 105, 78), (86, 156, 214), (240, 196, 84), (178, 92, 190))
BACKGROUND, LIVER, KIDNEY, VESSEL, LESION = range(5)

_FINE = 2  # oversampling of the drawing
_SUBPIXEL = 4  # bits that cv2 draws below the pixel


@dataclass
class _Scene:
    """Brightness (0..1), class and texture of every fine pixel, and what draws them."""

    light: np.ndarray
    label: np.ndarray
    texture: np.ndarray
    rng: np.random.Generator

    @property
    def side(self) -> float:
        """The shorter side in fine pixels; lengths are fractions of it."""
        return float(min(self.light.shape))

    def paint(self, where: np.ndarray, light: float, label: int, grain: float = 0.0) -> None:
        """Set class and brightness, with the texture at the given strength, inside a region."""
        self.light[where] = light + grain * self.texture[where]
        self.label[where] = label

    def blob(
        self, center: Sequence[float], axes: Sequence[float], turn: float = 0.0, bumps: float = 0.0
    ) -> np.ndarray:
        """Return the inside of an ellipse whose outline waves by the fraction `bumps`."""
        angle = np.linspace(0, 2 * np.pi, 96, endpoint=False)
        radius = np.ones_like(angle)
        for order in range(2, 6):
            phase, size = self.rng.uniform(0, 2 * np.pi), self.rng.normal(0, bumps / order)
            radius += size * np.cos(order * angle + phase)
        x, y = axes[0] * radius * np.cos(angle), axes[1] * radius * np.sin(angle)
        outline = np.stack(
            [
                center[0] + x * np.cos(turn) - y * np.sin(turn),
                center[1] + x * np.sin(turn) + y * np.cos(turn),
            ],
            axis=1,
        )
        inside = np.zeros(self.light.shape, np.uint8)
        points = np.rint(outline * 2**_SUBPIXEL).astype(np.int32)
        cv2.fillPoly(inside, [points], 1, shift=_SUBPIXEL)
        return inside.astype(bool)


def draw_phantom(
    seed: int, split: str, index: int, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the picture and the mask of one phantom.

    Returns:
        (H, W) uint8 grey picture and (H, W) uint8 ids: background 0, liver 1 (one large organ),
        kidney 2 (two small ones), vessel 3 (thin tubes), lesion 4 (rare, small, faint).
    """
    rng = generator(seed, "phantom", split, index)
    shape = (size[0] * _FINE, size[1] * _FINE)
    light, label = np.full(shape, 0.02, np.float32), np.zeros(shape, np.uint8)
    scene = _Scene(light, label, _texture(rng, shape), rng)
    tissue = _draw_body(scene)
    liver = _draw_organs(scene, tissue)
    _draw_vessels(scene, tissue)
    _draw_lesions(scene, liver)
    _draw_spine(scene)
    mask = np.ascontiguousarray(scene.label[::_FINE, ::_FINE])
    return _photograph(scene, size), mask


def _texture(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Return smooth noise of about unit strength, with coarse and fine bumps."""
    texture = np.zeros(shape, np.float32)
    for cells, strength in ((8, 0.8), (24, 0.6), (64, 0.5)):
        coarse = rng.standard_normal((cells, cells)).astype(np.float32)
        texture += strength * cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_LINEAR)
    return texture


def _place(scene: _Scene, x: float, y: float, spread: float = 0.015) -> tuple[float, float]:
    """Return a point near the given fractions of width and height."""
    height, width = scene.light.shape
    dx, dy = scene.rng.normal(0, spread, 2)
    return (x + dx) * width, (y + dy) * height


def _axes(scene: _Scene, x: float, y: float, spread: float = 0.08) -> tuple[float, float]:
    """Return half-axes near the given fractions of width and height."""
    height, width = scene.light.shape
    fx, fy = np.exp(scene.rng.normal(0, spread, 2))
    return x * fx * width, y * fy * height


def _draw_body(scene: _Scene) -> np.ndarray:
    """Draw skin, fat, soft tissue and bowel; return where the soft tissue is."""
    rng = scene.rng
    center = _place(scene, 0.5, 0.5)
    outer = _axes(scene, 0.455, 0.40, 0.03)
    bumps = 0.03
    body = scene.blob(center, outer, bumps=bumps)
    scene.paint(body, 0.20, BACKGROUND, 0.012)
    inner = (outer[0] * 0.91, outer[1] * 0.88)
    tissue: np.ndarray = body & scene.blob(center, inner, bumps=bumps)
    scene.paint(tissue, 0.40, BACKGROUND, 0.030)
    for _ in range(rng.integers(3, 7)):  # bowel: as bright as organs, some with gas
        spot = _place(scene, rng.uniform(0.45, 0.8), rng.uniform(0.25, 0.5), 0.0)
        loop = scene.blob(spot, _axes(scene, 0.045, 0.035, 0.25), rng.uniform(0, np.pi), 0.25)
        gas = rng.random() < 0.3
        scene.paint(loop & tissue, 0.10 if gas else rng.uniform(0.44, 0.54), BACKGROUND, 0.02)
    return tissue


def _draw_organs(scene: _Scene, tissue: np.ndarray) -> np.ndarray:
    """Draw the liver and two kidneys; return where the liver is."""
    rng = scene.rng
    liver = scene.blob(
        _place(scene, 0.28, 0.43), _axes(scene, 0.20, 0.25), rng.normal(0.2, 0.25), 0.22
    )
    liver &= tissue
    scene.paint(liver, rng.normal(0.52, 0.015), LIVER, 0.028)
    for x in (0.32, 0.70):
        center = _place(scene, x, 0.67)
        turn = rng.normal(0.5 if x < 0.5 else -0.5, 0.2)
        kidney = scene.blob(center, _axes(scene, 0.066, 0.098), turn, 0.16) & tissue
        scene.paint(kidney, rng.normal(0.61, 0.02), KIDNEY, 0.03)
        pelvis = scene.blob(center, _axes(scene, 0.016, 0.035), turn, 0.2)
        scene.light[pelvis & kidney] -= 0.07
    return liver


def _draw_vessels(scene: _Scene, tissue: np.ndarray) -> None:
    """Draw trees of thin bright tubes that branch and taper, 2 to 3 pixels down to 1."""
    rng = scene.rng
    tubes = np.zeros(scene.light.shape, np.uint8)
    root = _place(scene, 0.5, 0.55, 0.02)
    trunks = int(rng.integers(2, 5))
    # They fan out upwards: below lies the spine.
    stack = [
        (root, -np.pi / 2 + (i - (trunks - 1) / 2) * 1.05 + rng.normal(0, 0.25), 2.6)
        for i in range(trunks)
    ]
    step = 0.03 * scene.side
    while stack:
        point, angle, width = stack.pop()
        for _ in range(rng.integers(4, 7)):
            angle += rng.normal(0, 0.28)
            end = (point[0] + step * np.cos(angle), point[1] + step * np.sin(angle))
            ends = [tuple(round(v * 2**_SUBPIXEL) for v in p) for p in (point, end)]
            thickness = max(2, round(width * _FINE))
            cv2.line(tubes, ends[0], ends[1], 1, thickness, shift=_SUBPIXEL)
            point = end
        if width > 1.1:
            split = rng.uniform(0.35, 0.8)
            stack.append((point, angle + split, width * 0.6))
            stack.append((point, angle - split, width * 0.65))
    scene.paint((tubes > 0) & tissue, rng.normal(0.70, 0.02), VESSEL, 0.02)


def _draw_lesions(scene: _Scene, liver: np.ndarray) -> None:
    """Draw up to three small faint spots, most of them in the liver."""
    rng = scene.rng
    rows, columns = np.nonzero(liver)
    for _ in range(rng.choice([0, 1, 2, 3], p=[0.2, 0.4, 0.25, 0.15])):
        chosen = rng.integers(len(rows))
        center = float(columns[chosen]), float(rows[chosen])
        radius = scene.side * rng.uniform(0.025, 0.05)
        spot = scene.blob(center, (radius, radius * rng.uniform(0.7, 1.3)), bumps=0.08) & liver
        scene.paint(spot, rng.normal(0.42, 0.015), LESION, 0.015)


def _draw_spine(scene: _Scene) -> None:
    """Draw a vertebra: the brightest thing in the picture, and background."""
    center = _place(scene, 0.51, 0.70, 0.01)
    bone = scene.blob(center, _axes(scene, 0.068, 0.060), bumps=0.08)
    arch = scene.blob(
        (center[0], center[1] + 0.09 * scene.light.shape[0]), _axes(scene, 0.03, 0.055)
    )
    scene.paint(arch, 0.74, BACKGROUND, 0.03)
    scene.paint(bone, 0.88, BACKGROUND, 0.03)
    marrow = scene.blob(center, _axes(scene, 0.048, 0.042), bumps=0.08) & bone
    scene.paint(marrow, 0.72, BACKGROUND, 0.05)


def _photograph(scene: _Scene, size: tuple[int, int]) -> np.ndarray:
    """Return the scene as a scanner shows it: blurred, unevenly lit, noisy; uint8."""
    rng = scene.rng
    light: np.ndarray = cv2.resize(scene.light, size[::-1], interpolation=cv2.INTER_AREA)
    light = cv2.GaussianBlur(light, (0, 0), rng.uniform(0.4, 0.9))
    y, x = np.meshgrid(
        *(np.linspace(-1, 1, side, dtype=np.float32) for side in size), indexing="ij"
    )
    tilt, bow = rng.normal(0, 0.10, 2), rng.normal(0, 0.08)
    light = light * np.exp(tilt[0] * x + tilt[1] * y + bow * (x * x + y * y))
    light = np.clip(light * rng.uniform(0.92, 1.1), 0, 1) ** rng.uniform(0.85, 1.15)
    grain = rng.standard_normal(size).astype(np.float32)
    grain = 0.6 * grain + 0.9 * cv2.GaussianBlur(grain, (0, 0), 0.8)
    light = light + grain * np.sqrt(0.015**2 + 0.05**2 * light)
    return np.rint(np.clip(light, 0, 1) * 255).astype(np.uint8)
