"""A data set whose boundaries are moved back as its masks are read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segnoise.datasets.labels.boundary_bias import boundary_bias, shift_boundaries
from segnoise.datasets.labels.known_masks import known_pairs
from segnoise.datasets.labels.relabelled import Around
from segnoise.datasets.wrapped import labelled
from segnoise.errors import ConfigError

LIMIT = 20.0


class CorrectedBoundaries(Around):
    """A training set with the boundaries between classes moved by a number of pixels.

    It wraps any data set, noisy or not, and follows the same protocol; clean masks, where the
    data set knows them, stay as they are. Nothing is random and nothing is remembered, so a
    training resumes as without it.

    Give either the shifts themselves or a folder of clean masks, from which they are measured:
    those of a few samples of the set, ``<sample id>.png`` in the format of the set's own masks.

    Cost: a distance transform for each class of a mask, in the workers that load data.

    Args:
        dataset: a data set, or one in ``NoisyLabels`` or ``NoisyCopy``.
        clean_masks: folder with clean masks of some samples.
        shift: K lists of K numbers: ``shift[k][j]`` is by how many pixels class k extends too far
            over class j, and ``shift[j][k]`` the same with the other sign.
        limit: pixels; boundaries further from the clean one are left out of the measurement; None
            for 20.

    Raises:
        ConfigError: if not exactly one of both is given, a limit beside ``shift``, the folder has
            no mask of any sample, or ``shift`` is not as described.
        DataError: if a clean mask cannot be read or has another size than the sample's.

    Source: Yao et al., Learning to Segment from Noisy Annotations: A Spatial Correction Approach,
    ICLR 2023; see :func:`segnoise.datasets.labels.boundary_bias.boundary_bias`.

    Example:
        >>> from segnoise.datasets import Wrapped
        >>> pair = (np.zeros((1, 4, 3), np.uint8), np.array([[1, 1, 1, 0]]))
        >>> bars = Wrapped([pair], classes=["sky", "bar"])
        >>> CorrectedBoundaries(bars, shift=[[0, -2], [2, 0]]).load_mask(0)
        array([[1, 0, 0, 0]], dtype=uint8)
    """

    def __init__(
        self,
        dataset: Any,
        clean_masks: str | Path | None = None,
        shift: Sequence[Sequence[float]] | None = None,
        limit: float | None = None,
    ) -> None:
        if (clean_masks is None) == (shift is None):
            raise ConfigError("give either clean_masks, a folder, or shift, numbers of pixels")
        if shift is not None and limit is not None:
            raise ConfigError(
                f"limit={limit} is for measuring the shift from clean_masks, and shift is given: "
                "drop it"
            )
        self.dataset = dataset = labelled(dataset)
        classes = len(dataset.metainfo["classes"])
        self._ignore_index = int(dataset.metainfo["ignore_index"])
        if shift is None:
            assert clean_masks is not None
            pairs = known_pairs(dataset, Path(clean_masks).expanduser())
            within = LIMIT if limit is None else limit
            self._bias = boundary_bias(pairs, classes, self._ignore_index, within).round(3)
        else:
            self._bias = _checked(shift, classes)

    @property
    def shift(self) -> list[list[float]]:
        """By how many pixels each class extends too far over each other."""
        return [[float(b) for b in row] for row in self._bias + 0.0]  # no -0.0

    @property
    def noise(self) -> Any:
        """The wrapped data set's noise; None if it has none."""
        return self.dataset.noise

    @property
    def mask_reader(self) -> Any:
        """What reads the wrapped data set's mask files."""
        return self.dataset.mask_reader

    @property
    def fingerprint(self) -> str:
        """What decides the labels, besides the wrapped data set's name and files."""
        return f"{self.dataset.fingerprint}, shift {self.shift}"

    def __repr__(self) -> str:
        return f"CorrectedBoundaries({self.dataset!r})"

    def load_mask(self, index: int) -> np.ndarray:
        """Return a sample's corrected labels, (H, W)."""
        return self._shifted(self.dataset.load_mask(index))

    @property
    def load_masks(self) -> Any:
        """Of an index: clean and corrected labels; None where no clean ones are known."""
        inner = self.dataset.load_masks
        if inner is None:
            return None

        def load(index: int) -> tuple[np.ndarray, np.ndarray]:
            clean, mask = inner(index)
            return clean, self._shifted(mask)

        return load

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return the sample with `mask` corrected."""
        sample = self.dataset[index]
        return {**sample, "mask": self._shifted(sample["mask"])}

    def _shifted(self, mask: np.ndarray) -> np.ndarray:
        return shift_boundaries(mask, self._bias, self._ignore_index)


def _checked(shift: Sequence[Sequence[float]], classes: int) -> np.ndarray:
    try:
        bias = np.array(shift, np.float64)
    except (TypeError, ValueError):
        bias = np.empty(0)
    if bias.shape != (classes, classes) or not np.array_equal(bias, -bias.T):
        raise ConfigError(
            f"shift must be {classes} lists of {classes} numbers with shift[k][j] = -shift[j][k], "
            f"got {shift!r}"
        )
    return bias
