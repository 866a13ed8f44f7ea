"""What a noisy copy of a data set is to be: which masks go where, under which noise."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from segnoise.datasets.base import LabelledImages
from segnoise.datasets.files.masks import MaskReader
from segnoise.datasets.labels.copy_manifest import FORMAT, hash_of
from segnoise.datasets.labels.noisy_labels import NoisyLabels
from segnoise.datasets.problems import one_problem
from segnoise.errors import ConfigError
from segnoise.output_folder import keep_apart
from segnoise.version import __version__


@dataclass(frozen=True)
class CopyPlan:
    """Which masks go where.

    Attributes:
        noisy: The data set and its noise.
        root: The data set's folder: the one that holds all images and masks.
        folder: The copy's folder.
        paths: Of the mask files, below either.
    """

    noisy: NoisyLabels
    root: Path
    folder: Path
    paths: tuple[str, ...]

    @classmethod
    def of(cls, noisy: NoisyLabels, folder: str | Path) -> CopyPlan:
        """Plan a copy; touches no file.

        Raises:
            ConfigError: If the copy would lie among the data set's own files.
            DatasetError: If two samples share a mask file.
        """
        pairs = [noisy.paths(index) for index in range(len(noisy))]
        images, masks = ([os.path.abspath(pair[side]) for pair in pairs] for side in (0, 1))
        root = _common([*images, *masks]) or _common(masks) or Path(Path(masks[0]).anchor)
        target = Path(folder).absolute()
        paths = tuple(Path(os.path.relpath(path, root)).as_posix() for path in masks)
        if len(set(paths)) < len(paths):
            shared = next(path for path in paths if paths.count(path) > 1)
            ids = [noisy.sample_id(i) for i, path in enumerate(paths) if path == shared]
            raise one_problem(
                root / shared,
                f"is the mask of {len(ids)} samples ({', '.join(ids[:3])})",
                "one file cannot hold their different noise: give each sample a mask of its own",
            )
        keep_apart(folder, images, masks)
        return cls(noisy, root, target, paths)

    def source(self, index: int) -> Path:
        """Return a sample's clean mask file."""
        return self.root / self.paths[index]

    def target(self, index: int) -> Path:
        """Return a sample's noisy mask file."""
        return self.folder / self.paths[index]

    def head(self) -> dict[str, Any]:
        """Return what the copy is to be, as JSON has it: the first part of its manifest.

        Raises:
            ConfigError: If the noise cannot be written down, as a lambda cannot, or the masks are
                not read by a `MaskReader`.
        """
        noise, dataset = self.noisy.noise, self.noisy.dataset
        try:
            made_with = json.loads(json.dumps(noise.to_dict()))
        except TypeError as error:
            raise ConfigError(f"noise: {error}") from error
        ids = [dataset.sample_id(index) for index in range(len(dataset))]
        head = {
            "format": FORMAT,
            "noise": made_with,
            "seed": self.noisy.seed,
            "dataset": {
                "type": type(dataset).__name__,
                "samples": len(ids),
                "samples_sha256": hash_of([ids, list(self.paths)]),
                **labels_of(dataset),
            },
            "versions": {
                "segnoise": __version__,
                "numpy": np.__version__,
                "opencv": cv2.__version__,
                "python": platform.python_version(),
            },
        }
        plain: dict[str, Any] = json.loads(json.dumps(head))
        return plain


def labels_of(dataset: LabelledImages) -> dict[str, Any]:
    """Return a data set's classes, and how its files hold them, as JSON has them.

    Raises:
        ConfigError: If the masks are not read by a `MaskReader`.
    """
    reader = reader_of(dataset)
    masks = {
        "format": reader.mask_format,
        "ignore_index": reader.ignore_index,
        "value_map": None if reader.value_map is None else list(reader.value_map.items()),
        "colors": reader.colors,
    }
    content = {"classes": dataset.metainfo["classes"], "masks": masks}
    plain: dict[str, Any] = json.loads(json.dumps(content))
    return plain


def reader_of(dataset: LabelledImages) -> MaskReader:
    """Return what reads a data set's mask files.

    Raises:
        ConfigError: If it is no `MaskReader`.
    """
    reader = getattr(dataset, "mask_reader", None)
    if not isinstance(reader, MaskReader):
        raise ConfigError(
            f"the masks of {dataset!r} are not read by a MaskReader: how they are to be written "
            "is not known"
        )
    return reader


def _common(files: Sequence[str]) -> Path | None:
    """Return the folder that holds all files; None if that is the root of the file system."""
    try:
        folder = Path(os.path.commonpath([os.path.dirname(path) for path in files]))
    except ValueError:  # on several drives
        return None
    return None if folder == Path(folder.anchor) else folder
