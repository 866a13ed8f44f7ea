"""What every noise model is: a frozen dataclass that maps (mask, rng) to a mask."""

from __future__ import annotations

import dataclasses
import inspect
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np

from segnoise.checks import check_number
from segnoise.naming import did_you_mean
from segnoise.noise.mask import Mask, check_mask, one_class_and_void
from segnoise.noise.presets import PRESETS, expanded
from segnoise.noise.sources import Sources
from segnoise.registry import Registry, path_of

NOISES = Registry("noise", also=PRESETS)
"""The noise models by class name; what `build_noise` and configs can name."""
register = NOISES.register
"""Enter a noise model, or a function of (mask, rng), in `NOISES` under its name (a decorator)."""


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
            NoiseContractError: If what the model makes is none.
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
        ignore_index = getattr(self, "ignore_index", 255)
        if one_class_and_void(checked, ignore_index) and not checked.min():
            warnings.warn(
                f"a mask holds class 0 and void ({ignore_index}) only, and noise leaves void as it "
                "is: if it is black and white, take numpy.where(mask == 255, 1, mask), or give the "
                "data set value_map={0: 0, 255: 1, 1: 1}",
                stacklevel=2,
            )
        given = Sources.checked(sources, self.needs, checked, self)
        noisy: Mask = self._corrupt(checked, rng, given) if checked.size else checked.copy()
        _check_result(self, checked, noisy)
        return noisy

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
            raise ValueError(
                f"{self._name()} has no parameter that stands for its dose: a class derived from "
                'Noise says which by DOSE = Dose("width", high=64)'
            )
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
        return {"type": self._name(), **parameters}

    def _name(self) -> str:
        """What `build_noise` finds the class by."""
        return _stored_name(type(self))

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


class NoiseContractError(TypeError):
    """A noise whose result is no new mask of the same shape and dtype."""


def _check_result(noise: Noise, mask: Mask, noisy: object) -> None:
    """Raise unless what a noise model has made of a mask is a new mask like it."""
    if not isinstance(noisy, np.ndarray) or (noisy.shape, noisy.dtype) != (mask.shape, mask.dtype):
        made = f"{noisy.shape}, {noisy.dtype}" if isinstance(noisy, np.ndarray) else repr(noisy)
        raise NoiseContractError(
            f"{noise!r} made a mask of {mask.shape}, {mask.dtype} into {made[:60]}: it must return "
            "a NumPy array of the same shape and dtype"
        )
    if np.may_share_memory(noisy, mask):
        raise NoiseContractError(
            f"{noise!r} has written into the mask that it was given, or returns it: it must change "
            "and return a copy (mask.copy())"
        )


NoiseFunction = Callable[[Mask, np.random.Generator], Mask]


@dataclasses.dataclass(frozen=True, repr=False)
class FunctionNoise(Noise):
    """A function of (mask, rng), or of a class whose objects are such, as a noise model.

    `build_noise` makes one of any function or class that is not derived from `Noise`. It has no
    dose, sees a copy of the mask alone, and returns a new mask.

    Args:
        kind: The function, called as kind(mask, rng, **parameters), or the class, called as
            kind(**parameters)(mask, rng).
        parameters: Names and values.

    Raises:
        TypeError: If it cannot be called so.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import build_noise, generator
        >>> def overwrite(mask, rng, label=0):
        ...     return np.full_like(mask, label)
        >>> noise = build_noise(overwrite, label=2)
        >>> noise, noise(np.zeros((1, 2), np.uint8), generator(0)).tolist()
        (overwrite(label=2), [[2, 2]])
    """

    kind: Callable[..., Any]
    parameters: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        given = dict(self.parameters)
        function, more = self.kind, given
        if isinstance(self.kind, type):
            _check_call(self.kind, (), given)
            function, more = self.kind(**given), {}
            if not callable(function):
                raise TypeError(
                    f"{self.kind.__name__} is no noise: derive it from segnoise.noise.Noise, or "
                    "give it __call__(self, mask, rng), which returns a new mask"
                )
        _check_call(function, ("mask", "rng"), more)
        object.__setattr__(self, "_function", function)
        object.__setattr__(self, "_more", more)

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.parameters)
        return f"{getattr(self.kind, '__name__', repr(self.kind))}({given})"

    def _corrupt(self, mask: Mask, rng: np.random.Generator, sources: Sources) -> Mask:
        noisy: Mask = self._function(mask.copy(), rng, **self._more)  # type: ignore[attr-defined]
        return noisy

    def to_dict(self) -> dict[str, Any]:
        """Return {"type": name or dotted path, **parameters}.

        Raises:
            TypeError: If the function has no name that a config could hold, as lambdas have none.
        """
        return {"type": self._name(), **{name: _plain(value) for name, value in self.parameters}}

    def _name(self) -> str:
        name = _stored_name(self.kind)
        if "<" in name:
            raise TypeError(
                f"{self.kind!r} cannot be written down: define it by class or def at the top of a "
                "module"
            )
        return name


def _stored_name(kind: Any) -> str:
    """A name of ours; for a user's the dotted path, which is found where it is not registered."""
    name, path = str(getattr(kind, "__name__", "")), path_of(kind)
    known = NOISES.get(name) is kind
    return name if known and (path.startswith("segnoise.") or "<" in path) else path


def _check_call(function: Any, places: tuple[str, ...], given: Mapping[str, Any]) -> None:
    """Raise if a function cannot be called with what a noise is called with."""
    try:
        signature = inspect.signature(function)
    except ValueError:  # written in C: it says so itself
        return
    try:
        signature.bind(*places, **given)
    except TypeError as error:
        name = getattr(function, "__name__", type(function).__name__)
        called = ", ".join([*places, *(f"{key}={value!r}" for key, value in given.items())])
        raise TypeError(
            f"{name}{signature} cannot be called as {name}({called}): {error}; a noise is a class "
            "derived from segnoise.noise.Noise, or a function of (mask, rng)"
        ) from None


def build_noise(
    noise: Noise | Mapping[str, Any] | str | Callable[..., Any], /, **parameters: Any
) -> Noise:
    """Build a noise model from its name or its config.

    Args:
        noise: A class name ("SymmetricFlip"), the name of one of the `PRESETS`
            ("coco-n-easy"), a dotted path ("my_noises.Smear"), a class, a config
            {"type": any of these, **parameters} as `Noise.to_dict` writes it, or a model, which is
            returned as it is. A function of (mask, rng) or a class of such becomes a
            `FunctionNoise`.
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
        segnoise.errors.ConfigError: no noise called 'SymetricFlip'; did you mean SymmetricFlip?
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
    kind = NOISES.find(config.pop("type"))
    if not (isinstance(kind, type) and issubclass(kind, Noise)):
        return FunctionNoise(kind, tuple(config.items()))
    known = noise_parameters(kind)
    for name in config:
        if name not in known:
            raise TypeError(
                f"{kind.__name__} has no parameter {name!r}: {did_you_mean(name, known)}"
            )
    for name, required in known.items():
        if required and name not in config:
            raise TypeError(f"{kind.__name__} needs a value for {name!r}")
    return kind(**config)


def noise_parameters(kind: Callable[..., Any]) -> dict[str, bool]:
    """Return the parameters of a noise, and whether each must be given.

    Args:
        kind: A class of noise models, or what a `FunctionNoise` is made of.

    Raises:
        TypeError: If a class derived from `Noise` is no dataclass.

    Example:
        >>> from segnoise.noise import SymmetricFlip
        >>> noise_parameters(SymmetricFlip)
        {'rate': True, 'num_classes': True, 'include_self': False, 'ignore_index': False}
    """
    if isinstance(kind, type) and issubclass(kind, Noise):
        if "__dataclass_params__" not in vars(kind):
            raise TypeError(
                f"{kind.__name__} is derived from Noise and no dataclass: write "
                "@dataclasses.dataclass(frozen=True) above it"
            )
        missing = dataclasses.MISSING
        return {
            field.name: field.default is missing and field.default_factory is missing
            for field in dataclasses.fields(kind)
            if field.init
        }
    try:
        found = list(inspect.signature(kind).parameters.values())
    except ValueError:  # written in C
        return {}
    own = found if isinstance(kind, type) else found[2:]
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {p.name: p.default is p.empty for p in own if p.kind in named}


def is_at_hand(config: Any) -> bool:
    """Tell whether all types in a noise's config are known, with nothing to import.

    Example:
        >>> is_at_hand({"type": "Compose", "noises": [{"type": "my_noises.Smear"}]})
        False
    """
    if isinstance(config, (list, tuple)):
        return all(map(is_at_hand, config))
    if not isinstance(config, Mapping):
        return True
    try:
        if "type" in config and config["type"] not in PRESETS:
            NOISES.find(config["type"], modules=())
    except ValueError:
        return False
    return all(map(is_at_hand, config.values()))


def _known() -> str:
    return f"{', '.join(sorted(NOISES))}; presets: {', '.join(PRESETS)}"


def _plain(value: Any) -> Any:
    """Turn a parameter into what JSON can hold."""
    if isinstance(value, Noise):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
