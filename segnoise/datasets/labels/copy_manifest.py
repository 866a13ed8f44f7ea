"""What a noisy copy of a data set's masks says about itself: `manifest.json`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from segnoise.datasets.base import check_same_classes
from segnoise.datasets.files.class_files import read_classes
from segnoise.datasets.files.masks import MaskReader
from segnoise.datasets.problems import DatasetError, one_problem
from segnoise.errors import RecordError
from segnoise.files import write_text
from segnoise.noise import NoiseReport
from segnoise.records import Maybe, OneOf, Within, find_fault, read_record

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
        """Return the record that `dataclasses.asdict` and JSON have made into a dictionary.

        Raises:
            ValueError: If an entry is missing or of another kind, or the path leads out of the
                folder.
        """
        if fault := find_fault(data, _RECORD):
            raise ValueError(fault)
        values = {field.name: data[field.name] for field in fields(cls)}
        path = values["path"]
        parts = PurePosixPath(path).parts
        outside = not parts or parts[0] == "/" or ".." in parts or "\0" in path
        if outside or PureWindowsPath(path).drive:
            raise ValueError(f"path {path!r} leads out of the folder")
        return cls(**{**values, "seed_key": tuple(values["seed_key"])})


_RECORD = {
    **dict.fromkeys(("path", "sample_id", "clean_sha256", "noisy_sha256"), str),
    **dict.fromkeys(("valid", "changed"), Within(0)),
    "seed_key": [object],
    "pixel_rate": Maybe(Within(0, 1, float)),
}
_BYTE = Within(0, 255)
_HEAD = {
    "format": OneOf((FORMAT,)),
    "noise": dict,
    "seed": int,
    "dataset": {
        "samples": Within(0),
        "samples_sha256": str,
        "classes": [str],
        "masks": {
            "format": str,
            "ignore_index": int,
            "value_map": Maybe([(int, int)]),
            "colors": Maybe([((_BYTE, _BYTE, _BYTE), int)]),
        },
    },
    "versions": dict,
}
_MANIFEST = {**_HEAD, "source": str, "head_sha256": str, "report": dict, "files": [dict]}


@dataclass(frozen=True)
class Manifest:
    """What a finished copy is, and what each of its files was when it was written.

    Attributes:
        head: What the copy was to be: `noise` as JSON, `seed`, `dataset`, `versions`.
        source: The folder of the clean data set.
        report: The realised noise of all files, as `NoiseReport.to_dict` writes it.
        files: One record a file, in the order of the data set.
        head_sha256: Hash of the head when it was written.
    """

    head: dict[str, Any]
    source: Path
    report: dict[str, Any]
    files: tuple[MaskRecord, ...]
    head_sha256: str

    def write(self, folder: Path) -> None:
        """Write `manifest.json` into a folder, a line a file."""
        parts = {
            **self.head,
            "head_sha256": self.head_sha256,
            "source": str(self.source),
            "report": self.report,
        }
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
        remedy = "write the copy again: segnoise corrupt ... --overwrite"
        if not path.exists():
            if (Path(folder) / UNFINISHED).is_dir():
                raise one_problem(
                    folder, "noisy copy is not finished", "run the same `segnoise corrupt` again"
                )
            raise one_problem(
                path, "no such file, so here is no noisy copy", "write one: segnoise corrupt --help"
            )
        try:
            data = read_record(path, _MANIFEST, remedy)
        except RecordError as error:
            raise DatasetError(str(error)) from None
        try:
            check_head(data)
            NoiseReport.from_dict(data["report"])
            return cls(
                {key: data[key] for key in _HEAD},
                Path(data["source"]),
                data["report"],
                tuple(MaskRecord.from_dict(entry) for entry in data["files"]),
                data["head_sha256"],
            )
        except (TypeError, ValueError) as error:
            raise one_problem(path, f"damaged: {error}", remedy) from None

    def mask_reader(self) -> MaskReader:
        """Return what reads the files, the clean and the noisy ones."""
        return _mask_reader(self.head["dataset"])

    def contradictions(self) -> list[str]:
        """Return in words where the parts of the manifest do not fit each other: it was edited."""
        found, dataset = [], self.head["dataset"]
        if hash_of(self.head) != self.head_sha256:
            found.append("its noise, seed, dataset or versions are not those that were written")
        samples = [[record.sample_id for record in self.files], [r.path for r in self.files]]
        if dataset["samples"] != len(self.files):
            found.append(f"has {len(self.files)} files for {dataset['samples']} samples")
        elif dataset["samples_sha256"] != hash_of(samples):
            found.append("its files' sample_id and path are not those that were written")
        seed = self.head["seed"]
        wrong = [r for r in self.files if r.seed_key != (seed, "noise", r.sample_id)]
        if wrong:
            what = f"seed_key {list(wrong[0].seed_key)} is not of {wrong[0].sample_id!r}"
            found.append(f"{what} with seed {seed} ({len(wrong)} such files)")
        return found


def check_head(head: Any) -> None:
    """Check the kinds of a head's parts.

    Raises:
        ValueError: If a part is missing or of another kind, or no mask reader can be made from it.
    """
    if fault := find_fault(head, _HEAD):
        raise ValueError(fault)
    _mask_reader(head["dataset"])


def _mask_reader(dataset: Mapping[str, Any]) -> MaskReader:
    masks = dataset["masks"]
    value_map, colors = masks["value_map"], masks["colors"]
    return MaskReader(
        len(dataset["classes"]),
        mask_format=masks["format"],
        value_map=None if value_map is None else dict(value_map),
        colors=None if colors is None else {tuple(color): label for color, label in colors},
        ignore_index=masks["ignore_index"],
    )


def check_folder_classes(metainfo: Mapping[str, Any], folder: str | Path) -> None:
    """Raise if a folder of masks says that its classes are not a data set's.

    A noisy copy says so in its manifest, other folders in a classes.txt; most say nothing.

    Raises:
        ConfigError: If classes differ in number, name or order, or void in its id.
        DatasetError: If the file that says it is damaged.
    """
    folder, theirs = Path(folder), None
    if (folder / MANIFEST).is_file():
        head = Manifest.read(folder).head["dataset"]
        theirs = {"classes": head["classes"], "ignore_index": head["masks"]["ignore_index"]}
    elif (folder / "classes.txt").is_file():
        theirs = {"classes": read_classes(folder / "classes.txt")[0]}
    if theirs is not None:
        check_same_classes(metainfo, theirs, ("the data set", str(folder)))


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


def hash_of(value: Any) -> str:
    """Return the hash of a value as JSON has it."""
    return sha256(json.dumps(value).encode())


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 120 else text[:117] + "..."
