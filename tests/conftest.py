"""Miniature data sets in the official layouts, with content that a network can learn."""

from __future__ import annotations

import os
from pathlib import Path

# One thread, set before torch is loaded: the tests' tensors are tiny, and several runs may share
# the machine's cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import pytest
from PIL import Image


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put tests that train in forks first: PyTorch trains in none of a process that has trained."""
    items.sort(key=lambda item: item.get_closest_marker("forks") is None)


# VOC's splits of 14 images; SBD annotates some of each and four images that VOC does not.
VOC_TRAIN = [f"2007_{i:06d}" for i in range(1, 7)]
VOC_VAL = [f"2008_{i:06d}" for i in range(1, 5)]
SBD_ONLY = [f"2009_{i:06d}" for i in range(1, 5)]
SBD_TRAIN = [VOC_TRAIN[0], VOC_VAL[0], *SBD_ONLY[:2]]
SBD_VAL = [VOC_TRAIN[1], VOC_VAL[1], *SBD_ONLY[2:]]
CITY_FRAMES = {"train": {"aachen": 4, "bochum": 4}, "val": {"frankfurt": 4}, "test": {"berlin": 1}}


def draw_scene(
    number: int, height: int, width: int, labels: tuple[int, ...], border: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return an RGB picture with one rectangle a label, each in a colour of its own, and ids."""
    rng = np.random.default_rng(number)
    mask = np.full((height, width), labels[0], np.uint8)
    shown = mask.copy()
    for label in labels[1:]:
        top, left = rng.integers(2, height // 2), rng.integers(2, width // 2)
        bottom, right = top + height // 3, left + width // 3
        shown[top:bottom, left:right] = label
        mask[top - border : bottom + border, left - border : right + border] = 255
        mask[top + border : bottom - border, left + border : right - border] = label
    colors = np.random.default_rng(7).integers(30, 226, (256, 3))
    image = colors[shown] + rng.normal(0, 6, (height, width, 3))
    return np.clip(image, 0, 255).astype(np.uint8), mask


def palette_png(mask: np.ndarray, path: Path) -> None:
    picture = Image.fromarray(mask)
    picture.putpalette(np.random.default_rng(3).integers(0, 256, 768).tolist())
    picture.save(path)


def lines(path: Path, items: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(items) + "\n")


def voc_scene(sample_id: str, border: int) -> tuple[np.ndarray, np.ndarray]:
    number = int(sample_id[:4]) * 100 + int(sample_id[-2:])
    height, width = 48 + 8 * (number % 3), 64 - 4 * (number % 4)
    return draw_scene(number, height, width, (0, 1 + number % 20, 15), border)


@pytest.fixture
def voc_root(tmp_path: Path) -> Path:
    """VOCdevkit/VOC2012 as in the official tar: palette masks with void borders."""
    root = tmp_path / "VOCdevkit" / "VOC2012"
    for folder in ("JPEGImages", "SegmentationClass", "SegmentationObject", "Annotations"):
        (root / folder).mkdir(parents=True)
    for sample_id in VOC_TRAIN + VOC_VAL + SBD_ONLY:
        image, mask = voc_scene(sample_id, border=1)
        Image.fromarray(image).save(root / "JPEGImages" / f"{sample_id}.jpg", quality=95)
        if sample_id not in SBD_ONLY:
            palette_png(mask, root / "SegmentationClass" / f"{sample_id}.png")
    lists = root / "ImageSets" / "Segmentation"
    lines(lists / "train.txt", VOC_TRAIN)
    lines(lists / "val.txt", VOC_VAL)
    lines(lists / "trainval.txt", VOC_TRAIN + VOC_VAL)
    return root


@pytest.fixture
def sbd_root(tmp_path: Path) -> Path:
    """benchmark_RELEASE as in SBD's archive: GTcls structures, no void."""
    scipy_io = pytest.importorskip("scipy.io")
    root = tmp_path / "benchmark_RELEASE"
    data = root / "dataset"
    for folder in ("cls", "inst", "img"):
        (data / folder).mkdir(parents=True)
    for sample_id in SBD_TRAIN + SBD_VAL:
        _, mask = voc_scene(sample_id, border=0)
        structure = {
            "Boundaries": np.zeros((20, 1), object),
            "Segmentation": mask,
            "CategoriesPresent": np.unique(mask[mask > 0]),
        }
        scipy_io.savemat(data / "cls" / f"{sample_id}.mat", {"GTcls": structure})
    lines(data / "train.txt", SBD_TRAIN)
    lines(data / "val.txt", SBD_VAL)
    return root


@pytest.fixture
def cityscapes_root(tmp_path: Path) -> Path:
    """leftImg8bit and gtFine with labelIds and the files that lie beside them."""
    root = tmp_path / "cityscapes"
    number = 0
    for split, cities in CITY_FRAMES.items():
        for city, frames in cities.items():
            images, labels = root / "leftImg8bit" / split / city, root / "gtFine" / split / city
            images.mkdir(parents=True)
            labels.mkdir(parents=True)
            for frame in range(frames):
                number += 1
                stem = f"{city}_{frame:06d}_000019"
                image, mask = draw_scene(number, 64, 128, (7, 26, 24, 23, 1, 33))
                if split == "test":
                    mask[:] = 3
                Image.fromarray(image).save(images / f"{stem}_leftImg8bit.png")
                Image.fromarray(mask).save(labels / f"{stem}_gtFine_labelIds.png")
                Image.fromarray(mask.astype(np.uint16) * 1000).save(
                    labels / f"{stem}_gtFine_instanceIds.png"
                )
                Image.fromarray(image).save(labels / f"{stem}_gtFine_color.png")
                (labels / f"{stem}_gtFine_polygons.json").write_text("{}")
    return root


@pytest.fixture
def folder_root(tmp_path: Path) -> Path:
    """A team's own data: images and masks in subfolders, classes.txt, split lists."""
    root = tmp_path / "folder"
    ids = [f"{'a' if i % 2 else 'b'}/scan_{i:02d}" for i in range(12)]
    for i, sample_id in enumerate(ids):
        image, mask = draw_scene(i, 48, 64, (0, 1, 2))
        for folder, array in (("images", image), ("masks", mask)):
            path = root / folder / f"{sample_id}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(path)
    lines(root / "classes.txt", ["background", "liver", "left kidney"])
    lines(root / "train.txt", ids[:8])
    lines(root / "val.txt", ids[8:])
    return root


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Two cores are shared: OpenCV's threads only get in each other's way."""
    cv2.setNumThreads(1)
