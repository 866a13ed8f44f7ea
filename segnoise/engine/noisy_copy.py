"""Noisy copies of a config's data sets: the work behind tools/corrupt.py."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from segnoise.datasets import NoisyLabels, verify_noisy_copy, write_noisy_copy
from segnoise.datasets.labels.noisy_copy import MANIFEST
from segnoise.datasets.problems import DatasetError
from segnoise.engine import data
from segnoise.errors import ConfigError, DataError
from segnoise.inspection import check_dataset
from segnoise.noise import NoiseReport
from segnoise.parallel import Mapper
from segnoise.tables import printable

_SHOWN = 50  # problems that a check prints


def noisy_labels(config: Mapping[str, Any], split: str) -> NoisyLabels:
    """Return a config's data set of a split under its noise, which must be a noise model."""
    noisy = data.with_noise(data.build_dataset(config, f"{split}_data"), config)
    if not isinstance(noisy, NoisyLabels):
        raise ConfigError(
            f"noise={config['noise']!r} is no noise model, so there is nothing to corrupt with: "
            "give one, e.g. --noise 'SymmetricFlip(rate=0.2)'; --verify can do without a config"
        )
    return noisy


def write(noisy: NoisyLabels, folder: str | Path, mapper: Mapper, overwrite: bool) -> None:
    """Write a copy or go on with it; print its realised noise and where it is."""
    manifest, written = write_noisy_copy(
        noisy, folder, overwrite=overwrite, mapper=mapper, progress="corrupting"
    )
    table = NoiseReport.from_dict(manifest["report"]).table(noisy.metainfo["classes"])
    what = f"{written} of {len(manifest['files'])} masks"
    if not written:
        what = "nothing: the copy was finished, and is as it was written"
    print(f"\nrealised noise\n{table}\n\nwritten      {what}")
    option = {"type": "NoisyCopy", "folder": str(folder)}
    print(f"manifest     {printable(str(Path(folder) / MANIFEST))}")
    print(f'to train     noise = dict(type="NoisyCopy", folder={json.dumps(str(folder))})')
    print(f'             or --cfg-options "noise={option}"')


def verify(noisy: NoisyLabels | None, folder: str | Path, mapper: Mapper) -> None:
    """Check a copy against its manifest; what differs is printed before the error."""
    problems = verify_noisy_copy(folder, noisy, mapper=mapper, progress="verifying")
    if problems:
        print("\nproblems", *problems[:_SHOWN], sep="\n  ")
        if len(problems) > _SHOWN:
            print(f"  ... and {len(problems) - _SHOWN} more")
        raise DataError(f"{printable(str(folder))}: {len(problems)} problem(s), see above")
    print(f"{printable(str(folder))}: all files are as its {MANIFEST} says")


def dry_run(noisy: NoisyLabels, sample: int, workers: int) -> None:
    """Print the noise of some samples, spread evenly over the data set; write nothing."""
    indices = np.unique(np.linspace(0, len(noisy) - 1, min(sample, len(noisy))).round())
    chosen = [int(index) for index in indices]
    check = check_dataset(
        noisy, images=False, workers=workers, indices=chosen, progress="corrupting a sample"
    )
    if check.problems or check.noise is None:
        raise DatasetError(check.problems, "data set")
    print(f"\nexpected noise, from {len(chosen)} of {len(noisy)} masks; nothing is written")
    print(check.noise.table(noisy.metainfo["classes"]))
