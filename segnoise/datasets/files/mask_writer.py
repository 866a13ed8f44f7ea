"""Write a mask file like another one, with some pixels' classes changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from segnoise.datasets.files.images import load_picture, stored_numbers
from segnoise.datasets.files.masks import MaskReader
from segnoise.datasets.files.palettes import Color
from segnoise.datasets.files.png import png_depth, png_with_samples
from segnoise.datasets.problems import DatasetError, one_problem

_TO_RGB = "save the masks as RGB PNG"


class MaskWriter:
    """The counterpart of a `MaskReader`: writes ids in the way of an existing mask file.

    A pixel that has not changed keeps the number or colour that the file has for it, also where
    several stand for one class. A changed pixel gets the first that the reader's `value_map` or
    `colors` has for its new class; without them, the class id itself. A PNG keeps its bit depth,
    palette and remarks; other formats keep Pillow's mode and the palette.

    Args:
        reader: What reads the files.

    Example:
        >>> import tempfile
        >>> clean, noisy = (Path(tempfile.mkdtemp()) / "mask.png" for _ in "cn")
        >>> Image.fromarray(np.array([[0, 0, 255]], np.uint8)).save(clean)
        >>> writer = MaskWriter(MaskReader(2, value_map={0: 0, 255: 1}))
        >>> writer.write(clean, np.array([[0, 1, 1]], np.uint8), noisy)
        >>> np.array(Image.open(noisy)).tolist()
        [[0, 255, 255]]
    """

    def __init__(self, reader: MaskReader) -> None:
        self.reader = reader
        self._stored: dict[int, int | Color] = {}
        if reader.colors is not None:
            for color, label in reader.colors:
                self._stored.setdefault(label, color)
        elif reader.value_map is not None:
            for value, label in reader.value_map.items():
                self._stored.setdefault(label, value)
        else:
            labels = (*range(reader.num_classes), reader.ignore_index)
            self._stored.update({label: label for label in labels})

    def write(self, source: Path, noisy: np.ndarray, target: Path) -> None:
        """Write a file like `source` that the reader reads as `noisy`, and read it back.

        Args:
            source: A mask file.
            noisy: (H, W) ids, of the source's size.
            target: The file to write; its folder exists.

        Raises:
            DatasetError: If the source cannot be read, its format has nothing to write a class or
                void with, or the written file does not read as it should.
        """
        changed = self.reader(source) != noisy
        content = source.read_bytes()
        if not changed.any():
            target.write_bytes(content)
            return
        picture, raw_mode = load_picture(source)
        if picture.mode in ("RGB", "RGBA") and "16" in raw_mode:
            raise one_problem(source, "has 16 bits a channel", "save the masks with 8 bits")
        samples = np.array(picture)
        if samples.dtype == bool:
            samples = samples.astype(np.uint8)
        else:
            samples = stored_numbers(picture, raw_mode)
        is_png = picture.format == "PNG"
        depth = png_depth(content) if is_png else 1 if picture.mode == "1" else 8 * samples.itemsize
        labels = np.flatnonzero(np.bincount(noisy[changed]))
        table = np.zeros((labels[-1] + 1, *samples.shape[2:]), samples.dtype)
        for label in labels.tolist():
            table[label] = self._sample(label, source, picture, depth)
        samples[changed] = table[noisy[changed]]
        if is_png:
            target.write_bytes(png_with_samples(content, samples))
        else:
            _save(picture, samples, target)
        self._check(source, picture, noisy, target)

    def _sample(
        self, label: int, source: Path, picture: Image.Image, depth: int
    ) -> int | tuple[int, ...]:
        """Return what stands for a class in a file of this kind."""
        what = "void" if label == self.reader.ignore_index else f"class {label}"
        stored = self._stored.get(label)
        if stored is None:
            table, entry = (
                ("value_map", "value") if self.reader.colors is None else ("color_table", "colour")
            )
            raise one_problem(
                source,
                f"{table} has no {entry} for {what}, which the noise makes",
                f"add one to {table}, or choose a noise that makes no {what}",
            )
        if isinstance(stored, int):
            if not 0 <= stored < 1 << depth:
                raise one_problem(
                    source,
                    f"{stored} for {what} does not fit its {depth} bit{'s' * (depth > 1)} a pixel",
                    f"save the masks with {8 if stored < 256 else 16} bits",
                )
            return stored
        if picture.mode == "RGB":
            return stored
        if picture.mode == "RGBA":
            return *stored, 255
        if picture.mode != "P":
            raise one_problem(source, f"is no RGB file (Pillow mode {picture.mode})", _TO_RGB)
        flat = picture.getpalette("RGB") or []
        palette = list(zip(flat[::3], flat[1::3], flat[2::3], strict=True))
        if stored not in palette:
            raise one_problem(source, f"its palette lacks {stored} for {what}", _TO_RGB)
        return palette.index(stored)

    def _check(self, source: Path, picture: Image.Image, noisy: np.ndarray, target: Path) -> None:
        try:
            same = np.array_equal(self.reader(target), noisy)
        except DatasetError:
            same = False
        if not same:
            what = f"{picture.format} cannot hold its noisy labels"
            raise one_problem(source, what, "convert the masks to PNG")


def _save(picture: Image.Image, samples: np.ndarray, target: Path) -> None:
    """Save samples in the format of a picture that is no PNG."""
    wanted = samples.astype(bool) if picture.mode == "1" else samples
    result = Image.fromarray(np.ascontiguousarray(wanted, wanted.dtype.newbyteorder("=")))
    if picture.mode == "P":
        result.putpalette(picture.getpalette() or [])
    options: dict[str, Any] = {"lossless": True} if picture.format == "WEBP" else {}
    if picture.format == "TIFF":
        options["compression"] = picture.info.get("compression")
    result.save(target, format=picture.format, **options)
