"""Changes of the training config that a benchmark takes, and those that the grid itself decides."""

from __future__ import annotations

from typing import Any

from segnoise.engine.keys import DEFAULTS
from segnoise.errors import ConfigError
from segnoise.naming import near

# Keys of the training config that a cell's place in the grid decides.
_DECIDED = {
    "losses": "the grid's losses decide; name it there",
    "noise": "the grid's noises decide; name it there",
    "noise_seed": "the grid's seeds decide; leave it out",
    "seed": "the grid's seeds decide; leave it out",
    "work_dir": "the benchmark's folder decides; give --work-dir",
}


def check_options(where: str, options: Any) -> None:
    """Check changes of the training config that a grid or a command line makes.

    Raises:
        ConfigError: if they are no dict, name an unknown key, or one that the grid decides.
    """
    if not isinstance(options, dict):
        raise ConfigError(f"{where} must be a dict of config changes, got {options!r}")
    for key in options:
        first = str(key).split(".")[0]
        if first not in DEFAULTS:
            raise ConfigError(f"unknown key {where}.{key}{near(first, DEFAULTS)}")
        if first in _DECIDED:
            raise ConfigError(f"{where}.{key}: {_DECIDED[first]}")
