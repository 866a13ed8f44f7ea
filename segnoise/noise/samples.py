"""Corrupt a sample of a data set: the one place that says which random numbers it gets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from segnoise.noise.base import Noise
from segnoise.noise.mask import Mask
from segnoise.noise.seeding import generator
from segnoise.pictures import shown


def corrupt_sample(
    noise: Noise,
    dataset: Any,
    index: int,
    seed: int,
    mask: Mask,
    image: NDArray[Any] | None = None,
) -> Mask:
    """Return a sample's noisy mask, a function of the seed and the sample's id."""
    sample_id = str(dataset.sample_id(index))
    given: dict[str, Any] = {}
    if "image" in noise.needs:
        given["image"] = shown(dataset.load_image(index) if image is None else image)
    if "instances" in noise.needs:
        given["instances"] = dataset.load_instances(index)
    if "others" in noise.needs:
        given["others"] = _Others(dataset, index)
    if "sample_id" in noise.needs:
        given["sample_id"] = sample_id
    return noise(mask, generator(seed, "noise", sample_id), **given)


class _Others(Sequence[Mask]):
    """The masks of a data set but one, loaded when asked for."""

    def __init__(self, dataset: Any, left_out: int) -> None:
        self._dataset = dataset
        self._left_out = range(len(dataset))[left_out]

    def __len__(self) -> int:
        return len(self._dataset) - 1

    def __getitem__(self, index: Any) -> Any:
        place = range(len(self))[index]
        return self._dataset.load_mask(place + (place >= self._left_out))


class OtherWholes(Sequence[Mask]):
    """The whole label maps of a data set of parts but one, by name, loaded when asked for."""

    def __init__(self, dataset: Any, left_out: str) -> None:
        self._dataset = dataset
        first = {dataset.whole_of(n)[0]: n for n in reversed(range(len(dataset)))}
        self._first = [n for name, n in sorted(first.items()) if name != left_out]

    def __len__(self) -> int:
        return len(self._first)

    def __getitem__(self, index: Any) -> Any:
        return self._dataset.load_whole(self._first[index])
