"""Several people who outline the same objects, each in a manner of their own."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnoise.noise import parameters
from segnoise.noise.base import Dose, Noise, register
from segnoise.noise.geometry.components import Components, connected_components
from segnoise.noise.geometry.layers import Shape, redraw
from segnoise.noise.geometry.redrawing import Hand, redrawn
from segnoise.noise.mask import Mask, check_mask
from segnoise.noise.seeding import generator
from segnoise.noise.sources import Sources

_FARTHEST = 1 << 20  # pixels; no mask is that large, and integers beyond it could overflow


@dataclasses.dataclass(frozen=True)
class Style:
    """How an annotator draws.

    Attributes:
        bias: How far outside the true outlines this person draws, on average, in units.
        carelessness: Factor on the random errors; the median over people is 1.
        omission: Probability of overlooking an object.
    """

    bias: float
    carelessness: float
    omission: float


@register
@dataclasses.dataclass(frozen=True)
class Annotators(Noise):
    """A mask as one of several annotators would have drawn it, object by object.

    Annotator a of n has a lasting style, drawn once from the seed: b_a ~ N(bias, bias_spread^2),
    how much too large (positive) or too small this person draws, and a carelessness
    k_a = exp(N(0, skill_spread^2)). An object is an 8-connected region of one class, or an
    instance; its unit u is its diameter, that of the disk with its area, or a pixel. The annotator
    overlooks it with probability min(1, omission k_a), and else draws it in a reading of its own:

    - with a slip t = k_a sqrt(nu / X), where X is chi-squared with nu = 1 / tail degrees of
      freedom (t = k_a at tail 0), so that all errors of the reading together follow a
      t-distribution: most readings are about as good, a few are far off;
    - the outline lies f(p) = u (b_a + t (size y + wobble g(p))) beyond the true one along its
      normals, with y ~ N(0, 1), and g a `SmoothField` of variance 1 and
      E[g(p) g(q)] = exp(-|p - q|^2 / (length u)^2); but it does not cross the middle of an arm,
      and the object neither falls apart nor gets holes (see `redrawing.redrawn`);
    - and all of it is shifted by u t shift (y', y'') down and to the right, y', y'' ~ N(0, 1),
      rounded up or down to whole pixels at random, such that it is right on average.

    Objects are a pile with the largest at the bottom (see `layers.redraw`): a new shape covers
    larger objects, and smaller ones cover it. Each mask is given to an annotator drawn at random;
    `annotate` returns what all of them make of it.

    The dose is a factor on all errors: on b_a, size, wobble, shift and omission.

    Source: the random-effects view of inter-rater studies (an error of the rater, another of the
    reading) applied to outlines; the measures that it reproduces are those of the crowd of Gurari
    et al. (WACV 2015), see docs/noise_real.md and the presets "crowd-cells" and "expert-cells".
    QUBIQ publishes several outlines of the same organ by different people.

    Args:
        number: n, at least 1.
        bias: Mean of b_a, in units; positive if things are drawn too large.
        bias_spread: Standard deviation of b_a over the annotators, in units.
        size: Standard deviation of how much too large one reading is, in units.
        wobble: Standard deviation of the outline within one reading, in units.
        length: Distance over which the wobble stays alike, in units.
        shift: Standard deviation of the shift, in each direction, in units.
        tail: 1 / nu, from 0 (normal errors) to 1 (Cauchy's distribution).
        omission: How often a typical annotator overlooks an object, from 0 to 1.
        skill_spread: Standard deviation of the logarithm of k_a; 0 makes all equally careful.
        unit: "diameter" (of each object) or "pixel".
        scale: The dose; 1 leaves the errors as given.
        fill: What vacated pixels become: "neighbor" (the label of the nearest other object),
            "void", or a class id.
        seed: Of the styles. The errors on a mask come from the generator of the call, as ever.
        classes: Ids of the classes of things, the ones outlined; None stands for all. In a mask
            with stuff such as road or background, list the things: stuff is what they leave.
        regions: What an object is: "components" or "instances", see `RegionSwap`.
        ignore_index: Void; stays as it is.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import Annotators, generator
        >>> mask = np.zeros((32, 32), np.uint8)
        >>> mask[8:24, 8:24] = 1
        >>> five = Annotators(5, bias_spread=0.1, classes=[1])
        >>> [round(style.bias, 2) for style in five.styles]
        [0.11, 0.04, 0.0, 0.15, -0.08]
        >>> [int(noisy.sum()) for noisy in five.annotate(mask, generator(0, "cell"))]
        [432, 302, 256, 409, 182]
    """

    DOSE = Dose("scale", high=1000.0)

    number: int = parameters.integer(1, default=5)
    bias: float = parameters.number(default=0.0)
    bias_spread: float = parameters.number(0, default=0.01)
    size: float = parameters.number(0, default=0.02)
    wobble: float = parameters.number(0, default=0.03)
    length: float = parameters.number(0, default=0.2)
    shift: float = parameters.number(0, default=0.01)
    tail: float = parameters.rate(default=0.0)
    omission: float = parameters.rate(default=0.0)
    skill_spread: float = parameters.number(0, default=0.2)
    unit: str = parameters.choice(("diameter", "pixel"), default="diameter")
    scale: float = parameters.number(0, DOSE.high, default=1.0)
    fill: str | int = parameters.fill()
    seed: int = parameters.integer(default=0)
    classes: tuple[int, ...] | None = parameters.classes()
    regions: str = parameters.regions("components", "instances")
    ignore_index: int = parameters.void()

    @property
    def styles(self) -> tuple[Style, ...]:
        """The annotators' styles, at dose 1."""
        rng = generator(self.seed, "annotators")
        # One row of draws a person: more annotators leave the styles of the first as they are.
        return tuple(
            Style(
                bias=self.bias + self.bias_spread * bias,
                carelessness=(factor := math.exp(self.skill_spread * carelessness)),
                omission=min(1.0, self.omission * factor),
            )
            for bias, carelessness in rng.standard_normal((self.number, 2)).tolist()
        )

    def annotate(self, mask: Mask, rng: np.random.Generator, **sources: Any) -> list[Mask]:
        """Return what each annotator makes of a mask: `number` masks, in the order of `styles`.

        Arguments and errors are those of a call; every annotator gets a stream of its own.
        """
        checked = check_mask(mask)
        given = Sources.checked(sources, self.needs, checked, self)
        if not checked.size:
            return [checked.copy() for _ in range(self.number)]
        found = connected_components(checked, self.ignore_index, given.instances)
        streams = rng.spawn(self.number)
        return [
            self._drawn(checked, found, style, stream)
            for style, stream in zip(self.styles, streams, strict=True)
        ]

    def _corrupt(self, mask: Mask, rng: np.random.Generator, sources: Sources) -> Mask:
        style = self.styles[int(rng.integers(self.number))]
        found = connected_components(mask, self.ignore_index, sources.instances)
        return self._drawn(mask, found, style, rng)

    def _drawn(self, mask: Mask, found: Components, style: Style, rng: np.random.Generator) -> Mask:
        """Return the mask as one annotator draws it."""
        # As many numbers for every object, so that no parameter shifts the draws of the others.
        overlooked = rng.random(len(found)) < self.scale * style.omission
        slip = self._slips(len(found), rng) * style.carelessness
        size, down, right = rng.standard_normal((3, len(found)))
        rounding = rng.random((2, len(found)))
        unit = np.ones(len(found))
        if self.unit == "diameter":
            unit = 2 * np.sqrt(found.area / math.pi)
        dose = self.scale * unit
        growth = dose * (style.bias + slip * self.size * size)
        wobble = dose * slip * self.wobble
        moved = dose * slip * self.shift * np.stack([down, right])
        moved = np.floor(moved.clip(-_FARTHEST, _FARTHEST) + rounding).astype(int)
        takes_part = overlooked | (growth != 0) | (wobble != 0) | moved.any(axis=0)
        if self.classes is not None:
            takes_part &= np.isin(found.label, self.classes)

        def shape_of(number: int) -> Shape | None:
            if overlooked[number]:
                return None
            hand = Hand(
                down=int(moved[0, number]),
                right=int(moved[1, number]),
                growth=float(growth[number]),
                wobble=float(wobble[number]),
                length=float(unit[number] * self.length),
            )
            return redrawn(found, number, hand, rng)

        changing = np.flatnonzero(takes_part)
        return redraw(mask, found, changing, shape_of, self.fill, self.ignore_index)

    def _slips(self, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return how far off each reading is: the factor t / k_a."""
        if not self.tail:
            return np.ones(count)
        half = 0.5 / self.tail  # chi-squared with nu degrees is twice a gamma variable of nu / 2
        return np.sqrt(half / np.maximum(rng.standard_gamma(half, count), 1e-12))
