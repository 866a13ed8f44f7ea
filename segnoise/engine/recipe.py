"""Recipes: losses and methods for a situation, and which situation a training set is in.

docs/recipes.md says on which measurements each rests.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segnoise.errors import ConfigError
from segnoise.noise import NoiseReport, kind_of_noise
from segnoise.registry import near

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Recipe:
    """What to train with.

    Attributes:
        losses: as in a config.
        methods: as in a config.
        purpose: what it is for, in a few words.
    """

    losses: tuple[Mapping[str, Any], ...]
    methods: tuple[Mapping[str, Any], ...]
    purpose: str


_WEIGHTED = {"class_weights": "inverse_sqrt"}
RECIPES: dict[str, Recipe] = {
    "balanced": Recipe(
        ({"type": "CE", **_WEIGHTED}, {"type": "Dice"}),
        (),
        "labels that are right, or wrong pixel by pixel",
    ),
    "robust": Recipe(
        ({"type": "GCE", **_WEIGHTED}, {"type": "Dice"}),
        (),
        "labels that are wrong by whole objects or along boundaries, or nobody knows how",
    ),
}
BY_KIND = {
    "none": "balanced",
    "pixels": "balanced",
    "swapped objects": "robust",
    "missing objects": "robust",
    "boundaries": "robust",
    UNKNOWN: "robust",
}


def with_recipe(config: Mapping[str, Any], check: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Replace a config's ``recipe`` by the losses and methods it stands for.

    Args:
        config: with ``recipe``, "auto" or the name of one.
        check: histogram of the training labels and their realised noise (None where clean labels
            are not known), as ``data.json`` of a run has them.

    Returns:
        The config with ``losses`` and ``methods`` and without a recipe; and what was picked and
        why, in a sentence or two.

    Example:
        >>> config = {"recipe": "auto", "losses": [], "methods": []}
        >>> config, why = with_recipe(config, {"histogram": [900, 100], "noise": None})
        >>> [loss["type"] for loss in config["losses"]]
        ['GCE', 'Dice']
        >>> print(why)
        recipe robust (GCE weighted by class + Dice): the noise is unknown, since no clean labels \
are; the most frequent class has 9 times the pixels of the rarest
    """
    name = config["recipe"]
    reason = "as the config says"
    if name == "auto":
        kind, words = _kind(check["noise"])
        name, reason = BY_KIND[kind], f"{words}; {_imbalance(check['histogram'])}"
    recipe = RECIPES[name]
    losses, methods = copy.deepcopy([list(recipe.losses), list(recipe.methods)])
    parts = [
        f"{loss['type']}{' weighted by class' if 'class_weights' in loss else ''}"
        for loss in losses
    ]
    parts += [str(method["type"]) for method in methods]
    return (
        {**config, "losses": losses, "methods": methods, "recipe": None},
        f"recipe {name} ({' + '.join(parts)}): {reason}",
    )


def check_recipe(name: str, given: Sequence[str]) -> None:
    """Check a config's ``recipe``.

    Args:
        name: the recipe.
        given: the keys that the config has of its own.

    Raises:
        ConfigError: if there is no such recipe, or the config has losses or methods beside it.
    """
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


def _kind(noise: Mapping[str, Any] | None) -> tuple[str, str]:
    if noise is None:
        return UNKNOWN, "the noise is unknown, since no clean labels are"
    report = NoiseReport.from_dict(noise)
    kind = kind_of_noise(report)
    if kind == "none":
        return kind, f"{100 * report.pixel_rate:.2f} % of the pixels are wrong"
    return kind, f"the noise is of {kind}, {100 * report.pixel_rate:.1f} % of the pixels"


def _imbalance(histogram: Sequence[int]) -> str:
    present = [count for count in histogram if count]
    ratio = max(present) / min(present) if present else 1.0
    return f"the most frequent class has {ratio:.0f} times the pixels of the rarest"
