"""Recipes: losses and methods for a situation, and which situation a training set is in.

docs/recipes.md says on which measurements each rests.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segnoise.errors import ConfigError
from segnoise.naming import near
from segnoise.noise import NoiseReport, kind_of_noise

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Recipe:
    """What to train with."""

    losses: tuple[Mapping[str, Any], ...]
    methods: tuple[Mapping[str, Any], ...] = ()


RECIPES: dict[str, Recipe] = {
    "dice": Recipe(({"type": "Dice"},)),
    "missing": Recipe(({"type": "GCE", "class_weights": "inverse_sqrt"}, {"type": "Dice"})),
    "outlines": Recipe(({"type": "NCE+RCE"},)),
    "robust": Recipe(({"type": "Dice"},), ({"type": "ObjectTeacher"},)),
}
# Of two classes, and of more.
BY_KIND = {
    "none": ("dice", "dice"),
    "pixels": ("dice", "dice"),
    "swapped objects": ("robust", "robust"),
    "missing objects": ("missing", "robust"),
    "boundaries": ("outlines", "dice"),
    UNKNOWN: ("dice", "robust"),
}
BACKGROUND = "background"
FLIPPING = ("RandomScaleCrop", "ResizeFlip")  # transforms that mirror unless they are told not to


def with_recipe(
    config: Mapping[str, Any],
    check: Mapping[str, Any],
    classes: Sequence[str],
    known: NoiseReport | None = None,
) -> tuple[dict[str, Any], str]:
    """Replace a config's ``recipe`` by losses and methods; also return what was picked and why."""
    name = config["recipe"]
    reason = "as the config says"
    if name == "auto":
        kind, words = _kind(check["noise"], known)
        name = BY_KIND[kind][len(classes) > 2]
        reason = f"{words}; {_imbalance(check['histogram'])}"
    losses = copy.deepcopy(list(RECIPES[name].losses))
    methods = [dict(method) for method in RECIPES[name].methods]
    for teacher in methods:
        if classes[0].lower() == BACKGROUND:
            teacher["background"] = 0
        teacher["mirror"] = _mirrored(config.get("train_transform"))
    parts = [
        f"{loss['type']}{' weighted by class' if 'class_weights' in loss else ''}"
        for loss in losses
    ] + [str(method["type"]) for method in methods]
    return (
        {**config, "losses": losses, "methods": methods, "recipe": None, "clean_masks": None},
        f"recipe {name} ({' + '.join(parts)}): {reason}",
    )


def check_recipe(name: str | None, given: Sequence[str], clean_masks: object = None) -> None:
    """Check a config's ``recipe``."""
    if clean_masks is not None and name != "auto":
        raise ConfigError(
            f"clean_masks={str(clean_masks)!r} is what recipe='auto' looks at: set that, or leave "
            "clean_masks out"
        )
    if name is None:
        return
    known = ["auto", *RECIPES]
    if name not in known:
        hint = near(name, known) or f"; known: {', '.join(known)}"
        raise ConfigError(f"no recipe {name!r}{hint}")
    beside = [key for key in ("losses", "methods") if key in given]
    if beside:
        raise ConfigError(
            f"recipe={name!r} chooses losses and methods: leave out {' and '.join(beside)}, or the "
            "recipe"
        )


def _kind(noise: Mapping[str, Any] | None, known: NoiseReport | None) -> tuple[str, str]:
    if noise is not None:
        report, where = NoiseReport.from_dict(noise), ""
    elif known is not None:
        report, where = known, f" in {known.num_masks} of the samples, whose clean masks are known"
    else:
        return UNKNOWN, "the noise is unknown, as no clean_masks are given"
    kind = kind_of_noise(report)
    if kind == "none":
        return kind, f"{100 * report.pixel_rate:.2f} % of the pixels are wrong{where}"
    return kind, f"the noise is of {kind}, {100 * report.pixel_rate:.1f} % of the pixels{where}"


def _mirrored(transform: Any) -> bool:
    """Whether images are mirrored for the training, so that the teacher can look twice.

    Example:
        >>> _mirrored({"type": "ResizeFlip"}), _mirrored({"type": "ResizeFlip", "flip": 0})
        (True, False)
    """
    if not transform:
        return False
    kind = getattr(transform["type"], "__name__", str(transform["type"]))
    if kind.endswith(FLIPPING):
        return bool(transform.get("flip", True))
    return "HorizontalFlip" in repr(transform)


def _imbalance(histogram: Sequence[int]) -> str:
    present = [count for count in histogram if count]
    ratio = max(present) / min(present) if present else 1.0
    return f"the most frequent class has {ratio:.0f} times the pixels of the rarest"
