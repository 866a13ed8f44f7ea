"""What a noisy copy of a data set's masks says about itself: `manifest.json`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from segnoise.datasets.mask_files import MaskReader
from segnoise.datasets.problems import one_problem
from segnoise.files import write_text

MANIFEST = "manifest.json"
UNFINISHED = ".unfinished"
"""Folder inside a copy that exists while the copy is being written."""

JOB = ("noise", "seed", "dataset")
"""The parts of a head that say which copy it is; `versions` say what made it."""

FORMAT = 1
"""Of the manifest; grows when older programs could misread it."""


@dataclass(frozen=True)
class MaskRecord:
    """One file of a copy.

    Attributes:
        path: Below the copy's folder and below the source's alike, with forward slashes.
        sample_id: Of the data set.
        seed_key: The keys of the sample's `segnoise.noise.generator`.
        clean_sha256: Hash of the source's file.
        noisy_sha256: Hash of the copy's file.
        valid: Pixels that are not void in the clean mask.
        changed: Valid pixels that became another class or void.
        pixel_rate: changed / valid; None if no pixel is valid.
    """

    path: str
    sample_id: str
    seed_key: tuple[int | str, ...]
    clean_sha256: str
    noisy_sha256: str
    valid: int
    changed: int
    pixel_rate: float | None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> MaskRecord:
        """Return the record that `dataclasses.asdict` and JSON have made into a dictionary."""
        values = {field.name: data[field.name] for field in fields(cls)}
        return cls(**{**values, "seed_key": tuple(values["seed_key"])})


@dataclass(frozen=True)
class Manifest:
    """What a finished copy is, and what each of its files was when it was written.

    Attributes:
        head: What the copy was to be: `noise` as JSON, `seed`, `dataset`, `versions`.
        source: The folder of the clean data set.
        report: The realised noise of all files, as `NoiseReport.to_dict` writes it.
        files: One record a file, in the order of the data set.
    """

    head: dict[str, Any]
    source: Path
    report: dict[str, Any]
    files: tuple[MaskRecord, ...]

    def write(self, folder: Path) -> None:
        """Write `manifest.json` into a folder, a line a file."""
        parts = {**self.head, "source": str(self.source), "report": self.report}
        lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in parts.items()]
        files = [json.dumps(asdict(entry)) for entry in self.files]
        lines.append('"files": [\n' + ",\n".join(files) + "\n]")
        write_text(folder / MANIFEST, "{\n" + ",\n".join(lines) + "\n}\n")

    @classmethod
    def read(cls, folder: str | Path) -> Manifest:
        """Read the manifest of a finished copy.

        Raises:
            DatasetError: If there is none, the copy is not finished, or the file is damaged.
        """
        path = Path(folder) / MANIFEST
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if data["format"] != FORMAT:
                raise ValueError(f"format {data['format']}, this segnoise reads {FORMAT}")
            return cls(
                {key: data[key] for key in ("format", "noise", "seed", "dataset", "versions")},
                Path(data["source"]),
                data["report"],
                tuple(MaskRecord.from_dict(entry) for entry in data["files"]),
            )
        except (FileNotFoundError, NotADirectoryError):
            if (Path(folder) / UNFINISHED).is_dir():
                raise one_problem(
                    folder, "noisy copy is not finished", "run the same `segnoise corrupt` again"
                ) from None
            raise one_problem(
                path, "no such file, so here is no noisy copy", "write one: segnoise corrupt --help"
            ) from None
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise one_problem(
                path,
                f"no manifest of a noisy copy: {type(error).__name__}: {error}",
                "write the copy again: segnoise corrupt ... --overwrite",
            ) from None

    def mask_reader(self) -> MaskReader:
        """Return what reads the files, the clean and the noisy ones."""
        dataset, masks = self.head["dataset"], self.head["dataset"]["masks"]
        value_map, colors = masks["value_map"], masks["colors"]
        return MaskReader(
            len(dataset["classes"]),
            mask_format=masks["format"],
            value_map=None if value_map is None else dict(value_map),
            colors=None if colors is None else {tuple(color): label for color, label in colors},
            ignore_index=masks["ignore_index"],
        )


def flat(head: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """Return some parts of a head, those that are several things under the name of each.

    Example:
        >>> flat({"seed": 3, "versions": {"numpy": "2.4"}, "noise": {}}, ["seed", "versions"])
        {'seed': 3, 'versions.numpy': '2.4'}
    """
    found: dict[str, Any] = {}
    for key in keys:
        if key in ("dataset", "versions"):
            found.update({f"{key}.{part}": value for part, value in head[key].items()})
        else:
            found[key] = head[key]
    return found


def differences(here: Mapping[str, Any], there: Mapping[str, Any]) -> str:
    """Return in words what separates two dictionaries; "" if nothing does.

    Example:
        >>> differences({"seed": 1, "rate": 0.2}, {"seed": 0, "rate": 0.2})
        'seed (there 0, here 1)'
    """
    found = [
        f"{key} (there {_short(there.get(key))}, here {_short(value)})"
        for key, value in here.items()
        if value != there.get(key)
    ]
    return "; ".join(found)


def sha256(content: bytes) -> str:
    """Return the hash of some bytes, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 120 else text[:117] + "..."
