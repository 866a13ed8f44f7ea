"""Configs: found, merged with what the command line overrides, and written down again.

A config is a Python file of mmengine's new style, which is run, or a JSON or YAML file, which is
data and runs nothing. Its top-level names are the keys of
:data:`segnoise.engine.keys.DEFAULTS`.
"""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from segnoise.engine.config_files import find_config, read_config
from segnoise.engine.keys import DEFAULTS
from segnoise.engine.schema import complete, storable
from segnoise.errors import ConfigError
from segnoise.files import user_path
from segnoise.naming import near


def load_config(
    path: str | Path,
    options: Mapping[str, Any] | None = None,
    allow_imports: Collection[str] = (),
) -> dict[str, Any]:
    """Read a config, apply ``--cfg-options``, fill in defaults, and check every key.

    Args:
        path: the config's file.
        options: dotted paths and values, such as ``{"noise.rate": 0.2}``; they may name anything.
        allow_imports: modules to import first, which a JSON or YAML config may name things of.
    """
    return with_options(read_config(find_config(path), allow_imports), options or {})


def with_options(config: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """A complete copy of a config with some values replaced, by dotted paths.

    Example:
        >>> with_options({"noise": {"type": "SymmetricFlip"}}, {"noise.rate": 0.2})["noise"]
        {'type': 'SymmetricFlip', 'rate': 0.2}
    """
    changed = copy.deepcopy(dict(config))
    if options.get("recipe"):  # instead of what the config says
        replaced = {"losses", "methods", "clean_masks"}
        changed = {k: v for k, v in changed.items() if k not in replaced}
    for key, value in options.items():
        _set(changed, key, copy.deepcopy(value))
    return complete(changed)


def _set(config: dict[str, Any], path: str, value: Any) -> None:
    """Set a dotted path; list entries by number. Dicts on the way are made where a key allows."""
    node: Any = config
    parts = path.split(".")
    for number, part in enumerate(parts):
        walked, key = ".".join(parts[:number]), cast("Any", part)
        if isinstance(node, list):
            if not part.lstrip("-").isdigit() or not -len(node) <= int(part) < len(node):
                raise ConfigError(
                    f"--cfg-options {path}: {walked} is a list of {len(node)}, {part!r} is none of "
                    "its entries"
                )
            key = int(part)
        elif not isinstance(node, dict):
            raise ConfigError(f"--cfg-options {path}: {walked} is {node!r}, which has no {part!r}")
        if number == len(parts) - 1:
            node[key] = value
        elif isinstance(node, dict) and node.get(key) is None:
            if not walked and key not in DEFAULTS:
                raise ConfigError(f"unknown config key {key}{near(key, DEFAULTS)}")
            default = None if walked else copy.deepcopy(DEFAULTS[key])
            node[key] = {} if default is None else default
        node = node[key]


def dump_config(config: Mapping[str, Any]) -> str:
    """The text of a config file that loads to ``config``, in the order of :data:`DEFAULTS`.

    It holds literals only, whatever texts are in the config: the file is run when it is read, and
    the config may be somebody else's data. mmengine's own ``pretty_text`` does not quote keys.
    """
    return "".join(f"{key} = {_literal(value)}\n" for key, value in storable(config).items())


def _literal(value: Any, indent: int = 0) -> str:
    """A value as Python source: on one line where it fits, else an entry a line."""
    if isinstance(value, Mapping):
        pairs = [(f"{_literal(key)}: ", item) for key, item in value.items()]
        return _bracketed("{", pairs, "}", indent)
    if isinstance(value, (list, tuple)):
        first, last = ("[", "]") if isinstance(value, list) else ("(", ")")
        entries = [("", item) for item in value]
        return _bracketed(first, entries, ",)" if last == ")" and value else last, indent)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return f"float('{value}')"
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    # As in a checkpoint's record, a path is a text. mmengine replaces what stands in {{ }}.
    return repr(str(value)).replace("{{", "{\\x7b")


def _bracketed(first: str, entries: Sequence[tuple[str, Any]], last: str, indent: int) -> str:
    parts = [name + _literal(item, indent + 4) for name, item in entries]
    line = f"{first}{', '.join(parts)}{last}"
    if "\n" not in line and indent + len(line) <= 80:
        return line
    space = " " * (indent + 4)
    return f"{first}\n{space}" + f",\n{space}".join(parts) + f",\n{' ' * indent}{last[-1]}"


def data_path(root: str | Path) -> Path:
    """A data set's folder; ``data/...`` lies under ``$SEGNOISE_DATA`` where that is set.

    Example:
        >>> os.environ["SEGNOISE_DATA"] = "/datasets"
        >>> data_path("data/camvid").as_posix()
        '/datasets/camvid'
        >>> del os.environ["SEGNOISE_DATA"]
        >>> data_path("data/camvid").as_posix()
        'data/camvid'
    """
    root = user_path(root)
    base = os.environ.get("SEGNOISE_DATA")
    if base and not root.is_absolute() and root.parts[:1] == ("data",):
        return Path(base, *root.parts[1:])
    return root
