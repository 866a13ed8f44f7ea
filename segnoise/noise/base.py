"""What every noise model is: a frozen dataclass that maps (mask, rng) to a mask."""

from __future__ import annotations

import dataclasses
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np

from segnoise.checks import check_number
from segnoise.noise.mask import Mask, check_mask, one_class_and_void
from segnoise.noise.parameters import check_parameters
from segnoise.noise.presets import PRESETS
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


NO_VOLUMES = (
    "corrupts single masks: slice by slice, the errors of one object would not agree. Of volumes "
    "are SymmetricFlip, AsymmetricFlip, VoidDropout, RegionSwap, Omission, SpuriousObjects, "
    "BoundaryErosion, BoundaryDilation, BoundaryOpening, BoundaryClosing, BoundaryJitter, "
    "DistanceMorphology and Elastic, Shift and Rotate of the whole mask, and what is made of them"
)


@dataclasses.dataclass(frozen=True)
class Noise(ABC):
    """Base of the noise models.

    A subclass is a frozen dataclass under `@register` whose fields are its parameters, declared
    with `segnoise.noise.parameters` (a `__post_init__` of its own calls `super().__post_init__()`,
    which checks them); it names its `DOSE` and writes `_corrupt`. It keeps void as it is, creates
    void only if its definition says so, and draws from the given generator only. One that looks at
    more than the mask says so in `needs`.

    Attributes:
        DOSE: The parameter that `calibrate` turns; None for a model without such a one.
        VOLUMES: Whether it corrupts volumes, (D, H, W), too, so that its errors agree from slice to
            slice; see `takes_volumes`.

    Raises:
        TypeError: If a parameter is of the wrong type.
        ValueError: If one is out of range; on a call, if the mask's dtype cannot hold an id that
            the model writes, such as its fill.
    """

    DOSE: ClassVar[Dose | None] = None
    VOLUMES: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_parameters(self)

    def __call__(self, mask: Mask, rng: np.random.Generator, **sources: Any) -> Mask:
        """Return a corrupted copy of a mask.

        Args:
            mask: (H, W) class ids, or (D, H, W) for a model that `takes_volumes`; uint8, uint16,
                int32 or int64; never changed.
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
        checked = check_mask(mask, volume=True)
        if checked.ndim == 3 and not self.takes_volumes:
            raise ValueError(f"{self!r} {NO_VOLUMES}")
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
    def takes_volumes(self) -> bool:
        """Whether the model corrupts (D, H, W): objects are 26-connected, widths in the slices."""
        return self.VOLUMES and getattr(self, "regions", "") not in ("instances", "superpixels")

    @property
    def needs(self) -> frozenset[str]:
        """Names of the `Sources` that the model cannot do without: what its `regions` come from."""
        regions = getattr(self, "regions", None)
        if regions == "superpixels":
            return frozenset({"image"})
        return frozenset({"instances"} if regions == "instances" else ())

    @property
    def dose_range(self) -> tuple[float, float]:
        """The least dose, at which nothing changes, and the greatest."""
        return self._dose().low, self._dose().high

    @property
    def dose(self) -> float:
        """The value of the parameter that `DOSE` names; a ValueError if it names none."""
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
        parameters = {f.name: plain(getattr(self, f.name)) for f in dataclasses.fields(self)}
        return {"type": self._name(), **parameters}

    def _name(self) -> str:
        """What `build_noise` finds the class by."""
        return stored_name(type(self))

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> Noise:
        """Build the model that `to_dict` described.

        Args:
            config: {"type": class name, **parameters}; nested models are such dicts too.

        Raises:
            TypeError: If a parameter is unknown or missing.
            ValueError: If the type is unknown, or is not this class.
        """
        from segnoise.noise.building import build_noise  # which stands on this file

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


def stored_name(kind: Any) -> str:
    """Return a name of ours, or a user's dotted path, which is found where none is registered."""
    name, path = str(getattr(kind, "__name__", "")), path_of(kind)
    known = NOISES.get(name) is kind
    return name if known and (path.startswith("segnoise.") or "<" in path) else path


def plain(value: Any) -> Any:
    """Turn a parameter into what JSON can hold."""
    if isinstance(value, Noise):
        return value.to_dict()
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value
