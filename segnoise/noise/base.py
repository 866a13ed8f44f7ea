"""What every noise model is: a frozen dataclass that maps (mask, rng) to a mask."""

from __future__ import annotations

import dataclasses
import difflib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np

from segnoise.noise.mask import Mask, check_mask, check_number
from segnoise.noise.presets import PRESETS, expanded
from segnoise.noise.sources import Sources

NOISES: dict[str, type[Noise]] = {}
"""The noise models by class name; what `build_noise` and configs can name."""


class Dose(NamedTuple):
    """Which parameter says how much noise there is, and the values that it may take.

    At `low` the model changes nothing; from there to `high` the damage grows.
    """

    parameter: str
    high: float
    low: float = 0.0
    integer: bool = False


@dataclasses.dataclass(frozen=True)
class Noise(ABC):
    """Base of the noise models.

    A subclass is a frozen dataclass under `@register` whose fields are its parameters; it checks
    them in `__post_init__`, names its `DOSE` and writes `_corrupt`. It keeps void as it is, creates
    void only if its definition says so, and draws from the given generator only. One that looks at
    more than the mask says so in `needs`.

    Attributes:
        DOSE: The parameter that `calibrate` turns; None for a model without such a one.
    """

    DOSE: ClassVar[Dose | None] = None

    def __call__(self, mask: Mask, rng: np.random.Generator, **sources: Any) -> Mask:
        """Return a corrupted copy of a mask.

        Args:
            mask: (H, W) class ids; uint8, uint16, int32 or int64; never changed.
            rng: The source of randomness, such as `generator(seed, sample_id)`.
            sources: What the model `needs` beside the mask, by name, such as `image=image`; what
                it does not need is ignored. See `Sources`. `NoisyLabels` gives all that a data
                set has.

        Returns:
            A new contiguous mask of the same shape and dtype.

        Raises:
            TypeError: If the mask is no array of these dtypes, rng is no NumPy generator, or a
                source is unknown or of the wrong type.
            ValueError: If the mask is not 2-D, or holds ids that the model has no rule for; if
                a source that the model needs is missing, or does not fit the mask.
        """
        checked = check_mask(mask)
        if not isinstance(rng, np.random.Generator):
            raise TypeError(
                f"rng must be a numpy.random.Generator, not {rng!r}: use segnoise.noise.generator"
            )
        given = Sources.checked(sources, self.needs, checked, self)
        return self._corrupt(checked, rng, given) if checked.size else checked.copy()

    @abstractmethod
    def _corrupt(self, mask: Mask, rng: np.random.Generator, sources: Sources) -> Mask:
        """Corrupt a checked, contiguous mask of at least one pixel; returns a new array."""

    @property
    def needs(self) -> frozenset[str]:
        """Names of the `Sources` that the model cannot do without."""
        return frozenset()

    @property
    def dose_range(self) -> tuple[float, float]:
        """The least dose, at which nothing changes, and the greatest.

        Raises:
            ValueError: If the model has no dose.
        """
        return self._dose().low, self._dose().high

    @property
    def dose(self) -> float:
        """The value of the parameter that `DOSE` names.

        Raises:
            ValueError: If the model has no dose.
        """
        return float(getattr(self, self._dose().parameter))

    def with_dose(self, dose: float) -> Noise:
        """Return the same model at another dose.

        Args:
            dose: A value for the parameter that `DOSE` names; rounded where it is an integer.

        Raises:
            TypeError: If it is not a number.
            ValueError: If it is out of the parameter's range, or the model has no dose.
        """
        own = self._dose()
        value: float = check_number("dose", dose)
        value = round(value) if own.integer else value
        return dataclasses.replace(self, **{own.parameter: value})

    def _dose(self) -> Dose:
        if self.DOSE is None:
            raise ValueError(f"{type(self).__name__} has no parameter that stands for its dose")
        return self.DOSE

    def check_fit(self, num_classes: int, ignore_index: int) -> None:
        """Raise if the model cannot serve masks of these classes; called once per data set.

        Checked are the parameters that models have in common: `ignore_index`, `num_classes`,
        `classes` and `fill`.

        Args:
            num_classes: K of the data set.
            ignore_index: The data set's id of void.

        Raises:
            ValueError: If a parameter contradicts them.
        """
        name = type(self).__name__
        own = getattr(self, "ignore_index", ignore_index)
        if own != ignore_index:
            raise ValueError(f"{name} has ignore_index={own}, but void is {ignore_index} here")
        own = getattr(self, "num_classes", num_classes)
        if own is not None and own != num_classes:
            raise ValueError(f"{name} has num_classes={own}, but the data has {num_classes}")
        fill = getattr(self, "fill", None)
        for label in [*(getattr(self, "classes", None) or ()), fill]:
            if isinstance(label, int) and label >= num_classes:
                raise ValueError(
                    f"{self!r} names class {label}, but the data has {num_classes} classes "
                    f"(0 to {num_classes - 1})"
                )

    def to_dict(self) -> dict[str, Any]:
        """Return the model as JSON-ready data: its class name under "type", then its parameters."""
        parameters = {f.name: _plain(getattr(self, f.name)) for f in dataclasses.fields(self)}
        return {"type": type(self).__name__, **parameters}

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> Noise:
        """Build the model that `to_dict` described.

        Args:
            config: {"type": class name, **parameters}; nested models are such dicts too.

        Raises:
            TypeError: If a parameter is unknown or missing.
            ValueError: If the type is unknown, or is not this class.
        """
        noise = build_noise(config)
        if not isinstance(noise, cls):
            raise ValueError(
                f"{config['type']!r} is no {cls.__name__}: use {type(noise).__name__}.from_dict"
            )
        return noise


_N = TypeVar("_N", bound=type[Noise])


def register(model: _N) -> _N:
    """Enter a noise model in `NOISES` under its class name (a decorator).

    A definition that is executed again, as in a notebook, replaces the one before.

    Raises:
        ValueError: If another model has that name.
    """
    known = NOISES.get(model.__name__, model)
    if (known.__module__, known.__qualname__) != (model.__module__, model.__qualname__):
        raise ValueError(f"there is a noise model {model.__name__} already: choose another name")
    NOISES[model.__name__] = model
    return model


def build_noise(
    noise: Noise | Mapping[str, Any] | str | type[Noise], /, **parameters: Any
) -> Noise:
    """Build a noise model from its name or its config.

    Args:
        noise: A class name ("SymmetricFlip"), the name of one of the `PRESETS`
            ("coco-n-easy"), a class, a config {"type": name or class, **parameters} as
            `Noise.to_dict` writes it, or a model, which is returned as it is.
        parameters: The model's parameters; they take precedence over the config's.

    Returns:
        The model.

    Raises:
        TypeError: If a parameter is unknown or missing, or the config is of another type.
        ValueError: If there is no model of that name, or a parameter's value is wrong.

    Example:
        >>> from segnoise.noise import build_noise
        >>> build_noise("BoundaryErosion", width=3)
        BoundaryErosion(width=3, fill='neighbor', classes=None, ignore_index=255)
        >>> build_noise({"type": "SymetricFlip", "rate": 0.4})
        Traceback (most recent call last):
        ValueError: unknown noise 'SymetricFlip': did you mean 'SymmetricFlip'? Known: ...
    """
    if isinstance(noise, Noise):
        if parameters:
            raise TypeError(f"{noise!r} is built already: use dataclasses.replace to change it")
        return noise
    if not isinstance(noise, Mapping):
        noise = {"type": noise}
    config = expanded({**noise, **parameters})
    if "type" not in config:
        raise TypeError(f'noise config {dict(noise)!r} lacks "type": name one of {_known()}')
    model = noise_class(config.pop("type"))
    fields = [field for field in dataclasses.fields(model) if field.init]
    for name in config:
        if name not in (known := [field.name for field in fields]):
            raise TypeError(
                f"{model.__name__} has no parameter {name!r}{_suggestion(str(name), known)} "
                f"It has: {', '.join(known)}"
            )
    for field in fields:
        optional = (
            field.default is not dataclasses.MISSING
            or field.default_factory is not dataclasses.MISSING
        )
        if not optional and field.name not in config:
            raise TypeError(f"{model.__name__} needs a value for {field.name!r}")
    return model(**config)


def noise_class(name: object) -> type[Noise]:
    """Return the class of a noise model.

    Args:
        name: The class itself, its name, or its dotted path (as dumped configs spell it).

    Raises:
        TypeError: If it is neither.
        ValueError: If there is no such model; names the nearest.
    """
    if isinstance(name, type) and issubclass(name, Noise):
        return name
    if not isinstance(name, str):
        raise TypeError(f"a noise is named by its class or class name, not by {name!r}")
    short = name.rpartition(".")[2] if name.startswith("segnoise.noise.") else name
    if short not in NOISES:
        near = _suggestion(short, [*NOISES, *PRESETS])
        raise ValueError(f"unknown noise {name!r}{near} Known: {_known()}")
    return NOISES[short]


def _known() -> str:
    return f"{', '.join(sorted(NOISES))}; presets: {', '.join(PRESETS)}"


def _suggestion(name: str, known: Iterable[str]) -> str:
    """Return ": did you mean ...?" with the nearest known name, or a full stop if none is near."""
    by_lower = {other.lower(): other for other in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    return f": did you mean {by_lower[near[0]]!r}?" if near else "."


def _plain(value: Any) -> Any:
    """Turn a parameter into what JSON can hold."""
    if isinstance(value, Noise):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
