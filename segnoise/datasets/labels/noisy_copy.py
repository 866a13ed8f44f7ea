"""A data set whose noisy masks have been written to files, and the manifest of such files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from segnoise.datasets.base import LabelledImages, check_same_classes
from segnoise.datasets.files.class_files import read_classes
from segnoise.datasets.files.label_rasters import RasterReader
from segnoise.datasets.files.masks import MaskReader
from segnoise.datasets.files.volumes import VolumeReader
from segnoise.datasets.labels.noisy_labels import Wholes, part_of
from segnoise.datasets.labels.relabelled import Relabelled
from segnoise.datasets.problems import DatasetError, Problem, one_problem
from segnoise.datasets.wrapped import labelled
from segnoise.errors import ConfigError, RecordError
from segnoise.noise import Noise, build_noise, is_at_hand
from segnoise.output_folder import is_below
from segnoise.records import Maybe, OneOf, Within, read_record

MANIFEST = "manifest.json"
JOURNAL = ".unfinished.jsonl"  # while a copy is being written
ANEW = "write the copy anew: segnoise corrupt ... --overwrite"
FORMAT = 1  # grows when older programs could misread a manifest

RECORD = {  # one file of a copy
    "path": str,  # below the clean and the noisy folder alike, with forward slashes
    "sample_id": str,
    "clean_sha256": str,
    "noisy_sha256": str,
    "valid": Within(0),  # pixels that are not void in the clean mask
    "changed": Within(0),  # valid ones that became another class or void
    "pixel_rate": Maybe(Within(0, 1, float)),  # changed / valid
}
_SCHEMA = {
    "format": OneOf((FORMAT,)),
    "noise": dict,
    "seed": int,
    # masks: how their files hold the classes; samples_sha256: of their ids and paths
    "dataset": {"samples_sha256": str, "classes": [str], "masks": {"ignore_index": int}},
    "versions": dict,  # of what has made it
    "source": str,  # folder of the clean data set
    "report": dict,  # realised noise of all files, see NoiseReport
    "files": [RECORD],  # in the order of the data set
    "sha256?": str,  # of all the rest as JSON has it; missing in the first copies
}

_HASHED_BEFORE = ("format", "noise", "seed", "dataset", "versions")  # by head_sha256


def read_manifest(folder: str | Path) -> dict[str, Any]:
    """Return what `manifest.json` says of a finished copy, its parts of the right kinds."""
    path, remedy = Path(folder) / MANIFEST, ANEW.replace("anew", "again")
    if not path.exists() and (Path(folder) / JOURNAL).exists():
        what = "noisy copy is not finished"
        raise one_problem(folder, what, "run the same `segnoise corrupt` again")
    if not path.exists():
        what = "no such file, so here is no noisy copy"
        raise one_problem(path, what, "write one: segnoise corrupt --help")
    try:
        manifest: dict[str, Any] = read_record(path, _SCHEMA, remedy)
    except RecordError as error:
        raise DatasetError(str(error)) from None
    rest = {key: value for key, value in manifest.items() if key != "sha256"}
    head = {key: manifest[key] for key in _HASHED_BEFORE if key in manifest}  # of the first copies
    hashes = [(manifest.get("sha256"), rest), (manifest.get("head_sha256"), head)]
    if any(found not in (None, hash_of(value)) for found, value in hashes):
        raise one_problem(path, "has been edited since it was written", remedy)
    if outside := [r["path"] for r in manifest["files"] if not is_below(r["path"])]:
        raise one_problem(path, f"damaged: path {outside[0]!r} leads out of the folder", remedy)
    return manifest


class NoisyCopy(Relabelled):
    """A data set with the noisy masks of a copy that `segnoise corrupt` has written.

    It gives the very samples that `NoisyLabels` gives on the copied data set with the copy's noise
    and seed, at the cost of reading a second file instead of making the noise: `mask` is the
    noisy one, `clean_mask` the original. The data set may be a part of the copied one. When a
    process reads a sample's masks for the first time, it compares the hashes of both files with
    the manifest's: masks of another data set with the same names, or masks that have been edited
    since, are refused.

    Args:
        dataset: The clean data set.
        folder: The copy.

    Attributes:
        manifest: What the copy says about itself.
        fingerprint: Hash of the manifest: two copies with the same have the same masks.

    Raises:
        ConfigError: If the data set is not one whose masks can be copied, or its classes or the
            way in which its files hold them are not the copy's.
        DatasetError: If there is no finished copy in the folder, its manifest has been edited, or
            it lacks some of the samples; on reading, if a file is not the manifest's.

    Example:
        >>> import tempfile
        >>> from segnoise.datasets import NoisyLabels, Phantoms, write_noisy_copy
        >>> folder = tempfile.mkdtemp()
        >>> clean = Phantoms(folder, num_images=2, size=32)
        >>> noisy = NoisyLabels(clean, dict(type="SymmetricFlip", rate=0.2), seed=1)
        >>> manifest, written = write_noisy_copy(noisy, f"{folder}/noisy")
        >>> copied = NoisyCopy(clean, f"{folder}/noisy")
        >>> written, bool((copied[0]["mask"] == noisy[0]["mask"]).all())
        (2, True)
    """

    def __init__(self, dataset: LabelledImages, folder: str | Path) -> None:
        self.dataset = dataset = labelled(dataset)
        self.folder = Path(folder)
        self._reader = reader_of(dataset)
        self.manifest = read_manifest(self.folder)
        named = self.folder / MANIFEST
        self.fingerprint = digest(named)
        if different := differences(labels_of(dataset), self.manifest["dataset"]):
            raise ConfigError(f"{folder} is a copy of another data set: {different}")
        records = {record["sample_id"]: record for record in self.manifest["files"]}
        ids = [mask_name(dataset, index) for index in range(len(dataset))]
        if missing := [name for name in dict.fromkeys(ids) if name not in records]:
            remedy = "write a copy of this data set: segnoise corrupt"
            raise DatasetError(
                [Problem(str(named), f"lacks {name!r}", remedy) for name in missing],
                f"{folder}: {len(missing)} of the data set's {len(set(ids))} samples are not in it",
            )
        self._records = [records[name] for name in ids]
        self._compared: set[str] = set()  # masks whose files' hashes are the manifest's
        self._wholes = None if dataset.whole_of is None else Wholes()

    @property
    def noise(self) -> Noise | None:
        """The noise that the copy was made with; None where this program does not have its class.

        The copy's masks are used without it, and no module is imported because a manifest names it.
        """
        made_with = self.manifest["noise"]
        return build_noise(made_with) if is_at_hand(made_with) else None

    def __repr__(self) -> str:
        return f"NoisyCopy({self.dataset!r}, {str(self.folder)!r})"

    def _relabelled(
        self, clean: np.ndarray, index: int, image: np.ndarray | None = None
    ) -> np.ndarray:
        record = self._records[index]
        path = self.folder / record["path"]
        if record["path"] not in self._compared:
            if wrong := altered(record, self.paths(index)[1], path):
                raise one_problem(
                    wrong[0].path,
                    f"{wrong[0].what}, or is of another data set than {self.manifest['source']}",
                    "give the data set that was copied, or look what has changed: segnoise corrupt "
                    f"--out {self.folder} --verify",
                )
            self._compared.add(record["path"])
        if self._wholes is None:
            return self._reader(path)
        name, place = self.dataset.whole_of(index)
        part = self._wholes.get(name, lambda: self._reader(path))[place]
        return part_of(clean, part, self.metainfo["ignore_index"])


def mask_name(dataset: LabelledImages, index: int) -> str:
    """Return what the mask file of a sample is called in a manifest: a part's is its whole's."""
    whole = dataset.whole_of
    name: str = dataset.sample_id(index) if whole is None else whole(index)[0]
    return name


def check_folder_classes(metainfo: Mapping[str, Any], folder: str | Path) -> None:
    """Raise if a folder of masks says that its classes are not a data set's.

    A noisy copy says so in its manifest, other folders in a classes.txt; most say nothing.
    """
    folder, theirs = Path(folder), None
    if (folder / MANIFEST).is_file():
        dataset = read_manifest(folder)["dataset"]
        theirs = {**dataset, "ignore_index": dataset["masks"]["ignore_index"]}
    elif (folder / "classes.txt").is_file():
        theirs = {"classes": read_classes(folder / "classes.txt")[0]}
    if theirs is not None:
        check_same_classes(metainfo, theirs, ("the data set", str(folder)))


def reader_of(dataset: LabelledImages) -> MaskReader:
    """Return what reads a data set's mask files; nothing else than a `MaskReader` can."""
    reader = dataset.mask_reader
    own = dataset.load_masks is None and dataset.fingerprint is None  # nobody has changed them
    if not own or not isinstance(reader, MaskReader):
        raise ConfigError(
            f"the masks of {dataset!r} are not read by a MaskReader: how they are to be written "
            "is not known"
        )
    return reader


def differences(here: Mapping[str, Any], there: Mapping[str, Any], above: str = "") -> str:
    """Return in words what separates two heads, or parts of heads; "" if nothing does.

    Example:
        >>> here = {"seed": 1, "versions": {"numpy": "2.4", "python": "3.11"}}
        >>> differences(here, {"seed": 0, "versions": {"numpy": "2.3", "python": "3.11"}})
        'seed (there 0, here 1); versions.numpy (there "2.3", here "2.4")'
    """
    found = []
    for key, ours in here.items():
        theirs = there.get(key)
        if key in ("dataset", "versions") and isinstance(theirs, Mapping):
            found.append(differences(ours, theirs, f"{key}."))
        elif ours != theirs:
            texts = [json.dumps(value) for value in (theirs, ours)]
            texts = [text if len(text) <= 120 else text[:117] + "..." for text in texts]
            found.append(f"{above}{key} (there {texts[0]}, here {texts[1]})")
    return "; ".join(filter(None, found))


def altered(record: Mapping[str, Any], clean: Path, noisy: Path) -> list[Problem]:
    """Return which of the two files of a record are not those that its hashes are of."""
    problems = []
    for path, kind, since, remedy in (
        (clean, "clean", "corrupted", f"restore it, or {ANEW}"),
        (noisy, "noisy", "written", ANEW),
    ):
        if (found := digest(path)) != record[f"{kind}_sha256"]:
            what = f"has changed since it was {since}" if found else "missing"
            problems.append(Problem(str(path), f"{kind} mask {what}", remedy))
    return problems


def digest(path: Path) -> str | None:
    """Return the SHA-256 of a file, in hexadecimal digits; None where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def hash_of(value: Any) -> str:
    """Return the hash of a value as JSON has it."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def labels_of(dataset: LabelledImages) -> dict[str, Any]:
    """Return a data set's classes, and how its files hold them, as JSON has them."""
    reader = reader_of(dataset)
    masks = {
        "format": reader.mask_format,
        "ignore_index": reader.ignore_index,
        "value_map": list(reader.value_map.items()) if reader.value_map else None,
        "colors": reader.colors,
        **({"plane": reader.plane} if isinstance(reader, VolumeReader) else {}),
        **({"nodata": reader.nodata} if isinstance(reader, RasterReader) else {}),
    }
    labels = json.dumps({"classes": dataset.metainfo["classes"], "masks": masks})
    plain: dict[str, Any] = json.loads(labels)
    return plain
