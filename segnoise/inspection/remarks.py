"""What is no error in a data set's files, and is often a mistake all the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from segnoise.datasets.base import LabelledImages
from segnoise.datasets.files.bands import read_header
from segnoise.datasets.files.images import opened, orientation
from segnoise.datasets.files.masks import BLACK_AND_WHITE, MaskReader
from segnoise.datasets.files.palettes import Color
from segnoise.datasets.problems import Problem
from segnoise.datasets.wrapped import file_paths
from segnoise.noise.mask import one_class_and_void

_HEAD = 1 << 15  # bytes at a file's beginning and end that are hashed of every file
_LOSSY = "export the masks as PNG from where they were drawn: a conversion keeps the wrong ids"
_ORIENTATION = (
    "pixels are taken as they are stored: where mask and image do not fit (look at the contact "
    "sheet), save both upright, as `mogrify -auto-orient` does, or remove the tag"
)
ONE_CLASS_AND_VOID = "holds one class and void, and nothing else"
_ONE_CLASS = f"{BLACK_AND_WHITE} value_map={{0: 0, 255: 1, 1: 1}}"
_PALETTES = (
    "an index is taken for the class id, whatever its colour: if the colours are right, save the "
    "masks as RGB and read them with mask_format='rgb'"
)
_TWICE = "keep one of the two, or it counts twice"
_ACROSS = "keep it in one of the two sets: scores on images that were trained on say nothing"


class Seen(NamedTuple):
    """What a look at one sample has seen.

    Attributes:
        number: Of the sample in its data set.
        image: Its image file.
        size: (height, width).
        file: Device and number, size in bytes, and a hash of the beginning and the end of the
            image file; None without a file.
        colors: Mask value -> its colour, of the values in a mask with a palette.
        mask: Its mask file.
        remarks: What is to be said of these files alone.
    """

    number: int
    image: str
    size: tuple[int, int]
    file: tuple[int, int, int, str] | None
    colors: Mapping[int, Color]
    mask: str
    remarks: tuple[Problem, ...]


def look(dataset: LabelledImages, index: int, labels: Sequence[np.ndarray]) -> Seen:
    """Look at a sample's files; `labels` are its masks as training sees them, and clean ones."""
    image, mask = file_paths(dataset, index)
    size = (int(labels[0].shape[0]), int(labels[0].shape[1]))
    remarks: list[Problem] = []
    files = image.is_file() and mask.is_file()
    # A window of a scene may well be of one class, and void where the scene ends.
    void = dataset.metainfo["ignore_index"]
    if dataset.whole_of is None and any(one_class_and_void(ids, void) for ids in labels):
        remarks.append(Problem(str(mask), ONE_CLASS_AND_VOID, _ONE_CLASS))
    if not files or dataset.whole_of is not None:
        return Seen(index, str(image), size, None, {}, str(mask), tuple(remarks))
    with opened(mask) as picture:
        turned = orientation(picture)
        colors = _colors(picture, _values(dataset, labels))
        if loss := _loss(picture, mask):
            remarks.append(Problem(str(mask), f"is stored with loss ({loss})", _LOSSY))
    if (own := read_header(image).orientation) != turned:
        what = f"has orientation {own} by its EXIF or TIFF tag, its mask {mask} {turned}"
        remarks.append(Problem(str(image), what, _ORIENTATION))
    return Seen(index, str(image), size, _file(image), colors, str(mask), tuple(remarks))


def remarks_on(seen: Iterable[Seen]) -> list[Problem]:
    """Return what is to be said of samples: of each alone, and of several together."""
    samples = sorted(seen, key=lambda sample: sample.number)
    remarks = [remark for sample in samples for remark in sample.remarks]
    for first, *others in _same(samples):
        for other in others:
            remarks.append(Problem(other.image, _as(first, other), _TWICE))
    return remarks + _palette_remarks(samples)


def remarks_across(training: Iterable[Seen], validation: Iterable[Seen]) -> list[Problem]:
    """Return a remark for each validation image that is a training image too."""
    trained = {id(sample): sample for sample in training}
    remarks = []
    for group in _same([*trained.values(), *validation]):
        known = [sample for sample in group if id(sample) in trained]
        for sample in group:
            if known and id(sample) not in trained:
                what = f"{_as(known[0], sample)}, of the training set"
                remarks.append(Problem(sample.image, what, _ACROSS))
    return remarks


def sentences(remarks: Iterable[Problem]) -> list[str]:
    """Return one sentence for all remarks of a kind, which share their remedy."""
    kinds: dict[str, list[Problem]] = {}
    for remark in remarks:
        kinds.setdefault(remark.remedy, []).append(remark)
    texts = []
    for remedy, alike in kinds.items():
        more = f" (and {len(alike) - 1:,} more such)" if len(alike) > 1 else ""
        texts.append(str(Problem(alike[0].path, alike[0].what + more, f"{remedy}.")))
    return texts


def _same(samples: Sequence[Seen]) -> list[list[Seen]]:
    """Return the groups of samples whose image files are one, or hold the same bytes."""
    alike: dict[Any, list[Seen]] = {}
    for sample in samples:
        if sample.file is not None:
            alike.setdefault(sample.file[2:], []).append(sample)
    groups: dict[Any, list[Seen]] = {}
    for key, group in alike.items():
        if len(group) == 1:
            continue
        for sample in group:  # only files that agree so far are read as a whole
            groups.setdefault((key, _digest(Path(sample.image))), []).append(sample)
    return [group for group in groups.values() if len(group) > 1]


def _as(first: Seen, other: Seen) -> str:
    one = first.file is not None and other.file is not None and first.file[:2] == other.file[:2]
    return f"{'is the same file as' if one else 'holds the same bytes as'} {first.image}"


def _file(path: Path) -> tuple[int, int, int, str]:
    status = path.stat()
    with path.open("rb") as file:
        head = file.read(_HEAD)
        file.seek(max(status.st_size - _HEAD, 0))
        digest = hashlib.blake2b(head + file.read(_HEAD), digest_size=16)
    return status.st_dev, status.st_ino, status.st_size, digest.hexdigest()


def _digest(path: Path) -> str:
    try:
        digest = hashlib.blake2b()
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()
    except OSError:
        return str(path)  # gone since it was looked at: like no other


def _palette_remarks(samples: Sequence[Seen]) -> list[Problem]:
    first: dict[int, Seen] = {}
    remarks = []
    for sample in samples:
        for value, color in sample.colors.items():
            known = first.setdefault(value, sample)
            if known.colors[value] != color:
                what = (
                    f"its palette shows {value} as {color}, that of {known.mask} as "
                    f"{known.colors[value]}"
                )
                remarks.append(Problem(sample.mask, what, _PALETTES))
                break
    return remarks


def _values(dataset: Any, labels: Sequence[np.ndarray]) -> list[int]:
    """Return the file values that may stand for the labels; none where colours stand for them."""
    reader = dataset.mask_reader
    if not isinstance(reader, MaskReader) or reader.colors is not None:
        return []
    ids = {int(label) for array in labels for label in np.flatnonzero(np.bincount(array.ravel()))}
    return [value for value, label in reader.labels.items() if label in ids]


def _colors(picture: Image.Image, values: Sequence[int]) -> dict[int, Color]:
    """Return the colours of values by a picture's palette, without decoding its pixels."""
    if picture.mode != "P" or picture.palette is None:
        return {}
    layout, entries = picture.palette.getdata()
    if layout == "RGB;L":  # all red, then all green, then all blue
        table = np.frombuffer(entries, np.uint8).reshape(3, -1).T
    else:
        table = np.frombuffer(entries, np.uint8).reshape(-1, len(layout.partition(";")[0]))
        table = table[:, [2, 1, 0]] if layout.startswith("BGR") else table[:, :3]
    rows = {value: table[value].tolist() for value in values if 0 <= value < len(table)}
    return {value: (red, green, blue) for value, (red, green, blue) in rows.items()}


def _loss(picture: Image.Image, path: Path) -> str | None:
    """Return the lossy format of a picture; None for one that keeps numbers as they are."""
    if picture.format in ("JPEG", "MPO", "AVIF"):
        return str(picture.format)
    if picture.format == "TIFF":
        compression = str(picture.info.get("compression"))
        return f"TIFF with {compression}" if compression in ("jpeg", "tiff_jpeg", "webp") else None
    if picture.format in ("WEBP", "JPEG2000"):
        with path.open("rb") as file:
            head = file.read(1 << 16)
        if picture.format == "WEBP":
            return None if b"VP8L" in head else "WebP without its lossless mode"
        place = head.find(b"\xff\x52")  # COD; its last byte but precincts names the wavelet
        return "JPEG 2000" if place < 0 or head[place + 13 : place + 14] == b"\0" else None
    return None
