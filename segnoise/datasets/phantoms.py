"""Phantoms: a generated data set whose labels are exact, for demonstrations and experiments."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path

from PIL import Image

from segnoise.checks import check_choice, check_integer, check_sides
from segnoise.datasets.base import DATASETS
from segnoise.datasets.files.palettes import palette_image
from segnoise.datasets.folder import FolderDataset
from segnoise.datasets.phantom_generator import CLASSES, PALETTE, VERSION, draw_phantom
from segnoise.datasets.problems import one_problem
from segnoise.files import user_path
from segnoise.lock import locked

NUM_IMAGES = {"train": 160, "val": 40, "test": 80}
_PATIENCE = 3600.0  # seconds to wait for another process that makes the same set


_place: ContextVar[Path | None] = ContextVar("place", default=None)


@contextlib.contextmanager
def made_in(place: Path) -> Iterator[None]:
    """Let sets that are missing be made in another folder than their root."""
    token = _place.set(place)
    try:
        yield
    finally:
        _place.reset(token)


@DATASETS.register
class Phantoms(FolderDataset):
    """Pictures like CT slices with a liver, kidneys, thin vessels and rare faint lesions.

    The files are made on first use, in a folder of their own named after what they are, such as
    `data/phantoms/train-160-128x128-seed0-v1`: images, palette masks, classes.txt and a split
    list, as a team's own data would lie there. The same arguments give the same pictures
    everywhere; a half-written folder is never used.

    Args:
        root: Where the folders are made.
        split: `"train"`, `"val"` or `"test"`; they share no picture.
        num_images: Number of pictures; default 160, 40 and 80 by split. The first pictures of a
            larger set are those of a smaller one.
        size: Height and width, or one number for both, at least 32.
        seed: Seed of the pictures.

    Raises:
        ConfigError: If an argument is out of range.
        DatasetError: If the files cannot be written, or have been damaged since.
    """

    def __init__(
        self,
        root: str | Path = "data/phantoms",
        split: str = "train",
        *,
        num_images: int | None = None,
        size: int | Sequence[int] = 128,
        seed: int = 0,
    ) -> None:
        check_choice("split", split, NUM_IMAGES)
        count = NUM_IMAGES[split] if num_images is None else num_images
        check_integer("num_images", count, 1, 10**6)
        check_integer("seed", seed)
        sides = check_sides("size", size, least=32)
        name = f"{split}-{count}-{sides[1]}x{sides[0]}-seed{seed}-v{VERSION}"
        folder = user_path(root) / name
        if not folder.is_dir():
            folder = (_place.get() or folder.parent) / name
            _make(folder, split, count, (sides[0], sides[1]), seed)
        super().__init__(folder, split, palette=PALETTE, mask_format="palette")


def _make(folder: Path, split: str, count: int, size: tuple[int, int], seed: int) -> None:
    """Write a set under another name and rename it: it is there whole or not at all.

    One process makes it, and others wait. What a killed one has left, the next removes.
    """
    place = folder.parent / f".{folder.name}"
    try:
        place.mkdir(parents=True, exist_ok=True)
        with locked(place, _PATIENCE):
            try:
                shutil.rmtree(place / "set", ignore_errors=True)
                if not folder.is_dir():
                    _write(place / "set", split, count, size, seed)
                    os.replace(place / "set", folder)
            finally:
                shutil.rmtree(place / "set", ignore_errors=True)
    except OSError as error:
        # Another process may have made the same set meanwhile; its files are the same.
        if not folder.is_dir():
            raise one_problem(
                folder, f"cannot be written: {error}", "free some space or choose another root"
            ) from None
    finally:
        with contextlib.suppress(OSError):  # not there, or another process is at work in it
            place.rmdir()


def _write(folder: Path, split: str, count: int, size: tuple[int, int], seed: int) -> None:
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    ids = [f"{split}_{index:04d}" for index in range(count)]
    for index, sample_id in enumerate(ids):
        picture, mask = draw_phantom(seed, split, index, size)
        Image.fromarray(picture).save(folder / "images" / f"{sample_id}.png")
        palette_image(mask, PALETTE).save(folder / "masks" / f"{sample_id}.png")
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n", encoding="utf-8")
    (folder / f"{split}.txt").write_text("\n".join(ids) + "\n", encoding="utf-8")
