"""Several noise models, one after the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from segnoise.noise.base import Noise, build_noise, register
from segnoise.noise.mask import Mask


@register
@dataclasses.dataclass(frozen=True)
class Compose(Noise):
    """Noise models applied in order, each to the result of the one before.

    All draw from one generator, in order; adding a model at the end does not change what those
    before it do. `Compose([])` leaves masks clean.

    Args:
        noises: Noise models, or configs of such.

    Raises:
        TypeError: If `noises` is not a sequence of models or configs.
        ValueError: If a config names no known model.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import BoundaryErosion, Compose, SymmetricFlip, generator
        >>> noise = Compose([BoundaryErosion(1, fill=0), SymmetricFlip(0.5, num_classes=3)])
        >>> mask = np.array([[0, 0, 0, 0, 2, 2, 2, 2]], np.uint8)
        >>> noise(mask, generator(0, "street")).tolist()
        [[2, 2, 2, 2, 1, 1, 0, 0]]
        >>> Compose.from_dict(noise.to_dict()) == noise
        True
    """

    noises: tuple[Noise, ...]

    def __post_init__(self) -> None:
        given: Any = self.noises
        if not isinstance(given, Sequence) or isinstance(given, str):
            raise TypeError(f"noises must be a list of noise models or configs, not {given!r}")
        for noise in given:
            if not isinstance(noise, (Noise, Mapping)):
                raise TypeError(f"noises holds {noise!r}, which is no noise model and no config")
        object.__setattr__(self, "noises", tuple(build_noise(noise) for noise in given))

    def check_fit(self, num_classes: int, ignore_index: int) -> None:
        """Check every model of the sequence."""
        for noise in self.noises:
            noise.check_fit(num_classes, ignore_index)

    def _corrupt(self, mask: Mask, rng: np.random.Generator) -> Mask:
        noisy: Mask = mask.copy()
        for noise in self.noises:
            noisy = noise(noisy, rng)
        return noisy
