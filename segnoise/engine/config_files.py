"""Files of configs: Python, which is run, and JSON and YAML, which are data and run nothing."""

from __future__ import annotations

import ast
import contextlib
import difflib
import grp
import os
import pwd
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import mmengine.optim
import segmentation_models_pytorch as smp
import torch
import yaml
from mmengine.config import Config
from mmengine.optim import OptimWrapper, _ParamScheduler
from torch import nn
from torch.optim import Optimizer

import segnoise
from segnoise.engine.schema import registries
from segnoise.errors import ConfigError
from segnoise.models.weight_files import first_line
from segnoise.records import check_depth, parse
from segnoise.registry import check_allowed, import_module, imported


def find_config(path: str | Path) -> Path:
    """Return the file of a config: a path, or one relative to the configs that we ship."""
    path = Path(path)
    if path.is_file():
        return path
    shipped = shipped_configs()
    relative = Path(*path.parts[1:]) if path.parts[:1] == ("configs",) else path
    if shipped and (shipped / relative).is_file():
        return shipped / relative
    leaves = [p.relative_to(shipped) for p in shipped.rglob("*.py")] if shipped else []
    known = {p.name: p for p in leaves if not {"_base_", "__init__.py"} & {*p.parts}}
    close = difflib.get_close_matches(path.name, known, n=1, cutoff=0.75)
    hint = f"; did you mean configs/{known[close[0]].as_posix()}?" if close else ""
    raise ConfigError(f"no config {path}{hint}")


def shipped_configs() -> Path | None:
    """The folder of our configs: in a checkout beside the package, in an install inside it."""
    package = Path(segnoise.__file__).parent
    for folder in (package.parent / "configs", package / "configs"):
        if (folder / "_base_").is_dir():
            return folder
    return None


def is_shipped(file: Path) -> bool:
    """Whether a config is one of ours."""
    shipped = shipped_configs()
    return shipped is not None and file.resolve().is_relative_to(shipped.resolve())


def read_config(file: Path, allow_imports: Collection[str] = ()) -> dict[str, Any]:
    """What a config's file says, be it code or data; arguments as of :func:`load_config`."""
    for module in allow_imports:
        import_module(module, "--allow-imports")
    if is_data(file):
        return trusted(_read_data(file), str(file), allow_imports)
    for part in _files_of_code(file):
        _say_whose(part)
    try:
        loaded: dict[str, Any] = Config.fromfile(file).to_dict()
    except ConfigError:
        raise
    except SystemExit as error:
        raise ConfigError(f"{file}: calls sys.exit({error.code!r}): a config sets names") from error
    except Exception as error:  # a config is code: anything may go wrong in it
        raise ConfigError(f"{file}: {type(error).__name__}: {first_line(error)}") from error
    return loaded


# Hooks of mmengine that write, or delete old checkpoints, in any folder they are told.
_WRITING_HOOKS = frozenset(
    ("CheckpointHook", "LoggerHook", "NaiveVisualizationHook", "NPUProfilerHook", "ProfilerHook")
)
# Classes of these kinds do no harm, whatever they are given.
_HARMLESS = (
    (torch.nn, nn.Module), (torch.optim, Optimizer), (smp, nn.Module),
    (mmengine.optim, (OptimWrapper, _ParamScheduler)),
)  # fmt: skip


def is_data(file: Path) -> bool:
    """Whether a config is data; otherwise it is code."""
    return file.suffix in (".json", ".yaml", ".yml")


class _YamlLoader(yaml.SafeLoader):
    """YAML without aliases, by which a few lines become gigabytes, or hold themselves."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise ValueError("aliases (*name) are not read: write out what they stand for")
        return super().compose_node(parent, index)


def _read_data(file: Path) -> Any:
    try:
        if file.suffix == ".json":
            return parse(file.read_bytes())
        value = yaml.load(file.read_text(encoding="utf-8"), _YamlLoader)
        check_depth(value)
    except (OSError, RecursionError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{file}: {' '.join(str(error).split())}") from error
    return value


def trusted(config: Any, source: str, allow_imports: Collection[str] = ()) -> dict[str, Any]:
    """A config that is data, once nothing in it can run code that the user has not allowed.

    Types may be names, dotted paths of what is registered, modules of torch.nn and
    segmentation_models_pytorch, optimizers of torch.optim, schedules of mmengine.optim, and what
    lies in the allowed modules.
    """
    if not isinstance(config, dict):
        raise ConfigError(f"{source}: a config is an object with keys, not {config!r:.60}")
    if "_base_" in config:
        raise ConfigError(f"{source}: a config that is data has no _base_: write out what it holds")
    _check_data(config, source, "", allow_imports)
    return config


def _check_data(value: Any, source: str, place: str, modules: Collection[str]) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            where = f"{place}.{key}".lstrip(".")
            if not isinstance(key, (str, int)):
                raise ConfigError(f"{source}: {place or 'it'} has the key {key!r}: write a text")
            # mmengine's own tables import whatever they are asked for by a dotted path.
            named = str(key).endswith(("type", "constructor")) and isinstance(inner, str)
            if named and "." in inner and not _is_known(inner):
                try:
                    imported(inner, where, modules)
                except ConfigError as error:
                    raise ConfigError(f"{source}: {error}") from None
            if named and (hook := inner.rpartition(".")[2]) in _WRITING_HOOKS:
                check_allowed(f"mmengine.hooks.{hook}", f"{source}: {where}", modules)
            if key == "custom_imports":  # also among the options of a grid
                names = inner.get("imports") if isinstance(inner, dict) else inner
                for module in names if isinstance(names, list) else [names] if names else []:
                    check_allowed(str(module), f"{source}: {where}", modules)
            _check_data(inner, source, where, modules)
    elif isinstance(value, (list, tuple)):
        for number, inner in enumerate(value):
            _check_data(inner, source, f"{place}.{number}", modules)
    elif not (value is None or isinstance(value, (bool, int, float, str))):
        raise ConfigError(
            f"{source}: {place} is a {type(value).__name__}: write a text or a number"
        )


def _is_known(path: str) -> bool:
    """Whether a dotted path leads to something that no config can do harm with."""
    for registry in registries():
        with contextlib.suppress(ConfigError):
            registry.find(path, modules=())
            return True
    # A package of ours offers what a file of it registers, and the shipped configs import it so.
    if found := _reached(path, segnoise):
        return any(found is entry for registry in registries() for entry in registry.known())
    for package, kind in _HARMLESS:
        if found := _reached(path, package):
            return isinstance(found, type) and issubclass(found, kind)
    return False


def _reached(path: str, package: Any) -> Any:
    """What a dotted path leads to in a package as it is loaded; None if nothing, or elsewhere."""
    inside = path.removeprefix(f"{package.__name__}.")
    if inside == path:
        return None
    found = package
    for part in inside.split("."):
        found = getattr(found, part, None) if part.isidentifier() else None
    return found


def _files_of_code(file: Path) -> list[Path]:
    """A Python config and the files that it reads by ``read_base()`` or ``_base_``, and they."""
    found: list[Path] = []
    waiting = [file]
    while waiting:
        part = waiting.pop()
        if not part.is_file() or is_data(part) or any(map(part.samefile, found)):
            continue
        found.append(part)
        with contextlib.suppress(SyntaxError, ValueError):  # which reading it will name
            for node in ast.walk(ast.parse(part.read_bytes())):
                waiting += _bases(node, part.absolute().parent)
    return found


def _bases(node: ast.AST, folder: Path) -> list[Path]:
    """The files that a statement of a config in a folder reads."""
    if isinstance(node, ast.ImportFrom) and node.level:
        above = Path(folder, *[".."] * (node.level - 1))
        return [above.joinpath(*(node.module or "").split(".")).with_suffix(".py")]
    if isinstance(node, ast.Assign) and "_base_" in map(ast.unparse, node.targets):
        texts = (part.value for part in ast.walk(node.value) if isinstance(part, ast.Constant))
        return [folder / text for text in texts if isinstance(text, str)]
    return []


def _say_whose(file: Path) -> None:
    """Say so in a line where others than the user could have written code that is about to run."""
    if is_shipped(file):
        return
    status = file.stat()
    if status.st_uid != os.geteuid():
        whose = f"belongs to {_name(pwd.getpwuid, status.st_uid)}"
    elif status.st_mode & 0o002:
        whose = "can be written by everyone"
    elif status.st_mode & 0o020 and not _is_own_group(status):
        whose = f"can be written by the group {_name(grp.getgrgid, status.st_gid)}"
    else:
        return
    print(f"Note: {file} is a Python config, which runs as code, and {whose}", file=sys.stderr)


def _is_own_group(status: os.stat_result) -> bool:
    """Whether a file's group is the one that Linux gives each user alone."""
    return _name(grp.getgrgid, status.st_gid) == _name(pwd.getpwuid, status.st_uid)


def _name(look_up: Any, number: int) -> str:
    try:
        return str(look_up(number)[0])
    except KeyError:
        return str(number)
