"""Write a mask file like another one, with some pixels' classes changed."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from segnoise.datasets.files.images import load_picture, stored_numbers
from segnoise.datasets.files.label_rasters import RasterReader
from segnoise.datasets.files.masks import MaskReader
from segnoise.datasets.files.volumes import VolumeReader
from segnoise.datasets.problems import DatasetError, one_problem

_TO_RGB = "save the masks as RGB PNG"


def write_mask(reader: MaskReader, source: Path, noisy: np.ndarray, target: Path) -> None:
    """Write a file like `source` that the reader reads as `noisy`, and read it back.

    A pixel that has not changed keeps the number or color that the file has for it, also where
    several stand for one class. A changed pixel gets the first that the reader's `value_map` or
    `colors` has for its new class; without them, the class id itself. Format, Pillow's mode,
    palette and a PNG's bit depth are kept.

    Example:
        >>> import tempfile
        >>> clean, noisy = (Path(tempfile.mkdtemp()) / "mask.png" for _ in "cn")
        >>> Image.fromarray(np.array([[0, 0, 255]], np.uint8)).save(clean)
        >>> reader = MaskReader(2, value_map={0: 0, 255: 1})
        >>> write_mask(reader, clean, np.array([[0, 1, 1]], np.uint8), noisy)
        >>> np.array(Image.open(noisy)).tolist()
        [[0, 255, 255]]
    """
    if isinstance(reader, (VolumeReader, RasterReader)):
        reader.write(source, noisy, target)
        return
    changed = reader(source) != noisy
    content = source.read_bytes()
    if not changed.any():
        target.write_bytes(content)
        return
    picture, raw_mode = load_picture(source)
    if picture.mode in ("RGB", "RGBA") and "16" in raw_mode:
        raise one_problem(source, "has 16 bits a channel", "save the masks with 8 bits")
    bilevel, is_png = picture.mode == "1", picture.format == "PNG"
    samples = np.array(picture, np.uint8) if bilevel else stored_numbers(picture, raw_mode)
    depth = content[24] if is_png else 1 if bilevel else 8 * samples.itemsize
    labels = np.flatnonzero(np.bincount(noisy[changed]))
    table = np.zeros((labels[-1] + 1, *samples.shape[2:]), samples.dtype)
    for label in labels.tolist():
        table[label] = _sample(reader, label, source, picture, depth)
    samples[changed] = table[noisy[changed]]
    _save(picture, samples, depth, target)
    try:
        same = np.array_equal(reader(target), noisy)
    except DatasetError:
        same = False
    if not same:
        what = f"{picture.format} cannot hold its noisy labels"
        raise one_problem(source, what, "convert the masks to PNG")


def _sample(reader: MaskReader, label: int, source: Path, picture: Image.Image, depth: int) -> Any:
    """Return what stands for a class in a file of this kind."""
    what = "void" if label == reader.ignore_index else f"class {label}"
    pairs: Any = reader.colors or reader.labels.items()
    stored = next((number for number, i in pairs if i == label), None)
    if stored is None:
        table, entry = (
            ("value_map", "value") if reader.colors is None else ("color_table", "colour")
        )
        none = f"{table} has no {entry} for {what}, which the noise makes"
        remedy = f"add one to {table}, or choose a noise that makes no {what}"
        raise one_problem(source, none, remedy)
    if reader.colors is None:
        if not 0 <= stored < 1 << depth:
            no_room = f"{stored} for {what} does not fit its {depth} bit{'s' * (depth > 1)} a pixel"
            remedy = f"save the masks with {8 if stored < 256 else 16} bits"
            raise one_problem(source, no_room, remedy)
        return stored
    if picture.mode in ("RGB", "RGBA"):
        return (*stored, 255)[: len(picture.mode)]
    if picture.mode != "P":
        raise one_problem(source, f"is no RGB file (Pillow mode {picture.mode})", _TO_RGB)
    flat = picture.getpalette("RGB") or []
    palette = list(zip(flat[::3], flat[1::3], flat[2::3], strict=True))
    if stored not in palette:
        raise one_problem(source, f"its palette lacks {stored} for {what}", _TO_RGB)
    return palette.index(stored)


def _save(picture: Image.Image, samples: np.ndarray, depth: int, target: Path) -> None:
    """Save samples in the way in which a picture was saved."""
    options: dict[str, Any] = {"format": picture.format}
    wanted = samples.astype(bool) if picture.mode == "1" else samples
    result = Image.fromarray(np.ascontiguousarray(wanted, wanted.dtype.newbyteorder("=")))
    palette = bytes(picture.getpalette() or ())
    if picture.format == "PNG":
        options.update(bits=depth, transparency=picture.info.get("transparency"))
        # Pillow writes few colours with few bits, whatever it is told: so there are all.
        palette = palette.ljust(3 << depth, b"\xff")
    elif picture.format == "TIFF":
        options["compression"] = picture.info.get("compression")
    elif picture.format == "WEBP":
        options["lossless"] = True
    if picture.mode == "P":
        result.putpalette(palette)
    if picture.format != "PNG" or picture.mode != "L" or depth == 8:
        result.save(target, **options)
        return
    # Pillow before 13 packs 2 and 4 bits for palettes only: without its palette, that is grey.
    result.putpalette(palette)
    result.save(file := io.BytesIO(), "PNG", bits=depth)
    content = file.getvalue()
    header = content[12:25] + b"\0" + content[26:29]  # colour type 0
    start = content.index(b"PLTE") - 4
    rest = content[33:start] + content[start + 12 + len(palette) :]
    target.write_bytes(content[:12] + header + zlib.crc32(header).to_bytes(4, "big") + rest)
