"""A data set whose noisy masks have been written to files before."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from segnoise.datasets.base import LabelledImages
from segnoise.datasets.labels.copy_manifest import MANIFEST, Manifest, differences, sha256
from segnoise.datasets.labels.copy_plan import labels_of, reader_of
from segnoise.datasets.labels.relabelled import Relabelled
from segnoise.datasets.problems import DatasetError, Problem, one_problem
from segnoise.datasets.wrapped import labelled
from segnoise.errors import ConfigError
from segnoise.noise import Noise, build_noise, is_at_hand


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
            it lacks some of the samples.

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
        self.manifest = Manifest.read(self.folder)
        self.fingerprint = sha256((self.folder / MANIFEST).read_bytes())
        if edited := self.manifest.contradictions():
            remedy = "write the copy anew: segnoise corrupt ... --overwrite"
            raise one_problem(self.folder / MANIFEST, edited[0], remedy)
        different = differences(labels_of(dataset), self.manifest.head["dataset"])
        if different:
            raise ConfigError(f"{folder} is a copy of another data set: {different}")
        records = {record.sample_id: record for record in self.manifest.files}
        ids = [dataset.sample_id(index) for index in range(len(dataset))]
        if missing := [name for name in ids if name not in records]:
            remedy = "write a copy of this data set: segnoise corrupt"
            raise DatasetError(
                [Problem(str(self.folder / MANIFEST), f"lacks {m!r}", remedy) for m in missing],
                f"{folder}: {len(missing)} of the data set's {len(ids)} samples are not in it",
            )
        self._records = [records[name] for name in ids]
        self._compared: set[int] = set()  # samples whose files' hashes are the manifest's

    @property
    def noise(self) -> Noise | None:
        """The noise that the copy was made with; None where this program does not have its class.

        The copy's masks are used without it, and no module is imported because a manifest names it.
        """
        made_with = self.manifest.head["noise"]
        return build_noise(made_with) if is_at_hand(made_with) else None

    def __repr__(self) -> str:
        return f"NoisyCopy({self.dataset!r}, {str(self.folder)!r})"

    def _relabelled(
        self, clean: np.ndarray, index: int, image: np.ndarray | None = None
    ) -> np.ndarray:
        record = self._records[index]
        path = self.folder / record.path
        noisy = self._reader(path)
        if noisy.shape != clean.shape:
            sizes = [f"{width}x{height}" for height, width in (noisy.shape, clean.shape)]
            raise one_problem(
                path,
                f"is {sizes[0]}, the clean mask {sizes[1]}",
                f"look what else has changed: segnoise corrupt --out {self.folder} --verify",
            )
        if index not in self._compared:
            self._compare(self.paths(index)[1], record.clean_sha256, "this copy was made from")
            self._compare(path, record.noisy_sha256, "was written")
            self._compared.add(index)
        return noisy

    def _compare(self, path: Path, expected: str, which: str) -> None:
        if sha256(path.read_bytes()) != expected:
            raise one_problem(
                path,
                f"is not the mask that {which} ({self.folder}, from {self.manifest.source})",
                "give the data set that was copied, or look what has changed: segnoise corrupt "
                f"--out {self.folder} --verify",
            )
