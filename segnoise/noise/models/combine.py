"""Noise models made of noise models."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from segnoise.checks import check_number
from segnoise.noise import parameters
from segnoise.noise.base import Dose, Noise, register
from segnoise.noise.building import build_noise
from segnoise.noise.mask import Mask, check_classes, is_any_of
from segnoise.noise.sources import Sources


class _Combination(Noise):
    """What combinations share: they need what their parts need, and scale all parts' doses.

    The dose of a combination is a factor, 1 as it is built: `with_dose(s)` multiplies each part's
    dose by s, up to that part's greatest.
    """

    DOSE = Dose("factor on the parts' doses", high=1.0)

    @abstractmethod
    def _parts(self) -> Sequence[Noise]:
        """The models that are combined."""

    def _with_parts(self, parts: Sequence[Noise]) -> Noise:
        """The same combination of other models."""
        return dataclasses.replace(self, **{"noises": tuple(parts)})

    def _check_void(self) -> None:
        """Raise if the parts do not agree on void, which one would then corrupt for another."""
        voids = sorted(_voids(self._parts()))
        if len(voids) > 1:
            raise ValueError(
                f"the parts of {type(self).__name__} have different ignore_index "
                f"({', '.join(map(str, voids))}): give all of them the same"
            )

    @property
    def needs(self) -> frozenset[str]:
        """The names of all `Sources` that a part needs."""
        return frozenset().union(*(part.needs for part in self._parts()))

    @property
    def dose(self) -> float:
        """1: the combination as it is."""
        return 1.0

    @property
    def dose_range(self) -> tuple[float, float]:
        """0, and the factor at which the last part reaches its greatest dose."""
        factors = [part.dose_range[1] / part.dose for part in self._parts() if part.dose > 0]
        return 0.0, max(factors, default=1.0)

    @property
    def takes_volumes(self) -> bool:
        """Whether all parts do."""
        return all(part.takes_volumes for part in self._parts())

    def with_dose(self, dose: float) -> Noise:
        """Return the combination with each part's dose multiplied, up to the part's greatest."""
        factor = check_number("dose", dose, 0)
        scaled = [
            part.with_dose(min(max(factor * part.dose, part.dose_range[0]), part.dose_range[1]))
            for part in self._parts()
        ]
        return self._with_parts(scaled)

    def check_fit(self, num_classes: int, ignore_index: int) -> None:
        """Check every part."""
        for part in self._parts():
            part.check_fit(num_classes, ignore_index)


@register
@dataclasses.dataclass(frozen=True)
class Compose(_Combination):
    """Noise models applied in order, each to the result of the one before.

    All draw from one generator, in order; adding a model at the end does not change what those
    before it do. `Compose([])` leaves masks clean. Models that look at an image or at instances
    see the clean ones.

    Args:
        noises: Noise models, or names or configs of such.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import BoundaryErosion, Compose, SymmetricFlip, generator
        >>> noise = Compose([BoundaryErosion(1, fill=0), SymmetricFlip(0.5, num_classes=3)])
        >>> mask = np.array([[0, 0, 0, 0, 2, 2, 2, 2]], np.uint8)
        >>> noise(mask, generator(0, "street")).tolist()
        [[2, 2, 0, 0, 0, 1, 0, 0]]
        >>> Compose.from_dict(noise.to_dict()) == noise
        True
    """

    noises: tuple[Noise, ...] = parameters.checked(lambda _, noises: _built(noises))

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_void()

    def _parts(self) -> Sequence[Noise]:
        return self.noises

    def _corrupt(self, mask: Mask, rng: np.random.Generator, sources: Sources) -> Mask:
        noisy: Mask = mask.copy()
        for noise in self.noises:
            noisy = noise(noisy, rng, **sources.with_names(noise.needs))
        return noisy


def _check_weights(_: str, weights: Any) -> tuple[float, ...] | None:
    if weights is None:
        return None
    if not isinstance(weights, Sequence) or isinstance(weights, str):
        raise TypeError(f"weights must be None or a list or tuple of numbers, not {weights!r}")
    return tuple(check_number("weight", weight, 0) for weight in weights)


@register
@dataclasses.dataclass(frozen=True)
class OneOf(_Combination):
    """One noise model per mask, drawn at random.

    Args:
        noises: Noise models, or names or configs of such; at least one.
        weights: How often each is drawn, relative to the others; None draws evenly.

    Raises:
        ValueError: If there is no model, a weight is negative, or there is not one weight a model
            with a sum above 0.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import BoundaryErosion, OneOf, generator
        >>> noise = OneOf([BoundaryErosion(1), BoundaryErosion(2)], weights=[1, 3])
        >>> mask = np.array([[0, 0, 0, 0, 0, 7, 7, 7]], np.uint8)
        >>> [noise(mask, generator(0, name)).tolist()[0].count(7) for name in "abcdef"]
        [1, 2, 1, 2, 1, 1]
    """

    noises: tuple[Noise, ...] = parameters.checked(lambda _, noises: _built(noises))
    weights: tuple[float, ...] | None = parameters.checked(_check_weights, default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.noises:
            raise ValueError("noises is empty: OneOf needs at least one model to draw")
        self._check_void()
        weights = self.weights
        if weights is not None and (len(weights) != len(self.noises) or not any(weights)):
            raise ValueError(
                f"weights={weights!r} must be {len(self.noises)} numbers, one a model, not all of "
                "them 0"
            )

    def _parts(self) -> Sequence[Noise]:
        return self.noises

    def _corrupt(self, mask: Mask, rng: np.random.Generator, sources: Sources) -> Mask:
        weights = np.array(self.weights or [1] * len(self.noises), np.float64)
        weights /= weights.max()  # their sum might be infinite
        # A uniform number, whatever is drawn: the parts' draws begin at the same place.
        limits = np.cumsum(weights)
        chosen = np.searchsorted(limits, rng.random() * limits[-1], side="right")
        noise = self.noises[int(chosen)]
        return noise(mask, rng, **sources.with_names(noise.needs))


@register
@dataclasses.dataclass(frozen=True)
class Sometimes(_Combination):
    """A noise model applied to a share of the masks; the others stay clean.

    Its dose is the rate: `calibrate` turns how many masks are noisy, not how noisy they are.

    Args:
        noise: A noise model, or its config.
        rate: Probability of a mask to be corrupted, from 0 to 1.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import BoundaryErosion, Sometimes, generator
        >>> noise = Sometimes(BoundaryErosion(1), rate=0.3)
        >>> mask = np.array([[0, 0, 0, 0, 0, 7, 7, 7]], np.uint8)
        >>> [noise(mask, generator(0, name)).tolist()[0].count(7) for name in "abcdef"]
        [3, 2, 2, 2, 3, 3]
    """

    DOSE = Dose("rate", high=1.0)

    noise: Noise
    rate: float = parameters.rate()

    def __post_init__(self) -> None:
        object.__setattr__(self, "noise", _built([self.noise])[0])
        super().__post_init__()

    def _parts(self) -> Sequence[Noise]:
        return (self.noise,)

    dose, dose_range, with_dose = Noise.dose, Noise.dose_range, Noise.with_dose

    def _corrupt(self, mask: Mask, rng: np.random.Generator, sources: Sources) -> Mask:
        if rng.random() >= self.rate:
            untouched: Mask = mask.copy()
            return untouched
        return self.noise(mask, rng, **sources.with_names(self.noise.needs))


@register
@dataclasses.dataclass(frozen=True)
class PerClass(_Combination):
    """Different noise for different classes.

    Every model sees the whole clean mask; of what it makes, the pixels of its own (clean) classes
    are kept. So a class's model decides what becomes of that class's pixels, and nothing else:
    to let class 2 grow over others, use `BoundaryDilation(width, classes=[2])` instead.

    Args:
        noises: Class id -> noise model or config, such as {1: noise, 2: other}, or a list of pairs
            ([ids], noise), which is how it is kept. Classes that are not named stay clean.

    Raises:
        ValueError: If a class has two models, or is void.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import BoundaryErosion, PerClass, SymmetricFlip, generator
        >>> noise = PerClass({1: BoundaryErosion(1, fill=0), 2: SymmetricFlip(1.0, 3)})
        >>> mask = np.array([[0, 0, 1, 1, 1, 0, 2, 2]], np.uint8)
        >>> noise(mask, generator(0)).tolist()
        [[0, 0, 0, 1, 0, 0, 0, 0]]
    """

    noises: tuple[tuple[tuple[int, ...], Noise], ...]

    def __post_init__(self) -> None:
        pairs = tuple(_class_pairs(self.noises))
        named = [label for classes, _ in pairs for label in classes]
        for label in named:
            if named.count(label) > 1:
                raise ValueError(f"class {label} has two noise models: compose them into one")
        object.__setattr__(self, "noises", pairs)
        self._check_void()
        for void in _voids(self._parts()) & set(named):
            raise ValueError(f"PerClass names class {void}, which is void and never changes")

    def _parts(self) -> Sequence[Noise]:
        return [noise for _, noise in self.noises]

    def _with_parts(self, parts: Sequence[Noise]) -> Noise:
        pairs = zip(self.noises, parts, strict=True)
        return PerClass(tuple((classes, part) for (classes, _), part in pairs))

    def check_fit(self, num_classes: int, ignore_index: int) -> None:
        """Check every part, and that the classes exist and void is none of them."""
        super().check_fit(num_classes, ignore_index)
        for classes, _ in self.noises:
            if max(classes) >= num_classes:
                raise ValueError(
                    f"PerClass names class {max(classes)}, but the data has {num_classes} classes "
                    f"(0 to {num_classes - 1})"
                )

    def _corrupt(self, mask: Mask, rng: np.random.Generator, sources: Sources) -> Mask:
        noisy: Mask = mask.copy()
        for classes, noise in self.noises:
            made = noise(mask, rng, **sources.with_names(noise.needs))
            np.copyto(noisy, made, where=is_any_of(mask, classes))
        return noisy


def _voids(noises: Sequence[Noise]) -> set[int]:
    """Return the ids that the models, and those that they are made of, take for void."""
    voids: set[int] = set()
    for noise in noises:
        if isinstance(noise, _Combination):
            voids |= _voids(noise._parts())
        elif hasattr(noise, "ignore_index"):
            voids.add(noise.ignore_index)
    return voids


def _built(noises: Any) -> tuple[Noise, ...]:
    """Build the models of a list."""
    if not isinstance(noises, Sequence) or isinstance(noises, str):
        raise TypeError(f"noises must be a list or tuple of models or configs, not {noises!r}")
    for noise in noises:
        if not isinstance(noise, (Noise, Mapping, str)):
            raise TypeError(f"noises holds {noise!r}, which is no noise model, name or config")
    return tuple(build_noise(noise) for noise in noises)


def _class_pairs(noises: Any) -> Iterator[tuple[tuple[int, ...], Noise]]:
    """Yield (class ids, model) of a mapping or of a list of such pairs."""
    if isinstance(noises, Mapping):
        noises = [([_integer(label)], noise) for label, noise in noises.items()]
    if not isinstance(noises, Sequence) or isinstance(noises, str):
        raise TypeError(f"noises must map class ids to noise models, not {noises!r}")
    for pair in noises:
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
            raise TypeError(f"noises holds {pair!r}, which is no pair of class ids and a model")
        classes = check_classes(pair[0], -1)
        if classes is None:
            raise TypeError("noises names no class beside a model")
        yield classes, _built([pair[1]])[0]


def _integer(label: Any) -> Any:
    # Keys of JSON objects are text.
    return int(label) if isinstance(label, str) and label.isdecimal() else label
