"""Noise models by name or config, and functions of (mask, rng) as noise models."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from segnoise.naming import did_you_mean
from segnoise.noise.base import NOISES, Noise, plain, stored_name
from segnoise.noise.mask import Mask
from segnoise.noise.presets import PRESETS, expanded
from segnoise.noise.sources import Sources

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
        return {"type": self._name(), **{name: plain(value) for name, value in self.parameters}}

    def _name(self) -> str:
        name = stored_name(self.kind)
        if "<" in name:
            raise TypeError(
                f"{self.kind!r} cannot be written down: define it by class or def at the top of a "
                "module"
            )
        return name


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
        >>> is_at_hand({"type": ["Compose"]})
        False
    """
    if isinstance(config, (list, tuple)):
        return all(map(is_at_hand, config))
    if not isinstance(config, Mapping):
        return True
    try:
        if "type" in config and config["type"] not in PRESETS:
            NOISES.find(config["type"], modules=())
    except (TypeError, ValueError):
        return False
    return all(map(is_at_hand, config.values()))


def _known() -> str:
    return f"{', '.join(sorted(NOISES))}; presets: {', '.join(PRESETS)}"
