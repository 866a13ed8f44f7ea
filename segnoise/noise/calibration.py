"""Find the parameter of a noise model that realises a given dose on given data."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from segnoise.checks import check_choice, check_integer, check_number
from segnoise.noise.base import Noise
from segnoise.noise.mask import Mask, check_mask
from segnoise.noise.report.noise_report import NoiseReport, realised_noise
from segnoise.noise.samples import corrupt_sample
from segnoise.noise.seeding import generator

_VALUES: dict[str, Callable[[NoiseReport], float]] = {
    "pixel_rate": lambda report: report.pixel_rate,
    "miou": lambda report: report.mean_iou,
    "boundary_rate": lambda report: report.boundary_rate(),
}
MEASURES = tuple(_VALUES)
_UNMOVED = 3  # doublings without effect after which a greater dose is not tried
_BISECTIONS = 40
_HALVINGS = 8
_RESOLUTION = 1e-3  # of the dose; the masks of a sample do not tell finer ones apart


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What `calibrate` found.

    Attributes:
        noise: The model at the dose that was found.
        measure: What was aimed at.
        target: The value aimed at.
        reached: The value that the model realises on the sample.
        spread: Standard deviation over the sample's masks of the value of a single mask; masks
            without a value (without a valid pixel, say) are left out. NaN for a single mask.
        num_masks: Masks in the sample.
        evaluations: How many doses were tried.
    """

    noise: Noise
    measure: str
    target: float
    reached: float
    spread: float
    num_masks: int
    evaluations: int

    @property
    def hit(self) -> bool:
        """Whether what was reached is within a tenth of the target."""
        return abs(self.reached - self.target) <= 0.1 * self.target

    def __str__(self) -> str:
        spread = "1 mask"
        if not math.isnan(self.spread):
            spread = f"standard deviation {self.spread:.4f} over {self.num_masks} masks"
        target = f"target {self.target:.4f}" + ("" if self.hit else ", MISSED")
        return (
            f"{self.noise!r}: {self.measure} {self.reached:.4f} ({target}), {spread}; "
            f"{self.evaluations} doses tried"
        )


def calibrate(
    noise: Noise,
    dataset: Any,
    target: float = 0.15,
    measure: str = "pixel_rate",
    seed: int = 0,
    *,
    sample: int = 64,
    tolerance: float = 0.01,
    num_classes: int | None = None,
    ignore_index: int | None = None,
) -> Calibration:
    """Return the model at the dose whose realised noise on a data set is the target.

    The dose is the parameter that the model declares (`Noise.DOSE`). It is doubled until the
    target is passed, or halved if that does not help, and then bisected. All doses are tried on
    the same masks with the same generators, those that `NoisyLabels(dataset, noise, seed)` uses:
    what is reached on a sample of all masks is what a training sees. Where the damage moves in
    steps, as on few masks or with few objects, the nearest one is taken, and `Calibration.hit`
    tells whether it is near.

    Args:
        noise: The model; its own dose is where the search starts.
        dataset: A data set with `metainfo`, `sample_id` and `load_mask` (and `load_image` or
            `load_instances` if the noise needs them), or a list of masks.
        target: The value aimed at, above 0 and at most 1.
        measure: "pixel_rate": share of the valid pixels that change. "miou": mean IoU of clean
            and noisy masks (which falls as the dose grows). "boundary_rate": share of the valid
            pixels within 3 pixels of a boundary that change.
        seed: The seed of the noise, and of the choice of the sample.
        sample: How many masks to look at; all if there are fewer.
        tolerance: Relative; the search ends once |reached - target| <= tolerance * target.
        num_classes: K of a list of masks; by default the noise's own, or the greatest id + 1.
        ignore_index: Void of a list of masks; by default the noise's own, or 255.

    Returns:
        The calibration; its `noise` is the calibrated model.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If one is out of range, or the model has no dose.
        UnreachableDoseError: If no dose reaches the target; tells what the greatest useful dose
            does. It is a ValueError.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import BoundaryErosion, calibrate
        >>> masks = [np.zeros((40, 40), np.uint8) for _ in range(8)]
        >>> for size, mask in enumerate(masks, start=10):
        ...     mask[10 : 10 + size, 10 : 10 + size] = 1
        >>> found = calibrate(BoundaryErosion(width=1), masks, target=0.04)
        >>> found.noise.width, round(found.reached, 4)
        (1.25, 0.0381)
    """
    if not isinstance(noise, Noise):
        raise TypeError(f"only a noise model can be calibrated, not {noise!r}: see build_noise")
    check_choice("measure", measure, MEASURES)
    goal = check_number("target", target, above=0, most=1)
    size = check_integer("sample", sample, 1)
    if not hasattr(dataset, "load_mask"):
        dataset = _Masks(dataset, noise, num_classes, ignore_index)
    search = _Search(noise, dataset, seed, size, measure, goal)
    return search.run(check_number("tolerance", tolerance, 0) * goal)


class _Masks:
    """A list of masks as a data set."""

    def __init__(
        self, masks: Iterable[Mask], noise: Noise, num_classes: int | None, ignore_index: int | None
    ) -> None:
        if missing := sorted(noise.needs & {"image", "instances"}):
            raise ValueError(
                f"{noise!r} needs {' and '.join(missing)}, which a list of masks does not have: "
                "calibrate it on a data set"
            )
        self.masks = [check_mask(mask, f"mask {number}") for number, mask in enumerate(masks)]
        void = ignore_index if ignore_index is not None else getattr(noise, "ignore_index", 255)
        size = num_classes if num_classes is not None else getattr(noise, "num_classes", None)
        if size is None:
            greatest = [int(mask[mask != void].max(initial=0)) for mask in self.masks]
            size = max(greatest, default=0) + 1
        self.metainfo = {"classes": range(size), "ignore_index": void}

    def __len__(self) -> int:
        return len(self.masks)

    def load_mask(self, index: int) -> Mask:
        return self.masks[index]

    def sample_id(self, index: int) -> str:
        return str(index)


class UnreachableDoseError(ValueError):
    """No dose of a noise model realises the target."""


class _Trial(NamedTuple):
    """One dose, and what it realises; `excess` grows with the dose and is 0 at the target."""

    dose: float
    noise: Noise
    value: float
    excess: float
    each: list[float]


class _Search:
    """Doubling, then bisection, on some masks of a data set, which are kept in memory."""

    def __init__(
        self, noise: Noise, dataset: Any, seed: int, size: int, measure: str, target: float
    ) -> None:
        if len(dataset) == 0:
            raise ValueError("the data set is empty: there is nothing to calibrate on")
        self.noise, self.dataset, self.seed = noise, dataset, seed
        self.measure, self.target = measure, target
        self.classes = len(dataset.metainfo["classes"]), int(dataset.metainfo["ignore_index"])
        noise.check_fit(*self.classes)
        chosen = generator(seed, "calibrate").permutation(len(dataset))[:size]
        self.clean = {index: dataset.load_mask(index) for index in sorted(chosen.tolist())}
        self.trials: list[_Trial] = []

    def run(self, tolerance: float) -> Calibration:
        low, high = self._bracket(tolerance)
        for _ in range(_BISECTIONS):
            middle = (low.dose + high.dose) / 2
            # A dose that moves in steps has nothing in between.
            nothing_between = self.noise.with_dose(middle) in (low.noise, high.noise)
            if self._best() <= tolerance or nothing_between:
                break
            if high.dose - low.dose < _RESOLUTION * high.dose:
                break
            trial = self._try(middle)
            low, high = (trial, high) if trial.excess < 0 else (low, trial)
        least, *others = self.trials
        best = min(others, key=lambda trial: abs(trial.excess))
        if best.value == least.value:
            raise UnreachableDoseError(
                f"the damage of {self.noise!r} moves in steps on {len(best.each)} of the masks: "
                f"next to none at all comes a {self.measure} of {high.value:.4f}, not "
                f"{self.target:g}; use more or larger masks"
            )
        each = [value for value in best.each if not math.isnan(value)]
        return Calibration(
            best.noise,
            self.measure,
            self.target,
            best.value,
            float(np.std(each, ddof=1)) if len(each) > 1 else math.nan,
            len(best.each),
            len(self.trials),
        )

    def _bracket(self, tolerance: float) -> tuple[_Trial, _Trial]:
        """Return a trial below the target and one at or above it."""
        least, greatest = self.noise.dose_range
        bottom = low = self._try(least)
        start = self.noise.dose if self.noise.dose > least else min(least + 1, greatest)
        high = self._try(start)
        unmoved = 0
        while high.excess < 0 and self._best() > tolerance:
            if high.dose >= greatest or unmoved == _UNMOVED:
                return bottom, self._below(start, least)
            grown = self._try(min(2 * high.dose, greatest))
            moved = grown.value != high.value or high.value == bottom.value
            unmoved = 0 if moved else unmoved + 1
            low, high = high, grown
        return low, high

    def _below(self, start: float, least: float) -> _Trial:
        """Return a trial above the target at a dose below the start, where damage may be greater.

        A noise can overdo it: where all objects are omitted, none can give way to another.
        """
        dose = start
        for _ in range(_HALVINGS):
            dose = least + (dose - least) / 2
            trial = self._try(dose)
            if trial.excess >= 0:
                return trial
        best = max(self.trials, key=lambda trial: trial.excess)
        raise UnreachableDoseError(
            f"{self.noise!r} reaches a {self.measure} of {best.value:.4f} at the most (dose "
            f"{best.dose:g}), not {self.target:g}: choose another target, or other parameters"
        )

    def _try(self, dose: float) -> _Trial:
        noise, value_of = self.noise.with_dose(dose), _VALUES[self.measure]
        reports = []
        for index, clean in self.clean.items():
            noisy = corrupt_sample(noise, self.dataset, index, self.seed, clean)
            reports.append(realised_noise(clean, noisy, *self.classes))
        value = value_of(sum(reports[1:], reports[0]))
        if math.isnan(value):
            raise ValueError(f"the masks have no {self.measure}: they hold no label, or one only")
        excess = self.target - value if self.measure == "miou" else value - self.target
        self.trials.append(_Trial(dose, noise, value, excess, list(map(value_of, reports))))
        return self.trials[-1]

    def _best(self) -> float:
        return min(abs(trial.excess) for trial in self.trials)
