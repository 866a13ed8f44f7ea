"""The grid of a benchmark: read from its config, checked, and expanded into cells."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from segnoise.checks import MAX_SEED, check_choice, check_integer
from segnoise.engine.config_files import find_config, is_data, is_shipped, read_config
from segnoise.engine.keys import DEFAULTS
from segnoise.engine.notation import shortened
from segnoise.engine.schema import check_plain
from segnoise.errors import ConfigError
from segnoise.naming import near

PLAIN = "plain"  # the method that is none
# What a cell has one of, and the grid's key of all of them.
_AXES = {
    "dataset": "datasets", "noise": "noises", "loss": "losses", "method": "methods",
    "seed": "seeds",
}  # fmt: skip
# Keys of the training config that a cell's place in the grid decides.
_DECIDED = {
    "losses": "the grid's losses decide; name it there",
    "noise": "the grid's noises decide; name it there",
    "noise_seed": "the grid's seeds decide; leave it out",
    "seed": "the grid's seeds decide; leave it out",
    "work_dir": "the benchmark's folder decides; give --work-dir",
}
_DOSE = ("dose", "measure", "noise", "sample")


class Cell(NamedTuple):
    """One training of a grid, by the names of what it is made of."""

    dataset: str
    noise: str
    loss: str
    method: str
    seed: int

    @property
    def path(self) -> Path:
        """Its folder, relative to the benchmark's."""
        return Path(*map(slug, self[:4]), f"seed_{self.seed}")

    def __str__(self) -> str:
        return f"{' / '.join(self[:4])} / seed {self.seed}"


@dataclass(frozen=True)
class Grid:
    """What a benchmark's config says; see docs/benchmark.md.

    Attributes:
        datasets: name -> ``dict(config=<training config>, options=<dotted paths>)``.
        noises: name -> None for clean labels; a noise model's config; ``dict(dose=, measure=,
            noise=, sample=)``, which is calibrated on each data set; or ``dict(per_dataset=<name
            of the data set -> one of these>)``; a data set that it does not name is left out.
        losses: name -> list of losses, as in a training config; or ``dict(recipe=<name>)``, which
            is combined with no further method.
        methods: name -> changes of the training config, by keys or dotted paths.
        seeds: of weights, order, augmentation and noise alike.
        options: changes of the training config for all cells.
        skip: cells to leave out; see :func:`load_grid`.
        baseline: the loss (with the method "plain") that others are compared with.
        select: "last" or "best": the checkpoint whose score is the main one.
        evaluate: "val" or "test": the data that give the main score.
        num_examples: validation images of the report.
        checkpoints: "keep" or "delete" those of cells that are done: last.pth is needed no more.
        allow_imports: not in the config: modules that training configs which are data may name.
    """

    datasets: dict[str, dict[str, Any]]
    noises: dict[str, Any]
    losses: dict[str, list[dict[str, Any]] | dict[str, str]]
    methods: dict[str, dict[str, Any]] = field(default_factory=lambda: {PLAIN: {}})
    seeds: list[int] = field(default_factory=lambda: [0])
    options: dict[str, Any] = field(default_factory=dict)
    skip: list[dict[str, Any]] = field(default_factory=list)
    baseline: str = "CE"
    select: str = "last"
    evaluate: str = "val"
    num_examples: int = 3
    checkpoints: str = "keep"
    allow_imports: tuple[str, ...] = ()

    @property
    def clean(self) -> str | None:
        """Name of the noise that is none."""
        return next((name for name, noise in self.noises.items() if noise is None), None)

    @property
    def main_score(self) -> str:
        """Which score decides: "test" where test data are scored, else the selected one."""
        return "test" if self.evaluate == "test" else self.select

    def noise_of(self, dataset: str, noise: str) -> Any:
        """What a noise is on a data set."""
        found = self.noises[noise]
        if found is not None and "per_dataset" in found:
            return found["per_dataset"][dataset]
        return found

    def training(self, loss: str, method: str) -> dict[str, Any]:
        """Changes of the training config that a loss and a method make."""
        own = self.losses[loss]
        losses = own if isinstance(own, dict) else {"losses": own, "recipe": None}
        return {**losses, **self.methods[method]}

    def cells(self) -> list[Cell]:
        """All cells that are not left out; seed by seed, so that a first table is early."""
        tables = (self.datasets, self.noises, self.losses, self.methods)
        found = [Cell(*names, seed) for seed in self.seeds for names in itertools.product(*tables)]
        return [
            cell
            for cell in found
            if self._exists(cell.dataset, cell.noise)
            and (cell.method == PLAIN or not isinstance(self.losses[cell.loss], dict))
            and not any(_fits(rule, cell) for rule in self.skip)
        ]

    def _exists(self, dataset: str, noise: str) -> bool:
        """Whether a noise is one of a data set's."""
        found = self.noises[noise]
        return found is None or dataset in found.get("per_dataset", self.datasets)


def slug(name: str) -> str:
    """A name as a folder of any file system; long ones end in a hash.

    Example:
        >>> slug("ANL-CE weighted"), slug("NCE+RCE"), slug("a/b: 5%")
        ('ANL-CE_weighted', 'NCE+RCE', 'a_b_5')
    """
    return shortened(re.sub(r"[^A-Za-z0-9.+=-]+", "_", name).strip("_."))


def load_grid(
    path: str | Path,
    allow_imports: Sequence[str] = (),
    named: Mapping[str, Mapping[str, Any]] | None = None,
) -> Grid:
    """Read a benchmark's config; one that is data, like a training config that is.

    A training config is a grid of one data set, whose losses and noises are `named`.

    Args:
        path: of the config.
        allow_imports: modules that configs which are data may name things of.
        named: values of "noises", "losses", "methods" and "seeds" that take the config's place;
            rules of its ``skip`` that name what is replaced are left out.

    An entry of ``skip`` leaves out the cells that fit all of its keys (dataset, noise, loss,
    method, seed); a value is one name, a list of names, or ``{"not": <list of names>}``.
    """
    file = find_config(path)
    loaded = dict(read_config(file, allow_imports))
    named = {key: value for key, value in (named or {}).items() if value}
    if "datasets" not in loaded and "train_data" in loaded:
        if not named.get("losses") or not named.get("noises"):
            raise ConfigError(
                f"{file} is the config of one training: name what to compare, with --loss (or "
                "--recipe) and --noise, such as --loss CE --loss ANL-CE --noise none"
            )
        loaded = {"datasets": {file.stem: str(file)}}
    if named:
        replaced = {axis for axis, key in _AXES.items() if key in named}
        rules = loaded.get("skip", [])
        if isinstance(rules, list):
            rules = [r for r in rules if not (isinstance(r, dict) and replaced & r.keys())]
        loaded = {**loaded, **named, "skip": rules}
        losses = named.get("losses", ())
        if losses and loaded.get("baseline", "CE") not in losses:
            loaded["baseline"] = next(iter(losses))
    try:
        grid = build_grid(loaded, tuple(allow_imports))
        for name, entry in grid.datasets.items() if is_data(file) else ():
            if not (is_data(Path(entry["config"])) or is_shipped(find_config(entry["config"]))):
                raise ConfigError(
                    f"datasets.{name}: a grid that is data may not run {entry['config']}, which is "
                    "code: write it as .json or .yaml, or the grid as .py"
                )
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from None
    return grid


def build_grid(config: Mapping[str, Any], allow_imports: tuple[str, ...] = ()) -> Grid:
    """The grid that a dict describes; see :func:`load_grid`."""
    known = [name for name in Grid.__dataclass_fields__ if name != "allow_imports"]
    config = {key: value for key, value in config.items() if not str(key).startswith("_")}
    check_plain(config)
    for key in config:
        if key not in known:
            raise ConfigError(f"unknown key {key}{_remedy(key, list(known))}")
    for key in ("datasets", "noises", "losses"):
        if key not in config:
            raise ConfigError(f"{key} is missing: a grid has datasets, noises and losses")
    values = dict(config)
    for key in _AXES.values():
        if key in values and key != "seeds":
            _check_names(values[key], key)
    for key, kind in (("options", dict), ("skip", list), ("seeds", list)):
        if not isinstance(values.get(key, kind()), kind):
            raise ConfigError(f"{key} must be a {kind.__name__}, got {values[key]!r}")
    values["datasets"] = {n: _dataset(n, v) for n, v in values["datasets"].items()}
    values["losses"] = {n: _losses(n, v) for n, v in values["losses"].items()}
    grid = Grid(**values, allow_imports=allow_imports)
    _check(grid)
    return grid


def _remedy(key: str, known: Sequence[str]) -> str:
    return near(key, known) or f"; known: {', '.join(known)}"


def _check_names(table: Any, key: str) -> None:
    if not isinstance(table, dict) or not table:
        raise ConfigError(f"{key} must be a dict of at least one name, got {table!r}")
    folders: dict[str, str] = {}
    for name in table:
        folder = slug(str(name)).lower()
        if not isinstance(name, str) or not folder:
            raise ConfigError(f"{key}: {name!r} is no name: use letters and digits")
        if folder in folders:
            raise ConfigError(
                f"{key}: {folders[folder]!r} and {name!r} would share the folder {slug(name)}; "
                "rename one"
            )
        folders[folder] = name


def _dataset(name: str, value: Any) -> dict[str, Any]:
    entry = {"config": value} if isinstance(value, (str, Path)) else value
    if not isinstance(entry, dict) or "config" not in entry:
        raise ConfigError(
            f"datasets.{name} must be the path of a training config, or dict(config=<path>, "
            f"options=<changes>), got {value!r}"
        )
    for key in entry:
        if key not in ("config", "options"):
            raise ConfigError(f"unknown key datasets.{name}.{key}; known: config, options")
    return {"options": {}, **entry}


def _losses(name: str, value: Any) -> list[dict[str, Any]] | dict[str, str]:
    if isinstance(value, dict) and set(value) == {"recipe"}:
        return value
    losses = [value] if isinstance(value, dict) else value
    if not isinstance(losses, list) or not losses or not all(isinstance(x, dict) for x in losses):
        raise ConfigError(f"losses.{name} must be a list of dicts with a 'type', got {value!r}")
    return losses


def _check(grid: Grid) -> None:
    for name, noise in grid.noises.items():
        _check_noise(grid, f"noises.{name}", noise)
    for name, changes in grid.methods.items():
        if not isinstance(changes, dict):
            raise ConfigError(f"methods.{name} must be a dict of config changes, got {changes!r}")
        check_options(f"methods.{name}", changes)
    check_options("options", grid.options)
    for name, entry in grid.datasets.items():
        check_options(f"datasets.{name}.options", entry["options"])
    for number, seed in enumerate(grid.seeds):
        check_integer(f"seeds.{number}", seed, 0, MAX_SEED)
    if len(set(grid.seeds)) < max(1, len(grid.seeds)):
        raise ConfigError(f"seeds must be distinct, and at least one, not {grid.seeds!r}")
    if grid.baseline not in grid.losses:
        raise ConfigError(
            f"baseline {grid.baseline!r} is none of the losses: {', '.join(grid.losses)}"
        )
    if PLAIN not in grid.methods:
        raise ConfigError("methods has no 'plain', which the baseline needs: add plain={}")
    choices = {
        "select": ("last", "best"),
        "evaluate": ("val", "test"),
        "checkpoints": ("keep", "delete"),
    }
    for key, options in choices.items():
        check_choice(key, getattr(grid, key), options)
    check_integer("num_examples", grid.num_examples, 0, 1000)
    for number, rule in enumerate(grid.skip):
        _check_rule(grid, f"skip.{number}", rule)
    if not grid.cells():
        raise ConfigError("skip leaves no cell")


def check_options(where: str, options: Any) -> None:
    """Check changes of the training config that a grid or a command line makes."""
    if not isinstance(options, dict):
        raise ConfigError(f"{where} must be a dict of config changes, got {options!r}")
    for key in options:
        first = str(key).split(".")[0]
        if first not in DEFAULTS:
            raise ConfigError(f"unknown key {where}.{key}{near(first, DEFAULTS)}")
        if first in _DECIDED:
            raise ConfigError(f"{where}.{key}: {_DECIDED[first]}")


def _check_noise(grid: Grid, where: str, noise: Any) -> None:
    if noise is None:
        return
    if not isinstance(noise, dict):
        raise ConfigError(f"{where} must be None or a dict, got {noise!r}")
    if "per_dataset" in noise:
        each = noise["per_dataset"]
        if len(noise) > 1 or not isinstance(each, dict) or not each:
            raise ConfigError(f"{where}.per_dataset must stand alone and be a dict of noises")
        for name, inner in each.items():
            if name not in grid.datasets:
                hint = _remedy(str(name), list(grid.datasets))
                raise ConfigError(f"{where}.per_dataset: no data set {name!r}{hint}")
            if not isinstance(inner, dict) or "per_dataset" in inner:
                raise ConfigError(f"{where}.per_dataset.{name} must be a noise, got {inner!r}")
            _check_noise(grid, f"{where}.per_dataset.{name}", inner)
    elif "type" not in noise and ("dose" in noise or "noise" in noise):
        for key in noise:
            if key not in _DOSE:
                raise ConfigError(f"unknown key {where}.{key}{_remedy(str(key), _DOSE)}")
        if "dose" not in noise or not isinstance(noise.get("noise"), dict):
            raise ConfigError(f"{where}: a dose wants dict(dose=<number>, noise=dict(type=...))")
    elif "type" not in noise:
        raise ConfigError(f"{where} has neither 'type' nor 'dose' nor 'per_dataset': {noise!r}")


def _check_rule(grid: Grid, where: str, rule: Any) -> None:
    if not isinstance(rule, dict) or not rule:
        raise ConfigError(f"{where} must be a dict such as dict(noise='clean'), got {rule!r}")
    for axis, value in rule.items():
        if axis not in _AXES:
            raise ConfigError(f"unknown key {where}.{axis}{_remedy(str(axis), list(_AXES))}")
        if isinstance(value, dict) and set(value) != {"not"}:
            raise ConfigError(f'{where}.{axis}: a dict must be {{"not": <names>}}, got {value!r}')
        table = getattr(grid, _AXES[axis])
        for name in _values(value):
            if name not in table:
                raise ConfigError(f"{where}.{axis}: no {axis} {name!r}{near(str(name), table)}")


def _values(value: Any) -> list[Any]:
    inner = value["not"] if isinstance(value, dict) else value
    return list(inner) if isinstance(inner, (list, tuple)) else [inner]


def _fits(rule: Mapping[str, Any], cell: Cell) -> bool:
    return all(
        (getattr(cell, axis) in _values(value)) != isinstance(value, dict)
        for axis, value in rule.items()
    )
