"""What the command-line tools share: flags people know from OpenMMLab, and errors in one line."""

from __future__ import annotations

import argparse
import ast
import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from segnoise import streams
from segnoise.checks import MAX_SEED, check_integer, check_number
from segnoise.engine.machine import what_it_lacks
from segnoise.errors import ConfigError, SegnoiseError
from segnoise.files import user_path

# Read when torch is loaded, which the tools do later. OpenMP's threads spin for milliseconds while
# they wait for each other: with anything else running on the machine's cores, a training on a CPU
# becomes several times slower. GNU's OpenMP only, which is torch's on Linux.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")


AGAIN = "run the same command again"  # of tools that keep nothing of an interrupted run


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong, and leave with exit code 2."""
        sys.exit(_fail(f"{message}; see {self.prog} --help", 2))

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Leave, once a help text is out or nobody reads it."""
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            streams.silence(sys.stdout)
            status = 141
        super().exit(status, message)


def parser(description: str, **kwargs: Any) -> argparse.ArgumentParser:
    """An argument parser that keeps line breaks; what it and its tool print, any terminal takes."""
    streams.set_up()
    return Parser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs
    )


def integer(least: int, most: int) -> Callable[[str], int]:
    """A flag's type: an integer within bounds.

    Example:
        >>> integer(1, 64)("0")
        Traceback (most recent call last):
        argparse.ArgumentTypeError: must be at least 1 and at most 64, not 0
    """

    def parse(text: str) -> int:
        with _as_flag():
            return check_integer(
                "", int(text) if text.lstrip("-+").isdecimal() else text, least, most
            )

    return parse


def number(**bounds: float) -> Callable[[str], float]:
    """A flag's type: a finite number within the bounds of :func:`check_number`.

    Example:
        >>> number(above=0, most=1)("nan")
        Traceback (most recent call last):
        argparse.ArgumentTypeError: must be above 0 and at most 1, not nan
    """

    def parse(text: str) -> float:
        value: Any = text
        with contextlib.suppress(ValueError):
            value = float(text)
        with _as_flag():
            return check_number("", value, **bounds)

    return parse


def path(text: str) -> Path:
    """A flag's type: a path, with ``~`` looked up."""
    with _as_flag():
        if not text:
            raise ConfigError("must be the path of a file or folder, not ''")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ConfigError(f"{text!r} is no text in UTF-8: rename it") from None
        return user_path(text)


@contextlib.contextmanager
def _as_flag() -> Iterator[None]:
    """Errors of a value as argparse has them, which puts the flag's name before them."""
    try:
        yield
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error).strip()) from None


seed = integer(0, MAX_SEED)
processes = integer(0, 1024)


def add_config(arguments: argparse.ArgumentParser) -> None:
    """Add the positional config, ``--cfg-options`` and ``--allow-imports``."""
    arguments.add_argument(
        "config", help="config file, e.g. configs/phantoms/unet_r18_anl_ce_boundary_phantoms_200.py"
    )
    add_options(arguments)
    add_allow_imports(arguments)


def add_options(arguments: argparse.ArgumentParser) -> None:
    """Add ``--cfg-options``."""
    arguments.add_argument(
        "--cfg-options",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="override config values, after the config; values as Python writes them, entries of "
        "lists by number, e.g. noise.rate=0.2 losses.0.alpha=1 data_root=/data/VOC2012",
    )


def add_allow_imports(arguments: argparse.ArgumentParser) -> None:
    """Add ``--allow-imports``, beside every config."""
    arguments.add_argument(
        "--allow-imports",
        action="append",
        default=[],
        metavar="MODULE",
        help="import this module first; a config in .json or .yaml, or in a checkpoint, may name "
        "things of it (repeatable)",
    )


def add_dose(arguments: argparse.ArgumentParser, target: float) -> None:
    """Add ``--target`` and ``--measure`` of a calibration."""
    arguments.add_argument(
        "--target",
        type=number(above=0, most=1),
        default=target,
        help=f"the value to realise, above 0 and at most 1 (default: {target})",
    )
    arguments.add_argument(
        "--measure",
        choices=("pixel_rate", "miou", "boundary_rate"),  # calibrate.MEASURES
        default="pixel_rate",
        help="pixel_rate: share of the pixels that change (default); miou: mean IoU of noisy and "
        "clean labels; boundary_rate: share that changes of the pixels within 3 px of a boundary",
    )


def add_launcher(arguments: argparse.ArgumentParser) -> None:
    """Add ``--launcher``; torchrun's ``--local-rank`` is accepted and read from the environment."""
    arguments.add_argument(
        "--launcher",
        choices=("none", "pytorch", "slurm", "mpi"),  # launch.LAUNCHERS, which would load torch
        default="none",
        help="how the processes were started (default: none, a single process)",
    )
    arguments.add_argument("--local-rank", "--local_rank", type=int, help=argparse.SUPPRESS)


def options(pairs: Sequence[str]) -> dict[str, Any]:
    """Parse ``KEY=VALUE`` pairs; values are Python literals, or else text.

    Raises:
        ConfigError: if a pair has no "=".

    Example:
        >>> options(["noise.rate=0.2", "noise=None", "data_root=/data/voc", "crop=(64,64)"])
        {'noise.rate': 0.2, 'noise': None, 'data_root': '/data/voc', 'crop': (64, 64)}
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        key, separator, text = pair.partition("=")
        if not separator or not key:
            raise ConfigError(f"--cfg-options wants KEY=VALUE, got {pair!r}")
        found[key] = _value(text)
    return found


def _value(text: str) -> Any:
    words = {"true": True, "false": False, "none": None, "null": None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def noise_config(text: str) -> dict[str, Any]:
    """Parse a noise model written as Python writes it, into its config.

    Raises:
        ConfigError: if it is neither the name of a class or of a preset, nor a call of one with
            literal keyword arguments.

    Example:
        >>> noise_config("BoundaryErosion")
        {'type': 'BoundaryErosion'}
        >>> noise_config("coco-n-easy(class_flip=0.1)")
        {'type': 'coco-n-easy', 'class_flip': 0.1}
        >>> noise_config("Compose(noises=[SymmetricFlip(rate=0.1), BoundaryErosion(width=2)])")
        {'type': 'Compose', 'noises': [{'type': 'SymmetricFlip', 'rate': 0.1}, \
{'type': 'BoundaryErosion', 'width': 2}]}
    """
    from segnoise.noise import PRESETS  # late: --help needs no arrays

    name, bracket, rest = text.strip().partition("(")
    preset = name.strip() if name.strip() in PRESETS else None
    call = f"Preset{bracket}{rest}" if preset else text.strip()
    try:
        config = _noise_node(ast.parse(call, mode="eval").body)
    except ConfigError as error:
        raise ConfigError(f"{text!r} is no noise model: {error}") from None
    except (SyntaxError, ValueError):
        config = None
    if preset and isinstance(config, dict):
        config["type"] = preset
    if not isinstance(config, dict) or "type" not in config:
        raise ConfigError(
            f"{text!r} is no noise model: write it like SymmetricFlip, "
            '"SymmetricFlip(rate=0.1)", my_noises.Smear or a preset, such as coco-n-easy'
        )
    return config


def _noise_node(node: ast.expr) -> Any:
    if (name := _dotted(node)) is not None:
        return {"type": name}
    if isinstance(node, ast.Call) and (name := _dotted(node.func)) and not node.args:
        named = dict(map(_noise_parameter, node.keywords))
        return {"type": name, **named}
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_noise_node(item) for item in node.elts]
    if isinstance(node, ast.Dict) and all(node.keys):
        pairs = zip(node.keys, node.values, strict=True)
        return {ast.literal_eval(key): _noise_node(value) for key, value in pairs if key}
    return ast.literal_eval(node)


def _dotted(node: ast.expr) -> str | None:
    """The name that an expression is, such as "my_noises.Smear"; None where it is none."""
    if isinstance(node, ast.Attribute):
        inner = _dotted(node.value)
        return None if inner is None else f"{inner}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else None


def _noise_parameter(word: ast.keyword) -> tuple[str, Any]:
    if word.arg is None:
        raise ConfigError(f"write out the parameters that **{ast.unparse(word.value)} stands for")
    try:
        variable = isinstance(word.value, ast.Name) and not word.value.id[:1].isupper()
        return word.arg, ast.literal_eval(word.value) if variable else _noise_node(word.value)
    except ConfigError:
        raise
    except ValueError:
        value = ast.unparse(word.value)
        raise ConfigError(f"the value of {word.arg}, {value}, is no literal") from None


def run_tool(
    work: Callable[[], None],
    go_on: str = "the same command goes on, a training with --resume",
    outlives_reader: bool = False,
) -> int:
    """Run a tool's work; errors that are the user's to mend become one line and exit code 2.

    Args:
        work: what to do.
        go_on: words on how an interrupted tool goes on.
        outlives_reader: go on when nobody reads the output any more, as with ``| head -1``;
            otherwise the tool ends with exit code 141, as others do.
    """
    streams.outlive_reader(outlives_reader)
    try:
        work()
        sys.stdout.flush()
    except SegnoiseError as error:
        return _fail(_own_words(error), 2)
    except BrokenPipeError:  # the reader, such as `head`, has gone
        streams.silence(sys.stdout)
        return 141
    except KeyboardInterrupt:
        return _fail(f"interrupted; {go_on}", 130)
    except UnicodeError as error:
        text = repr(getattr(error, "object", ""))[:200]
        return _fail(f"{text} is no text in UTF-8 ({error.args[-1]}): rename it", 2)
    except Exception as error:
        if words := what_it_lacks(error):
            return _fail(words, 2)
        if not isinstance(error, OSError) or error.errno is None:
            raise
        # A full, read-only, forbidden or impossible place.
        where = error.filename or "an output"
        remedy = f"make room or choose another folder; {go_on}"
        return _fail(f"{where}: {error.strerror}; {remedy}", 2)
    finally:
        _leave_group()
    return 0


def _fail(message: str, code: int) -> int:
    with contextlib.suppress(OSError):  # nobody may be reading
        sys.stdout.flush()
    with contextlib.suppress(OSError):
        print(f"error: {message}", file=sys.stderr, flush=True)
    return code


def _own_words(error: SegnoiseError) -> str:
    """The message; of an error in a loader's process, without that process's traceback."""
    text = str(error)
    if "Original Traceback" not in text:
        return text
    return text.rstrip().rpartition(f"{type(error).__name__}: ")[2]


def _leave_group() -> None:
    import torch.distributed as dist

    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()
