"""Errors where an image, or a model of it, is least sure of the labels."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from segnoise.noise import parameters
from segnoise.noise.base import Dose, Noise, register
from segnoise.noise.geometry.drift import Candidates, drifting_pixels
from segnoise.noise.geometry.predictions import load_top2, prediction_path
from segnoise.noise.geometry.smooth_field import LARGEST_LENGTH
from segnoise.noise.mask import Mask, check_class_ids, check_storable
from segnoise.noise.sources import Sources

_OF_THE_IMAGE = ("depth", "reach", "length")
_FARTHEST = 1 << 12  # pixels


@register
@dataclasses.dataclass(frozen=True)
class FeatureDependent(Noise):
    """The labels with the weakest support in the image flip first, until a given share has.

    Of the mask's n valid pixels, floor(rate n + 1/2) flip, or all candidates if there are fewer.
    Which pixels are candidates, what they become and who goes first comes from one of two sources.

    The image (predictions=None): boundaries drift where the image hardly shows them. A pixel p
    belongs to the boundary pixel q of its region that is nearest to it. d(p) = 1 + |p - q| is its
    distance to the rival class across the boundary at q, whose label it takes if it flips. c(q)
    is the step of colour across the boundary, in grey levels, 0 to 255: colours, each a mean of
    3 x 3 pixels, are compared `depth` pixels behind the boundary on either side (at the boundary,
    if that is out of the two regions), and the differences are averaged with their signs over the
    boundary pixels in the square of side 9 around q; the greatest channel counts. f is a smooth
    Gaussian field of variance 1 and correlation exp(-|p - q|^2 / length^2). At q the boundary
    drifts by

        s f(q) / (1 + c(q))    pixels,

    into the class of the lower id where f is positive, and into that of the higher id where it is
    negative; s is the least number that gives the share. So p flips if its side gives way,
    d(p) <= s |f(q)| / (1 + c(q)), and d(p) <= reach: candidates are about half of the pixels
    within `reach` of another class. Void counts as the label nearest to it while boundaries are
    sought, so that void rims do not hide them.

    A model (predictions=folder): labels are weak where a model finds another class probable. Of
    the model's two most probable classes at p, the rival of the label is the first, unless that
    is the label itself; then it is the second. All valid pixels are candidates. Those go first
    whose rival is the most probable: where the model contradicts the label, the most certain
    first; then where it agrees, the least certain first. Nothing is random but the order of ties.

    Source: (model) Chen et al. (Beyond class-conditional assumption, AAAI 2021) flip the samples
    with the most probable rival, by a softmax averaged over a training; here pixels are samples,
    and the saved probabilities may be such an average. (image) This library's definition; that
    an edge is found to within noise / slope is Canny's localisation criterion (PAMI 1986).
    Part-dependent noise (Xia et al., NeurIPS 2020) draws a transition matrix from the features of
    a whole image, and has no counterpart for the pixels of one.

    Args:
        rate: Share of the valid pixels, from 0 to 1.
        predictions: Folder of the predictions that `save_top2` wrote of this very data set, one
            `<sample_id>.npz` a sample. None takes the evidence from the image.
        num_classes: K; needed with predictions, whose class ids are checked by it.
        depth: In pixels, from 0 to 4096. 0 sees the slope right at the boundary, so that blurred
            boundaries are weak; more sees the contrast of the two sides. Like the next two, of
            the image only.
        reach: The greatest d(p), in pixels, from 1 to 4096. Memory grows with it.
        length: Correlation length of the drift, in pixels, from 1 to 16384.
        ignore_index: Void; stays as it is.

    Raises:
        TypeError: If num_classes is missing.
        ValueError: If a parameter is changed although predictions do not use it; on a call, if a
            prediction does not fit the mask or the classes.
        FileNotFoundError: On a call, if a sample has no prediction.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import FeatureDependent, generator
        >>> mask = np.array([[0] * 6 + [1] * 6 + [2] * 6], np.uint8)
        >>> image = np.array([40, 50, 200], np.uint8)[mask]  # 0 and 1 look alike
        >>> FeatureDependent(rate=0.1)(mask, generator(0), image=image).tolist()
        [[0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2]]
    """

    DOSE = Dose("rate", high=1.0)

    rate: float = parameters.rate()
    predictions: str | None = None
    num_classes: int | None = parameters.integer(2, default=None)
    depth: int = parameters.integer(0, _FARTHEST, default=2)
    reach: float = parameters.number(1, _FARTHEST, default=16.0)
    length: float = parameters.number(1, LARGEST_LENGTH, default=32.0)
    ignore_index: int = parameters.void()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.predictions is not None:
            self._check_predictions(self.predictions)

    def _check_predictions(self, folder: object) -> None:
        if not isinstance(folder, (str, os.PathLike)):
            raise TypeError(f"predictions must be None or a folder, not {folder!r}")
        object.__setattr__(self, "predictions", os.fspath(folder))
        if self.num_classes is None:
            raise TypeError("num_classes is missing: it checks the class ids in the predictions")
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name in _OF_THE_IMAGE and value != field.default:
                raise ValueError(f"{field.name}={value!r} has no effect with predictions: omit it")

    @property
    def needs(self) -> frozenset[str]:
        """The image, or the sample's name to find its predictions."""
        return frozenset({"image"} if self.predictions is None else {"sample_id"})

    def check_fit(self, num_classes: int, ignore_index: int) -> None:
        """Check against a data set; num_classes only where it is given."""
        if self.predictions is not None and not os.path.isdir(self.predictions):
            raise ValueError(
                f"predictions={self.predictions!r}: no such folder: save a model's predictions on "
                "this data set there with save_top2"
            )
        if self.num_classes is None:
            if num_classes < 2:
                raise ValueError(
                    f"FeatureDependent needs a second class to flip to, but the data has "
                    f"{num_classes}"
                )
            dataclasses.replace(self, num_classes=num_classes).check_fit(num_classes, ignore_index)
        else:
            super().check_fit(num_classes, ignore_index)

    def _corrupt(self, mask: Mask, rng: np.random.Generator, sources: Sources) -> Mask:
        noisy: Mask = mask.copy()
        count = int(self.rate * np.count_nonzero(mask != self.ignore_index) + 0.5)
        if count:
            found = self._candidates(mask, rng, sources, count)
            first = _greatest(found.weakness, count, rng)
            noisy.ravel()[found.at[first]] = found.label[first]
        return noisy

    def _candidates(
        self, mask: Mask, rng: np.random.Generator, sources: Sources, count: int
    ) -> Candidates:
        if self.predictions is not None:
            # Both are there: num_classes by __post_init__, sample_id by `needs`.
            classes, name = cast(int, self.num_classes), cast(str, sources.sample_id)
            path = prediction_path(self.predictions, name)
            return _contradicted(mask, path, count, classes, self.ignore_index)
        return drifting_pixels(
            mask,
            cast("NDArray[np.uint8]", sources.image),
            rng,
            count,
            depth=self.depth,
            reach=self.reach,
            length=self.length,
            ignore_index=self.ignore_index,
        )


def _contradicted(
    mask: Mask, path: Path, count: int, num_classes: int, ignore_index: int
) -> Candidates:
    """Return the `count` pixels, or more, with the most probable other class saved in a file."""
    check_class_ids(mask, num_classes, ignore_index)
    check_storable(num_classes - 1, mask, "num_classes - 1")
    labels, probabilities = load_top2(path, mask.shape, num_classes)
    agrees = labels[0] == mask
    # Floats from 0 to 1 have the order of their bits, and integers are faster to sort.
    bits = probabilities.view(f"u{probabilities.itemsize}")
    weakness = np.where(agrees, bits[1], bits[0])
    valid = mask != ignore_index
    weak = valid & (weakness >= np.partition(weakness[valid], -count)[-count])
    rival = np.where(agrees[weak], labels[1][weak], labels[0][weak])
    return Candidates(np.flatnonzero(weak), rival.astype(mask.dtype), weakness[weak])


def _greatest(values: NDArray[Any], count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return where the `count` greatest values are; who of equals is taken is drawn at random."""
    if count >= values.size:
        return np.arange(values.size)
    least = np.partition(values, values.size - count)[values.size - count]
    sure, tied = np.flatnonzero(values > least), np.flatnonzero(values == least)
    return np.append(sure, rng.permutation(tied)[: count - sure.size])
